"""The state of the cluster as scheduling sees it: nodes, the pods on them, and the pods assumed to be on them.

            assume                     set_pod (the watch shows it bound)
  (pending) ───────► assumed ────────────────────────────► placed
                        │ forget (the binding failed)         │ remove_pod
                        ▼                                     ▼
                    (pending)                              (gone)

An assumed pod never expires by itself: only a confirmed failure forgets it. Pods on a node that is not known (yet, or
any more) are kept and count as soon as the node appears.
"""

from collections.abc import Hashable, Mapping

from msgspec import Struct

from roost.api.budgets import PodDisruptionBudget
from roost.api.controllers import PodGrouping
from roost.api.devices import DeviceClass
from roost.api.meta import KubernetesObject
from roost.api.node import Node
from roost.api.pod import Pod
from roost.api.requests import (
    balanced_score_requests,
    fit_score_requests,
    granted_parts,
    pod_shape,
    request_items,
    scoring_requests,
)
from roost.cache.columns import Columns
from roost.framework.pod_info import PodInfo, Requests, asked_rows
from roost.framework.volume_binding import plan_volumes

SERVICES = frozenset({"services"})
STORAGE = frozenset({"storage"})
NODE = frozenset({"node", "annotations"})
ANNOTATIONS = frozenset({"annotations"})
USAGE = frozenset({"usage"})
NODE_AND_USAGE = NODE | USAGE
DEVICE_CLASSES = frozenset({"device_classes"})
NAMESPACES = frozenset({"namespaces"})
POD_LABELS = frozenset({"pod_labels"})
_SHAPES_KEPT = 65_536
_GRANTED_KEPT = 16_384


class Change(Struct, frozen=True, gc=False):
    """What an event altered: the aspects that plugins may read, the node, and its slot (-1 if it has none)."""

    aspects: frozenset[str]
    node_name: str
    slot: int


class _Placed:
    __slots__ = ("assumed", "info", "node_name")

    def __init__(self, info: PodInfo, node_name: str, assumed: bool) -> None:
        self.info = info
        self.node_name = node_name
        self.assumed = assumed


class Cache:
    """Nodes and pods, kept as columns; one writer, no locks."""

    def __init__(self) -> None:
        self.view = Columns()
        self._pods: dict[str, _Placed] = {}
        self._by_node: dict[str, dict[str, _Placed]] = {}
        self.num_assumed = 0
        self._shapes: dict[Hashable, Requests] = {}
        self._granted: dict[tuple[int, ...], tuple[tuple[object, ...], Requests]] = {}

    # ---- pods as the framework sees them

    def pod_info(self, pod: Pod, *, placed: bool = False) -> PodInfo:
        """Return a pod with its requests worked out; raises InvalidObject if a quantity cannot be read."""
        return PodInfo(pod, self._placed_requests(pod) if placed else self._requests(pod, placed=False))

    def _placed_requests(self, pod: Pod) -> Requests:
        """Return what a placed pod asks for; where the parts that say so are known objects, without reading them.

        Pods of one owner share them (`api/sharing.py`). An entry keeps its parts alive: no other is taken for one.
        """
        parts = granted_parts(pod)
        place = tuple(map(id, parts))
        known = self._granted.get(place)
        if known is None:
            if len(self._granted) >= _GRANTED_KEPT:
                self._granted.clear()
            known = self._granted[place] = parts, self._requests(pod, placed=True)
        return known[1]

    def _requests(self, pod: Pod, *, placed: bool) -> Requests:
        shape = (pod_shape(pod, placed=placed), placed)
        requests = self._shapes.get(shape)
        return self._remember_shape(shape, pod, placed) if requests is None else requests

    def _remember_shape(self, shape: Hashable, pod: Pod, placed: bool) -> Requests:
        effective = dict(request_items(pod, placed=placed))
        nonzero = scoring_requests(pod, placed=placed)
        vector = self.view.resources.vector(effective, nonzero, pods=1)
        self.view.cover_resources()
        requests = Requests(
            effective=effective,
            nonzero=nonzero,
            vector=vector,
            asked=asked_rows(vector, {name: self.view.resources.row(name) for name in effective}),
            fit_score=fit_score_requests(pod),
            balanced_score=balanced_score_requests(pod),
        )
        if len(self._shapes) >= _SHAPES_KEPT:
            self._shapes.clear()
            self._granted.clear()
        self._shapes[shape] = requests
        return requests

    # ---- nodes

    @property
    def node_names(self) -> list[str]:
        """The names of all nodes."""
        return [self.view.name(int(slot)) for slot in self.view.alive.nonzero()[0]]

    def set_node(self, node: Node) -> Change | None:
        """Add or update a node; None if nothing changed that a plugin reads. Raises InvalidObject."""
        slot = self.view.slot(node.name)
        if slot is None:
            slot = self.view.add_node(node)
            for placed in self._by_node.get(node.name, {}).values():
                self.view.add_pod(slot, placed.info)
            return Change(NODE_AND_USAGE, node.name, slot)
        old = self.view.node(slot)
        if old.spec == node.spec and old.status == node.status and old.metadata.labels == node.metadata.labels:
            if old.metadata.annotations == node.metadata.annotations:
                return None
            self.view.annotate(slot, node)
            return Change(ANNOTATIONS, node.name, slot)
        self.view.update_node(slot, node)
        return Change(NODE, node.name, slot)

    def set_measured(self, name: str, numbers: Mapping[str, float | None], at_key: str, at: float) -> Change | None:
        """Set what was measured of a node, by the annotations that could say it; None if nothing changed for plugins.

        It goes before those annotations until the node is removed; None as a number means that there is none. `at`
        (seconds since 1970) is when, in the place of the annotation `at_key`. Of a node that is not known yet it counts
        as soon as the node appears.
        """
        if not self.view.set_measured(name, {**numbers, at_key: at}):
            return None
        return Change(ANNOTATIONS, name, self.view.rows_named(name)[0])

    def remove_node(self, name: str) -> Change | None:
        """Remove a node; its pods stay known until they are removed themselves."""
        slot = self.view.slot(name)
        if slot is None:
            return None
        for placed in self._by_node.get(name, {}).values():
            self.view.add_pod(slot, placed.info, times=-1)
        self.view.remove_node(slot)
        return Change(NODE_AND_USAGE, name, -1)

    # ---- what else pods are judged by

    def set_device_class(self, device_class: DeviceClass) -> Change | None:
        """Add or update a DeviceClass; None if it maps the same resources as before."""
        return Change(DEVICE_CLASSES, "", -1) if self.view.set_device_class(device_class) else None

    def remove_device_class(self, device_class: DeviceClass) -> Change | None:
        """Remove a DeviceClass; None if it was not known."""
        return Change(DEVICE_CLASSES, "", -1) if self.view.remove_device_class(device_class.name) else None

    def set_namespace(self, namespace: KubernetesObject) -> Change | None:
        """Add or update a namespace; None if it has the same labels as before."""
        changed = self.view.set_namespace(namespace.name, namespace.labels)
        return Change(NAMESPACES, "", -1) if changed else None

    def remove_namespace(self, namespace: KubernetesObject) -> Change | None:
        """Remove a namespace; None if it had no labels."""
        return Change(NAMESPACES, "", -1) if self.view.set_namespace(namespace.name, None) else None

    def set_storage(self, obj: KubernetesObject) -> Change | None:
        """Add or update an object of storage; None if nothing changed that a plugin reads. Raises InvalidObject."""
        return Change(STORAGE, "", -1) if self.view.set_storage(obj) else None

    def remove_storage(self, obj: KubernetesObject) -> Change | None:
        """Remove an object of storage; None if it was not known."""
        return Change(STORAGE, "", -1) if self.view.remove_storage(obj) else None

    # ---- Services and controllers

    def set_controller(self, controller: PodGrouping) -> Change | None:
        """Add or update a Service or controller; None if it selects what it did before."""
        return self._regrouped(self.view.controllers.set(controller))

    def remove_controller(self, controller: PodGrouping) -> Change | None:
        """Remove a Service or controller; None if it was not known."""
        return self._regrouped(self.view.controllers.remove(controller))

    def _regrouped(self, otherwise: bool) -> Change | None:
        if not otherwise:
            return None
        self.view.journal.bump("services")
        return Change(SERVICES, "", -1)

    # ---- what preemption must know

    def set_budget(self, budget: PodDisruptionBudget) -> None:
        """Add or update a disruption budget; no rejected pod is helped by that."""
        self.view.budgets.set(budget)

    def remove_budget(self, budget: PodDisruptionBudget) -> None:
        """Remove a disruption budget."""
        self.view.budgets.remove(budget)

    def pods_on(self, node_name: str) -> list[PodInfo]:
        """Return the pods that are on a node or assumed to be."""
        return [placed.info for placed in self._by_node.get(node_name, {}).values()]

    # ---- pods

    @property
    def pods(self) -> list[PodInfo]:
        """All pods that are on a node or assumed to be."""
        return [placed.info for placed in self._pods.values()]

    @property
    def num_pods(self) -> int:
        """How many pods are on a node or assumed to be."""
        return len(self._pods)

    def node_of(self, key: str) -> str | None:
        """Return the node that a pod (namespace/name) is on or assumed to be on."""
        placed = self._pods.get(key)
        return placed.node_name if placed is not None else None

    def is_assumed(self, key: str) -> bool:
        """Tell whether a pod (namespace/name) is assumed and not yet seen bound."""
        placed = self._pods.get(key)
        return placed is not None and placed.assumed

    def assume(self, info: PodInfo, node_name: str) -> None:
        """Count a pod on a node before it is bound, and what is to be done there about its claims as done."""
        if info.key in self._pods:
            raise ValueError(f"pod {info.key} is already on node {self._pods[info.key].node_name}")
        slot = self.view.slot(node_name)
        info.volume_plan = plan_volumes(self.view, info, slot) if info.volumes.claims and slot is not None else None
        if info.volume_plan is not None:
            self.view.assume_volumes(info.volume_plan)
        self._put(info, node_name, slot, assumed=True)

    def forget(self, info: PodInfo) -> Change | None:
        """Undo `assume`; None if the pod is not assumed (any more)."""
        placed = self._pods.get(info.key)
        if placed is None or not placed.assumed or placed.info.uid != info.uid:
            return None
        return self._drop(info.key, placed)

    def set_pod(self, pod: Pod) -> Change | None:
        """Add or update a pod that is on a node, or confirm an assumed one; None if nothing changed for plugins.

        The bound pod is not always the pod assumed: the API server copies zone labels onto it, webhooks may add more.
        Raises InvalidObject if its quantities cannot be read.
        """
        info = self.pod_info(pod, placed=True)
        old = self._pods.get(info.key)
        if old is not None and _counts_alike(old, info, pod.spec.node_name):
            return self._confirm(old, info)
        if old is not None:
            self._drop(info.key, old)
        return self._put(info, pod.spec.node_name, self.view.slot(pod.spec.node_name), assumed=False)

    def remove_pod(self, pod: Pod) -> Change | None:
        """Remove a pod that is gone or has ended; None if it was not known."""
        placed = self._pods.get(pod.key)
        if placed is None or placed.info.uid != pod.metadata.uid:
            return None
        return self._drop(pod.key, placed)

    def _confirm(self, placed: _Placed, info: PodInfo) -> Change | None:
        """Take over a pod of which at most the labels, or that it is being deleted, are news to plugins."""
        self.num_assumed -= placed.assumed
        old, placed.info, placed.assumed = placed.info, info, False
        slot = self.view.slot(placed.node_name)
        if slot is not None:
            self.view.refresh_pod(slot, info)
        if old.pod.metadata.labels == info.pod.metadata.labels and old.pod.is_terminating == info.pod.is_terminating:
            return None
        if slot is not None:
            self.view.relabel_pod(slot, old, info)
        return Change(POD_LABELS, placed.node_name, -1 if slot is None else slot)

    def _put(self, info: PodInfo, node_name: str, slot: int | None, *, assumed: bool) -> Change:
        self.num_assumed += assumed
        placed = _Placed(info, node_name, assumed)
        self._pods[info.key] = placed
        on_node = self._by_node.get(node_name)
        if on_node is None:
            on_node = self._by_node[node_name] = {}
        on_node[info.key] = placed
        if slot is None:
            return Change(USAGE, node_name, -1)
        self.view.add_pod(slot, info)
        return Change(USAGE, node_name, slot)

    def _drop(self, key: str, placed: _Placed) -> Change:
        del self._pods[key]
        self.num_assumed -= placed.assumed
        on_node = self._by_node[placed.node_name]
        del on_node[key]
        if not on_node:
            del self._by_node[placed.node_name]
        if placed.info.volume_plan is not None:
            self.view.restore_volumes(placed.info.volume_plan)
        slot = self.view.slot(placed.node_name)
        if slot is None:
            return Change(USAGE, placed.node_name, -1)
        self.view.add_pod(slot, placed.info, times=-1)
        return Change(USAGE, placed.node_name, slot)


def _same_amounts(old: Requests, new: Requests) -> bool:
    return old is new or (old.effective == new.effective and old.nonzero == new.nonzero)


def _counts_alike(old: _Placed, new: PodInfo, node_name: str) -> bool:
    return (
        old.node_name == node_name
        and old.info.uid == new.uid
        and _same_amounts(old.info.requests, new.requests)
        and old.info.host_ports == new.host_ports
        and old.info.owner == new.owner
        and old.info.pod.spec.affinity == new.pod.spec.affinity
    )
