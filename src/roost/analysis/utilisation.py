"""What is requested of what there is, before and after: for the cluster and for each node, resource by resource.

Units are those of Kubernetes' own arithmetic: milli-cores for CPU, bytes for memory, counts for all else.
"""

from collections.abc import Collection, Iterator

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from roost.framework.resources import CPU, EPHEMERAL_STORAGE, MEMORY, NATIVE, PODS, Int64
from roost.framework.view import View

_FIRST = (CPU, MEMORY, PODS, EPHEMERAL_STORAGE)


class Amount(Struct, frozen=True):
    """What pods request of what there is."""

    requested: int = 0
    allocatable: int = 0

    @property
    def share(self) -> float:
        """The requested share, 0.0…1.0 unless it is overfilled; 0.0 of nothing."""
        return self.requested / self.allocatable if self.allocatable else 0.0


class ResourceUse(Struct, frozen=True):
    """The use of one resource before and after."""

    resource: str
    before: Amount
    after: Amount


class NodeUse(Struct, frozen=True):
    """The use of a node's resources before and after."""

    node: str
    resources: tuple[ResourceUse, ...]

    def of(self, resource: str) -> ResourceUse:
        """Return the use of one resource; of none if the node does not have it."""
        return next((use for use in self.resources if use.resource == resource), _unused(resource))


class Load(Struct, frozen=True):
    """The columns of a moment, copied: `usage` and `allocatable` by resource and node, int64."""

    resources: tuple[str, ...]
    nodes: tuple[str, ...]
    usage: Int64
    allocatable: Int64


def load_of(view: View) -> Load:
    """Return the load of all nodes, in the order of their names."""
    alive = np.flatnonzero(view.alive)
    rows = alive[np.argsort(view.rank[alive], kind="stable")]
    kept = _shown(len(view.usage))
    return Load(
        resources=tuple(view.resources.names[row] for row in kept),
        nodes=tuple(view.name(row) for row in rows.tolist()),
        usage=view.usage[kept][:, rows],
        allocatable=view.allocatable[kept][:, rows],
    )


def compare_clusters(before: Load, after: Load, gone: Collection[str] = ()) -> tuple[ResourceUse, ...]:
    """Return the use of the cluster by resource; nodes that are `gone` count before, and not after."""
    there = np.array([name not in gone for name in after.nodes], dtype=np.bool_)
    return tuple(
        ResourceUse(
            name,
            _sum(before, row, np.ones(len(before.nodes), dtype=np.bool_)),
            _sum(after, row, there),
        )
        for row, name in enumerate(after.resources)
        if _is_of_note(before, after, row)
    )


def compare_nodes(before: Load, after: Load) -> tuple[NodeUse, ...]:
    """Return the use of each node, by name; both loads are of the same nodes."""
    was, is_now = [*_columns(before)], [*_columns(after)]
    was += [[(0, 0)] * len(after.nodes)] * (len(is_now) - len(was))
    shown = [row for row in range(len(after.resources)) if _is_of_note(before, after, row)]
    return tuple(
        NodeUse(name, tuple(ResourceUse(after.resources[r], Amount(*was[r][i]), Amount(*is_now[r][i])) for r in shown))
        for i, name in enumerate(after.nodes)
    )


def _shown(rows: int) -> list[int]:
    """Return CPU, memory, pods and storage first, then all that is no row of the scores' own."""
    return [*_FIRST, *range(len(NATIVE), rows)]


def _is_of_note(before: Load, after: Load, row: int) -> bool:
    had = row < len(before.usage) and bool(before.allocatable[row].any() or before.usage[row].any())
    return had or bool(after.allocatable[row].any() or after.usage[row].any())


def _sum(load: Load, row: int, nodes: NDArray[np.bool_]) -> Amount:
    if row >= len(load.usage):
        return Amount()
    return Amount(int(load.usage[row][nodes].sum()), int(load.allocatable[row][nodes].sum()))


def _columns(load: Load) -> Iterator[list[tuple[int, int]]]:
    for requested, allocatable in zip(load.usage.tolist(), load.allocatable.tolist(), strict=True):
        yield list(zip(requested, allocatable, strict=True))


def _unused(resource: str) -> ResourceUse:
    return ResourceUse(resource, Amount(), Amount())
