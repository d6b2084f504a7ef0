"""What pods request of a node and what that leaves: `requested-<resource>` and `free-<resource>`.

Pods count from their binding to their end, whatever their phase in between, with init containers, sidecars, overhead
and resizes in place as kube-scheduler counts them: the numbers come from the cache that our scheduler decides on. All
are whole: milli-cores of CPU, bytes of memory and ephemeral storage, pieces of all else.
"""

import logging
from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence
from typing import Any

import numpy as np

from roost.annotator.nodes import AnnotatedNode
from roost.annotator.plan import Wanted
from roost.api.kinds import POD
from roost.api.meta import ObjectMeta
from roost.api.node import Node, NodeStatus
from roost.cache.cache import Cache
from roost.errors import InvalidObject
from roost.extender.follower import Follower
from roost.framework.cluster import Cluster, Listing
from roost.framework.measure import ALLOCATION_AT
from roost.framework.resources import CPU, EPHEMERAL_STORAGE, MEMORY, PODS
from roost.watch.reflector import reflect

GPU_RESOURCE = "nvidia.com/gpu"
ON_A_NODE = "spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed"

_NAMES = ("cpu", "memory", "pods", "gpu", "ephemeral-storage")

logger = logging.getLogger("roost.annotator")


class Requested:
    """What the pods on each node request, from a watch of pods; nodes are those it is shown."""

    def __init__(self) -> None:
        self.cache = Cache()
        self.in_sync = False
        self._pods = Follower(self.cache)
        self._unreadable: dict[str, str] = {}

    @property
    def malformed(self) -> int:
        """How often a pod could not be read."""
        return self._pods.malformed.get("pod", 0)

    async def follow(self, cluster: Cluster, notify: Callable[[], None]) -> None:
        """Follow the pods that are on nodes until cancelled; raises ApiError if the very first list is refused."""

        def replace(listing: Listing[Any]) -> None:
            self._pods.replace_pods(listing)
            self.in_sync = True
            notify()

        await reflect(
            cluster,
            POD,
            field_selector=ON_A_NODE,
            on_replace=replace,
            on_events=self._pods.change_pods,
            on_trouble=lambda sentence: logger.warning("watching pods: %s", sentence),
        )

    def show(self, nodes: Collection[AnnotatedNode]) -> list[AnnotatedNode]:
        """Take over the nodes there are; return those whose allocatable can be read."""
        there = {node.name for node in nodes}
        for name in self.cache.node_names:
            if name not in there:
                self.cache.remove_node(name)
        return [node for node in nodes if self._can_read(node)]

    def amounts(self, nodes: Sequence[AnnotatedNode], resources: Iterable[str | int]) -> Any:
        """Return allocatable and requested of nodes that were shown, of shape (2, resources, nodes).

        Resources are rows of the cache, or names.
        """
        view = self.cache.view
        rows = [one if isinstance(one, int) else view.resources.row(one) for one in resources]
        view.cover_resources()
        slots = [view.slot(node.name) for node in nodes]
        return np.stack([view.allocatable[np.ix_(rows, slots)], view.usage[np.ix_(rows, slots)]])  # type: ignore[arg-type]

    def _can_read(self, node: AnnotatedNode) -> bool:
        try:
            self.cache.set_node(
                Node(metadata=ObjectMeta(name=node.name), status=NodeStatus(allocatable=node.status.allocatable))
            )
        except InvalidObject as error:
            if self._unreadable.get(node.name) != str(error):
                logger.warning("%s; it is left out", error)
            self._unreadable[node.name] = str(error)
            return False
        self._unreadable.pop(node.name, None)
        return True


class AllocationAnnotator:
    """Fits `controller.Annotator`: free and requested amounts of every node."""

    at_key = ALLOCATION_AT

    def __init__(self, gpu_resource: str = GPU_RESOURCE) -> None:
        self.requested = Requested()
        self._resources = (CPU, MEMORY, PODS, gpu_resource, EPHEMERAL_STORAGE)

    @property
    def in_sync(self) -> bool:
        """Whether all pods have been seen."""
        return self.requested.in_sync

    @property
    def malformed(self) -> int:
        """How often a pod could not be read."""
        return self.requested.malformed

    def follow(self, cluster: Cluster, notify: Callable[[], None]) -> list[Coroutine[Any, Any, None]]:
        """Return what follows the pods."""
        return [self.requested.follow(cluster, notify)]

    async def gather(self, nodes: Collection[AnnotatedNode], now: float) -> None:
        """Do nothing: the watch has told all."""

    def wanted(self, nodes: Collection[AnnotatedNode], now: float) -> dict[str, Wanted]:
        """Return what nodes are to say, as of now."""
        shown = self.requested.show(nodes)
        allocatable, requested = self.requested.amounts(shown, self._resources)
        free = np.maximum(allocatable - requested, 0)
        columns = zip(shown, free.T.tolist(), requested.T.tolist(), strict=True)
        return {node.name: Wanted(annotations(*amounts), now) for node, *amounts in columns}


def annotations(free: Sequence[int], requested: Sequence[int]) -> dict[str, str]:
    """Return the annotations for amounts in the order cpu, memory, pods, gpu, ephemeral-storage."""
    numbers = zip(_NAMES, free, requested, strict=True)
    return {
        key: str(amount)
        for name, free_amount, requested_amount in numbers
        for key, amount in ((f"free-{name}", free_amount), (f"requested-{name}", requested_amount))
    }
