"""What plugins that score resources share: which resources count, and how much of each is used and there."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from roost.errors import ConfigError
from roost.framework.plugin import MAX_NODE_SCORE
from roost.framework.resources import CPU, MEMORY, NONZERO_CPU, NONZERO_MEMORY, Int64
from roost.framework.view import Float64, Rows, View

Number = TypeVar("Number", np.int64, np.float64)
_NONZERO = {CPU: NONZERO_CPU, MEMORY: NONZERO_MEMORY}


class ResourceSpec(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A resource that a score counts, and its weight of 1 to 100 (0 means 1)."""

    name: str
    weight: int = 1


DEFAULT_RESOURCES = (ResourceSpec(name="cpu"), ResourceSpec(name="memory"))


class Amounts(Struct, frozen=True):
    """Resources on some rows, one line each: how much there is, how much is used, and what the pod adds.

    `capacity` and `used` are int64 of shape (resources, rows), `added` and `weights` of shape (resources, 1); `divisor`
    and `float_is_exact` are those of the view.
    `everywhere` says that every node of the cluster has some of each, so that no row need be left out.
    """

    capacity: Int64
    divisor: Float64
    float_is_exact: bool
    used: Int64
    added: Int64
    weights: Int64
    everywhere: bool


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


def amounts(
    view: View, rows: Rows, resources: Sequence[ResourceSpec], requests: Mapping[str, int], *, nonzero: bool
) -> Amounts | None:
    """Return the amounts of the resources that count: known, and if scalar, asked for by the pod; None if none do."""
    known, nodes_with, num_nodes = view.resources.rows, view.nodes_with, view.num_nodes
    counted = [
        (known[resource.name], resource.weight, requests.get(resource.name, 0))
        for resource in resources
        if resource.name in known and _counts(resource.name, requests)
    ]
    if not counted:
        return None
    rows_of, weights, added = zip(*counted, strict=True)
    lines = _lines(rows_of, weights, nonzero)
    return Amounts(
        capacity=_select(view.allocatable, lines.capacity, rows),
        divisor=_select(view.divisor, lines.capacity, rows),
        float_is_exact=view.float_is_exact,
        used=_select(view.usage, lines.used, rows),
        added=np.array(added, dtype=np.int64)[:, None],
        weights=lines.weights,
        everywhere=all(nodes_with[line] == num_nodes for line in rows_of),
    )


def select_lines(matrix: NDArray[Number], lines: Sequence[int], rows: Rows) -> NDArray[Number]:
    """Return some lines of a (resources, rows) matrix at some rows."""
    return _select(matrix, _as_slice(tuple(lines)), rows)


class _Lines(Struct, frozen=True):
    capacity: slice | list[int]
    used: slice | list[int]
    weights: Int64


@lru_cache(maxsize=1024)
def _lines(lines: tuple[int, ...], weights: tuple[int, ...], nonzero: bool) -> _Lines:
    used = tuple(_NONZERO.get(line, line) for line in lines) if nonzero else lines
    return _Lines(_as_slice(lines), _as_slice(used), np.array(weights, dtype=np.int64)[:, None])


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
    return name in ("cpu", "memory", "ephemeral-storage") or (is_scalar(name) and bool(requests.get(name)))


def floor_percent(part: Int64, resources: Amounts) -> Float64:
    """Return part * 100 // capacity as whole numbers, for 0 <= part <= capacity; 0 where capacity is 0."""
    if not resources.float_is_exact:
        exact: Int64 = part * MAX_NODE_SCORE // np.maximum(resources.capacity, 1)
        return exact.astype(np.float64)
    percent: Float64 = part.astype(np.float64)
    percent *= MAX_NODE_SCORE
    percent /= resources.divisor
    np.floor(percent, out=percent)
    return percent


def is_extended(name: str) -> bool:
    """Tell whether a resource is an extended one: of a domain that is not kubernetes.io."""
    return "/" in name and "kubernetes.io/" not in name and not name.startswith("requests.")


def is_scalar(name: str) -> bool:
    """Tell whether a resource counts in scores only for pods that ask for it (extended, huge pages, volumes)."""
    return "/" in name or name.startswith(("hugepages-", "attachable-volumes-"))
