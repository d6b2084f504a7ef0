"""How many pods of one controller are on each node; sparse, and a column is made when a plugin asks."""

import numpy as np

from roost.framework.view import Int32


class Owners:
    """Counts of pods by the uid of their controller and by slot."""

    def __init__(self) -> None:
        self._counts: dict[str, dict[int, int]] = {}

    def count(self, owner: str, size: int) -> Int32:
        """Return how many pods of a controller are in each of the first `size` slots."""
        column = np.zeros(size, dtype=np.int32)
        counts = self._counts.get(owner)
        if counts:
            column[list(counts)] = list(counts.values())
        return column

    def add(self, slot: int, owner: str, pods: int) -> None:
        """Add (or with a negative number take away) pods of a controller."""
        counts = self._counts.get(owner)
        if counts is None:
            counts = self._counts[owner] = {}
        left = counts.get(slot, 0) + pods
        if left:
            counts[slot] = left
            return
        counts.pop(slot, None)
        if not counts:
            del self._counts[owner]
