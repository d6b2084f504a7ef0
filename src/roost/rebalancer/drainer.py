"""Drains one node: mark it, evict its pods all at once, wait until they are gone, take the mark away again.

    taint ─► evict ─► (429: again every 10 s, for 2 min) ─► accepted ─► look until gone ─► untaint     Success
               │ not accepted in time, or not gone in time ──────────────────────────────► untaint     Failure

The mark is the taint by which the cluster autoscaler keeps new pods away from a node that it removes. It goes in any
case: also when the process is told to stop, or the lease is lost.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from roost.analysis.node_pools import TO_BE_DELETED
from roost.analysis.spot_plan import Drain
from roost.api.draining import DrainPod
from roost.api.full import NODE_IN_FULL, FullObject
from roost.api.kinds import POD
from roost.errors import ApiError, Conflict, Forbidden, NotFound, Unauthorized
from roost.framework.cluster import Cluster
from roost.rebalancer.events import Events
from roost.rebalancer.metrics import Metrics

DEFAULT_GRACE = 30
_TRIES = 10
_TRY_SECONDS = 1.0
_FIRST_LOOK = 0.25

Taint = dict[str, Any]
logger = logging.getLogger("roost.rebalancer")


class DrainLimits(Struct, frozen=True, kw_only=True):
    """How long things may take, in seconds; `max_grace` is the most that a pod gets to end."""

    eviction_timeout: float = 120.0
    max_grace: float = 120.0
    retry: float = 10.0
    poll: float = 5.0

    @property
    def gone_timeout(self) -> float:
        """How long an evicted pod may still be there."""
        return max(self.eviction_timeout, self.max_grace) + self.poll


class Drained(Struct, frozen=True):
    """What became of a drain: the pods whose eviction was accepted, and what went wrong, if anything."""

    node: str
    evicted: int
    problem: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether every pod of the plan has left the node."""
        return not self.problem


class Drainer:
    """Carries out plans, one at a time."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        limits: DrainLimits,
        events: Events,
        metrics: Metrics,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._cluster = cluster
        self._limits = limits
        self._events = events
        self._metrics = metrics
        self._wall = wall

    async def drain(self, plan: Drain) -> Drained:
        """Drain the node of a plan; what goes wrong is in the result, and counted."""
        evicted_before = self._metrics.evicted
        try:
            problem = await self._drain(plan)
        except ApiError as error:
            problem = str(error)
        self._metrics.drained(plan.node, succeeded=not problem)
        return Drained(plan.node, self._metrics.evicted - evicted_before, problem)

    async def _drain(self, plan: Drain) -> str:
        mark = str(int(self._wall()))
        try:
            uid = await self._change_taints(plan.node, lambda taints: _marked(plan.node, taints, mark))
            await self._events.of_node(plan.node, uid, "marked the node as draining/unschedulable")
            problem = await self._empty(plan)
        finally:
            await self._unmark(plan.node, mark)
        if problem:
            await self._events.of_node(plan.node, uid, "failed to drain the node, aborting drain.", failed=True)
        else:
            await self._events.of_node(plan.node, uid, "marked the node as drained/schedulable")
        return problem

    async def _empty(self, plan: Drain) -> str:
        pods = [move.pod for move in plan.moves]
        problems = [problem for problem in await asyncio.gather(*map(self._evict, pods)) if problem]
        return "; ".join(problems) or await self._until_gone(plan.node, pods)

    # ---- pods

    async def _evict(self, pod: DrainPod) -> str:
        """Evict a pod; return why that was not possible, or nothing."""
        await self._events.of_pod(pod, "deleting pod from on-demand node")
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._limits.eviction_timeout
        while problem := await self._try_to_evict(pod):
            if isinstance(problem, Forbidden | Unauthorized) or clock() + self._limits.retry > deadline:
                await self._events.of_pod(pod, "failed to delete pod from on-demand node", failed=True)
                return f"{pod.key} was not evicted: {problem}"
            logger.info("%s is not evicted yet: %s", pod.key, problem)
            await asyncio.sleep(self._limits.retry)
        return ""

    async def _try_to_evict(self, pod: DrainPod) -> ApiError | None:
        meta = pod.metadata
        try:
            await self._cluster.evict(meta.namespace, meta.name, meta.uid, grace_seconds=self._shorter_grace(pod))
        except NotFound:
            return None
        except Conflict as error:
            return None if await self._is_another(pod) else error
        except ApiError as error:
            return error
        self._metrics.evicted += 1
        logger.info("evicting %s", pod.key)
        return None

    async def _is_another(self, pod: DrainPod) -> bool:
        """Tell whether the pod's name is another pod's by now, or nobody's."""
        try:
            found = await self._cluster.get(POD, pod.name, pod.namespace)
        except NotFound:
            return True
        except ApiError:
            return False
        return found.metadata.uid != pod.metadata.uid

    def _shorter_grace(self, pod: DrainPod) -> int | None:
        """Return how long a pod gets to end if that is less than it asks for."""
        own = pod.spec.termination_grace_period_seconds
        most = int(self._limits.max_grace)
        return most if most < (DEFAULT_GRACE if own is None else own) else None

    async def _until_gone(self, node_name: str, pods: list[DrainPod]) -> str:
        clock = asyncio.get_running_loop().time
        deadline, pause = clock() + self._limits.gone_timeout, _FIRST_LOOK
        while left := await self._left(node_name, pods):
            if clock() >= deadline:
                names = ", ".join(sorted(left)[:5])
                return f"{len(left)} pod(s) did not end within {self._limits.gone_timeout:g} s: {names}"
            await asyncio.sleep(pause)
            pause = min(2 * pause, self._limits.poll)
        return ""

    async def _left(self, node_name: str, pods: list[DrainPod]) -> list[str]:
        try:
            listed = await self._cluster.list(POD, field_selector=f"spec.nodeName={node_name}")
        except ApiError as error:
            logger.warning("cannot see which pods are left on %s: %s", node_name, error)
            return [pod.key for pod in pods]
        there = {pod.metadata.uid for pod in listed.items if not pod.is_terminal}
        return [pod.key for pod in pods if pod.metadata.uid in there]

    # ---- the node

    async def _unmark(self, node_name: str, mark: str) -> None:
        try:
            await self._change_taints(node_name, lambda taints: [one for one in taints if not _is_ours(one, mark)])
        except NotFound:
            logger.info("the node %s is gone", node_name)
        except ApiError as error:
            logger.error(
                "the taint %s stays on %s: %s; remove it with kubectl taint node %s %s-",
                TO_BE_DELETED, node_name, error, node_name, TO_BE_DELETED,
            )  # fmt: skip

    async def _change_taints(self, node_name: str, change: Callable[[list[Taint]], list[Taint]]) -> str:
        """Change a node's taints, on condition that nobody else changes the node meanwhile; return its uid."""
        for tries_left in reversed(range(_TRIES)):
            try:
                node = await self._cluster.get(NODE_IN_FULL, node_name)
                await self._write_taints(node, change(_taints_of(node)))
                return node.metadata.uid
            except (NotFound, Forbidden, Unauthorized):
                raise
            except ApiError:
                if not tries_left:
                    raise
            await asyncio.sleep(_TRY_SECONDS)
        raise AssertionError("the last try returns or raises")

    async def _write_taints(self, node: FullObject, taints: list[Taint]) -> None:
        if taints != _taints_of(node):
            version = {"resourceVersion": node.metadata.resource_version}
            patch = {"metadata": version, "spec": {"taints": taints or None}}
            await self._cluster.patch(NODE_IN_FULL, node.metadata.name, patch)


class AlreadyMarked(Forbidden):
    """Somebody else drains or removes the node."""


def _taints_of(node: FullObject) -> list[Taint]:
    spec = msgspec.json.decode(node.spec, type=dict[str, Any])
    return list(spec.get("taints") or [])


def _marked(node_name: str, taints: list[Taint], mark: str) -> list[Taint]:
    if any(_is_ours(one, mark) for one in taints):
        return taints
    if any(one.get("key") == TO_BE_DELETED for one in taints):
        raise AlreadyMarked(f"{node_name} has the taint {TO_BE_DELETED}: somebody else is draining or removing it")
    return [*taints, {"key": TO_BE_DELETED, "value": mark, "effect": "NoSchedule"}]


def _is_ours(taint: Taint, mark: str) -> bool:
    return bool(taint.get("key") == TO_BE_DELETED and taint.get("value") == mark)
