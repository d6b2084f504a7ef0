"""The cluster of a benchmark of the core: a cache and a queue, and nothing else. What is created is there at once.

    create ──► cache (nodes, Services …)          what is created or deleted in the background is due at a time of a
          └──► queue (pods) ─► decided ─► cache   clock that only `advance_to` moves

There is no API server, no kubelet and no grace period. What is deleted is gone.
"""

from collections.abc import Iterator, Mapping
from heapq import heappop, heappush
from typing import Any

import msgspec
from msgspec.structs import replace

from roost.api.kinds import NAMESPACE, NODE, POD
from roost.api.node import Node
from roost.api.pod import Pod
from roost.bench.objects import churn_objects, namespace_objects, node_objects, pod_bodies, step_objects
from roost.bench.steps import Churn, CreateNamespaces, CreateNodes, CreateObjects, CreatePods, DeletePods
from roost.cache import Cache
from roost.cache.cache import Change
from roost.errors import ConfigError
from roost.framework.profile import Profile
from roost.scheduler.further_kinds import FURTHER_KINDS, FurtherKind
from roost.scheduler.queue import SchedulingQueue
from roost.scheduler.unschedulable import Fits

_FURTHER: Mapping[str, FurtherKind[Any]] = {further.kind.name: further for further in FURTHER_KINDS}
_UNREAD = frozenset({"PriorityClass", "Secret", "ConfigMap", "ServiceAccount"})
"""What a scheduler never looks at: pods have their priority themselves."""

Manifest = Mapping[str, Any]
_decode_pod = msgspec.json.Decoder(Pod).decode


class CoreCluster:
    """Nodes, pods and what else a workload creates; `now` is in seconds since it began."""

    def __init__(self, profile: Profile, fits: Fits) -> None:
        self.cache = Cache()
        self.queue = SchedulingQueue([profile])
        self.now = 0.0
        self._scheduler_name = profile.scheduler_name
        self._fits = fits
        self._background: list[tuple[float, int, Iterator[float]]] = []

    # ---- steps

    def create_nodes(self, step: CreateNodes) -> None:
        """Create the nodes of a step."""
        for node in node_objects(step):
            self.note(self.cache.set_node(msgspec.convert(node, Node)))

    def create_namespaces(self, step: CreateNamespaces) -> None:
        """Create the namespaces of a step."""
        for namespace in namespace_objects(step):
            self.note(self.cache.set_namespace(msgspec.convert(namespace, NAMESPACE.type)))

    def create_objects(self, step: CreateObjects) -> None:
        """Create the objects of a step; raises ConfigError for a kind that schedulers do not read."""
        for obj in step_objects(step):
            self.create(obj)

    def create_pods(self, step: CreatePods) -> list[str]:
        """Queue the pods of a step; return their keys."""
        keys = []
        for name, body in pod_bodies(step, self._scheduler_name):
            pod = _decode_pod(body)
            keys.append(self._enqueue(replace(pod, metadata=replace(pod.metadata, uid=name))))
        return keys

    def start_churn(self, step: Churn) -> None:
        """Have a churn go on in the background."""
        self._start(self._churn(step))

    def delete_pods(self, step: DeletePods) -> None:
        """Delete the pods that are in a namespace now: in the background, if so many per second are wanted."""
        pods = [info.pod for info in self.cache.pods if info.pod.metadata.namespace == step.namespace]
        pods += [one.info.pod for one in self.queue.pods() if one.info.pod.metadata.namespace == step.namespace]
        deletion = self._deletion(pods, 1 / step.per_second if step.per_second else 0.0)
        if step.per_second and step.skip_wait:
            self._start(deletion)
        else:
            for seconds in deletion:
                self.advance_to(self.now + seconds)

    # ---- time

    @property
    def next_change(self) -> float | None:
        """When something will next be created or deleted in the background, if ever."""
        return self._background[0][0] if self._background else None

    @property
    def next_time(self) -> float | None:
        """When something will next happen by itself, if ever: a change, or the end of a pod's backoff."""
        times = (self.next_change, self.queue.next_time())
        return min((at for at in times if at is not None), default=None)

    def advance_to(self, now: float) -> None:
        """Let time pass, and do what is due in the background by then."""
        while self._background and self._background[0][0] <= now:
            due, number, going_on = heappop(self._background)
            self.now = max(self.now, due)
            seconds = next(going_on, None)
            if seconds is not None:
                heappush(self._background, (due + seconds, number, going_on))
        self.now = max(self.now, now)
        self.queue.advance(self.now)

    def _start(self, going_on: Iterator[float]) -> None:
        first = next(going_on, None)
        if first is not None:
            heappush(self._background, (self.now + first, len(self._background), going_on))

    def _churn(self, step: Churn) -> Iterator[float]:
        """Create and delete, and yield the seconds until the next time."""
        kept: list[list[Manifest]] = [[] for _ in range(max(1, step.number))]
        time = 0
        while step.mode == "recreate" or not step.number or time < step.number:
            yield step.interval
            place = kept[time % len(kept)]
            if step.mode == "recreate" and place:
                for obj in place:
                    self.delete(obj)
                place.clear()
            else:
                made = list(churn_objects(step, time, self._scheduler_name))
                for obj in made:
                    self.create(obj)
                if step.mode == "recreate":
                    place += made
            time += 1

    def _deletion(self, pods: list[Pod], seconds: float) -> Iterator[float]:
        for pod in pods:
            yield seconds
            self.delete_pod(pod)

    # ---- objects

    def create(self, manifest: Manifest) -> None:
        """Create an object; raises ConfigError for a kind that schedulers do not read."""
        kind = manifest.get("kind")
        if kind == POD.name:
            self._enqueue(_pod(manifest))
        elif kind == NODE.name:
            self.note(self.cache.set_node(msgspec.convert(manifest, Node)))
        elif (further := _further(manifest)) is not None:
            self.note(further.set(self.cache, msgspec.convert(manifest, further.kind.type)))

    def delete(self, manifest: Manifest) -> None:
        """Delete an object that was created."""
        kind = manifest.get("kind")
        if kind == POD.name:
            self.delete_pod(_pod(manifest))
        elif kind == NODE.name:
            self.note(self.cache.remove_node(manifest["metadata"]["name"]))
        elif (further := _further(manifest)) is not None:
            self.note(further.remove(self.cache, msgspec.convert(manifest, further.kind.type)))

    def delete_pod(self, pod: Pod) -> None:
        """Delete a pod, wherever it is."""
        if self.queue.delete(pod.key) is None:
            self.note(self.cache.remove_pod(pod))

    def note(self, change: Change | None) -> None:
        """Wake the pods that a change may help."""
        if change is not None:
            self.queue.wake([change], self.now, self._fits)

    def _enqueue(self, pod: Pod) -> str:
        return self.queue.add(self.cache.pod_info(pod), self.now).key


def _pod(manifest: Manifest) -> Pod:
    metadata = {**manifest["metadata"], "uid": manifest["metadata"]["name"]}
    return msgspec.convert({**manifest, "metadata": metadata}, Pod)


def _further(manifest: Manifest) -> FurtherKind[Any] | None:
    kind = str(manifest.get("kind", ""))
    if kind in _FURTHER or kind in _UNREAD:
        return _FURTHER.get(kind)
    raise ConfigError(f"the core cannot create a {kind or 'thing without a kind'}: schedulers do not read it")
