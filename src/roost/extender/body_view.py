"""The nodes of one request as the columns that policies read, each made when a policy first asks for it.

Such nodes do not tell which pods are on them. That is taken, by the name of the node, from the watch cache if there is
one; without it there are none, and policies that read usage are not asked at all (`webhook` refuses).
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from math import isnan, nan
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from roost.api.node import Node
from roost.api.selectors import LabelSelector
from roost.api.taints import Taint
from roost.cache.columns import EXACT_CAPACITY, Columns, name_hash
from roost.cache.images import Images
from roost.cache.storage import StorageObjects
from roost.extender.body_nodes import BodyNodes
from roost.framework.journal import Journal
from roost.framework.measure import Measure, Measured, read_time
from roost.framework.memory import NoNominations
from roost.framework.node_volumes import NoVolumes
from roost.framework.occupancy import Occupancy
from roost.framework.pod_info import PodInfo
from roost.framework.pod_terms import AffinityTerm, PodTerm, TermKind
from roost.framework.resources import CPU, MEMORY, NONZERO_CPU, NONZERO_MEMORY, Int64, ResourceIndex
from roost.framework.view import Bool, Float64, ImageColumn, Int32, LabelColumn, UInt64

N = TypeVar("N", np.int32, np.int64)


class BodyView:
    """A view of the nodes of a request: row i is the i-th of them, also where two have one name.

    `resources` must know the pod's. `placed` are the columns of the watch cache. What was measured before
    `stale_before` (Unix seconds) is not fresh. `measures` and `unreadable` tell what policies have looked at.
    """

    def __init__(
        self, nodes: BodyNodes, resources: ResourceIndex, *, placed: Columns | None = None, stale_before: float
    ) -> None:
        self.nodes = nodes
        self.size = self.num_nodes = len(nodes)
        self.resources = resources
        self.journal = Journal()
        self.alive: Bool = np.ones(self.size, dtype=np.bool_)
        self.slots = np.arange(self.size)
        self.unreadable: dict[tuple[str, str], str] = {}
        self._placed = placed
        self._stale_before = stale_before
        self._measured: dict[Measure, Measured] = {}
        self._times: dict[str, Float64] = {}

    @property
    def measures(self) -> Sequence[Measure]:
        """The measures that policies have asked for."""
        return list(self._measured)

    # ---- nodes

    def node(self, row: int) -> Node:
        """Return the node behind a row."""
        return self.nodes.whole[row]

    def name(self, row: int) -> str:
        """Return the node name behind a row."""
        return self.nodes.names[row]

    def rows_named(self, name: str) -> Sequence[int]:
        """Return the rows of the nodes of this name."""
        return self._rows_by_name.get(name, ())

    @cached_property
    def name_hash(self) -> UInt64:
        """A hash of each row's name."""
        return np.array([name_hash(name) for name in self.nodes.names], dtype=np.uint64)

    @cached_property
    def rank(self) -> Int64:
        """The position of each row's name among all of the request, bytewise; of equal ones the first comes first."""
        rank = np.empty(self.size, dtype=np.int64)
        rank[sorted(range(self.size), key=self.nodes.names.__getitem__)] = np.arange(self.size)
        return rank

    @cached_property
    def _rows_by_name(self) -> Mapping[str, list[int]]:
        rows: dict[str, list[int]] = {}
        for row, name in enumerate(self.nodes.names):
            rows.setdefault(name, []).append(row)
        return rows

    # ---- resources

    @cached_property
    def allocatable(self) -> Int64:
        """What each row has to give, by resource."""
        lines = {self.resources.row(name): amounts for name, amounts in self.nodes.allocatable.items()}
        columns: Int64 = np.zeros((len(self.resources), self.size), dtype=np.int64)
        for line, amounts in lines.items():
            columns[line] = amounts
        columns[NONZERO_CPU], columns[NONZERO_MEMORY] = columns[CPU], columns[MEMORY]
        return columns

    @cached_property
    def divisor(self) -> Float64:
        """`allocatable` as float64 with 1 in place of 0."""
        divisor: Float64 = np.maximum(self.allocatable, 1).astype(np.float64)
        return divisor

    @property
    def float_is_exact(self) -> bool:
        """Whether percentages of `divisor` come out as in integers."""
        return int(self.allocatable.max(initial=0)) <= EXACT_CAPACITY

    @cached_property
    def nodes_with(self) -> Int64:
        """How many rows have any of each resource."""
        counts: Int64 = np.count_nonzero(self.allocatable, axis=1).astype(np.int64)
        return counts

    @property
    def device_resources(self) -> Mapping[str, str]:
        """The resources that stand for devices, as far as somebody follows that."""
        return {} if self._placed is None else self._placed.device_resources

    # ---- labels, taints, images

    @cached_property
    def unschedulable(self) -> Bool:
        """Which rows are cordoned."""
        return np.array(self.nodes.unschedulable, dtype=np.bool_)

    @property
    def num_unschedulable(self) -> int:
        """How many rows are cordoned."""
        return int(np.count_nonzero(self.unschedulable))

    @cached_property
    def _taint_ids(self) -> Mapping[tuple[Taint, ...], int]:
        return {taints: id_ for id_, taints in enumerate(dict.fromkeys([(), *self.nodes.taints]))}

    @property
    def taint_sets(self) -> Sequence[tuple[Taint, ...]]:
        """The distinct taints of nodes, which `taint_set` indexes."""
        return list(self._taint_ids)

    @cached_property
    def taint_set(self) -> Int32:
        """Which taints each row has."""
        return np.array([self._taint_ids[taints] for taints in self.nodes.taints], dtype=np.int32)

    @cached_property
    def _feature_ids(self) -> Mapping[frozenset[str], int]:
        declared = (frozenset(node.status.declared_features or ()) for node in self.nodes.whole)
        return {features: id_ for id_, features in enumerate(dict.fromkeys([frozenset(), *declared]))}

    @property
    def feature_sets(self) -> Sequence[frozenset[str]]:
        """The distinct sets of features that nodes declare, which `feature_set` indexes."""
        return list(self._feature_ids)

    @cached_property
    def feature_set(self) -> Int32:
        """Which features each row declares."""
        declared = (frozenset(node.status.declared_features or ()) for node in self.nodes.whole)
        return np.array([self._feature_ids[features] for features in declared], dtype=np.int32)

    def label(self, key: str) -> LabelColumn:
        """Return the column of a label key."""
        index: dict[str, int] = {}
        ids = [
            0 if key not in labels else index.setdefault(labels[key], len(index) + 1) for labels in self.nodes.labels
        ]
        return LabelColumn(np.array(ids, dtype=np.int32), ["", *index], index)

    def image(self, name: str) -> ImageColumn | None:
        """Return where an image is."""
        return self._images.column(name, self.size)

    @cached_property
    def _images(self) -> Images:
        images = Images(self.size)
        for row, node in enumerate(self.nodes.whole):
            images.add(row, node)
        return images

    # ---- what is measured

    def measured(self, measure: Measure) -> Measured:
        """Return a number that the nodes' annotations hold, and whether it is known and fresh."""
        found = self._measured.get(measure)
        if found is None:
            found = self._measured[measure] = self._measure(measure)
        return found

    def _measure(self, measure: Measure) -> Measured:
        texts = [annotations.get(measure.annotation) for annotations in self.nodes.annotations]
        read = {text: None if text is None else measure.read(text) for text in set(texts)}
        self._note_unreadable(measure.annotation, texts, {text for text, number in read.items() if number is None})
        known = {text: number is not None for text, number in read.items()}
        numbers = {text: nan if number is None else number for text, number in read.items()}
        fresh = np.ones(self.size, dtype=np.bool_)
        if measure.written_at:
            fresh = ~(self._written_at(measure.written_at) < self._stale_before)
        return Measured(_column(texts, numbers, np.float64), _column(texts, known, np.bool_), fresh)

    def _written_at(self, key: str) -> Float64:
        if key not in self._times:
            texts = [annotations.get(key) for annotations in self.nodes.annotations]
            times = {text: nan if text is None else read_time(text) for text in set(texts)}
            self._note_unreadable(key, texts, {text for text, time in times.items() if isnan(time)})
            self._times[key] = _column(texts, times, np.float64)
        return self._times[key]

    def _note_unreadable(self, annotation: str, texts: Sequence[str | None], unreadable: set[str | None]) -> None:
        unreadable.discard(None)
        if unreadable:
            for row, text in enumerate(texts):
                if text is not None and text in unreadable:
                    self.unreadable[self.name(row), annotation] = text

    # ---- the pods on the nodes

    @cached_property
    def usage(self) -> Int64:
        """What is taken on each row, by resource."""
        columns = np.zeros_like(self.allocatable)
        if self._placed is not None:
            known = self._placed.resources.rows
            for name, line in self.resources.rows.items():
                if name in known and known[name] < len(self._placed.usage):
                    columns[line] = self._by_row(self._placed.usage[known[name]])
        return columns

    @cached_property
    def occupancy(self) -> Occupancy:
        """`usage` and what follows from it as float64."""
        return Occupancy(self.allocatable, self.usage, self.divisor)

    def port_users(self, protocol: str, port: int) -> Mapping[str, Int32]:
        """Return, for each IP in use with this host port, how many pods of each row use it."""
        users = {} if self._placed is None else self._placed.port_users(protocol, port)
        return {ip: self._by_row(counts) for ip, counts in users.items()}

    def pods_of(self, owner: str) -> Int32:
        """Return how many pods of the controller of this uid each row has."""
        if self._placed is None:
            return np.zeros(self.size, dtype=np.int32)
        return self._by_row(self._placed.pods_of(owner))

    def default_selector(self, pod: PodInfo) -> LabelSelector | None:
        """Return what selects a pod and those that belong to it, as far as the watch cache knows."""
        return None if self._placed is None else self._placed.default_selector(pod)

    def matching(self, *terms: PodTerm) -> Int32:
        """Return how many pods of each row all of the terms mean."""
        if self._placed is None:
            return np.zeros(self.size, dtype=np.int32)
        return self._by_row(self._placed.matching(*terms))

    def existing_terms(self, kind: TermKind, pod: PodInfo) -> Mapping[AffinityTerm, Int32]:
        """Return the terms of placed pods that mean a pod, each with how many pods of each row bear it."""
        found = {} if self._placed is None else self._placed.existing_terms(kind, pod)
        return {term: self._by_row(column) for term, column in found.items()}

    def namespace_labels(self, name: str) -> Mapping[str, str]:
        """Return the labels of a namespace, as far as the watch cache knows."""
        return {} if self._placed is None else self._placed.namespace_labels(name)

    @property
    def nominations(self) -> NoNominations:
        """The nodes that are promised to pods: kube-scheduler sees to these itself."""
        return NoNominations()

    @property
    def cluster(self) -> Any:
        """The nodes of the request, which are all that is known: this view."""
        return self

    @property
    def storage(self) -> StorageObjects:
        """The volumes and claims of the cluster, as far as the watch cache knows."""
        return StorageObjects() if self._placed is None else self._placed.storage

    @property
    def volumes(self) -> NoVolumes:
        """The volumes that the pods of each row use: none that are known."""
        return NoVolumes(self.size)

    @cached_property
    def _placed_slots(self) -> Int64:
        assert self._placed is not None
        slot_of = self._placed.slot
        slots = (slot_of(name) for name in self.nodes.names)
        return np.array([-1 if slot is None else slot for slot in slots], dtype=np.int64)

    def _by_row(self, column: NDArray[N]) -> NDArray[N]:
        """Return a column of the watch cache over the rows of this view; 0 where it does not know the node."""
        slots, rows = self._placed_slots, np.zeros(self.size, dtype=column.dtype)
        rows[slots >= 0] = column[slots[slots >= 0]]
        return rows


def _column(texts: Sequence[str | None], meanings: Mapping[str | None, float | bool], dtype: type) -> NDArray[Any]:
    return np.array([meanings[text] for text in texts], dtype=dtype)
