"""The distinct values of a property of nodes: equal values share an id, so that pods compare once for all nodes."""

from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)

NOTHING = 0
"""The id of what a node has by default; it is never given away."""


class DistinctValues(Generic[T]):
    """Ids of values, counted: an id that no node has any more is given to the next new value."""

    def __init__(self, nothing: T) -> None:
        self.values: list[T] = [nothing]
        self._ids: dict[T, int] = {nothing: NOTHING}
        self._nodes: list[int] = [0]
        self._free: list[int] = []

    def take(self, value: T) -> int:
        """Return the id of a value, for one node more."""
        found = self._ids.get(value)
        if found is None:
            found = self._ids[value] = self._new(value)
        self._nodes[found] += 1
        return found

    def give_back(self, id_: int) -> None:
        """Count one node less; a value without nodes is forgotten."""
        self._nodes[id_] -= 1
        if self._nodes[id_] == 0 and id_ != NOTHING:
            del self._ids[self.values[id_]]
            self.values[id_] = self.values[NOTHING]
            self._free.append(id_)

    def _new(self, value: T) -> int:
        if self._free:
            id_ = self._free.pop()
            self.values[id_] = value
            return id_
        self.values.append(value)
        self._nodes.append(0)
        return len(self.values) - 1
