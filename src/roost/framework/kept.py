"""What a plugin works out from all nodes together, kept until a node changes.

For plugins whose answers may not be remembered because they depend on other nodes: the part that depends on nodes
alone, such as which of them take part in something, need not be worked out for each pod.
"""

from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar
from weakref import ref

from roost.framework.journal import Marks
from roost.framework.memory import LiveView


class Sized(Protocol):
    """A value that knows how much memory it holds."""

    @property
    def nbytes(self) -> int:
        """The memory held."""
        ...


V = TypeVar("V", bound=Sized)


class Kept(Generic[V]):
    """Values by key for one view as it is; least recently used out, all of them when the nodes have changed."""

    def __init__(self, limit: int, reads: tuple[str, ...] = ("node", "nodes")) -> None:
        self._limit = limit
        self._reads = reads
        self._view: Callable[[], LiveView | None] = lambda: None
        self._marks: Marks = ()
        self._values: dict[Hashable, V] = {}
        self._nbytes = 0

    def get(self, view: LiveView, key: Hashable, work_out: Callable[[], V]) -> V:
        """Return the value of a key, worked out if it is not known."""
        marks = view.journal.marks(self._reads)
        if marks != self._marks or self._view() is not view:
            self._values.clear()
            self._nbytes, self._marks, self._view = 0, marks, ref(view)
        value = self._values.pop(key, None)
        if value is None:
            value = work_out()
            self._nbytes += value.nbytes
            while self._nbytes > self._limit and self._values:
                self._nbytes -= self._values.pop(next(iter(self._values))).nbytes
        self._values[key] = value
        return value
