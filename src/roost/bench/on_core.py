"""Runs a workload against the decision core in this process: no API server, no JSON, no waiting. By CPU time.

    pods of a step ─► queue ─► cycle.decide_run ─► assume    to decide and assume is `microseconds`, which
                        ▲              │                     benchmarks.core counts; what the queue takes too, and the
    background ─────────┴── rejected ◄─┘                     background, is in `microseconds_with_queue`

The core is given all pods that wait at once, as in benchmarks.core; the live loop takes them some hundred at a time.
What a workload does at certain times, such as five unschedulable pods a second, happens at times of a clock that shows
so many decisions as seconds: the same inputs give the same decisions, however fast the machine is. A pod that preempts
takes its victims' place at once, as if they were gone without a grace period.
"""

import gc
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from msgspec import Struct

from roost.bench.core_cluster import CoreCluster
from roost.bench.meters import LOAD, Meters, spin_ms
from roost.bench.result import SCHEDULER, Clocks, Deciding, Placement, Process, Result
from roost.bench.steps import (
    Barrier,
    Churn,
    CreateNamespaces,
    CreateNodes,
    CreateObjects,
    CreatePods,
    DeletePods,
    Sleep,
    Step,
)
from roost.bench.workload import Workload
from roost.cache.cache import Change
from roost.config.profiles import default_profile
from roost.errors import PluginError, RoostError
from roost.framework.cycle import Cycle
from roost.framework.decision import Decision
from roost.framework.learning import Learning
from roost.framework.plugin import Context
from roost.framework.profile import Profile
from roost.framework.resources import NONZERO_CPU, NONZERO_MEMORY
from roost.scheduler.queued_pod import QueuedPod
from roost.version import __version__

PACE = 1000.0
"""Decisions per second of the clock that churn and deletions go by: about what a live scheduler does."""

PATIENCE = 60.0
"""Seconds of that clock after which a pod that still fits nowhere is given up: backoffs end after ten."""

_ALL = 1 << 30
_STAMP = 64
"""After so many pods the clock is read: each time costs as much as a few per cent of a decision."""

Tell = Callable[[str], None]


def run_on_core(
    workload: Workload, *, profile: Profile | None = None, pace: float = PACE, seed: int = 0, tell: Tell | None = None
) -> Result:
    """Carry out a workload, and return what its measured pods took.

    Raises RoostError if pods fit nowhere that the workload waits for, ConfigError for objects the core does not know.
    """
    core = Core(default_profile() if profile is None else profile, pace=pace, seed=seed)
    spin = spin_ms()
    for step in workload.steps:
        if tell is not None and isinstance(step, CreateNodes | CreatePods):
            tell(f"core: {step.count} {'nodes' if isinstance(step, CreateNodes) else 'pods'}")
        core.carry_out(step)
    return _result(workload, core, spin)


class _Tally(Struct):
    """What was decided while measured pods were waiting; seconds are of CPU, `times` are those of the placed pods."""

    times: list[float]
    seconds: float = 0.0
    deciding: float = 0.0
    decisions: int = 0
    rejected: int = 0
    preempting: int = 0


class Core:
    """Decides for the pods of a workload, and keeps count."""

    def __init__(self, profile: Profile, *, pace: float, seed: int) -> None:
        self.cluster = CoreCluster(profile, self._fits)
        self.measured: list[str] = []
        self.tally = _Tally([])
        self._cycle = Cycle(profile)
        self._learning = Learning(profile)
        self._pace = pace
        self._seed = seed
        self._unwaited: list[str] = []
        self._why: dict[str, str] = {}

    # ---- steps

    def carry_out(self, step: Step) -> None:
        """Carry out a step; raises RoostError if pods that it waits for fit nowhere."""
        match step:
            case CreateNodes():
                self.cluster.create_nodes(step)
            case CreateNamespaces():
                self.cluster.create_namespaces(step)
            case CreateObjects():
                self.cluster.create_objects(step)
            case CreatePods():
                self._create_pods(step)
            case Churn():
                self.cluster.start_churn(step)
            case DeletePods():
                self.cluster.delete_pods(step)
            case Sleep():
                self._sleep(step.seconds)
            case Barrier():
                self._wait(step)

    def _create_pods(self, step: CreatePods) -> None:
        keys = self.cluster.create_pods(step)
        if step.measured:
            self.measured += keys
            with self._measuring():
                self.tally.times = self._place(set(keys))
        elif step.skip_wait:
            self._unwaited += keys
        else:
            self._place(set(keys))

    def _wait(self, step: Barrier) -> None:
        """Place what nobody waited for, or try it at least once."""
        waited = {key for key in self._unwaited if not step.namespaces or key.split("/")[0] in step.namespaces}
        if step.stage == "Attempted":
            while any(self._is_untried(key) for key in waited):
                self._decide_some()
            return
        self._place(waited)
        self._unwaited = [key for key in self._unwaited if key not in waited]

    def _is_untried(self, key: str) -> bool:
        queued = self.cluster.queue.get(key)
        return queued is not None and queued.state != "gated" and not queued.attempts

    def _sleep(self, seconds: float) -> None:
        """Let time pass, and decide for whoever comes meanwhile."""
        ending = self.cluster.now + seconds
        while self.cluster.now < ending:
            if not self._decide_some():
                coming = self.cluster.next_time
                self.cluster.advance_to(ending if coming is None else min(max(coming, self.cluster.now), ending))

    @contextmanager
    def _measuring(self) -> Iterator[None]:
        """Count what is decided from here on, undisturbed by garbage of before."""
        gc.collect()
        gc.freeze()
        self.tally, began = _Tally([]), time.process_time()
        try:
            yield
        finally:
            self.tally.seconds = time.process_time() - began
            gc.unfreeze()

    # ---- deciding

    def _place(self, wanted: set[str]) -> list[float]:
        """Decide until pods have their nodes; return when they got them, in CPU seconds from now.

        Raises RoostError if they fit nowhere.
        """
        times: list[float] = []
        began, patience = time.process_time(), self.cluster.now + PATIENCE
        while wanted:
            placed = self._decide_some()
            times += [at - began for key, at in placed.items() if key in wanted]
            wanted.difference_update(placed)
            if placed:
                patience = self.cluster.now + PATIENCE
            elif not self.cluster.queue.active:
                self._let_time_pass(wanted, patience)
        return times

    def _let_time_pass(self, wanted: set[str], patience: float) -> None:
        """Go to when something next happens; raises RoostError if that is never, or later than anybody waits."""
        coming = self.cluster.next_time
        if coming is None or coming > patience:
            key = min(wanted)
            why = self._why.get(key, "it waits behind a gate")
            raise RoostError(f"{len(wanted)} pods of the workload find no node, {key} among them: {why}")
        self.cluster.advance_to(max(coming, self.cluster.now))

    def _decide_some(self) -> Mapping[str, float]:
        """Decide for all who wait now, or until something is due; return the placed pods and when they were decided."""
        cluster, queue = self.cluster, self.cluster.queue
        popped = queue.pop(cluster.now, self._until_next_change())
        placed, rejected, gone = self._decide(popped)
        for key in placed:
            queue.delete(key)
        for queued, decision in rejected:
            self._why[queued.key] = decision.message
            queue.reject(queued, decision.rejected_by, cluster.now)
        for change in gone:
            cluster.note(change)
        if popped:
            cluster.advance_to(cluster.now + len(popped) / self._pace)
        return placed

    def _until_next_change(self) -> int:
        coming = self.cluster.next_change
        return _ALL if coming is None else max(1, math.ceil((coming - self.cluster.now) * self._pace))

    def _decide(
        self, popped: Sequence[QueuedPod]
    ) -> tuple[Mapping[str, float], list[tuple[QueuedPod, Decision]], list[Change]]:
        """Decide and assume; return the placed pods and when, the rejected ones, and what victims leave behind."""
        cache, tally, learn = self.cluster.cache, self.tally, self._learning.learn
        ctx = Context(now=self.cluster.now, seed=self._seed, learnt=self._learning.learnt)
        placed: list[str] = []
        rejected: list[tuple[QueuedPod, Decision]] = []
        changes: list[Change] = []
        infos = [queued.info for queued in popped]
        stamps = [time.process_time()]
        for queued, decision in zip(popped, self._cycle.decide_run(infos, cache.view, ctx), strict=True):
            target = decision.node
            if target is None:
                target = self._make_room(decision, changes)
            if target is None:
                rejected.append((queued, decision))
                continue
            learn(decision.pod, cache.view)
            cache.assume(decision.pod, target)
            placed.append(queued.key)
            if len(placed) % _STAMP == 0:
                stamps.append(time.process_time())
        stamps.append(time.process_time())
        tally.deciding += stamps[-1] - stamps[0]
        tally.decisions += len(popped)
        tally.rejected += len(rejected)
        return dict(zip(placed, _between(stamps, len(placed)), strict=True)), rejected, changes

    def _make_room(self, decision: Decision, changes: list[Change]) -> str | None:
        """Take the victims of a plan off their node and return its name; None if there is no plan."""
        if decision.outcome == "error":
            raise PluginError(decision.message)
        plan = decision.plan
        if plan is None or not plan.nominated:
            return None
        self.tally.preempting += 1
        gone = (self.cluster.cache.remove_pod(victim.pod) for victim in plan.victims)
        changes += [change for change in gone if change is not None]
        return plan.nominated

    def _fits(self, queued: QueuedPod, slots: Sequence[int]) -> bool:
        """Tell whether a rejected pod fits now that the nodes in some slots have changed."""
        view, ctx = self.cluster.cache.view, Context(now=self.cluster.now, seed=self._seed)
        if len(slots) == 1:
            return self._cycle.fits(queued.info, view, ctx, slots[0])
        return self._cycle.filter_nodes(queued.info, view, ctx).count > 0


def _between(stamps: Sequence[float], count: int) -> list[float]:
    """Return a time for each of so many pods, given the first, that after every `_STAMP` pods, and the last."""
    known = [min(number * _STAMP, count) for number in range(len(stamps))]
    times: list[float] = np.interp(range(1, count + 1), known, stamps).tolist()
    return times


# ---- the result


def _result(workload: Workload, core: Core, spin: float) -> Result:
    tally, count = core.tally, len(core.measured)
    first = tally.times[0] if tally.times else 0.0
    meters = Meters({})
    return Result(
        target="core",
        scheduler="roost",
        version=__version__,
        workload=workload.name,
        size=workload.size,
        numbers=workload.numbers,
        nodes=workload.nodes,
        measured=count,
        clocks=Clocks(first_to_last_bind=tally.times[-1] - first if len(tally.times) > 1 else None),
        deciding=Deciding(
            decisions=tally.decisions,
            rejected=tally.rejected,
            preempting=tally.preempting,
            microseconds=tally.deciding * 1e6 / tally.decisions,
            microseconds_with_queue=tally.seconds * 1e6 / tally.decisions,
        ),
        processes=(
            Process(
                name=SCHEDULER,
                cpu_seconds=tally.seconds,
                cpu_ms_per_pod=tally.seconds * 1e3 / count,
                counted="the first decision",
                peak_rss_mib=meters.peak_mebibytes().get(LOAD),
            ),
        ),
        spin_ms=spin,
        placement=_placement(core),
        bind_times=tuple(round(at - first, 6) for at in tally.times),
    )


def _placement(core: Core) -> Placement:
    cache = core.cluster.cache
    nodes = [cache.node_of(key) for key in core.measured]
    view = cache.view
    too_much = view.usage > view.allocatable
    too_much[[NONZERO_CPU, NONZERO_MEMORY]] = False
    over = np.flatnonzero(too_much.any(axis=0) & view.alive)
    return Placement(
        pods=len(nodes),
        unbound=nodes.count(None),
        nodes_used=len({name for name in nodes if name is not None}),
        over_capacity=tuple(view.name(int(row)) for row in over),
    )
