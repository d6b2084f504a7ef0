"""The affinity terms of the pods that are placed: on which nodes they are, by term and not by pod."""

from collections.abc import Mapping

import numpy as np

from roost.api.pod import Pod
from roost.cache.term_index import TermIndex
from roost.framework.pod_info import PodInfo
from roost.framework.pod_terms import KINDS, AffinityTerm, NamespaceLabels, TermKind
from roost.framework.view import Int32

SPARSE = 64
"""Up to this many slots, a column is made when somebody asks; beyond that it is kept."""


class _Bearers:
    """How many pods of each slot bear a term."""

    __slots__ = ("column", "slots")

    def __init__(self) -> None:
        self.slots: dict[int, int] = {}
        self.column: Int32 | None = None

    def add(self, slot: int, times: int) -> None:
        left = self.slots.get(slot, 0) + times
        if left:
            self.slots[slot] = left
        else:
            self.slots.pop(slot, None)
        if self.column is not None:
            self.column[slot] = left

    def count(self, size: int, capacity: int, sparse: int) -> Int32:
        column = self.column
        if column is None:
            column = np.zeros(capacity, dtype=np.int32)
            column[list(self.slots)] = list(self.slots.values())
            if len(self.slots) > sparse:
                self.column = column
        shown = column[:size]
        shown.flags.writeable = False
        return shown


class PlacedTerms:
    """The terms of placed pods of every kind, with counts of the pods that bear them, by slot."""

    def __init__(self, capacity: int, sparse: int = SPARSE) -> None:
        self._capacity = capacity
        self._sparse = sparse
        self._bearers: dict[TermKind, dict[AffinityTerm, _Bearers]] = {kind: {} for kind in KINDS}
        self._index: dict[TermKind, TermIndex[AffinityTerm]] = {kind: TermIndex() for kind in KINDS}

    def meaning(self, kind: TermKind, pod: Pod, labels_of: NamespaceLabels, size: int) -> Mapping[AffinityTerm, Int32]:
        """Return the terms that mean a pod, with how many pods in each of the first `size` slots bear them."""
        bearers = self._bearers[kind]
        if not bearers:
            return {}
        candidates = self._index[kind].candidates(pod.metadata.namespace, pod.labels)
        return {
            found: bearers[found].count(size, self._capacity, self._sparse)
            for found in candidates
            if found.term.matches(pod, labels_of)
        }

    def add(self, slot: int, pod: PodInfo, times: int) -> None:
        """Add (or with -1 take away) a pod with its terms."""
        for kind in KINDS:
            for one in pod.terms.of(kind):
                self._bearers_of(kind, one).add(slot, times)
                self._tidy(kind, one)

    def grow(self, capacity: int) -> None:
        """Make room for more slots."""
        self._capacity = capacity
        for known in self._bearers.values():
            for bearers in known.values():
                bearers.column = None

    def _bearers_of(self, kind: TermKind, one: AffinityTerm) -> _Bearers:
        bearers = self._bearers[kind].get(one)
        if bearers is None:
            bearers = self._bearers[kind][one] = _Bearers()
            self._index[kind].add(one.term, one)
        return bearers

    def _tidy(self, kind: TermKind, one: AffinityTerm) -> None:
        if not self._bearers[kind][one].slots:
            del self._bearers[kind][one]
            self._index[kind].discard(one)
