"""One run of a workload by one scheduler, measured.

    precreate   what comes before the measured pods ─► those are created ─► quiet ─► the scheduler starts ─► the rest
    stream      the scheduler starts ─► what comes before ─► quiet ─► the measured pods are created, and the rest
    rate        the same, with so many pods per second, for so long

Then, in each mode: all are bound ─► their events have come ─► the placement is looked at.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from msgspec import Struct
from msgspec.structs import replace

from roost.bench.figures import Mark, Noted, clocks, other_cores, processes
from roost.bench.lateness import Lateness
from roost.bench.meters import Meters, machine_busy, spin_ms
from roost.bench.placement import look_at_placement
from roost.bench.programs import Program
from roost.bench.quiet import wait_until_quiet
from roost.bench.result import SCHEDULER, Result
from roost.bench.rounds import Rounds, version_of, warm_up
from roost.bench.schedulers import Scheduler, in_sync
from roost.bench.steady import delete_old
from roost.bench.steps import Churn, CreatePods, Step
from roost.bench.watchers import Watcher, binds, scheduled_events
from roost.errors import RoostError

SYNC_SECONDS = 60.0
EVENT_PATIENCE = 15.0
"""Seconds without a further event after which the rest counts as lost."""

SETTLE = 1.0
"""Seconds after the last event whose CPU still counts."""

_LOOK = 0.5


class Act(Struct, frozen=True):
    """A workload's steps, cut for measuring: before, the pods that can be created ahead, and the rest."""

    before: tuple[Step, ...]
    ahead: tuple[CreatePods, ...]
    rest: tuple[Step, ...]

    @property
    def needs_scheduler_before(self) -> bool:
        """Whether pods are to be bound before it begins."""
        return any(isinstance(step, CreatePods) and step.count for step in self.before)


def cut(steps: Sequence[Step], *, defer_churn: bool) -> Act:
    """Cut steps at the first measured pods; with `defer_churn`, churn begins only with the rest."""
    first = next(i for i, step in enumerate(steps) if isinstance(step, CreatePods) and step.measured)
    end = next((i for i in range(first, len(steps)) if not isinstance(steps[i], CreatePods)), len(steps))
    ahead = tuple(step for step in steps[first:end] if isinstance(step, CreatePods))
    churn = tuple(step for step in steps[:first] if isinstance(step, Churn)) if defer_churn else ()
    before = tuple(step for step in steps[:first] if step not in churn)
    return Act(before, ahead, (*churn, *steps[end:]))


async def run_once(rounds: Rounds, scheduler: Scheduler) -> Result:
    """Run the workload once; raises RoostError if a pod is left without a node or a node holds too much."""
    startup = None if scheduler.tells_sync else await rounds.startup_cpu(scheduler)
    load = rounds.load
    async with (
        binds(load.streams, load.lists) as bound,
        scheduled_events(load.streams, load.lists) as told,
        rounds.player.watching(bound),
    ):
        run = _Run(rounds, scheduler, bound, told, startup)
        return await (run.precreated() if rounds.plan.mode == "precreate" else run.streamed())


class _Run:
    def __init__(
        self, rounds: Rounds, scheduler: Scheduler, bound: Watcher, told: Watcher, startup: float | None
    ) -> None:
        self.rounds, self.scheduler, self.bound, self.told = rounds, scheduler, bound, told
        self.plan, self.player, self.say = rounds.plan, rounds.player, rounds.say
        self.act = cut(rounds.workload.steps, defer_churn=rounds.plan.mode == "precreate")
        self.startup = startup
        self.lateness = Lateness()
        self.sync: Mark | None = None
        self.spin = 0.0
        self.notes: list[str] = []

    # ---- the modes

    async def precreated(self) -> Result:
        if self.act.needs_scheduler_before:
            self.say(f"{self.scheduler.name} binds the pods that come before")
            async with self.rounds.scheduling(self.scheduler):
                await self.player.play(self.act.before)
        else:
            await self.player.play(self.act.before)
        await self._create_ahead()
        await self.rounds.quiet()
        self.spin = spin_ms()
        resting = Meters(self.rounds.target.seen)
        resting.forget_peaks()
        cpu, machine = resting.cpu(), machine_busy()
        self.say(f"{self.scheduler.name} starts and schedules")
        async with self._scheduling() as (program, meters):
            began = Mark(time=program.began, cpu=cpu, machine=machine)
            return await self._finish(program, meters, began)

    async def streamed(self) -> Result:
        async with self._scheduling() as (program, meters):
            await self.player.play(self.act.before)
            await self.player.play([warm_up(1)])
            self.say("waiting until the cluster and the scheduler rest")
            await wait_until_quiet(meters)
            self.spin = spin_ms()
            meters.forget_peaks()
            self.lateness.forget()
            began = mark(meters)
            await (self._create_steadily() if self.plan.rate else self._create_ahead())
            return await self._finish(program, meters, began)

    # ---- their parts

    @asynccontextmanager
    async def _scheduling(self) -> AsyncIterator[tuple[Program, Meters]]:
        """Run the scheduler; note when it is in sync, without waiting for that."""
        async with self.rounds.scheduling(self.scheduler) as program, self.lateness:
            meters = Meters({**self.rounds.target.seen, SCHEDULER: program.pid})
            noting = asyncio.create_task(self._note_sync(program, meters))
            try:
                yield program, meters
            finally:
                noting.cancel()
                await asyncio.gather(noting, return_exceptions=True)

    async def _note_sync(self, program: Program, meters: Meters) -> None:
        if self.scheduler.tells_sync and await in_sync(program, SYNC_SECONDS):
            self.sync = mark(meters)
            self.startup = self.sync.cpu.get(SCHEDULER)

    async def _create_ahead(self) -> None:
        await self.player.need_namespaces(step.namespace for step in self.act.ahead)
        pods = sum(step.count for step in self.act.ahead)
        self.say(f"creating {pods} pods")
        began = time.monotonic()
        for step in self.act.ahead:
            await self.player.create_pods(step)
        self.notes.append(f"pods were created at {pods / (time.monotonic() - began):.0f} per second")

    async def _create_steadily(self) -> None:
        plan = self.plan
        assert plan.rate is not None, "a steady stream has a rate"
        pods = round(plan.rate * plan.seconds)
        self.say(f"creating {pods} pods, {plan.rate:g} per second")
        step = replace(self.act.ahead[0], count=pods)
        await self.player.need_namespaces([step.namespace])
        deleting, keys = None, list[str]()
        if plan.lifetime is not None:
            self.notes.append(f"pods were deleted {plan.lifetime:.0f} s after their creation, to make room")
            deleting = asyncio.create_task(delete_old(self.player, keys, plan.lifetime, self.told))
        began = time.monotonic()
        try:
            await self.player.create_pods(step, keys, rate=plan.rate)
        finally:
            if deleting is not None:
                deleting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await deleting
        self.notes.append(f"pods were created at {pods / (time.monotonic() - began):.1f} per second")

    async def _finish(self, program: Program, meters: Meters, began: Mark) -> Result:
        await self.player.play(self.act.rest if not self.plan.rate else ())
        await self.player.wait_bound(self.player.measured)
        self.say("waiting for the last events")
        await self._wait_events(program)
        await asyncio.sleep(SETTLE)
        ended, peaks = mark(meters), meters.peak_mebibytes()
        self.spin = max(self.spin, spin_ms())
        return await self._result(self._noted(program, began, ended), peaks)

    async def _wait_events(self, program: Program) -> None:
        missing, moved = self.told.expect(self.player.measured), time.monotonic()
        while not await self.told.wait(_LOOK):
            program.check()
            if self.told.missing < missing:
                missing, moved = self.told.missing, time.monotonic()
            elif time.monotonic() - moved > EVENT_PATIENCE:
                self.notes.append(f"{missing} pods never got their Scheduled event")
                return

    def _noted(self, program: Program, began: Mark, ended: Mark) -> Noted:
        keys = self.player.measured
        return Noted(
            is_stream=self.plan.mode != "precreate",
            process_start=program.began,
            began=began,
            ended=ended,
            in_sync=self.sync,
            startup_cpu=self.startup,
            sent=self.player.load.sent,
            bound={key: self.bound.times[key] for key in keys},
            told={key: self.told.times[key] for key in keys if key in self.told.times},
        )

    async def _result(self, noted: Noted, peaks: dict[str, float]) -> Result:
        workload, plan, player = self.rounds.workload, self.plan, self.player
        self.say("looking at the placement")
        noted.peaks = peaks
        placement = await look_at_placement(player.load.cluster, player.namespaces, player.may_wait)
        if placement.problem:
            raise RoostError(f"{self.scheduler.name}, {workload.title}: {placement.problem}")
        if plan.mode != "precreate":
            spent = max(noted.bound.values()) - min(noted.sent[key] for key in noted.bound)
            self.notes.append(
                f"from the first creation to the last bind: {len(noted.bound) / spent:.0f} pods per second"
            )
        if noted.ended.machine and self.rounds.target.is_own:
            self.notes.append(f"other programs on this machine took {other_cores(noted):.2f} cores")
        late = self.lateness.seconds
        if late is not None:
            self.notes.append(
                f"the load's clock ran up to {late.maximum * 1000:.0f} ms late (p99 {late.p99 * 1000:.1f} ms)"
            )
        return Result(
            target=self.rounds.target.name,
            scheduler=self.scheduler.name,
            workload=workload.name,
            size=workload.size,
            version=version_of(self.scheduler),
            mode=plan.mode,
            rate=plan.rate,
            numbers=workload.numbers,
            nodes=workload.nodes,
            measured=len(noted.bound),
            clocks=clocks(noted),
            latencies=noted.latencies,
            latency_of="" if noted.is_stream else "from the scheduler's start, since all pods were there before it",
            event_backlog=noted.backlog,
            processes=processes(noted),
            spin_ms=self.spin,
            placement=placement,
            bind_times=noted.bind_times,
            event_times=noted.event_times,
            notes=tuple(self.notes),
        )


def mark(meters: Meters) -> Mark:
    """Return this moment."""
    return Mark(time=time.monotonic(), cpu=meters.cpu(), machine=machine_busy())
