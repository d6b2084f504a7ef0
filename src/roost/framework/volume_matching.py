"""Which volume a claim gets on which node, for many nodes at once.

    the free volumes of the claim's class ─► per label value the smallest that fits ─► per row, by its value

A volume that names the claim is kept for it: then no other will do. A volume that the claims before it have taken on a
row is left out there.
"""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from roost.api.labels import selects
from roost.api.node_selectors import is_legal, term_matches
from roost.api.quantity import billionths
from roost.api.selectors import LabelSelector, NodeSelector, NodeSelectorTerm, Requirement
from roost.api.storage import PersistentVolume, PersistentVolumeClaim
from roost.framework.node_matching import meeting
from roost.framework.storage import Entry, Shelf
from roost.framework.view import Bool, LabelColumn, View

NONE = np.iinfo(np.int64).max
"""The number of a volume where there is none."""

Numbers = NDArray[np.int64]


class Matching:
    """The volumes found for the claims of one pod, as numbers by row; `volume` tells which is meant."""

    def __init__(self, view: View) -> None:
        self.chosen: list[tuple[PersistentVolumeClaim, Numbers]] = []
        self._view = view
        self._entries: list[Entry] = []
        self._numbers: dict[str, int] = {}

    def volume(self, number: int) -> PersistentVolume:
        """Return the volume of a number."""
        volume = self._view.storage.volume(self._entries[number][1])
        assert volume is not None
        return volume

    def add(self, claim: PersistentVolumeClaim) -> None:
        """Find volumes for one claim more, beside those found before."""
        chosen = np.full(self._view.size, NONE, dtype=np.int64)
        undecided = np.ones(self._view.size, dtype=np.bool_)
        for volume in self._view.storage.volumes_kept_for(claim.key):
            if not _is_all_that_will_do(volume, claim):
                continue
            number, free = self._number((billionths(volume.storage), volume.name)), undecided.copy()
            for _, taken in self.chosen:
                free &= taken != number
            chosen[free & reach(self._view, affinity_of(volume))] = number
            undecided &= ~free
        if undecided.any():
            chosen = np.where(undecided, self._smallest(claim), chosen)
        self.chosen.append((claim, chosen))

    def _smallest(self, claim: PersistentVolumeClaim) -> Numbers:
        smallest: Numbers | None = None
        for shelf in self._view.storage.shelves_of_class(claim.class_name):
            if _may_choose_from(shelf, claim):
                for found in self._on_shelf(shelf, claim):
                    smallest = found if smallest is None else self._smaller(smallest, found)
        return np.full(self._view.size, NONE, dtype=np.int64) if smallest is None else smallest

    def _on_shelf(self, shelf: Shelf, claim: PersistentVolumeClaim) -> Iterator[Numbers]:
        """Yield for each way of being within reach the smallest free volumes; not more per row than can be taken."""
        depth = len(self.chosen) + 1
        fitting = self._chooser(claim, depth)
        for key, by_value in shelf.by_label.items():
            column = self._view.label(key)
            levels = np.full((depth, len(column.values)), NONE, dtype=np.int64)
            found = [(id_, fitting(by_value[value])) for value, id_ in _values(column, by_value)]
            for level in range(depth):
                there = [(id_, numbers[level]) for id_, numbers in found if len(numbers) > level]
                if there:
                    ids, chosen = zip(*there, strict=True)
                    levels[level, list(ids)] = chosen
            yield self._untaken(levels[:, column.ids])
        for affinity, entries in shelf.others.items():
            numbers = fitting(entries)
            if numbers:
                by_level = np.array(numbers, dtype=np.int64)[:, None]
                yield self._untaken(np.where(reach(self._view, affinity), by_level, NONE))

    def _chooser(self, claim: PersistentVolumeClaim, depth: int) -> Callable[[Sequence[Entry]], list[int]]:
        """Return what gives the numbers of the first few of some volumes that a claim may choose."""
        smallest, selector, number = (billionths(claim.storage or 0), ""), claim.spec.selector, self._number

        def first_few(entries: Sequence[Entry]) -> list[int]:
            first = bisect_left(entries, smallest)
            return [number(entry) for entry in entries[first : first + depth]]

        def first_selected(entries: Sequence[Entry]) -> list[int]:
            assert selector is not None
            few = (entry for entry in entries[bisect_left(entries, smallest) :] if self._is_selected(entry, selector))
            return [number(entry) for entry in islice(few, depth)]

        return first_few if selector is None else first_selected

    def _is_selected(self, entry: Entry, selector: LabelSelector) -> bool:
        volume = self._view.storage.volume(entry[1])
        return volume is not None and selects(selector, volume.labels)

    def _untaken(self, levels: Numbers) -> Numbers:
        """Return by row the first of the levels that no claim before has taken."""
        first = np.full(self._view.size, NONE, dtype=np.int64)
        for level in levels[::-1]:
            free = level != NONE
            for _, taken in self.chosen:
                free &= taken != level
            first = np.where(free, level, first)
        return first

    def _smaller(self, one: Numbers, other: Numbers) -> Numbers:
        """Return by row the smaller volume of two, of equal ones the first by name."""
        ranks = np.empty(len(self._entries) + 1, dtype=np.int64)
        ranks[sorted(range(len(self._entries)), key=self._entries.__getitem__)] = np.arange(len(self._entries))
        ranks[-1] = NONE
        return np.where(ranks[np.where(one == NONE, -1, one)] <= ranks[np.where(other == NONE, -1, other)], one, other)

    def _number(self, entry: Entry) -> int:
        number = self._numbers.setdefault(entry[1], len(self._entries))
        if number == len(self._entries):
            self._entries.append(entry)
        return number


def _values(column: LabelColumn, wanted: Collection[str]) -> Iterator[tuple[str, int]]:
    """Yield those values of a label that are wanted and that nodes have, with their ids."""
    if len(column.ids) < len(wanted):
        there = {column.values[id_]: id_ for id_ in set(column.ids.tolist()) if id_}
        return ((value, id_) for value, id_ in there.items() if value in wanted)
    index = column.index
    return ((value, index[value]) for value in wanted if value in index)


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


def one_label(selector: NodeSelector | None) -> Requirement | None:
    """Return the one requirement that an affinity comes to, where that is a label with one of some values."""
    terms = (selector.node_selector_terms if selector is not None else None) or ()
    if len(terms) != 1 or terms[0].match_fields or len(terms[0].match_expressions or ()) != 1:
        return None
    requirement = (terms[0].match_expressions or ())[0]
    return requirement if requirement.operator == "In" and is_legal(requirement) else None


def _is_all_that_will_do(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    """Tell whether a volume is kept for a claim and can serve it."""
    spec = volume.spec
    return (
        is_kept_for(volume, claim)
        and volume.class_name == claim.class_name
        and volume.metadata.deletion_timestamp is None
        and spec.volume_mode == claim.spec.volume_mode
        and (spec.volume_attributes_class_name or "") == (claim.spec.volume_attributes_class_name or "")
        and billionths(volume.storage) >= billionths(claim.storage or 0)
    )


def _may_choose_from(shelf: Shelf, claim: PersistentVolumeClaim) -> bool:
    return (
        shelf.volume_mode == claim.spec.volume_mode
        and shelf.attributes_class == (claim.spec.volume_attributes_class_name or "")
        and shelf.access_modes.issuperset(claim.spec.access_modes or ())
    )
