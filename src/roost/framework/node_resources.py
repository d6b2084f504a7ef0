"""What plugins that score resources share: which resources count, and how much of each is used and there."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from roost.errors import ConfigError
from roost.framework.plugin import MAX_NODE_SCORE
from roost.framework.resources import CPU, MEMORY, NONZERO_CPU, NONZERO_MEMORY, Int64
from roost.framework.view import Float64, Rows, View


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

    names: tuple[str, ...]
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
    known = view.resources.rows
    counted = [
        resource
        for resource in resources
        if resource.name in known and (requests.get(resource.name) or not is_scalar(resource.name))
    ]
    if not counted:
        return None
    lines = [known[resource.name] for resource in counted]
    used = [_NONZERO.get(line, line) for line in lines] if nonzero else lines
    return Amounts(
        names=tuple([resource.name for resource in counted]),
        capacity=select_lines(view.allocatable, lines, rows),
        divisor=select_lines(view.divisor, lines, rows),
        float_is_exact=view.float_is_exact,
        used=select_lines(view.usage, used, rows),
        added=np.array([[requests.get(resource.name, 0)] for resource in counted], dtype=np.int64),
        weights=np.array([[resource.weight] for resource in counted], dtype=np.int64),
        everywhere=bool((view.nodes_with[lines] == view.num_nodes).all()),
    )


Number = TypeVar("Number", np.int64, np.float64)
_NONZERO = {CPU: NONZERO_CPU, MEMORY: NONZERO_MEMORY}


def select_lines(matrix: NDArray[Number], lines: list[int], rows: Rows) -> NDArray[Number]:
    """Return some lines of a (resources, rows) matrix at some rows."""
    # Neighbouring lines, such as CPU and memory, need no copy.
    first, count = lines[0], len(lines)
    if lines == list(range(first, first + count)):
        return matrix[first : first + count, rows]
    return matrix[lines][:, rows]


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
