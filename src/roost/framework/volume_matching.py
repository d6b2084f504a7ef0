"""Which volume a claim gets on which node, for many nodes at once.

    the volumes of the claim's class ─► those that could serve it, smallest first ─► per row the first within reach

A volume is within reach of few nodes (its own, its zone) or of all, so what is kept is pairs of a volume and a row. A
volume that the claims before it have taken on a row is left out there.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from roost.api.labels import selects
from roost.api.node_selectors import is_legal, term_matches
from roost.api.quantity import billionths
from roost.api.selectors import LabelSelector, NodeSelector, NodeSelectorTerm, Requirement
from roost.api.storage import PersistentVolume, PersistentVolumeClaim
from roost.framework.node_matching import meeting
from roost.framework.view import Bool, View

NONE = np.iinfo(np.int64).max
"""The number of a volume where there is none."""

Numbers = NDArray[np.int64]
Rows = NDArray[np.intp]


class Matching:
    """The volumes found for the claims of one pod: `chosen[claim][row]` indexes `volumes`, or is `NONE`."""

    def __init__(self, view: View) -> None:
        self.volumes: list[PersistentVolume] = []
        self.chosen: list[tuple[PersistentVolumeClaim, Numbers]] = []
        self._view = view
        self._numbers: dict[str, int] = {}

    def add(self, claim: PersistentVolumeClaim) -> Numbers:
        """Find volumes for one claim more, beside those found before; return their numbers by row."""
        serving = [v for v in self._view.storage.volumes_of_class(claim.class_name) if _can_serve(v, claim)]
        kept = [volume for volume in serving if is_kept_for(volume, claim)]
        chosen = np.full(self._view.size, NONE, dtype=np.int64)
        undecided = np.ones(self._view.size, dtype=np.bool_)
        for volume in kept:  # nothing but what is kept for the claim will do
            number, free = self._number(volume), undecided.copy()
            for _, taken in self.chosen:
                free &= taken != number
            chosen[free & reach(self._view, affinity_of(volume))] = number
            undecided &= ~free
        if undecided.any():
            chosen = np.where(undecided, self._smallest([v for v in serving if _is_free_for(v, claim)]), chosen)
        self.chosen.append((claim, chosen))
        return chosen

    def _smallest(self, volumes: Sequence[PersistentVolume]) -> Numbers:
        first = np.full(self._view.size, NONE, dtype=np.int64)
        candidates = list(_distinct(volumes, len(self.chosen) + 1))
        if not candidates:
            return first
        positions, rows = _pairs(self._view, candidates)
        numbers = np.array([self._number(volume) for volume in candidates], dtype=np.int64)
        free = np.ones(len(rows), dtype=np.bool_)
        for _, taken in self.chosen:
            free &= taken[rows] != numbers[positions]
        np.minimum.at(first, rows[free], positions[free])
        found = first != NONE
        first[found] = numbers[first[found]]
        return first

    def _number(self, volume: PersistentVolume) -> int:
        number = self._numbers.setdefault(volume.name, len(self.volumes))
        if number == len(self.volumes):
            self.volumes.append(volume)
        return number


def by_size(claims: Iterable[PersistentVolumeClaim]) -> list[PersistentVolumeClaim]:
    """Return claims in the order in which they choose: the smallest first."""
    return sorted(claims, key=lambda claim: billionths(claim.storage or 0))


def is_kept_for(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    """Tell whether a volume is bound to a claim or kept for it."""
    ref = volume.spec.claim_ref
    if ref is None or (ref.name, ref.namespace) != (claim.name, claim.metadata.namespace):
        return False
    return not ref.uid or ref.uid == claim.metadata.uid


def affinity_of(volume: PersistentVolume) -> NodeSelector | None:
    """Return the nodes that can reach a volume; None if all can."""
    affinity = volume.spec.node_affinity
    return affinity.required if affinity is not None else None


def reach(view: View, selector: NodeSelector | None) -> Bool:
    """Return which rows can reach a volume of this affinity; it may speak of labels only, names are passed over."""
    if selector is None:
        return np.ones(view.size, dtype=np.bool_)
    matches = np.zeros(view.size, dtype=np.bool_)
    for term in selector.node_selector_terms or ():
        if term.match_expressions:
            matches |= meeting(view, NodeSelectorTerm(match_expressions=term.match_expressions))
        elif term.match_fields:
            matches |= True
    return matches


def is_within_reach(selector: NodeSelector | None, labels: Mapping[str, str]) -> bool:
    """Tell whether a node with these labels can reach a volume of this affinity: the plain rule beside `reach`."""
    if selector is None:
        return True
    return any(
        term_matches(NodeSelectorTerm(match_expressions=term.match_expressions), labels, "")
        if term.match_expressions
        else bool(term.match_fields)
        for term in selector.node_selector_terms or ()
    )


def label_selected(view: View, selector: LabelSelector | None) -> Bool:
    """Return which rows a selector of labels selects: none at all selects nothing, an empty one everything."""
    if selector is None:
        return np.zeros(view.size, dtype=np.bool_)
    labels = [Requirement(key=k, operator="In", values=(v,)) for k, v in (selector.match_labels or {}).items()]
    return meeting(view, NodeSelectorTerm(match_expressions=(*labels, *(selector.match_expressions or ()))))


def _can_serve(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    spec = volume.spec
    if spec.claim_ref is not None and not is_kept_for(volume, claim):
        return False
    if volume.metadata.deletion_timestamp is not None or spec.volume_mode != claim.spec.volume_mode:
        return False
    if (spec.volume_attributes_class_name or "") != (claim.spec.volume_attributes_class_name or ""):
        return False
    return billionths(volume.storage) >= billionths(claim.storage or 0)


def _is_free_for(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    if volume.status.phase != "Available" or is_kept_for(volume, claim):
        return False
    if claim.spec.selector is not None and not selects(claim.spec.selector, volume.labels):
        return False
    return set(claim.spec.access_modes or ()) <= set(volume.spec.access_modes or ())


def _distinct(volumes: Iterable[PersistentVolume], most: int) -> Iterator[PersistentVolume]:
    """Yield volumes in order, of those with one and the same affinity only as many as can come to be chosen."""
    seen: dict[object, int] = {}
    for volume in volumes:
        affinity = affinity_of(volume)
        seen[affinity] = seen.get(affinity, 0) + 1
        if seen[affinity] <= most:
            yield volume


def _pairs(view: View, volumes: Sequence[PersistentVolume]) -> tuple[Rows, Rows]:
    """Return the position of a volume and a row, for each row within reach of each volume."""
    labels: dict[str, _RowsByValue] = {}
    reached = []
    for volume in volumes:
        selector = affinity_of(volume)
        wanted = _one_label(selector)
        if wanted is None:
            reached.append(np.flatnonzero(reach(view, selector)))
            continue
        if wanted.key not in labels:
            labels[wanted.key] = _RowsByValue(view, wanted.key)
        reached.append(labels[wanted.key].with_any(wanted.values or ()))
    counts = [len(rows) for rows in reached]
    return np.repeat(np.arange(len(volumes)), counts), np.concatenate(reached)


class _RowsByValue:
    """The rows of each value of a label, found by one pass over all of them."""

    def __init__(self, view: View, key: str) -> None:
        column = view.label(key)
        self._index = column.index
        self._order = np.argsort(column.ids, kind="stable")
        self._starts = np.searchsorted(column.ids[self._order], np.arange(len(column.values) + 1)).tolist()

    def with_any(self, values: Sequence[str]) -> Rows:
        ids = {self._index[value] for value in values if value in self._index}
        parts = [self._order[self._starts[id_] : self._starts[id_ + 1]] for id_ in ids]
        return parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, dtype=np.intp), *parts])


def _one_label(selector: NodeSelector | None) -> Requirement | None:
    """Return the one requirement that a selector comes to, where that is a label with one of some values."""
    terms = (selector.node_selector_terms if selector is not None else None) or ()
    if len(terms) != 1 or terms[0].match_fields or len(terms[0].match_expressions or ()) != 1:
        return None
    requirement = (terms[0].match_expressions or ())[0]
    return requirement if requirement.operator == "In" and is_legal(requirement) else None
