"""Nodes that came in full in a request, of which only what is asked for is read.

The name, the taints and where the larger parts stand are read of every node; labels, annotations, allocatable amounts
and the node as a whole when a policy first looks at them.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

import msgspec
from msgspec import Raw

from roost.api.extender import read_message
from roost.api.meta import QuantityText, Value
from roost.api.node import Node
from roost.api.quantity import milli_value, value
from roost.api.taints import Taint
from roost.errors import InvalidObject

T = TypeVar("T")

_NULL = Raw(b"null")
_MOST_RESOURCES = 256
"""More different resources than this in one request are taken for nonsense: each costs a column."""


class _Metadata(Value):
    name: str = ""
    labels: Raw = _NULL
    annotations: Raw = _NULL


class _Spec(Value):
    unschedulable: bool = False
    taints: tuple[Taint, ...] | None = None


class _Status(Value):
    allocatable: Raw = _NULL


class _Part(Value):
    """What is read of every node."""

    metadata: _Metadata = _Metadata()
    spec: _Spec = _Spec()
    status: _Status = _Status()


class BodyNodes:
    """The nodes of one request, in its order; what cannot be read is an InvalidObject that names the node."""

    def __init__(self, items: Sequence[Raw]) -> None:
        self.items = items
        self._patiently = bool(items) and _is_spelled_oddly(items[0])
        self._parts = self._read(items, _Part)
        self.names: list[str] = [part.metadata.name for part in self._parts]
        self.unschedulable = [part.spec.unschedulable for part in self._parts]
        self.taints = [part.spec.taints or () for part in self._parts]

    def __len__(self) -> int:
        return len(self.items)

    @cached_property
    def labels(self) -> Sequence[Mapping[str, str]]:
        """The labels of each node."""
        return self._mappings([part.metadata.labels for part in self._parts], str, "metadata.labels")

    @cached_property
    def annotations(self) -> Sequence[Mapping[str, str]]:
        """The annotations of each node."""
        return self._mappings([part.metadata.annotations for part in self._parts], str, "metadata.annotations")

    @cached_property
    def allocatable(self) -> Mapping[str, Sequence[int]]:
        """By resource, how much of it each node has: milli-cores, and base units of all else."""
        found = [part.status.allocatable for part in self._parts]
        texts = self._mappings(found, QuantityText, "status.allocatable")
        names = dict.fromkeys(name for one in texts for name in one)
        if len(names) > _MOST_RESOURCES:
            raise InvalidObject(f"Nodes: status.allocatable names more than {_MOST_RESOURCES} different resources")
        return {name: self._amounts(name, texts) for name in names}

    @cached_property
    def whole(self) -> Sequence[Node]:
        """The nodes with all that policies can read."""
        return self._read(self.items, Node)

    def _amounts(self, name: str, texts: Sequence[Mapping[str, QuantityText]]) -> Sequence[int]:
        found = [one.get(name, 0) for one in texts]
        read: Callable[[QuantityText], int] = milli_value if name == "cpu" else value
        try:
            amounts = {text: read(text) for text in set(found)}  # most nodes are of a few kinds
        except InvalidObject:
            amounts = {text: self._amount(row, text, read) for row, text in enumerate(found)}
        return [amounts[text] for text in found]

    def _amount(self, row: int, text: QuantityText, read: Callable[[QuantityText], int]) -> int:
        try:
            return read(text)
        except InvalidObject as error:
            raise InvalidObject(f"node '{self.names[row]}' has an unreadable status.allocatable: {error}") from error

    def _mappings(self, texts: Sequence[Raw], kind: Any, field: str) -> list[Any]:
        return [found or {} for found in self._read(texts, dict[str, kind] | None, field)]

    def _read(self, texts: Sequence[Raw], kind: Any, field: str = "") -> list[Any]:
        """Read one thing of every node."""
        if not self._patiently:
            try:
                return list(map(msgspec.json.Decoder(kind).decode, texts))
            except (ValueError, RecursionError):
                pass  # what is wrong, and whether it is wrong at all, is said by reading it key by key
        return [self._read_patiently(row, text, kind, field) for row, text in enumerate(texts)]

    def _read_patiently(self, row: int, text: Raw, kind: Any, field: str) -> Any:
        try:
            return read_message(text, kind)
        except InvalidObject as error:
            path = f"Nodes.items[{row}]{'.' if field else ''}{field}"
            sentence = str(error)
            told = sentence.removeprefix("the message")
            raise InvalidObject(f"{path}{told if told != sentence else f'.{sentence}'}") from error


def _is_spelled_oddly(item: Raw) -> bool:
    """Tell whether keys are in another case than Kubernetes': one program has written all the nodes of a request."""
    try:
        return bool(read_message(item, Node) != msgspec.json.decode(item, type=Node))
    except (ValueError, RecursionError, InvalidObject):
        return True
