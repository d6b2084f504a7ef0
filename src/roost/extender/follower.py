"""Keeps the cache of the webhook server true to the cluster: its nodes, and the pods on them, of whatever scheduler.

Pods without a node are no load: they count only where an answer of ours has reserved room for them.
"""

import asyncio
import logging
from collections.abc import Iterable

from roost.api.kinds import NODE, POD
from roost.api.node import Node
from roost.api.pod import Pod
from roost.cache.cache import Cache
from roost.errors import InvalidObject
from roost.framework.cluster import Cluster, Listing, Malformed, WatchEvent
from roost.watch.reflector import reflect

_NOT_ENDED = "status.phase!=Succeeded,status.phase!=Failed"
_PROBLEMS_KEPT = 10_000

logger = logging.getLogger("roost.extender")


class Follower:
    """Feeds the lists and changes of nodes and pods to a cache."""

    def __init__(self, cache: Cache) -> None:
        self.cache = cache
        self.malformed: dict[str, int] = {}
        self._have_nodes = False
        self._have_pods = False
        self._problems: dict[tuple[str, str], None] = {}

    @property
    def in_sync(self) -> bool:
        """Whether all nodes and pods have been seen."""
        return self._have_nodes and self._have_pods

    async def follow(self, cluster: Cluster) -> None:
        """Follow nodes and pods until cancelled; raises ApiError if the very first lists are refused."""
        nodes = reflect(
            cluster,
            NODE,
            on_replace=self.replace_nodes,
            on_events=self.change_nodes,
            on_trouble=lambda sentence: logger.warning("watching nodes: %s", sentence),
        )
        pods = reflect(
            cluster,
            POD,
            field_selector=_NOT_ENDED,
            on_replace=self.replace_pods,
            on_events=self.change_pods,
            on_trouble=lambda sentence: logger.warning("watching pods: %s", sentence),
        )
        tasks = [asyncio.create_task(nodes, name="watch-nodes"), asyncio.create_task(pods, name="watch-pods")]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def replace_nodes(self, listing: Listing[Node]) -> None:
        """Take over a list of all nodes: what is not in it is gone."""
        self._report("node", listing.malformed)
        kept = {node.name for node in listing.items} | {malformed.key for malformed in listing.malformed}
        for name in self.cache.node_names:
            if name not in kept:
                self.cache.remove_node(name)
        for node in listing.items:
            self._set_node(node)
        self._have_nodes = True

    def change_nodes(self, events: list[WatchEvent[Node]]) -> None:
        """Take over changes of nodes."""
        for event in events:
            if event.malformed is not None:
                self._report("node", [event.malformed])
            elif event.object is not None and event.type == "DELETED":
                self.cache.remove_node(event.object.name)
            elif event.object is not None:
                self._set_node(event.object)

    def replace_pods(self, listing: Listing[Pod]) -> None:
        """Take over a list of all pods: what is not in it is gone, also what was reserved."""
        self._report("pod", listing.malformed)
        unreadable = {malformed.key for malformed in listing.malformed}
        uids = {pod.key: pod.metadata.uid for pod in listing.items}
        for info in self.cache.pods:
            if info.key not in unreadable and uids.get(info.key) != info.uid:
                self.cache.remove_pod(info.pod)
        for pod in listing.items:
            self._set_pod(pod)
        self._have_pods = True

    def change_pods(self, events: list[WatchEvent[Pod]]) -> None:
        """Take over changes of pods."""
        for event in events:
            if event.malformed is not None:
                self._report("pod", [event.malformed])
            elif event.object is not None and event.type == "DELETED":
                self.cache.remove_pod(event.object)
            elif event.object is not None:
                self._set_pod(event.object)

    def _set_node(self, node: Node) -> None:
        try:
            self.cache.set_node(node)
        except InvalidObject as error:
            self._report("node", [Malformed(node.name, str(error))])

    def _set_pod(self, pod: Pod) -> None:
        if pod.is_terminal or (pod.is_terminating and not pod.spec.node_name):
            self.cache.remove_pod(pod)
        elif pod.spec.node_name:
            try:
                self.cache.set_pod(pod)
            except InvalidObject as error:
                self._report("pod", [Malformed(pod.key, str(error))])

    def _report(self, kind: str, malformed: Iterable[Malformed]) -> None:
        for one in malformed:
            self.malformed[kind] = self.malformed.get(kind, 0) + 1
            if (one.key, one.problem) in self._problems:
                continue
            self._problems[one.key, one.problem] = None
            if len(self._problems) > _PROBLEMS_KEPT:
                del self._problems[next(iter(self._problems))]
            logger.warning("%s %s cannot be read and is left out: %s", kind, one.key, one.problem)
