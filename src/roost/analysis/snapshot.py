"""A cluster as it was listed or dumped: the cache that decides, and beside it what only explaining reads.

    objects, in any order ─► Snapshot.add ─► the cache (nodes, pods on nodes, and whatever else plugins read)
                                          └► pods by name, events, leases, claims, what makes pods

Called by the readers of dumps and of live clusters; nothing here reads anything itself.
"""

from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from roost.api.draining import DisruptionBudget
from roost.api.explaining import Event, PriorityClass
from roost.api.kinds import Lease
from roost.api.meta import KubernetesObject
from roost.api.node import Node
from roost.api.pod import Pod
from roost.api.storage import PersistentVolumeClaim, StorageClass
from roost.cache import Cache
from roost.errors import InvalidObject
from roost.framework.measure import read_time
from roost.framework.pod_info import PodInfo

Take = Callable[[Cache, Any], object]
"""How a cache takes over an object of some kind."""


class Snapshot:
    """What is known of a cluster; `kinds` names what was looked at, so that none is told from unknown.

    `unreadable` has a sentence for each object that was left out; `at` is when it was listed, 0 if nobody says.
    """

    def __init__(self) -> None:
        self.cache = Cache()
        self.pods: dict[str, Pod] = {}
        self.on_node: dict[str, dict[str, Pod]] = {}
        self.events: list[Event] = []
        self.leases: list[Lease] = []
        self.budgets: list[DisruptionBudget] = []
        self.makers: dict[tuple[str, str, str], KubernetesObject] = {}
        self.claims: dict[str, PersistentVolumeClaim] = {}
        self.storage_classes: dict[str, StorageClass] = {}
        self.priority_classes: dict[str, PriorityClass] = {}
        self.kinds: set[str] = set()
        self.unreadable: list[str] = []
        self.at = 0.0

    def add_node(self, node: Node) -> None:
        """Add a node."""
        self.kinds.add("Node")
        self._try(f"node {node.name}", self.cache.set_node, node)

    def add_pod(self, pod: Pod) -> None:
        """Add a pod; one that has ended counts for nothing."""
        self.kinds.add("Pod")
        if not pod.metadata.uid:
            # Hand-written pods have none, and the cache tells pods apart by it.
            pod = replace(pod, metadata=replace(pod.metadata, uid=pod.key))
        self.pods[pod.key] = pod
        node_name, promised = pod.spec.node_name, pod.status.nominated_node_name
        if pod.is_terminal:
            return
        if not node_name:
            if promised:
                self._try(f"pod {pod.key}", self._promise, pod, promised)
            return
        if self._try(f"pod {pod.key}", self.cache.set_pod, pod):
            on_node = self.on_node.get(node_name)
            if on_node is None:
                on_node = self.on_node[node_name] = {}
            on_node[pod.key] = pod

    def remove_pod(self, pod: Pod) -> None:
        """Take a pod from its node."""
        self.cache.remove_pod(pod)
        self.on_node.get(pod.spec.node_name, {}).pop(pod.key, None)

    def add_other(self, kind: str, obj: Any, take: Take) -> None:
        """Add an object of a kind that plugins read."""
        self.kinds.add(kind)
        self._try(f"{kind} {obj.metadata.name}", take, self.cache, obj)

    def add_event(self, event: Event) -> None:
        """Add an event."""
        self.kinds.add("Event")
        self.events.append(event)

    def add_lease(self, lease: Lease) -> None:
        """Add a lease."""
        self.kinds.add("Lease")
        self.leases.append(lease)

    def add_budget(self, budget: DisruptionBudget) -> None:
        """Add a disruption budget."""
        self.kinds.add("PodDisruptionBudget")
        self.budgets.append(budget)

    def add_maker(self, kind: str, maker: KubernetesObject) -> None:
        """Add what makes pods."""
        self.kinds.add(kind)
        self.makers[kind, maker.metadata.namespace, maker.name] = maker

    def add_priority_class(self, priority_class: PriorityClass) -> None:
        """Add a name for a priority."""
        self.kinds.add("PriorityClass")
        self.priority_classes[priority_class.name] = priority_class

    def add_claim(self, claim: PersistentVolumeClaim) -> None:
        """Add a claim on a volume."""
        self.kinds.add("PersistentVolumeClaim")
        self.claims[claim.key] = claim

    def add_storage_class(self, storage_class: StorageClass) -> None:
        """Add a storage class."""
        self.kinds.add("StorageClass")
        self.storage_classes[storage_class.name] = storage_class

    def pending(self) -> list[Pod]:
        """Return the pods without a node that have not ended."""
        return [pod for pod in self.pods.values() if not pod.spec.node_name and not pod.is_terminal]

    def pod_info(self, pod: Pod) -> PodInfo:
        """Return a pod as the cycle takes it; raises InvalidObject if a quantity cannot be read."""
        return self.cache.pod_info(pod)

    def events_about(self, kind: str, namespace: str, name: str, uid: str = "") -> list[Event]:
        """Return the events about one object, the latest first."""
        found = [event for event in self.events if _is_about(event, kind, namespace, name, uid)]
        return sorted(found, key=lambda event: event.last_time, reverse=True)

    def moment(self) -> float:
        """Return when this was so: when it was listed, else the latest time that a lease or an event tells, else 0."""
        told = [str(lease.spec.get("renewTime") or "") for lease in self.leases]
        told += [event.last_time for event in self.events]
        return self.at or max((time for time in map(read_time, told) if time == time), default=0.0)

    def looked_at(self, kinds: Iterable[str]) -> bool:
        """Tell whether all of these kinds were looked at."""
        return self.kinds.issuperset(kinds)

    def _promise(self, pod: Pod, node_name: str) -> None:
        self.cache.view.nominations.set(self.cache.pod_info(pod), node_name)

    def _try(self, what: str, take: Callable[..., object], *args: Any) -> bool:
        try:
            take(*args)
        except InvalidObject as error:
            self.unreadable.append(f"{what} is left out: {error}")
            return False
        return True


def _is_about(event: Event, kind: str, namespace: str, name: str, uid: str) -> bool:
    about = event.about
    if (about.kind, about.namespace, about.name) != (kind, namespace, name):
        return False
    return not uid or not about.uid or about.uid == uid
