"""What the two resource plugins share: which resources a score counts, and how much of each is used and there."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from roost.errors import ConfigError
from roost.framework.plugin import MAX_NODE_SCORE
from roost.framework.resources import CPU, MEMORY, NONZERO_CPU, NONZERO_MEMORY, Int64
from roost.framework.view import Rows, View

Float = NDArray[np.float64]
_EXACT = 1 << 53
"""Below this, dividing integers as float64 and truncating gives what int64 division gives."""


class ResourceSpec(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A resource that a score counts, and its weight of 1 to 100 (0 means 1)."""

    name: str
    weight: int = 1


DEFAULT_RESOURCES = (ResourceSpec(name="cpu"), ResourceSpec(name="memory"))


class Amounts(Struct, frozen=True):
    """One resource on some rows: how much there is, how much is used without the pod, and what the pod adds.

    `everywhere` says that every node of the cluster has some of it, so that no row need be left out.
    """

    name: str
    weight: int
    everywhere: bool
    capacity: Int64
    used: Int64
    added: int


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
    view: View, rows: Rows, resources: Sequence[ResourceSpec], requests: Mapping[str, int] | None, *, nonzero: bool
) -> Iterator[Amounts]:
    """Yield the amounts of each resource that counts: known here, and if it is scalar, asked for by the pod.

    Without requests there is no pod: every known resource counts, and nothing is added.
    """
    for resource in resources:
        row = view.resources.rows.get(resource.name)
        added = requests.get(resource.name, 0) if requests is not None else 0
        if row is None or (requests is not None and added == 0 and is_scalar(resource.name)):
            continue
        used = {CPU: NONZERO_CPU, MEMORY: NONZERO_MEMORY}.get(row, row) if nonzero else row
        everywhere = int(view.nodes_with[row]) == view.num_nodes
        capacity = view.allocatable[row][rows]
        yield Amounts(resource.name, resource.weight, everywhere, capacity, view.usage[used][rows], added)


def floor_percent(part: Int64, whole: Int64) -> Float:
    """Return part * 100 // whole as whole numbers, for 0 <= part <= whole; 0 where whole is 0."""
    # Rows without a node hold zeros too, so the guard is needed even where every node has the resource.
    safe = np.maximum(whole, 1)
    if int(safe.max(initial=1)) * MAX_NODE_SCORE < _EXACT:
        percent = part * float(MAX_NODE_SCORE)
        percent /= safe
        np.floor(percent, out=percent)
        return percent
    exact: Int64 = part * MAX_NODE_SCORE // safe
    return exact.astype(np.float64)


def is_extended(name: str) -> bool:
    """Tell whether a resource is an extended one: of a domain that is not kubernetes.io."""
    return "/" in name and "kubernetes.io/" not in name and not name.startswith("requests.")


def is_scalar(name: str) -> bool:
    """Tell whether a resource counts in scores only for pods that ask for it (extended, huge pages, volumes)."""
    return "/" in name or name.startswith(("hugepages-", "attachable-volumes-"))
