"""The live loop: two cycles joined by *assume*. One decides, one pod after the other; the other binds, many at a time.

    watches ─► handlers ─► cache, queue ─► decide ─► assume ─► binding workers ─► event, condition, log, metrics
                                ▲                                    │
                                └──────────── put back, woken ───────┘

Everything runs in one asyncio loop and only its own callbacks touch the cache, so there are no locks. Deciding gives
way every few milliseconds, lets bindings catch up when too many wait, and sleeps until something can have changed.
"""

import asyncio
import logging
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby

from msgspec import Struct

from roost.cache.cache import Cache
from roost.errors import ApiError, InvalidObject, PluginError, Unreachable
from roost.framework.cluster import Cluster
from roost.framework.cycle import Cycle
from roost.framework.decision import Decision
from roost.framework.extenders import Webhook
from roost.framework.learning import Learning
from roost.framework.plugin import Context
from roost.framework.pod_info import PodInfo
from roost.scheduler.binding import Binder, is_passing
from roost.scheduler.conditions import Conditions
from roost.scheduler.crew import Crew
from roost.scheduler.effects import Effects
from roost.scheduler.evictions import Evictions
from roost.scheduler.extenders import Extenders
from roost.scheduler.further_kinds import kinds_read
from roost.scheduler.handlers import Handlers
from roost.scheduler.metrics import Metrics
from roost.scheduler.outcomes import Assignment, Lost, Outcomes, scheduled_line, score_table
from roost.scheduler.queue import SchedulingQueue
from roost.scheduler.queued_pod import QueuedPod
from roost.scheduler.recorder import Recorder
from roost.scheduler.unschedulable import is_node_local

BATCH = 256
SLICE_SECONDS = 0.005
MAX_WAITING_BINDS = 128
LOW_WAITING_BINDS = 64
GATHERED = 32
"""So few pods are not worth deciding while bindings wait already: more may come, and many cost less each than few."""

SHUTDOWN_SECONDS = 10.0
FLUSH_SECONDS = 1.0
ONCE_ATTEMPTS = 3
ONCE_LOOK_SECONDS = 0.02

logger = logging.getLogger("roost.scheduler")


class Summary(Struct, frozen=True):
    """What one pass over the pending pods came to."""

    scheduled: int
    unschedulable: int
    failed: int
    gated: int


class Scheduler:
    """Schedules the pods of some scheduler names on a cluster."""

    def __init__(
        self,
        cluster: Cluster,
        cache: Cache,
        cycles: Mapping[str, Cycle],
        *,
        queue: SchedulingQueue | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        host: str = "",
        seed: int = 0,
        observe: Callable[[Decision], None] | None = None,
        webhooks: Sequence[Webhook] = (),
    ) -> None:
        """Wire the parts together; `observe` is called with every Decision while its columns are valid.

        `webhooks` lead to extenders, in the order in which they are asked.
        """
        self.cluster = cluster
        self.cache = cache
        self.cycles = cycles
        self.queue = SchedulingQueue([cycle.profile for cycle in cycles.values()]) if queue is None else queue
        self.metrics = Metrics()
        self._clock = clock
        self.wall = wall
        self._seed = seed
        self._observe = observe
        self._cycle_number = 0
        self._woken = asyncio.Event()
        self._batch = BATCH
        self.extenders = (
            Extenders(cluster, webhooks, self.metrics, clock=clock, notify=self._woken.set) if webhooks else None
        )
        self._learning = {name: Learning(cycle.profile) for name, cycle in cycles.items()}
        self._nonlocal = {name: _nonlocal_filters(cycle) for name, cycle in cycles.items()}
        self.recorder = Recorder(
            cluster, host=host or socket.gethostname(), clock=clock, wall=wall, is_binding=self._is_binding
        )
        self.conditions = Conditions(cluster, wall=wall)
        self.handlers = Handlers(
            cache,
            self.queue,
            cycles,
            clock=clock,
            fits=self._fits,
            conditions=self.conditions,
            recorder=self.recorder,
            metrics=self.metrics,
            notify=self._woken.set,
        )
        self.handlers.follow(kinds_read(cycle.profile for cycle in cycles.values()))
        binder = self.extenders.binder if self.extenders is not None else None
        self._effects = {
            name: Effects(cluster, cycle.profile, binder, self.handlers.news) for name, cycle in cycles.items()
        }
        self.outcomes = Outcomes(
            self.queue,
            self.metrics,
            self.recorder,
            self.conditions,
            self.handlers.promises,
            clock=clock,
            notify=self._woken.set,
        )
        self.evictions = Evictions(
            cluster,
            cache,
            self.queue,
            self.handlers.promises,
            self.outcomes,
            self.recorder,
            clock=clock,
            wall=wall,
        )
        self.binder = Binder(
            cluster,
            cache,
            self.conditions,
            self.outcomes,
            clock=clock,
            changed=self.handlers.take_notice,
            taken=self._on_bind_taken,
        )

    @property
    def in_sync(self) -> bool:
        """Whether all nodes and pods have been seen, and in full what is sent in full."""
        return self.handlers.in_sync and (self.extenders is None or self.extenders.in_sync)

    # ---- running

    async def run(self, stop: asyncio.Event, *, may_decide: asyncio.Event | None = None) -> None:
        """Schedule until `stop` is set; from then on finish what is under way and return.

        With `may_decide`, watch only until it is set: a replica that waits to become the leader is in sync already.
        Raises ApiError if the API server refuses the first lists.
        """
        async with Crew(self) as crew:
            deciding = asyncio.create_task(self._decide_forever(may_decide), name="decide")
            stopping = asyncio.create_task(stop.wait(), name="stop")
            try:
                await crew.until_done(deciding, stopping)
            finally:
                deciding.cancel()
                stopping.cancel()
                await asyncio.gather(deciding, stopping, return_exceptions=True)
            await self._wind_up()

    async def run_once(self) -> Summary:
        """Schedule what is pending, wait for the bindings, events and conditions, and return what came of it."""
        async with Crew(self) as crew:
            deciding = asyncio.create_task(self._decide_pending(), name="decide")
            try:
                await crew.until_done(deciding)
            finally:
                deciding.cancel()
                await asyncio.gather(deciding, return_exceptions=True)
            await self._wind_up()
        return self._summary()

    async def _wind_up(self) -> None:
        """Finish the bindings that are under way, then say what is left to say."""
        deadline = self._clock() + SHUTDOWN_SECONDS
        await self.binder.abandon()
        for lane in (self.binder.lane, self.evictions.lane, self.conditions.lane, self.recorder.lane):
            if lane is self.recorder.lane:
                self.recorder.flush()
            if not await lane.drained(max(deadline - self._clock(), FLUSH_SECONDS)):
                logger.warning("not done before the end: %d %s", lane.waiting + lane.busy, lane.name)

    def _summary(self) -> Summary:
        counts = self.queue.counts()
        return Summary(
            scheduled=self.metrics.total("scheduled"),
            unschedulable=counts["unschedulable"],
            failed=counts["backoff"] + counts["active"],
            gated=counts["gated"],
        )

    # ---- deciding

    async def _decide_forever(self, may_decide: asyncio.Event | None) -> None:
        if may_decide is not None:
            await may_decide.wait()
        while True:
            if not self._can_decide() or not await self._decide_some():
                await self._until_woken(self._next_time())

    async def _decide_pending(self) -> None:
        """Decide until nothing is left but pods that fit nowhere, are gated, or failed again and again."""
        while True:
            if not self._can_decide():
                await self._until_woken(None)
            elif await self._decide_some():
                continue
            elif not (self.binder.is_idle and self.evictions.lane.is_empty):
                await self._until_woken(self._clock() + ONCE_LOOK_SECONDS)
            elif any(pod.state == "backoff" and pod.attempts < ONCE_ATTEMPTS for pod in self.queue.pods()):
                await self._until_woken(self._next_time())
            else:
                return

    def _can_decide(self) -> bool:
        waiting = self.binder.lane.waiting
        return self.in_sync and (not waiting or (waiting < MAX_WAITING_BINDS and self.queue.active >= GATHERED))

    async def _decide_some(self) -> bool:
        """Decide for the next pods; False if there are none."""
        self.handlers.wake_pods()
        popped = self.queue.pop(self._clock(), self._batch)
        if self.extenders is None:
            await self._decide_all(popped)
        else:
            await self._decide_first(popped, self.extenders)
        await asyncio.sleep(0)
        return bool(popped)

    async def _decide_all(self, pods: Sequence[QueuedPod]) -> None:
        for name, run in groupby(pods, key=_scheduler_name):
            await self._decide_run(self.cycles[name], list(run))

    async def _decide_first(self, pods: Sequence[QueuedPod], extenders: Extenders) -> None:
        """Decide pods up to and including the first that extenders are asked about; the others go back.

        Asking takes long: whoever comes meanwhile with a higher priority is not to wait for all that were popped.
        """
        asked = next((i for i, queued in enumerate(pods) if extenders.are_asked_about(queued.info.pod)), None)
        if asked is None:
            self._batch = min(BATCH, 2 * self._batch)
            await self._decide_all(pods)
            return
        self._batch = 1
        for queued in pods[asked + 1 :]:
            self.queue.put_back(queued)
        await self._decide_all(pods[:asked])
        await self._decide_asking(pods[asked], extenders)

    async def _decide_asking(self, queued: QueuedPod, extenders: Extenders) -> None:
        """Decide for a pod that extenders are asked about, and act on it."""
        cycle, began = self.cycles[queued.scheduler_name], self._clock()
        ctx = self._context(cycle)
        self._cycle_number += 1
        try:
            decision = await extenders.decide(cycle, queued.info, self.cache.view, ctx)
            self._act(queued, decision, cycle, began)
        except Lost as lost:
            self.outcomes.dropped(queued, str(lost))
        except ApiError as error:
            self._could_not_ask(queued, error, self._clock() - began)
        except InvalidObject as error:
            self.outcomes.failed(queued, str(error), self._clock() - began)
        except Exception as error:
            logger.exception("deciding failed: this is a fault of Roost, please report it")
            self.outcomes.failed(queued, f"{type(error).__name__}: {error}", self._clock() - began)

    def _could_not_ask(self, queued: QueuedPod, error: ApiError, seconds: float) -> None:
        message = f"what extenders are sent could not be read: {error}"
        if is_passing(error):
            blameless = isinstance(error, Unreachable)
            self.outcomes.interrupted(
                queued, message, seconds, retry_after=error.retry_after or 0.0, blameless=blameless
            )
        else:
            self.outcomes.failed(queued, message, seconds)

    async def _decide_run(self, cycle: Cycle, pods: Sequence[QueuedPod]) -> None:
        ctx = self._context(cycle)
        self._cycle_number += len(pods)
        decisions = self._decisions(cycle, [queued.info for queued in pods], ctx)
        began = self._clock()
        pause_at = began + SLICE_SECONDS
        undecided = deque(pods)
        try:
            for decision in decisions:
                self._act(undecided[0], decision, cycle, began)
                undecided.popleft()
                ended = self._clock()
                if ended >= pause_at:
                    await asyncio.sleep(0)
                    ended = self._clock()
                    pause_at = ended + SLICE_SECONDS
                began = ended
        except Exception as error:
            logger.exception("deciding failed: this is a fault of Roost, please report it")
            if undecided:  # the first is to blame, the others had no chance yet
                self.outcomes.failed(undecided.popleft(), f"{type(error).__name__}: {error}", 0.0)
        for queued in undecided:
            self.queue.again(queued)

    def _decisions(self, cycle: Cycle, pods: Sequence[PodInfo], ctx: Context) -> Iterator[Decision]:
        """Decide for pods in order; one by one where somebody wants to see the scores of all nodes."""
        if logger.isEnabledFor(logging.DEBUG):
            return (cycle.decide(pod, self.cache.view, ctx) for pod in pods)
        return cycle.decide_run(pods, self.cache.view, ctx)

    def _act(self, queued: QueuedPod, decision: Decision, cycle: Cycle, began: float) -> None:
        """Act on a decision, unless the pod has gone or changed since it was popped."""
        seconds = self._clock() - began
        self.metrics.algorithm.observe(seconds)
        if self._observe is not None:
            self._observe(decision)
        if queued.state != "deciding":
            return
        if queued.changed:
            self.queue.again(queued)
        elif decision.outcome == "scheduled":
            self._assume(queued, decision, cycle, began)
        elif decision.outcome == "unschedulable":
            self._reject(queued, decision, cycle, seconds)
        else:
            self.outcomes.failed(queued, decision.message, seconds)

    def _reject(self, queued: QueuedPod, decision: Decision, cycle: Cycle, seconds: float) -> None:
        """Have a pod wait, and the victims evicted that were found to make room for it."""
        cycle.signature(queued.info)
        rejected_by, plan = self._waits_for(decision, cycle), decision.plan
        if plan is None or not plan.victims:
            nominated = "" if plan is None else plan.nominated
            self.metrics.preemption_attempts += plan is not None
            self.outcomes.rejected(queued, decision.message, rejected_by, seconds, nominated=nominated)
            return
        self.metrics.preemption_attempts += 1
        self.metrics.preemption_victims.observe(len(plan.victims))
        self.outcomes.told(queued, decision.message, seconds, nominated=plan.nominated)
        self.evictions.start(queued, plan, rejected_by)

    def _assume(self, queued: QueuedPod, decision: Decision, cycle: Cycle, began: float) -> None:
        effects = self._effects[cycle.profile.scheduler_name]
        self._learn(cycle, decision.pod)
        line = scheduled_line(decision) if logger.isEnabledFor(logging.INFO) else ""
        assignment = Assignment(queued, decision.pod, decision.node or "", effects, began, line)
        self.cache.assume(assignment.info, assignment.node_name)
        self.handlers.promises.keep(assignment.info.uid)
        if not effects.can_reject:
            self.queue.done(queued)
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug(score_table(decision))
        self.binder.start(assignment)

    def _learn(self, cycle: Cycle, pod: PodInfo) -> None:
        try:
            self._learning[cycle.profile.scheduler_name].learn(pod, self.cache.view)
        except PluginError as error:
            logger.error("%s: nothing was learnt from %s", error, pod.key)

    def _waits_for(self, decision: Decision, cycle: Cycle) -> frozenset[str]:
        """Return the plugins whose change of mind can help a pod.

        A filter that was asked and looks beyond single nodes is one of them even if another rejected every node first.
        """
        beyond, filtered = self._nonlocal[cycle.profile.scheduler_name], decision.filtered
        if not beyond or not decision.rejected_by or filtered is None or filtered.rejected is not None:
            return decision.rejected_by
        return decision.rejected_by | beyond.difference(filtered.skipped)

    def _fits(self, queued: QueuedPod, slots: Sequence[int]) -> bool:
        """Tell whether a rejected pod fits now that the nodes in some slots have changed."""
        cycle = self.cycles[queued.scheduler_name]
        ctx = self._context(cycle)
        if len(slots) == 1:
            return cycle.fits(queued.info, self.cache.view, ctx, slots[0])
        try:
            return cycle.filter_nodes(queued.info, self.cache.view, ctx).count > 0
        except PluginError:
            return True

    def _context(self, cycle: Cycle) -> Context:
        learnt = self._learning[cycle.profile.scheduler_name].learnt
        return Context(now=self.wall(), seed=self._seed, cycle=self._cycle_number, learnt=learnt)

    # ---- waiting

    def _next_time(self) -> float | None:
        times = (self.queue.next_time(), self.handlers.next_time())
        return min((time for time in times if time is not None), default=None)

    async def _until_woken(self, deadline: float | None) -> None:
        """Wait until a watch, a binding or the time may have changed what can be decided."""
        timer = None
        if deadline is not None and self._can_decide():
            delay = max(deadline - self._clock(), 0.0)
            timer = asyncio.get_running_loop().call_later(delay, self._woken.set)
        await self._woken.wait()
        self._woken.clear()
        if timer is not None:
            timer.cancel()

    def _is_binding(self) -> bool:
        return bool(self.binder.lane.jobs) or self.queue.active > 0

    def _on_bind_taken(self, left: int) -> None:
        if left == LOW_WAITING_BINDS or left == 0:
            self._woken.set()
        if left == 0 and not self.queue.active:
            self.recorder.lane.release()


def _scheduler_name(queued: QueuedPod) -> str:
    return queued.scheduler_name


def _nonlocal_filters(cycle: Cycle) -> frozenset[str]:
    return frozenset(plugin.name for plugin in cycle.profile.filter if not is_node_local(plugin))
