"""Runs of a workload on one live cluster, each brought back afterwards to where it began.

Nodes and namespaces stay from run to run; pods, events and all else are deleted, and the next run waits until the
cluster's processes rest.
"""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec import Struct

from roost.bench.load import Load
from roost.bench.meters import Meters
from roost.bench.player import LABEL, NAMESPACES, NODES, Player
from roost.bench.programs import Program
from roost.bench.quiet import wait_until_quiet
from roost.bench.result import Mode
from roost.bench.schedulers import ROOST, Scheduler
from roost.bench.steps import CreateNodes, CreatePods
from roost.bench.target import Target
from roost.bench.workload import Workload
from roost.errors import ConfigError
from roost.version import __version__

STARTUP_LIMIT = 20.0
WARMING = 1000

Say = Callable[[str], None]


class Plan(Struct, frozen=True, kw_only=True):
    """How a workload is run; `lifetime` is how long a pod of a steady stream stays (seconds), None for ever."""

    mode: Mode = "precreate"
    rate: float | None = None
    seconds: float = 60.0
    lifetime: float | None = None
    scheduler_name: str = "roost-bench"


class Rounds:
    """What the runs share: the cluster, the workload, the load, and what was made that stays."""

    def __init__(self, target: Target, workload: Workload, plan: Plan, load: Load, folder: Path, say: Say) -> None:
        self.target, self.workload, self.plan = target, workload, plan
        self.load, self.folder, self.say = load, folder, say
        self.player = Player(load, plan.scheduler_name)
        self._startup_cpu: dict[str, float] = {}
        self._logs = 0

    async def prepare(self) -> None:
        """Create the nodes; raises ConfigError if a cluster of others has what looks like another benchmark's."""
        if not self.target.is_own:
            await self._refuse_leftovers()
        self.say(f"creating {self.workload.nodes} nodes")
        await self.player.play(step for step in self.workload.steps if isinstance(step, CreateNodes))
        if self.target.is_own:
            await self._warm_up()
        await self.quiet()

    async def _warm_up(self) -> None:
        """Create and delete pods once: an API server that has just started is slower than it is from then on."""
        self.say("warming up")
        await self.player.create_pods(warm_up(WARMING))
        await self.player.clear()

    async def clear(self) -> None:
        """Delete all but nodes and namespaces, and wait until the cluster rests."""
        self.say("deleting pods and events")
        await self.player.clear()
        await self.quiet()

    async def remove(self) -> None:
        """Delete everything that was made, nodes and namespaces too."""
        self.say("removing everything that was made")
        await self.player.clear()
        await self.load.delete_collection(NODES, f"labelSelector={LABEL}%3Dtrue")
        await self.load.delete(f"{NAMESPACES}/{name}" for name in sorted(self.player.namespaces))

    async def quiet(self) -> None:
        """Wait until the cluster's own processes rest."""
        self.say("waiting until the cluster rests")
        await wait_until_quiet(Meters(self.target.seen))

    @asynccontextmanager
    async def scheduling(self, scheduler: Scheduler) -> AsyncIterator[Program]:
        """Run a scheduler on the cluster until the context ends."""
        self._logs += 1
        log = self.folder / f"{scheduler.name}-{self._logs}.log"
        arguments = scheduler.arguments(self.target, self.plan.scheduler_name, self.folder)
        program = Program(arguments, log, scheduler.name)
        self.player.check = program.check
        try:
            yield program
        finally:
            program.stop()
            self.player.check = _fine

    async def startup_cpu(self, scheduler: Scheduler) -> float:
        """Return the CPU seconds of a start while there are no pods; it is measured once."""
        if scheduler.name not in self._startup_cpu:
            self.say(f"measuring a start of {scheduler.name} without pods")
            async with self.scheduling(scheduler) as program:
                meters = Meters({scheduler.name: program.pid})
                await asyncio.sleep(1.0)
                await wait_until_quiet(meters, limit=STARTUP_LIMIT)
                program.check()
                self._startup_cpu[scheduler.name] = meters.cpu().get(scheduler.name, 0.0)
        return self._startup_cpu[scheduler.name]

    async def _refuse_leftovers(self) -> None:
        left = await self.load.names(NODES, f"labelSelector={LABEL}%3Dtrue&limit=1")
        if left:
            raise ConfigError(
                f"this cluster has nodes labelled {LABEL}=true: another benchmark runs there, or one was cut off; "
                f"remove them with kubectl delete nodes,namespaces -l {LABEL}=true"
            )


def warm_up(count: int) -> CreatePods:
    """Return a step that creates pods which ask for nothing and need nothing."""
    template = {"spec": {"containers": [{"name": "pause", "image": "registry.k8s.io/pause:3.10.2"}]}}
    return CreatePods(count=count, template=template, namespace="bench-warm-up", prefix="warm-up")


def version_of(scheduler: Scheduler) -> str:
    """Return what a scheduler says of its version."""
    if scheduler.program == ROOST and scheduler.name == ROOST:
        return __version__
    asked = [*scheduler.command, "version" if scheduler.program == ROOST else "--version"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=30)
    return done.stdout.strip().split(" ")[-1]


def _fine() -> None:
    """Say nothing: no scheduler runs."""
