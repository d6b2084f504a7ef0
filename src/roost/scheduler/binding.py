"""The binding cycle: makes a decision come true, and finds out what happened when the API server does not say.

    assumed ─► reserve ─► permit ─► pre_bind ─► bind ─► post_bind
                  │          │          │         │ 409, 404, 5xx, or no answer: read the pod
                  ▼          ▼          ▼         ├─► bound where we wanted: as good as done
               rejected: unreserve, forget,       ├─► gone, another uid, bound elsewhere, being deleted: forget it
               back to the queue                  └─► not bound: unreserve, forget, back to the queue

A binding is never posted again blindly. A pod is forgotten by the cache only when it is certain that it is not bound.
Plugins may wait for as long as they like before a binding, so those that can have a task for each pod; all bindings are
written by a fixed number of workers.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from roost.api.kinds import POD
from roost.api.pod import Pod
from roost.cache.cache import Cache, Change
from roost.errors import ApiError, Conflict, ExtenderError, NotFound, OutcomeUnknown, TooManyRequests, Unreachable
from roost.framework.cluster import Cluster
from roost.framework.decision import fit_error
from roost.framework.status import Code, Status
from roost.scheduler.conditions import Conditions
from roost.scheduler.effects import Rejected
from roost.scheduler.lane import Lane
from roost.scheduler.outcomes import Assignment, Lost, Outcomes
from roost.scheduler.queued_pod import QueuedPod

WORKERS = 128
PAUSE = 1.0
"""Seconds without bindings after the API server could not be reached, or had too many requests and did not say more.

After a pause one binding goes ahead; the others follow as soon as it is written, or there is another pause.
"""

SECOND_LOOK = 0.2
"""Seconds after which a pod is read again that was not bound when the outcome was not known."""

_MAX_READ_DELAY = 2.0

logger = logging.getLogger("roost.scheduler")


class Binder:
    """Runs the binding cycles of assumed pods.

    `changed` is told when an undone decision gives room back, and of the pod that was rejected and gave it: to that pod
    it is no news. `taken` is told how many pods still wait for a worker.
    """

    def __init__(
        self,
        cluster: Cluster,
        cache: Cache,
        conditions: Conditions,
        outcomes: Outcomes,
        *,
        clock: Callable[[], float],
        changed: Callable[[Change, QueuedPod | None], None],
        taken: Callable[[int], None],
        workers: int = WORKERS,
    ) -> None:
        self.lane: Lane[Assignment] = Lane("bindings", self._bind, workers, hold=self._seconds_to_hold, taken=taken)
        self._cluster = cluster
        self._cache = cache
        self._conditions = conditions
        self._outcomes = outcomes
        self._clock = clock
        self._changed = changed
        self._paused_until = 0.0
        self._preparing: dict[asyncio.Task[None], Assignment] = {}

    @property
    def is_idle(self) -> bool:
        """Whether no pod is on its way to being bound."""
        return self.lane.is_empty and not self._preparing

    def start(self, assignment: Assignment) -> None:
        """Begin the binding cycle of a pod that has been assumed."""
        if not assignment.effects.can_wait(assignment.info):
            self.lane.put(assignment)
            return
        task = asyncio.create_task(self._prepare(assignment), name=f"prepare {assignment.info.key}")
        self._preparing[task] = assignment
        task.add_done_callback(self._preparing.pop)

    async def abandon(self) -> None:
        """Give up the assignments of which nothing is written yet: the end is near."""
        waiting = [*self._preparing.values(), *self.lane.jobs]
        self.lane.jobs.clear()
        tasks = list(self._preparing)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for assignment in waiting:
            await self._undo(assignment)

    # ---- the cycle

    async def _prepare(self, assignment: Assignment) -> None:
        effects, info, node_name = assignment.effects, assignment.info, assignment.node_name
        if await self._survives(assignment, effects.reserve_and_permit(info, node_name)):
            self._outcomes.permitted(assignment)
            prepared = effects.pre_bind(info, node_name, lambda: assignment.queued.state == "gone")
            if await self._survives(assignment, prepared):
                self.lane.put(assignment)

    async def _bind(self, assignment: Assignment) -> None:
        if assignment.queued.state == "gone":
            await self._undo(assignment)  # whoever let go of the pod has seen to it that the cache did too
            return
        if self._conditions.is_pending(assignment.info.uid):
            await self._conditions.settle(assignment.info.uid)
        if await self._survives(assignment, self._write(assignment)):
            if self._paused_until:
                self._go_on()
            self._outcomes.bound(assignment)
            await assignment.effects.post_bind(assignment.info, assignment.node_name)

    async def _survives(self, assignment: Assignment, step: Awaitable[None]) -> bool:
        """Take a step; if it fails, undo the decision and report that."""
        try:
            await step
        except (Rejected, Lost, ApiError, ExtenderError) as failure:
            await self._give_up(assignment, failure)
        except Exception as failure:
            logger.exception("binding %s failed in a plugin", assignment.info.key)
            await self._give_up(assignment, failure)
        else:
            return True
        return False

    async def _write(self, assignment: Assignment) -> None:
        """Bind the pod; raises what went wrong, if it is certain that the pod is not bound as decided."""
        try:
            await assignment.effects.bind(assignment.info, assignment.node_name)
        except (ApiError, ExtenderError, TimeoutError) as error:
            if not await self._is_bound_after_all(assignment, error):
                if isinstance(error, TimeoutError):
                    raise OutcomeUnknown("no answer in time") from error
                raise

    async def _is_bound_after_all(self, assignment: Assignment, error: Exception) -> bool:
        """Tell whether the pod is bound as decided, though an error came back; raises Lost."""
        if isinstance(error, (Conflict, NotFound)):
            return await self._is_bound(assignment)
        if isinstance(error, ApiError) and not isinstance(error, OutcomeUnknown) and error.status < 500:
            return False
        if await self._is_bound(assignment):
            return True
        await asyncio.sleep(SECOND_LOOK)  # the API server may still be at it
        return await self._is_bound(assignment)

    async def _is_bound(self, assignment: Assignment) -> bool:
        """Ask the API server until it tells what became of the pod; raises Lost."""
        info, tries = assignment.info, 0
        while True:
            try:
                pod = await self._cluster.get(POD, info.pod.name, info.pod.namespace)
            except NotFound:
                raise Lost("it is gone") from None
            except ApiError as error:
                if not is_passing(error):
                    return False  # binding it again is safe: a bound pod is refused
                tries += 1
                await asyncio.sleep(error.retry_after or min(_MAX_READ_DELAY, 0.1 * 2**tries))
            else:
                return _is_bound_to(pod, info.uid, assignment.node_name)

    # ---- undoing

    async def _undo(self, assignment: Assignment) -> Change | None:
        await assignment.effects.unreserve(assignment.info, assignment.node_name)
        return self._cache.forget(assignment.info)

    async def _give_up(self, assignment: Assignment, failure: Exception) -> None:
        change = await self._undo(assignment)
        self._report(assignment, failure)
        if change is not None:
            self._changed(change, assignment.queued if isinstance(failure, Rejected) else None)

    def _report(self, assignment: Assignment, failure: Exception) -> None:
        match failure:
            case Rejected():
                self._report_rejection(assignment, failure.status)
            case Lost():
                self._outcomes.dropped(assignment.queued, str(failure))
            case ApiError():
                self._report_error(assignment, failure)
            case ExtenderError():
                message = f"binding to {assignment.node_name} failed: {failure}"
                self._outcomes.failed(assignment.queued, message, self._seconds(assignment))
            case _:
                message = f"{type(failure).__name__}: {failure}"
                self._outcomes.failed(assignment.queued, message, self._seconds(assignment))

    def _seconds_to_hold(self, _: Assignment) -> float:
        if not self._paused_until:
            return 0.0
        now = self._clock()
        if now < self._paused_until:
            return self._paused_until - now
        self._paused_until = now + PAUSE
        return 0.0

    def _go_on(self) -> None:
        self._paused_until = 0.0
        self.lane.release()

    def _report_rejection(self, assignment: Assignment, status: Status) -> None:
        seconds = self._seconds(assignment)
        if status.code in (Code.Unschedulable, Code.UnschedulableAndUnresolvable):
            message = fit_error(1, dict.fromkeys(status.reasons, 1))
            self._outcomes.rejected(assignment.queued, message, frozenset({status.plugin}), seconds)
        else:
            self._outcomes.failed(assignment.queued, status.message, seconds)

    def _report_error(self, assignment: Assignment, error: ApiError) -> None:
        queued, seconds = assignment.queued, self._seconds(assignment)
        message = f"binding to {assignment.node_name} failed: {error}"
        is_away = isinstance(error, Unreachable) and not isinstance(error, OutcomeUnknown)
        if is_away or isinstance(error, TooManyRequests):
            self._paused_until = max(self._paused_until, self._clock() + (error.retry_after or PAUSE))
        if is_passing(error):
            self._outcomes.interrupted(
                queued, message, seconds, retry_after=error.retry_after or 0.0, blameless=is_away
            )
        else:
            self._outcomes.failed(queued, message, seconds)

    def _seconds(self, assignment: Assignment) -> float:
        return self._clock() - assignment.began


def _is_bound_to(pod: Pod, uid: str, node_name: str) -> bool:
    if pod.metadata.uid != uid:
        raise Lost("another pod has taken its name")
    if pod.spec.node_name == node_name:
        return True
    if pod.spec.node_name:
        raise Lost(f"it has been bound to {pod.spec.node_name} by somebody else")
    if pod.is_terminating:
        raise Lost("it is being deleted")
    return False


def is_passing(error: ApiError) -> bool:
    """Tell whether an error is about the API server's state and not about the request."""
    return isinstance(error, (Unreachable, TooManyRequests)) or error.status >= 500
