"""What plugins that score resources share: which resources count, and how much of each is used and there."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from roost.errors import ConfigError
from roost.framework.plugin import MAX_NODE_SCORE
from roost.framework.resources import CPU, EPHEMERAL_STORAGE, MEMORY, NONZERO_CPU, NONZERO_MEMORY, Int64
from roost.framework.view import Float64, Rows, View

Number = TypeVar("Number", np.int64, np.float64)
_COUNTED = {"cpu": CPU, "memory": MEMORY, "ephemeral-storage": EPHEMERAL_STORAGE}
"""The resources that count for every pod, and their rows."""

_NONZERO = {CPU: NONZERO_CPU, MEMORY: NONZERO_MEMORY}


class ResourceSpec(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A resource that a score counts, and its weight of 1 to 100 (0 means 1)."""

    name: str
    weight: int = 1


DEFAULT_RESOURCES = (ResourceSpec(name="cpu"), ResourceSpec(name="memory"))


class Amounts(Struct, frozen=True):
    """Resources on some rows of a view, one line each: how much there is and is used, and what the pod adds.

    Its matrices are of shape (resources, rows), `added` of shape (resources, 1). `everywhere` says that
    every node of the cluster has some of each, so that no row need be left out.
    """

    view: View
    rows: Rows
    lines: "Lines"
    added: Int64
    everywhere: bool

    @property
    def float_is_exact(self) -> bool:
        """Whether percentages come out in float64 as in integers."""
        return self.view.float_is_exact

    @property
    def capacity(self) -> Int64:
        """How much there is."""
        return _select(self.view.allocatable, self.lines.capacity, self.rows)

    @property
    def divisor(self) -> Float64:
        """How much there is as float64, 1 in place of 0."""
        return _select(self.view.divisor, self.lines.capacity, self.rows)

    @property
    def used_exactly(self) -> Int64:
        """How much is used, also where that is beyond what float64 holds."""
        return _select(self.view.usage, self.lines.used, self.rows)

    @property
    def used(self) -> Float64:
        """How much is used."""
        return _select(self.view.occupancy.used, self.lines.used, self.rows)

    @property
    def free(self) -> Float64:
        """How much is free; below 0 where more is used than there is."""
        return _select(self.view.occupancy.free, self.lines.used, self.rows)

    @property
    def share(self) -> Float64:
        """The used share, at most 1, without the pod."""
        return _select(self.view.occupancy.share, self.lines.used, self.rows)


def checked(resources: Sequence[ResourceSpec], field: str) -> tuple[ResourceSpec, ...]:
    """Return resources with weight 0 read as 1; raises ConfigError naming the field of a wrong one."""
    seen: set[str] = set()
    for position, resource in enumerate(resources):
        if not 0 <= resource.weight <= 100:
            raise ConfigError(f"{field}[{position}].weight: {resource.weight} is not between 1 and 100")
        if resource.name in seen:
            raise ConfigError(f"{field}[{position}].name: resource '{resource.name}' is named twice")
        seen.add(resource.name)
    return tuple(ResourceSpec(name=r.name, weight=r.weight or 1) for r in resources)


class Counting:
    """Which resources a score counts; with `nonzero`, containers that request nothing count for a little."""

    def __init__(self, resources: Sequence[ResourceSpec], *, nonzero: bool) -> None:
        self._resources = resources
        self._nonzero = nonzero
        self._always: Lines | None = None
        if all(resource.name in _COUNTED for resource in resources):
            self._always = self._lines(resources, _COUNTED)

    def amounts(self, view: View, rows: Rows, requests: Mapping[str, int]) -> Amounts | None:
        """Return the amounts of the resources that count: known, and if scalar, asked for; None if none do."""
        counted, lines = self._resources, self._always
        if lines is None:
            counted = self._counted(view, requests)
            if not counted:
                return None
            lines = self._lines(counted, view.resources.rows)
        added = np.array([[requests.get(one.name, 0)] for one in counted], dtype=np.int64)
        return Amounts(
            view, rows, lines, added, view.nodes_with[lines.capacity].tolist() == lines.all_of(view.num_nodes)
        )

    def _lines(self, resources: Sequence[ResourceSpec], known: Mapping[str, int]) -> "Lines":
        return _lines(tuple([known[r.name] for r in resources]), tuple([r.weight for r in resources]), self._nonzero)

    def _counted(self, view: View, requests: Mapping[str, int]) -> Sequence[ResourceSpec]:
        known = view.resources.rows
        return [one for one in self._resources if one.name in known and _counts(one.name, requests)]


def select_lines(matrix: NDArray[Number], lines: Sequence[int], rows: Rows) -> NDArray[Number]:
    """Return some lines of a (resources, rows) matrix at some rows."""
    return _select(matrix, _as_slice(tuple(lines)), rows)


class Lines(Struct, frozen=True):
    """Where resources stand in the matrices of capacity and of usage, and their weights, of shape (resources, 1)."""

    numbers: tuple[int, ...]
    capacity: slice | list[int]
    used: slice | list[int]
    weights: Int64
    is_even_pair: bool

    def all_of(self, number: int) -> list[int]:
        """Return a number for each of the resources."""
        return [number] * len(self.numbers)


@lru_cache(maxsize=1024)
def _lines(lines: tuple[int, ...], weights: tuple[int, ...], nonzero: bool) -> Lines:
    used = tuple(_NONZERO.get(line, line) for line in lines) if nonzero else lines
    return Lines(
        lines, _as_slice(lines), _as_slice(used), np.array(weights, dtype=np.int64)[:, None], weights == (1, 1)
    )


@lru_cache(maxsize=1024)
def _as_slice(lines: tuple[int, ...]) -> slice | list[int]:
    """Return neighbouring lines, such as CPU and memory, as a slice, which costs no copy."""
    first, count = lines[0], len(lines)
    return slice(first, first + count) if lines == tuple(range(first, first + count)) else list(lines)


def _select(matrix: NDArray[Number], lines: slice | list[int], rows: Rows) -> NDArray[Number]:
    if isinstance(lines, slice):
        return matrix[lines, rows]
    return matrix[lines][:, rows]


def _counts(name: str, requests: Mapping[str, int]) -> bool:
    return name in _COUNTED or (is_scalar(name) and bool(requests.get(name)))


def floor_percent(part: Float64, resources: Amounts) -> Float64:
    """Return part * 100 // capacity as whole numbers, for 0 <= part <= capacity; 0 where capacity is 0.

    Works upon `part` in place. Only where `float_is_exact`.
    """
    part *= MAX_NODE_SCORE
    part /= resources.divisor
    return np.floor(part, out=part)


def floor_percent_exactly(part: Int64, resources: Amounts) -> Float64:
    """Return the same of integers of any size."""
    exact: Int64 = part * MAX_NODE_SCORE // np.maximum(resources.capacity, 1)
    return exact.astype(np.float64)


def is_extended(name: str) -> bool:
    """Tell whether a resource is an extended one: of a domain that is not kubernetes.io."""
    return "/" in name and "kubernetes.io/" not in name and not name.startswith("requests.")


def is_scalar(name: str) -> bool:
    """Tell whether a resource counts in scores only for pods that ask for it (extended, huge pages, volumes)."""
    return "/" in name or name.startswith(("hugepages-", "attachable-volumes-"))
