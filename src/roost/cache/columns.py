"""The live columns: one slot per node, updated in place, read by plugins through the `View` protocol.

A slot is a row number. Freed slots are reused; the journal, whose marks never restart, tells answers about it.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from roost.api.devices import DeviceClass
from roost.api.meta import KubernetesObject
from roost.api.node import Node
from roost.api.quantity import milli_value, value
from roost.api.selectors import LabelSelector
from roost.api.taints import Taint
from roost.cache.budgets import Budgets
from roost.cache.controllers import Controllers
from roost.cache.device_classes import DeviceClasses
from roost.cache.distinct import DistinctValues
from roost.cache.images import Images
from roost.cache.labels import Labels
from roost.cache.measures import Measures
from roost.cache.name_order import NameOrder
from roost.cache.namespaces import Namespaces
from roost.cache.node_volumes import PlacedVolumes
from roost.cache.nominations import Nominations
from roost.cache.occupancy import LiveOccupancy
from roost.cache.owners import Owners
from roost.cache.placed_pods import PlacedPods
from roost.cache.pod_groups import PodGroups
from roost.cache.pod_terms import PlacedTerms
from roost.cache.ports import Ports
from roost.cache.storage import StorageObjects
from roost.errors import InvalidObject
from roost.framework.journal import ASPECTS, Journal
from roost.framework.measure import Measure, Measured
from roost.framework.occupancy import Occupancy
from roost.framework.pod_info import PodInfo
from roost.framework.pod_terms import NO_TERMS, AffinityTerm, PodTerm, TermKind
from roost.framework.resources import CPU, MEMORY, NONZERO_CPU, NONZERO_MEMORY, Int64, ResourceIndex
from roost.framework.storage import VolumePlan
from roost.framework.view import Bool, Float64, ImageColumn, Int32, LabelColumn, UInt64

_FIRST_CAPACITY = 64

VACANT = 1 << 40
"""What an empty slot has of everything: enough to reject nothing, so that "all rows fit" stays the usual answer."""

EXACT_CAPACITY = (1 << 53) // 100
"""Up to here, part * 100 / capacity in float64 truncates to what int64 division gives."""

_ARRAYS = tuple(
    f"_all_{name}"
    for name in (
        "alive",
        "unschedulable",
        "taint_set",
        "feature_set",
        "name_hash",
        "rank",
        "nodes_with",
        "allocatable",
        "divisor",
        "usage",
    )
)


class Columns:
    """Nodes as columns. The attributes of `View` are slices over the slots in use of arrays with room to grow."""

    def __init__(self) -> None:
        self.resources = ResourceIndex()
        self.journal = Journal()
        self.num_nodes = 0
        self.num_unschedulable = 0
        self.float_is_exact = True
        self._taints = DistinctValues[tuple[Taint, ...]](())
        self._features = DistinctValues[frozenset[str]](frozenset())
        self._nodes: list[Node | None] = []
        self._slots: dict[str, int] = {}
        self._free: list[int] = []
        self._order = NameOrder()
        self._allocate(_FIRST_CAPACITY, len(self.resources) + 8)
        self._labels = Labels(_FIRST_CAPACITY)
        self._images = Images(_FIRST_CAPACITY)
        self._measures = Measures(_FIRST_CAPACITY)
        self._ports = Ports()
        self._owners = Owners()
        self._namespaces = Namespaces()
        self._groups = PodGroups(_FIRST_CAPACITY, self._namespaces.labels)
        self._placed_terms = PlacedTerms(_FIRST_CAPACITY)
        self.controllers = Controllers()
        self._device_classes = DeviceClasses()
        self.storage = StorageObjects()
        self.volumes = PlacedVolumes(self.storage, _FIRST_CAPACITY)
        self.nominations = Nominations(self.journal)
        self.budgets = Budgets()
        self._placed = PlacedPods()
        self._occupancy = LiveOccupancy(self.journal)
        self._show(0)

    # ---- what plugins read

    @property
    def taint_sets(self) -> Sequence[tuple[Taint, ...]]:
        """The distinct taints of nodes, which `taint_set` indexes."""
        return self._taints.values

    @property
    def feature_sets(self) -> Sequence[frozenset[str]]:
        """The distinct sets of features that nodes declare, which `feature_set` indexes."""
        return self._features.values

    @property
    def rank(self) -> Int64:
        """The position of each row's node among all nodes by name, bytewise."""
        if self._order.is_stale:
            self._order.write(self._all_rank)
        return self._all_rank[: self.size]

    @property
    def occupancy(self) -> Occupancy:
        """`usage` and what follows from it as float64, right until the next event."""
        return self._occupancy.up_to_date(self.allocatable, self.usage, self.divisor)

    def node(self, row: int) -> Node:
        """Return the node in a slot."""
        node = self._nodes[row]
        if node is None:
            raise KeyError(f"no node in slot {row}")
        return node

    def name(self, row: int) -> str:
        """Return the name of the node in a slot."""
        return self.node(row).metadata.name

    def rows_named(self, name: str) -> Sequence[int]:
        """Return the slot of the node of this name, if there is one."""
        slot = self._slots.get(name)
        return () if slot is None else (slot,)

    def label(self, key: str) -> LabelColumn:
        """Return the column of a label key."""
        return self._labels.column(key, self._nodes, self.size)

    def image(self, name: str) -> ImageColumn | None:
        """Return where an image is; None if it is nowhere."""
        return self._images.column(name, self.size)

    def port_users(self, protocol: str, port: int) -> Mapping[str, Int32]:
        """Return, for each IP in use with this host port, how many pods of each node use it."""
        return self._ports.users(protocol, port, self.size)

    def measured(self, measure: Measure) -> Measured:
        """Return a number that the nodes' annotations hold, and whether it is known and fresh."""
        return self._measures.column(measure, self._nodes, self.size)

    def pods_of(self, owner: str) -> Int32:
        """Return how many pods of the controller of this uid are on each node; those being deleted do not count."""
        return self._owners.count(owner, self.size)

    @property
    def device_resources(self) -> Mapping[str, str]:
        """The resources that stand for devices, each with the name of a DeviceClass (epoch "device_classes")."""
        return self._device_classes.resources

    def default_selector(self, pod: PodInfo) -> LabelSelector | None:
        """Return what selects a pod and those that belong to it, by the Services and controllers that it has."""
        return self.controllers.default_selector(pod)

    def matching(self, *terms: PodTerm) -> Int32:
        """Return how many pods on each node all of the terms mean; not to be written to, right until the next event."""
        return self._groups.count(terms, self.size)

    def existing_terms(self, kind: TermKind, pod: PodInfo) -> Mapping[AffinityTerm, Int32]:
        """Return the terms of placed pods that mean a pod, each with how many pods on each node bear it."""
        return self._placed_terms.meaning(kind, pod.pod, self._namespaces.labels, self.size)

    def namespace_labels(self, name: str) -> Mapping[str, str]:
        """Return the labels of a namespace; none if it is not known."""
        return self._namespaces.labels(name)

    @property
    def placed(self) -> PlacedPods:
        """The pods on nodes as columns of their own, right until the next event."""
        return self._placed.up_to_date(len(self.resources))

    @property
    def cluster(self) -> "Columns":
        """The view of the cluster as it is: this one."""
        return self

    # ---- what drivers ask

    @property
    def unreadable(self) -> Mapping[tuple[str, str], str]:
        """The annotations, by node and key, that hold no number although a policy reads one there."""
        return self._measures.unreadable

    @property
    def measures(self) -> Sequence[Measure]:
        """The measures that policies have asked for."""
        return self._measures.known

    def age(self, stale_before: float) -> list[int]:
        """Take for missing what was measured before this time (Unix seconds); return the slots that this changes."""
        slots: list[int] = self._measures.age(stale_before).tolist()
        for slot in slots:
            self.journal.stamp("annotations", slot)
        return slots

    # ---- what the cache writes

    def slot(self, name: str) -> int | None:
        """Return the slot of a node, if it exists."""
        return self._slots.get(name)

    def add_node(self, node: Node) -> int:
        """Give a new node a slot; raises InvalidObject if its quantities cannot be read."""
        amounts = allocatable_amounts(node)
        slot = self._free.pop() if self._free else self._new_slot()
        self._slots[node.name] = slot
        self.num_nodes += 1
        self._order.add(node.name, slot)
        self._all_name_hash[slot] = name_hash(node.name)
        self._fill(slot, node, amounts)
        self._images.add(slot, node)
        self.volumes.add_node(slot, node.name)
        self.journal.bump("nodes")
        self.journal.stamp("usage", slot)
        return slot

    def update_node(self, slot: int, node: Node) -> None:
        """Take over a changed node; raises InvalidObject if its quantities cannot be read."""
        amounts = allocatable_amounts(node)
        old = self.node(slot)
        if old.status.images != node.status.images:
            self._images.remove(slot, old)
            self._images.add(slot, node)
            self.journal.bump("images")
        self._fill(slot, node, amounts)

    def remove_node(self, slot: int) -> None:
        """Free a slot whose pods have been taken off."""
        node = self.node(slot)
        self._images.remove(slot, node)
        self._labels.set(slot, None)
        self._measures.set(slot, None)
        self._measures.forget(node.name)
        self._measures.take_back(node.name)
        self.volumes.remove_node(slot, node.name)
        self.num_unschedulable -= int(self._all_unschedulable[slot])
        self._taints.give_back(int(self._all_taint_set[slot]))
        self._features.give_back(int(self._all_feature_set[slot]))
        for column in (self._all_alive, self._all_unschedulable, self._all_taint_set, self._all_feature_set):
            column[slot] = 0
        self._all_nodes_with -= self._all_allocatable[:, slot] != 0
        self._all_allocatable[:, slot] = VACANT
        self._all_divisor[:, slot] = VACANT
        self._all_usage[:, slot] = 0
        self._nodes[slot] = None
        del self._slots[node.name]
        self._free.append(slot)
        self.num_nodes -= 1
        self._order.remove(node.name)
        self.journal.bump("nodes")
        for aspect in ASPECTS:
            self.journal.stamp(aspect, slot)

    def annotate(self, slot: int, node: Node) -> None:
        """Take over a node of which only annotations have changed."""
        self._nodes[slot] = node
        self._measures.set(slot, node)
        self.journal.stamp("annotations", slot)

    def set_measured(self, name: str, numbers: Mapping[str, float | None]) -> bool:
        """Set numbers of a node that go before its annotations, by key; tell whether a plugin may see a difference."""
        slot = self._slots.get(name)
        differs = self._measures.give(name, numbers, slot, None if slot is None else self._nodes[slot])
        if slot is not None and differs:
            self.journal.stamp("annotations", slot)
        return slot is not None and differs

    def add_pod(self, slot: int, pod: PodInfo, times: int = 1) -> None:
        """Count a pod on a node, or with -1 no longer."""
        vector = pod.requests.vector
        column = self._all_usage[: len(vector), slot]
        if times == 1:
            column += vector
            self._placed.note(slot, pod)
        else:
            column -= vector
            self._placed.drop(pod)
        if pod.host_ports:
            self._ports.add(slot, pod.host_ports, times)
        if pod.owner:
            self._owners.add(slot, pod.owner, times)
        if pod.volumes and self.volumes.add(slot, pod.volumes, times):
            self.journal.bump("claims_in_use")
        self._groups.add(slot, pod, times)
        if pod.terms is not NO_TERMS:
            self._placed_terms.add(slot, pod, times)
            self.journal.bump("pod_terms")
        self.journal.stamp("usage", slot)

    def refresh_pod(self, slot: int, pod: PodInfo) -> None:
        """Take over a pod that counts as before."""
        self._placed.note(slot, pod)

    def relabel_pod(self, slot: int, old: PodInfo, new: PodInfo) -> None:
        """Take over the labels of a pod of which plugins read nothing else that has changed."""
        if self._groups.relabel(slot, old, new):
            self.journal.bump("pod_labels")

    def set_namespace(self, name: str, labels: Mapping[str, str] | None) -> bool:
        """Take over the labels of a namespace, None if it is gone; tell whether they have changed."""
        before = self._namespaces.labels(name)
        after = self._namespaces.set(name, labels)
        if before == after:
            return False
        self._groups.reconsider(before, after)
        self.journal.bump("namespaces")
        return True

    def set_device_class(self, device_class: DeviceClass) -> bool:
        """Add or update a DeviceClass; tell whether other resources stand for devices now."""
        differs = self._device_classes.set(device_class)
        if differs:
            self.journal.bump("device_classes")
        return differs

    def remove_device_class(self, name: str) -> bool:
        """Remove a DeviceClass; tell whether it was known."""
        differs = self._device_classes.remove(name)
        if differs:
            self.journal.bump("device_classes")
        return differs

    def set_storage(self, obj: KubernetesObject) -> bool:
        """Add or update an object of storage; tell whether a plugin may see a difference. Raises InvalidObject."""
        old = self.storage.set(obj)
        if old is obj:
            return False
        self.volumes.change(obj, old)
        self.journal.bump("storage")
        return True

    def remove_storage(self, obj: KubernetesObject) -> bool:
        """Remove an object of storage; tell whether it was known."""
        old = self.storage.remove(obj)
        if old is None:
            return False
        self.volumes.change(obj, old)
        self.journal.bump("storage")
        return True

    def assume_volumes(self, plan: VolumePlan) -> None:
        """Take what a decision will write about volumes for written."""
        self.storage.assume(plan)
        self.journal.bump("storage")

    def restore_volumes(self, plan: VolumePlan) -> None:
        """Undo `assume_volumes`, as far as nothing newer was seen."""
        self.storage.restore(plan)
        self.journal.bump("storage")

    def cover_resources(self) -> None:
        """Make the columns as many as the resources that the index knows."""
        covered = len(self.allocatable)
        if len(self.resources) == covered:
            return
        if len(self.resources) > len(self._all_allocatable):
            self._grow_resources()
        self._all_allocatable[covered:, self._all_alive] = 0
        self._all_divisor[covered:, self._all_alive] = 1
        self._show(self.size)

    # ---- storage

    def _fill(self, slot: int, node: Node, amounts: Mapping[str, int]) -> None:
        rows = [self.resources.row(name) for name in amounts]
        self.cover_resources()
        column = self._all_allocatable[:, slot]
        if self._all_alive[slot]:
            self._all_nodes_with -= column != 0
        column[:] = 0
        column[rows] = list(amounts.values())
        column[NONZERO_CPU], column[NONZERO_MEMORY] = column[CPU], column[MEMORY]
        self._all_nodes_with += column != 0
        self._all_divisor[:, slot] = np.maximum(column, 1)
        self.float_is_exact = self.float_is_exact and int(column.max()) <= EXACT_CAPACITY
        self.num_unschedulable += int(node.spec.unschedulable) - int(self._all_unschedulable[slot])
        self._all_unschedulable[slot] = node.spec.unschedulable
        if self._all_alive[slot]:
            self._taints.give_back(int(self._all_taint_set[slot]))
            self._features.give_back(int(self._all_feature_set[slot]))
        self._all_taint_set[slot] = self._taints.take(node.taints)
        self._all_feature_set[slot] = self._features.take(frozenset(node.status.declared_features or ()))
        self._all_alive[slot] = True
        self._nodes[slot] = node
        self._labels.set(slot, node)
        self._measures.set(slot, node)
        self.journal.stamp("node", slot)
        self.journal.stamp("annotations", slot)

    def _new_slot(self) -> int:
        slot = len(self._nodes)
        self._nodes.append(None)
        if slot >= len(self._all_alive):
            self._grow_slots()
        if slot >= self.size:
            self._show(slot + 1)
        return slot

    def _allocate(self, capacity: int, resources: int) -> None:
        self._all_slots: NDArray[np.intp] = np.arange(capacity)
        self._all_alive: Bool = np.zeros(capacity, dtype=np.bool_)
        self._all_unschedulable: Bool = np.zeros(capacity, dtype=np.bool_)
        self._all_taint_set: Int32 = np.zeros(capacity, dtype=np.int32)
        self._all_feature_set: Int32 = np.zeros(capacity, dtype=np.int32)
        self._all_name_hash: UInt64 = np.zeros(capacity, dtype=np.uint64)
        self._all_rank: Int64 = np.zeros(capacity, dtype=np.int64)
        self._all_nodes_with: Int64 = np.zeros(resources, dtype=np.int64)
        self._all_allocatable: Int64 = np.full((resources, capacity), VACANT, dtype=np.int64)
        self._all_divisor: Float64 = np.full((resources, capacity), VACANT, dtype=np.float64)
        self._all_usage: Int64 = np.zeros((resources, capacity), dtype=np.int64)

    def _grow_slots(self) -> None:
        self._reallocate(2 * len(self._all_alive), len(self._all_usage))

    def _grow_resources(self) -> None:
        self._reallocate(len(self._all_alive), 2 * len(self.resources))

    def _reallocate(self, capacity: int, resources: int) -> None:
        old = {name: getattr(self, name) for name in _ARRAYS}
        old_capacity = len(self._all_alive)
        self._allocate(capacity, resources)
        for name, array in old.items():
            getattr(self, name)[tuple(slice(length) for length in array.shape)] = array
        if capacity != old_capacity:
            for part in (
                self._labels,
                self._images,
                self._measures,
                self._groups,
                self._placed_terms,
                self.volumes,
            ):
                part.grow(capacity)
        self._show(self.size)

    def _show(self, size: int) -> None:
        rows = len(self.resources)
        self.size = size
        self.volumes.show(size)
        self.slots = self._all_slots[:size]
        self.alive = self._all_alive[:size]
        self.unschedulable = self._all_unschedulable[:size]
        self.name_hash = self._all_name_hash[:size]
        self.taint_set = self._all_taint_set[:size]
        self.feature_set = self._all_feature_set[:size]
        self.nodes_with = self._all_nodes_with[:rows]
        self.allocatable = self._all_allocatable[:rows, :size]
        self.divisor = self._all_divisor[:rows, :size]
        self.usage = self._all_usage[:rows, :size]


def allocatable_amounts(node: Node) -> dict[str, int]:
    """Return what a node has to give, CPU in milli-cores, all else in base units; raises InvalidObject."""
    try:
        return {
            name: milli_value(quantity) if name == "cpu" else value(quantity)
            for name, quantity in (node.status.allocatable or {}).items()
        }
    except InvalidObject as error:
        raise InvalidObject(f"node '{node.name}' has an unreadable status.allocatable: {error}") from error


def name_hash(name: str) -> int:
    """Return 64 bits that depend on the name alone, in every process alike."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")
