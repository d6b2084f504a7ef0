"""The columns of nodes that plugins read.

A plugin is handed a `View` and rows of it. The rows may be the nodes of the cluster as they are, or hypothetical states
of some of them (`WhatIf`): a plugin cannot tell, and must not care.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from roost.api.node import Node
from roost.api.taints import Taint
from roost.framework.measure import Measure, Measured
from roost.framework.pod_info import PodInfo
from roost.framework.resources import Int64, ResourceIndex

Bool = NDArray[np.bool_]
Int16 = NDArray[np.int16]
Int32 = NDArray[np.int32]
Float64 = NDArray[np.float64]
UInt64 = NDArray[np.uint64]
Rows = slice | NDArray[np.intp]
"""Some rows of a view: all of them as a slice, or their numbers."""

ALL: slice = slice(None)


class LabelColumn(Struct, frozen=True):
    """The values of one label key: `ids[row]` indexes `values`; id 0 means that the node lacks the label."""

    ids: Int32
    values: Sequence[str]
    index: Mapping[str, int]


class ImageColumn(Struct, frozen=True):
    """Where an image is: `present[row]`, its size in bytes, and on how many nodes of the cluster it is."""

    present: Bool
    size: int
    num_nodes: int


class View(Protocol):
    """Columns with one entry per row.

    `usage` and `allocatable` are int64 of shape (resources, rows); the resource rows are those of `resources`.
    `divisor` is `allocatable` as float64 with 1 in place of 0, and `float_is_exact` says that percentages of it come
    out as in integers. `nodes_with` counts, per resource, the nodes of the cluster that have any of it. `alive` is
    False where no node stands behind a row. `name_hash` is a hash of the node name.
    `taint_set` indexes `taint_sets`: nodes with equal taints share an id. `slots` are the cache's slots behind rows.
    """

    size: int
    num_nodes: int
    slots: NDArray[np.intp]
    alive: Bool
    name_hash: UInt64
    allocatable: Int64
    usage: Int64
    divisor: Float64
    float_is_exact: bool
    nodes_with: Int64
    unschedulable: Bool
    num_unschedulable: int
    taint_set: Int32
    resources: ResourceIndex

    @property
    def taint_sets(self) -> Sequence[tuple[Taint, ...]]:
        """The distinct taints of nodes, which `taint_set` indexes."""
        ...

    @property
    def rank(self) -> Int64:
        """The position of each row's node among all nodes by name, bytewise."""
        ...

    def node(self, row: int) -> Node:
        """Return the node behind a row."""
        ...

    def name(self, row: int) -> str:
        """Return the node name behind a row."""
        ...

    def rows_named(self, name: str) -> Sequence[int]:
        """Return the rows of the node of this name; none if there is no such node."""
        ...

    def label(self, key: str) -> LabelColumn:
        """Return the column of a label key."""
        ...

    def image(self, name: str) -> ImageColumn | None:
        """Return where an image is, by its normalised name; None if it is on no node."""
        ...

    def port_users(self, protocol: str, port: int) -> Mapping[str, Int32]:
        """Return, for each IP in use with this host port, how many pods of each row use it."""
        ...

    def measured(self, measure: Measure) -> Measured:
        """Return a number that comes from outside (reads "annotations")."""
        ...

    def pods_of(self, owner: str) -> Int32:
        """Return how many pods of the controller of this uid each row has (reads "usage"), less those being deleted."""
        ...


class WhatIf:
    """Chosen nodes with further pods placed on them: row i is slot `slots[i]` with `times[i]` pods more like `pod`."""

    def __init__(self, base: View, slots: NDArray[np.intp], pod: PodInfo, times: Int64) -> None:
        self.base = base
        self.added = pod
        self.times = times
        self.size = len(slots)
        self.num_nodes = base.num_nodes
        self.slots = slots
        self.alive = base.alive[slots]
        self.name_hash = base.name_hash[slots]
        self.allocatable = base.allocatable[:, slots]
        self.usage = base.usage[:, slots]
        vector = pod.requests.vector
        self.usage[: len(vector)] += vector[:, None] * times
        self.divisor = base.divisor[:, slots]
        self.float_is_exact = base.float_is_exact
        self.nodes_with = base.nodes_with
        self.unschedulable = base.unschedulable[slots]
        self.num_unschedulable = base.num_unschedulable
        self.taint_set = base.taint_set[slots]
        self.taint_sets = base.taint_sets
        self.resources = base.resources

    @property
    def rank(self) -> Int64:
        """The position of each row's node among all nodes by name, bytewise."""
        rank: Int64 = self.base.rank[self.slots]
        return rank

    def node(self, row: int) -> Node:
        """Return the node behind a row."""
        return self.base.node(int(self.slots[row]))

    def name(self, row: int) -> str:
        """Return the node name behind a row."""
        return self.base.name(int(self.slots[row]))

    def rows_named(self, name: str) -> Sequence[int]:
        """Return the rows of the node of this name; none if there is no such node."""
        found = self.base.rows_named(name)
        return [int(row) for slot in found for row in np.flatnonzero(self.slots == slot)]

    def label(self, key: str) -> LabelColumn:
        """Return the column of a label key."""
        column = self.base.label(key)
        return LabelColumn(column.ids[self.slots], column.values, column.index)

    def image(self, name: str) -> ImageColumn | None:
        """Return where an image is; None if it is on no node."""
        column = self.base.image(name)
        return column and ImageColumn(column.present[self.slots], column.size, column.num_nodes)

    def port_users(self, protocol: str, port: int) -> Mapping[str, Int32]:
        """Return, for each IP in use with this host port, how many placed pods of each row use it."""
        return {ip: users[self.slots] for ip, users in self.base.port_users(protocol, port).items()}

    def measured(self, measure: Measure) -> Measured:
        """Return a number that comes from outside."""
        column = self.base.measured(measure)
        return Measured(column.values[self.slots], column.known[self.slots], column.fresh[self.slots])

    def pods_of(self, owner: str) -> Int32:
        """Return how many pods of the controller of this uid each row has, those added among them."""
        count: Int32 = self.base.pods_of(owner)[self.slots]
        return count + self.times.astype(np.int32) if owner and owner == self.added.owner else count
