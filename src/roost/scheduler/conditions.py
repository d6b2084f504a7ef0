"""Keeps the `PodScheduled` condition of pods that wait, and the node promised to them, up to date in the cluster.

Autoscalers start from the condition. It is written only when it differs from what the pod has, and never waits behind
events. A pod about to be bound must not be called unschedulable a moment later, so its binding waits for a patch that
is already on its way.
"""

import asyncio
import logging
from collections.abc import Callable
from time import gmtime, strftime
from typing import Any, Literal

from msgspec import Struct

from roost.api.kinds import POD
from roost.errors import ApiError, Conflict, NotFound, TooManyRequests, Unreachable
from roost.framework.cluster import Cluster
from roost.framework.pod_info import PodInfo
from roost.scheduler.lane import Lane

Reason = Literal["Unschedulable", "SchedulerError"]
WORKERS = 8
MAX_TRIES = 5

_KEPT = 50_000

logger = logging.getLogger(__name__)


Text = tuple[str, str, str]


class Verdict(Struct):
    """What a pod's condition is to say, the node it is promised ("" for none), and how often that was tried."""

    pod: PodInfo
    reason: Reason
    message: str
    nominated: str
    tries: int = 0

    @property
    def text(self) -> Text:
        """What is compared: the reason, the message, and the node promised."""
        return self.reason, self.message, self.nominated


class Conditions:
    """Patches the condition of pods that could not be scheduled."""

    def __init__(self, cluster: Cluster, *, wall: Callable[[], float], workers: int = WORKERS) -> None:
        self.lane: Lane[str] = Lane("conditions", self._write, workers, hold=self._seconds_to_hold)
        self.patched = 0
        self._cluster = cluster
        self._wall = wall
        self._wanted: dict[str, Verdict] = {}
        self._written: dict[str, Text] = {}
        self._under_way: dict[str, asyncio.Future[None]] = {}
        self._delayed: dict[str, asyncio.TimerHandle] = {}
        self._paused_until = 0.0

    def set(self, pod: PodInfo, reason: Reason, message: str, nominated: str | None = None) -> None:
        """Have the condition say this, and the status name the node promised (None: as it does), if not so yet."""
        promised = pod.pod.status.nominated_node_name if nominated is None else nominated
        verdict = Verdict(pod, reason, message, promised)
        if not self.is_pending(pod.uid) and self._said(pod) == verdict.text:
            return
        self._call_off(pod.uid)
        self._wanted[pod.uid] = verdict
        if pod.uid not in self._under_way:
            self.lane.put(pod.uid)

    def forget(self, uid: str) -> None:
        """Forget a pod that is bound or gone."""
        self._call_off(uid)
        self._written.pop(uid, None)

    def is_pending(self, uid: str) -> bool:
        """Tell whether a patch of this pod waits or is on its way."""
        return uid in self._wanted or uid in self._under_way or uid in self._delayed

    async def settle(self, uid: str) -> None:
        """Call off the patch of a pod that will be bound, and wait for one that is on its way."""
        self._call_off(uid)
        under_way = self._under_way.get(uid)
        if under_way is not None:
            await asyncio.wait([under_way])
            self._call_off(uid)

    def stop(self) -> None:
        """Call off all further tries."""
        for uid in list(self._delayed):
            self._call_off(uid)

    def _said(self, pod: PodInfo) -> Text | None:
        """Return what the condition says: what we wrote, until the watch has shown it; then what the watch shows."""
        current, written = _current(pod), self._written.get(pod.uid)
        if written == current:
            self._written.pop(pod.uid, None)
        return written or current

    def _call_off(self, uid: str) -> None:
        self._wanted.pop(uid, None)
        delayed = self._delayed.pop(uid, None)
        if delayed is not None:
            delayed.cancel()

    def _seconds_to_hold(self, _: str) -> float:
        return self._paused_until - asyncio.get_running_loop().time()

    async def _write(self, uid: str) -> None:
        """Write what is wanted of a pod until nothing newer is."""
        self._under_way[uid] = asyncio.get_running_loop().create_future()
        try:
            while (verdict := self._wanted.pop(uid, None)) is not None:
                await self._patch(uid, verdict)
        finally:
            self._under_way.pop(uid).set_result(None)

    async def _patch(self, uid: str, verdict: Verdict) -> None:
        verdict.tries += 1
        try:
            await self._send(verdict)
        except (NotFound, Conflict) as error:
            logger.debug("condition of pod %s not written: %s", verdict.pod.key, error)
        except ApiError as error:
            self._pause(error.retry_after or 0.0)
            if not _is_passing(error) or verdict.tries >= MAX_TRIES:
                logger.warning("condition of pod %s not written: %s", verdict.pod.key, error)
            elif uid not in self._wanted:
                delay = error.retry_after or 0.25 * 2**verdict.tries
                self._delayed[uid] = asyncio.get_running_loop().call_later(delay, self._retry, uid, verdict)
        else:
            self._note(uid, verdict)

    def _pause(self, asked_for: float) -> None:
        """Write nothing for as long as the API server asks for."""
        self._paused_until = max(self._paused_until, asyncio.get_running_loop().time() + asked_for)

    def _retry(self, uid: str, verdict: Verdict) -> None:
        del self._delayed[uid]
        self._wanted[uid] = verdict
        self.lane.put(uid)

    def _note(self, uid: str, verdict: Verdict) -> None:
        self.patched += 1
        self._written[uid] = verdict.text
        while len(self._written) > _KEPT:
            del self._written[next(iter(self._written))]

    async def _send(self, verdict: Verdict) -> None:
        meta = verdict.pod.pod.metadata
        status: dict[str, Any] = {"conditions": [self._condition(verdict)]}
        if verdict.nominated or verdict.pod.pod.status.nominated_node_name:
            status["nominatedNodeName"] = verdict.nominated or None
        patch = {"metadata": {"uid": meta.uid}, "status": status}
        await self._cluster.patch(POD, meta.name, patch, meta.namespace, subresource="status")

    def _condition(self, verdict: Verdict) -> dict[str, Any]:
        condition: dict[str, Any] = {
            "type": "PodScheduled",
            "status": "False",
            "reason": verdict.reason,
            "message": verdict.message,
        }
        if self._said(verdict.pod) is None:
            condition["lastTransitionTime"] = strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(self._wall()))
        if verdict.pod.pod.metadata.generation:
            condition["observedGeneration"] = verdict.pod.pod.metadata.generation
        return condition


def _current(pod: PodInfo) -> Text | None:
    """Return what the status of a pod says, if it says that the pod is not scheduled."""
    for condition in pod.pod.status.conditions or ():
        if condition.type == "PodScheduled" and condition.status == "False":
            return condition.reason, condition.message, pod.pod.status.nominated_node_name
    return None


def _is_passing(error: ApiError) -> bool:
    return isinstance(error, (Unreachable, TooManyRequests)) or error.status >= 500
