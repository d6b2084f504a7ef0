"""The order of nodes by name, kept while nodes come and go: a few changes are put in their places, many are sorted.

A rank is asked for by the next decision at the earliest, so changes wait until then.
"""

from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

from roost.framework.resources import Int64

FEW = 64
"""Up to so many changes are put in their places one by one: each moves what comes after it, in one copy."""


class NameOrder:
    """Names in order, and the slots of the nodes that bear them.

    Python compares str by code point, which orders like the UTF-8 bytes that kube-scheduler compares.
    """

    def __init__(self, few: int = FEW) -> None:
        self._few = few
        self._names: list[str] = []
        self._slots: NDArray[np.intp] = np.zeros(0, dtype=np.intp)
        self._changes: dict[str, int | None] = {}

    @property
    def is_stale(self) -> bool:
        """Whether names have come or gone since the ranks were written."""
        return bool(self._changes)

    def add(self, name: str, slot: int) -> None:
        """Note that the node of this name is in a slot now."""
        self._changes[name] = slot

    def remove(self, name: str) -> None:
        """Note that the node of this name is gone."""
        self._changes[name] = None

    def write(self, ranks: Int64) -> None:
        """Write the position of every node among all into the entry of its slot."""
        if len(self._changes) <= self._few:
            for name, slot in self._changes.items():
                self._put(name, slot)
        else:
            self._sort()
        self._changes.clear()
        ranks[self._slots] = np.arange(len(self._slots))

    def _put(self, name: str, slot: int | None) -> None:
        place = bisect_left(self._names, name)
        if place < len(self._names) and self._names[place] == name:
            del self._names[place]
            self._slots = np.delete(self._slots, place)
        if slot is not None:
            self._names.insert(place, name)
            self._slots = np.insert(self._slots, place, slot)

    def _sort(self) -> None:
        slots: dict[str, int | None] = dict(zip(self._names, self._slots.tolist(), strict=True))
        slots |= self._changes
        known = {name: slot for name, slot in sorted(slots.items()) if slot is not None}
        self._names, self._slots = list(known), np.fromiter(known.values(), np.intp, len(known))
