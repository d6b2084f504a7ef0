"""The columns of nodes that plugins read.

A plugin is handed a `View` and rows of it. The rows may be the nodes of the cluster as they are, or hypothetical states
of some of them (`WhatIf`): a plugin cannot tell, and must not care.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from roost.api.node import Node
from roost.api.selectors import LabelSelector
from roost.api.taints import Taint
from roost.framework.changes import Changes
from roost.framework.measure import Measure, Measured
from roost.framework.node_volumes import ChangedNodeVolumes, NodeVolumes
from roost.framework.occupancy import Occupancy
from roost.framework.pod_info import PodInfo
from roost.framework.pod_terms import AffinityTerm, PodTerm, TermKind
from roost.framework.resources import Int64, ResourceIndex
from roost.framework.storage import Storage

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
    def occupancy(self) -> Occupancy:
        """`usage` and what follows from it as float64; not to be written to, and right until the next event."""
        ...

    @property
    def taint_sets(self) -> Sequence[tuple[Taint, ...]]:
        """The distinct taints of nodes, which `taint_set` indexes."""
        ...

    @property
    def feature_set(self) -> Int32:
        """The features that each row's node declares, as an index of `feature_sets`."""
        ...

    @property
    def feature_sets(self) -> Sequence[frozenset[str]]:
        """The distinct sets of features that nodes declare."""
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

    def default_selector(self, pod: PodInfo) -> LabelSelector | None:
        """Return what selects a pod and those that belong to it, None if nothing is known to (reads "services")."""
        ...

    def matching(self, *terms: PodTerm) -> Int32:
        """Return how many pods of each row all of the terms mean (reads "usage", "pod_labels" and "namespaces").

        The column is not to be written to, and is right until the next event.
        """
        ...

    def existing_terms(self, kind: TermKind, pod: PodInfo) -> Mapping[AffinityTerm, Int32]:
        """Return the terms of placed pods that mean a pod, each with how many pods of each row bear it.

        Reads "usage" (or no more than "pod_terms") and "namespaces"; the columns are not to be written to.
        """
        ...

    def namespace_labels(self, name: str) -> Mapping[str, str]:
        """Return the labels of a namespace; none if it is not known (reads "namespaces")."""
        ...

    @property
    def cluster(self) -> "View":
        """The view of the cluster as it is; of a hypothetical row only that row's node differs from it."""
        ...

    @property
    def storage(self) -> Storage:
        """The volumes and claims of the cluster, as they will be once what is decided is written (reads "storage")."""
        ...

    @property
    def volumes(self) -> NodeVolumes:
        """The volumes that the pods of each row use (reads "usage" and "storage")."""
        ...

    @property
    def device_resources(self) -> Mapping[str, str]:
        """The resources that stand for devices, each with the name of a DeviceClass (reads "device_classes")."""
        ...


class WhatIf:
    """Chosen nodes with pods put there or taken away: row i is slot `slots[i]` with the `changes` of row i."""

    def __init__(self, base: View, slots: NDArray[np.intp], changes: Changes) -> None:
        self.base = base
        self.changes = changes
        self.size = len(slots)
        self.num_nodes = base.num_nodes
        self.slots = slots
        self.alive = base.alive[slots]
        self.name_hash = base.name_hash[slots]
        self.allocatable = base.allocatable.take(slots, axis=1)
        self.usage = base.usage.take(slots, axis=1)
        changes.add_usage(self.usage)
        self.divisor = base.divisor.take(slots, axis=1)
        self.float_is_exact = base.float_is_exact
        self.nodes_with = base.nodes_with
        self.unschedulable = base.unschedulable[slots]
        self.num_unschedulable = base.num_unschedulable
        self.taint_set = base.taint_set[slots]
        self.taint_sets = base.taint_sets
        self.resources = base.resources

    def alter_usage(self, rows: NDArray[np.intp], amounts: Int64) -> None:
        """Add amounts, of shape (resources, rows), to what is used on some rows."""
        self.usage[:, rows] += amounts
        self.__dict__.pop("occupancy", None)

    @cached_property
    def occupancy(self) -> Occupancy:
        """`usage` and what follows from it as float64."""
        return Occupancy(self.allocatable, self.usage, self.divisor)

    @property
    def feature_set(self) -> Int32:
        """The features that each row's node declares, as an index of `feature_sets`."""
        feature_set: Int32 = self.base.feature_set[self.slots]
        return feature_set

    @property
    def feature_sets(self) -> Sequence[frozenset[str]]:
        """The distinct sets of features that nodes declare."""
        return self.base.feature_sets

    @property
    def rank(self) -> Int64:
        """The position of each row's node among all nodes by name, bytewise."""
        rank: Int64 = self.base.rank[self.slots]
        return rank

    @property
    def device_resources(self) -> Mapping[str, str]:
        """The resources that stand for devices, each with the name of a DeviceClass."""
        return self.base.device_resources

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
        """Return, for each IP in use with this host port, how many pods of each row use it."""
        users = {ip: users[self.slots] for ip, users in self.base.port_users(protocol, port).items()}
        for ip, more in self.changes.port_users(protocol, port).items():
            users[ip] = users[ip] + more if ip in users else more
        return users

    def measured(self, measure: Measure) -> Measured:
        """Return a number that comes from outside."""
        column = self.base.measured(measure)
        return Measured(column.values[self.slots], column.known[self.slots], column.fresh[self.slots])

    def pods_of(self, owner: str) -> Int32:
        """Return how many pods of the controller of this uid each row has."""
        count: Int32 = self.base.pods_of(owner)[self.slots]
        return count + self.changes.count(("owner", owner), lambda pod: pod.owner == owner) if owner else count

    def default_selector(self, pod: PodInfo) -> LabelSelector | None:
        """Return what selects a pod and those that belong to it."""
        return self.base.default_selector(pod)

    def matching(self, *terms: PodTerm) -> Int32:
        """Return how many pods of each row all of the terms mean."""
        labels_of = self.base.namespace_labels
        count: Int32 = self.base.matching(*terms)[self.slots]
        return count + self.changes.count(terms, lambda pod: all(term.matches(pod.pod, labels_of) for term in terms))

    def existing_terms(self, kind: TermKind, pod: PodInfo) -> Mapping[AffinityTerm, Int32]:
        """Return the terms of placed pods that mean a pod, each with how many pods of each row bear it."""
        found = {term: count[self.slots] for term, count in self.base.existing_terms(kind, pod).items()}
        for other, rows, counts in self.changes.where(("bears", kind), lambda pod: bool(pod.terms.of(kind))):
            for term in other.terms.of(kind):
                if term.term.matches(pod.pod, self.base.namespace_labels):
                    column = found.setdefault(term, np.zeros(self.size, dtype=np.int32))
                    np.add.at(column, rows, counts.astype(np.int32))
        return found

    def namespace_labels(self, name: str) -> Mapping[str, str]:
        """Return the labels of a namespace; none if it is not known."""
        return self.base.namespace_labels(name)

    @property
    def cluster(self) -> View:
        """The view of the cluster as it is."""
        return self.base.cluster

    @property
    def storage(self) -> Storage:
        """The volumes and claims of the cluster."""
        return self.base.storage

    @property
    def volumes(self) -> NodeVolumes:
        """The volumes that the pods of each row use."""
        return ChangedNodeVolumes(self.base.volumes, self.base.storage, self.slots, self.changes)
