"""How many pods of each node a term means, kept up to date pod by pod.

    pod ─► its group: the pods of one namespace with the same labels ─► the counts of the terms that mean this group

A term is looked up once per group, when either is new. After that a pod that comes or goes costs one addition for each
term that means it. Counts that nobody has asked for lately are dropped. Pods of one owner mostly have one and the same
object for their labels (`api/sharing.py`): then their group is found without reading it.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping

import numpy as np

from roost.api.labels import selects
from roost.cache.term_index import Pair, TermIndex, alternatives
from roost.framework.pod_info import PodInfo
from roost.framework.pod_terms import NamespaceLabels, PodTerm
from roost.framework.view import Int32

MOST_KEPT = 1024
"""How many combinations of terms have their counts kept."""

Terms = tuple[PodTerm, ...]
_Place = tuple[int, str, bool]
"""The identity of an object of labels, which the group that is found there keeps alive; namespace; if pods leave."""


class _Group:
    __slots__ = ("counts", "key", "labels", "leaving", "namespace", "place", "slots")

    def __init__(self, key: Hashable, pod: PodInfo) -> None:
        self.key = key
        self.namespace = pod.pod.metadata.namespace
        self.labels: Mapping[str, str] = pod.pod.labels
        self.place: _Place | None = None
        self.leaving = pod.pod.is_terminating
        self.slots: dict[int, int] = {}
        self.counts: dict[_Counts, None] = {}

    @property
    def pairs(self) -> Iterable[Pair | None]:
        """What the group can be found by; None stands for all groups of a namespace."""
        return (None, *self.labels.items())

    def is_meant_by(self, terms: Terms, labels_of: NamespaceLabels) -> bool:
        return all(
            (term.counts_terminating or not self.leaving)
            and term.covers(self.namespace, labels_of)
            and selects(term.selector, self.labels)
            for term in terms
        )


class _Counts:
    __slots__ = ("column", "groups", "terms")

    def __init__(self, terms: Terms, capacity: int) -> None:
        self.terms = terms
        self.column: Int32 = np.zeros(capacity, dtype=np.int32)
        self.groups: dict[_Group, None] = {}

    def include(self, group: _Group) -> None:
        group.counts[self] = self.groups[group] = None
        if group.slots:
            self.column[list(group.slots)] += np.fromiter(group.slots.values(), np.int32, len(group.slots))


class PodGroups:
    """Placed pods by namespace and labels, and the counts of the terms that have been asked for."""

    def __init__(self, capacity: int, labels_of: NamespaceLabels, most_kept: int = MOST_KEPT) -> None:
        self._capacity = capacity
        self._labels_of = labels_of
        self._most_kept = most_kept
        self._groups: dict[Hashable, _Group] = {}
        self._alike: dict[_Place, _Group] = {}
        self._index: dict[str, dict[Pair | None, dict[_Group, None]]] = {}
        self._kept: dict[Terms, _Counts] = {}
        self._asked: TermIndex[_Counts] = TermIndex()

    def count(self, terms: Terms, size: int) -> Int32:
        """Return how many pods in each of the first `size` slots all of the terms mean; not to be written to."""
        counts = self._kept.pop(terms, None)
        if counts is None:
            counts = self._compile(terms)
        self._kept[terms] = counts
        column = counts.column[:size]
        column.flags.writeable = False
        return column

    def add(self, slot: int, pod: PodInfo, times: int) -> None:
        """Add (or with -1 take away) a pod."""
        group = self._group(pod)
        left = group.slots.get(slot, 0) + times
        if left:
            group.slots[slot] = left
        else:
            group.slots.pop(slot, None)
        for counts in group.counts:
            counts.column[slot] += times
        if not group.slots:
            self._forget(group)

    def relabel(self, slot: int, old: PodInfo, new: PodInfo) -> bool:
        """Take over the labels of a pod that stays where it is; tell whether a count that is kept has changed."""
        before = set(self._group(old).counts)
        self.add(slot, old, -1)
        self.add(slot, new, 1)
        return before != set(self._group(new).counts)

    def grow(self, capacity: int) -> None:
        """Make room for more slots."""
        self._capacity = capacity
        for counts in self._kept.values():
            column = np.zeros(capacity, dtype=np.int32)
            column[: len(counts.column)] = counts.column
            counts.column = column

    def reconsider(self, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        """Forget the counts that are wrong since a namespace has other labels."""
        for terms in [terms for terms in self._kept if any(_tells_apart(term, before, after) for term in terms)]:
            self._drop(terms)

    def _group(self, pod: PodInfo) -> _Group:
        metadata = pod.pod.metadata
        place = (id(metadata.labels), metadata.namespace, metadata.deletion_timestamp is not None)
        group = self._alike.get(place)
        if group is None:
            group = self._found_by_labels(pod)
            self._put_in_place(group, place, {} if metadata.labels is None else metadata.labels)
        return group

    def _put_in_place(self, group: _Group, place: _Place, labels: Mapping[str, str]) -> None:
        if group.place is not None:
            del self._alike[group.place]
        group.place, group.labels = place, labels
        self._alike[place] = group

    def _found_by_labels(self, pod: PodInfo) -> _Group:
        key = (pod.pod.metadata.namespace, pod.part("labels"), pod.pod.is_terminating)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(key, pod)
            places = self._index.setdefault(group.namespace, {})
            for pair in group.pairs:
                places.setdefault(pair, {})[group] = None
            for counts in self._asked.candidates(group.namespace, group.labels):
                if group.is_meant_by(counts.terms, self._labels_of):
                    counts.include(group)
        return group

    def _forget(self, group: _Group) -> None:
        del self._groups[group.key]
        if group.place is not None:
            del self._alike[group.place]
        places = self._index[group.namespace]
        for pair in group.pairs:
            del places[pair][group]
            if not places[pair]:
                del places[pair]
        if not places:
            del self._index[group.namespace]
        for counts in group.counts:
            del counts.groups[group]

    def _compile(self, terms: Terms) -> _Counts:
        if len(self._kept) >= self._most_kept:
            self._drop(next(iter(self._kept)))
        counts = _Counts(terms, self._capacity)
        self._asked.add(terms[0], counts)
        for group in self._candidates(terms[0]):
            if group.is_meant_by(terms, self._labels_of):
                counts.include(group)
        return counts

    def _drop(self, terms: Terms) -> None:
        counts = self._kept.pop(terms)
        self._asked.discard(counts)
        for group in counts.groups:
            del group.counts[counts]

    def _candidates(self, term: PodTerm) -> Iterator[_Group]:
        """Yield the groups that a term may mean, each once."""
        if term.selector is None:
            return
        choices = alternatives(term.selector)
        for places in self._places(term):
            pairs = min(choices, key=lambda pairs: sum(len(places.get(pair, ())) for pair in pairs))
            for pair in pairs:
                yield from places.get(pair, ())

    def _places(self, term: PodTerm) -> list[dict[Pair | None, dict[_Group, None]]]:
        if term.namespace_selector is None:
            return [self._index[name] for name in term.namespaces if name in self._index]
        return [places for name, places in self._index.items() if term.covers(name, self._labels_of)]


def _tells_apart(term: PodTerm, before: Mapping[str, str], after: Mapping[str, str]) -> bool:
    return selects(term.namespace_selector, before) != selects(term.namespace_selector, after)
