"""Label columns: the id of each node's value of a key, compiled at first sight and kept up to date slot by slot."""

from collections.abc import Iterable

import numpy as np

from roost.api.node import Node
from roost.framework.view import Int32, LabelColumn

ABSENT = 0


class Labels:
    """The label keys that anybody has asked for; others cost nothing."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._ids: dict[str, Int32] = {}
        self._values: dict[str, list[str]] = {}
        self._index: dict[str, dict[str, int]] = {}

    def column(self, key: str, nodes: Iterable[Node | None], size: int) -> LabelColumn:
        """Return the column of a key over the first `size` slots, compiling it if it is new."""
        if key not in self._ids:
            self._compile(key, nodes)
        return LabelColumn(self._ids[key][:size], self._values[key], self._index[key])

    def set(self, slot: int, node: Node | None) -> None:
        """Take over the labels of the node in a slot, or none."""
        for key in self._ids:
            self._set(key, slot, node)

    def grow(self, capacity: int) -> None:
        """Make room for more slots."""
        self._capacity = capacity
        for key, ids in self._ids.items():
            grown = np.zeros(capacity, dtype=np.int32)
            grown[: len(ids)] = ids
            self._ids[key] = grown

    def _compile(self, key: str, nodes: Iterable[Node | None]) -> None:
        index: dict[str, int] = {}
        found = [
            ABSENT if (value := _value(node, key)) is None else index.setdefault(value, len(index) + 1)
            for node in nodes
        ]
        self._ids[key] = np.zeros(self._capacity, dtype=np.int32)
        self._ids[key][: len(found)] = found
        self._values[key] = ["", *index]
        self._index[key] = index

    def _set(self, key: str, slot: int, node: Node | None) -> None:
        value = _value(node, key)
        self._ids[key][slot] = ABSENT if value is None else self._id(key, value)

    def _id(self, key: str, value: str) -> int:
        index = self._index[key]
        found = index.get(value)
        if found is None:
            found = index[value] = len(self._values[key])
            self._values[key].append(value)
        return found


def _value(node: Node | None, key: str) -> str | None:
    labels = None if node is None else node.metadata.labels
    return None if labels is None else labels.get(key)
