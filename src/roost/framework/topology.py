"""Sums over the domains of a topology: the nodes that share the value of a label.

A hypothetical row stands for a cluster in which only that row's node differs. So a domain is summed over the cluster as
it is, and what the row has more or less than its node is added to the domain of that row.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from roost.framework.resources import Int64
from roost.framework.view import View

Numbers = NDArray[np.integer[Any]]


class Counted(Struct, frozen=True, eq=False):
    """Numbers of the nodes of a cluster, and of the rows of a view; the same column if that is the cluster's own."""

    of_cluster: Numbers
    of_rows: Numbers

    @property
    def is_live(self) -> bool:
        """Whether the rows are the cluster as it is."""
        return self.of_rows is self.of_cluster


def counted(view: View, count: Callable[[View], Numbers]) -> Counted:
    """Return what `count` says of a view and of the cluster behind it."""
    cluster = view.cluster
    of_cluster = count(cluster)
    return Counted(of_cluster, of_cluster if view is cluster else count(view))


def counted_by_key(view: View, count: Callable[[View], Mapping[str, Numbers]]) -> Mapping[str, Counted]:
    """Return, by key, what `count` says of a view and of the cluster behind it; 0 for a key that it leaves out."""
    cluster = view.cluster
    of_cluster = count(cluster)
    if view is cluster:
        return {key: Counted(column, column) for key, column in of_cluster.items()}
    of_rows = count(view)
    nothing, none_of_rows = np.zeros(cluster.size, dtype=np.int64), np.zeros(view.size, dtype=np.int64)
    return {
        key: Counted(of_cluster.get(key, nothing), of_rows.get(key, none_of_rows))
        for key in of_cluster.keys() | of_rows.keys()
    }


def sum_domains(view: View, key: str, numbers: Counted) -> Int64:
    """Return for each row the sum over its domain by the label `key`; 0 where the node lacks the label."""
    column = view.cluster.label(key)
    # Weights are summed as float64, which is exact up to 2**53.
    sums = np.bincount(column.ids, weights=numbers.of_cluster, minlength=len(column.values)).astype(np.int64)
    sums[0] = 0
    if numbers.is_live:
        of_rows: Int64 = sums[column.ids]
        return of_rows
    ids = view.label(key).ids
    return sums[ids] + np.where(ids != 0, numbers.of_rows - numbers.of_cluster[view.slots], 0)


def sum_cluster(view: View, numbers: Counted) -> Int64:
    """Return for each row the sum over all nodes of the cluster in which that row stands for its node."""
    whole = np.full(view.size, numbers.of_cluster.sum(), dtype=np.int64)
    if not numbers.is_live:
        whole += numbers.of_rows - numbers.of_cluster[view.slots]
    return whole
