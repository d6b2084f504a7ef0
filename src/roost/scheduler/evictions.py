"""Carries out what was planned for a pod that fits nowhere: evicts the victims, says so, and takes promises back.

    decided: a plan with victims ─► the condition DisruptionTarget, then DELETE, of each ─► event Preempted
                │ all at once                                                                │
                └─ less important pods that the node was promised to: promise taken back     ▼
                                                the pod that they make room for waits until they are gone

Until all this is written, the pod that preempts is not decided again: it could evict more elsewhere.
"""

import asyncio
import logging
from collections.abc import Callable
from time import gmtime, strftime
from typing import Any

from msgspec import Struct

from roost.api.kinds import POD
from roost.cache.cache import Cache
from roost.errors import ApiError, Conflict, NotFound
from roost.framework.cluster import Cluster
from roost.framework.plan import Plan
from roost.framework.pod_info import PodInfo
from roost.scheduler.binding import is_passing
from roost.scheduler.lane import Lane
from roost.scheduler.outcomes import Outcomes
from roost.scheduler.promises import Promises
from roost.scheduler.queue import SchedulingQueue
from roost.scheduler.queued_pod import QueuedPod
from roost.scheduler.recorder import Recorder

WORKERS = 8
TRIES = 4
FIRST_DELAY = 0.25

logger = logging.getLogger("roost.scheduler")


class Eviction(Struct, eq=False):
    """A pod that preempts others, the plan, and the plugins that rejected the pod before."""

    queued: QueuedPod
    preemptor: PodInfo
    plan: Plan
    rejected_by: frozenset[str]


class Evictions:
    """Carries out plans, several at a time."""

    def __init__(
        self,
        cluster: Cluster,
        cache: Cache,
        queue: SchedulingQueue,
        promises: Promises,
        outcomes: Outcomes,
        recorder: Recorder,
        *,
        clock: Callable[[], float],
        wall: Callable[[], float],
        workers: int = WORKERS,
    ) -> None:
        self.lane: Lane[Eviction] = Lane("evictions", self._carry_out, workers)
        self._cluster = cluster
        self._cache = cache
        self._queue = queue
        self._promises = promises
        self._outcomes = outcomes
        self._recorder = recorder
        self._clock = clock
        self._wall = wall

    def start(self, queued: QueuedPod, plan: Plan, rejected_by: frozenset[str]) -> None:
        """Begin to carry out the plan for a pod that is being decided, and stays so until that is done."""
        self.lane.put(Eviction(queued, queued.info, plan, rejected_by))

    async def _carry_out(self, eviction: Eviction) -> None:
        plan, succeeded = eviction.plan, False
        try:
            victims = [victim for victim in plan.victims if not victim.pod.is_terminating]
            done = await asyncio.gather(
                self._take_back(eviction), *(self._evict(victim, eviction) for victim in victims)
            )
            succeeded = all(done)
        finally:
            self._outcomes.preempted(eviction.queued, eviction.rejected_by, succeeded=succeeded)

    # ---- victims

    async def _evict(self, victim: PodInfo, eviction: Eviction) -> bool:
        """Evict a pod; tell whether it is on its way, or gone."""
        node_name, preemptor = eviction.plan.nominated or "", eviction.preemptor
        try:
            await self._try(victim, self._condition(victim, preemptor))
        except (NotFound, Conflict) as error:
            logger.debug("pod %s is gone already: %s", victim.key, error)
            return True
        except ApiError as error:
            logger.warning(
                "pod %s could not be evicted from %s for %s: %s", victim.key, node_name, preemptor.key, error
            )
            return False
        logger.info("evicted %s from %s to make room for %s", victim.key, node_name, preemptor.key)
        self._recorder.preempted(victim, preemptor, node_name)
        return True

    async def _try(self, victim: PodInfo, condition: dict[str, Any]) -> None:
        """Write the condition and delete the pod, again where the API server has a bad moment; raises ApiError."""
        meta = victim.pod.metadata
        patch = {"metadata": {"uid": meta.uid}, "status": {"conditions": [condition]}}
        for tries in range(1, TRIES + 1):
            try:
                await self._cluster.patch(POD, meta.name, patch, meta.namespace, subresource="status")
                await self._cluster.delete(POD, meta.name, meta.namespace, uid=meta.uid)
            except ApiError as error:
                if tries == TRIES or not is_passing(error):
                    raise
                await asyncio.sleep(error.retry_after or FIRST_DELAY * 2 ** (tries - 1))
            else:
                return

    def _condition(self, victim: PodInfo, preemptor: PodInfo) -> dict[str, Any]:
        scheduler_name, meta = preemptor.pod.spec.scheduler_name, victim.pod.metadata
        return {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "PreemptionByScheduler",
            "message": f"{scheduler_name}: preempting to accommodate a higher priority pod",
            "lastTransitionTime": strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(self._wall())),
            **({"observedGeneration": meta.generation} if meta.generation else {}),
        }

    # ---- promises that are overtaken

    async def _take_back(self, eviction: Eviction) -> bool:
        """Take the node back from less important pods: they need not wait for it any longer."""
        preemptor = eviction.preemptor
        for other in self._cache.view.nominations.on(eviction.plan.nominated or ""):
            queued = self._queue.get(other.key)
            if other.priority >= preemptor.priority or queued is None:
                continue
            self._promises.make(queued, "")
            self._queue.retry(queued, self._clock())
            await self._clear(other)
        return True

    async def _clear(self, pod: PodInfo) -> None:
        meta = pod.pod.metadata
        patch = {"metadata": {"uid": meta.uid}, "status": {"nominatedNodeName": None}}
        try:
            await self._cluster.patch(POD, meta.name, patch, meta.namespace, subresource="status")
        except ApiError as error:
            logger.debug("status.nominatedNodeName of pod %s is not cleared: %s", pod.key, error)
