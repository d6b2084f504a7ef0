"""What `roost bench` runs: a cluster, the schedulers in turn on it, and a report.

    options ─► a plan ─► for each workload: cluster ─► nodes ─► (run ─► clear) × schedulers × runs ─► report
        wrong: one sentence, exit 2

A cluster of its own is started anew for each workload, and its logs are kept if something fails.
"""

import asyncio
import gc
import shutil
import signal
import sys
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, cast

from msgspec import Struct
from msgspec.structs import replace

from roost.bench.assets import find_assets, find_kube_scheduler
from roost.bench.catalogue import find_workload, list_workloads
from roost.bench.control_plane import control_plane
from roost.bench.embedded import embedded
from roost.bench.load import Load
from roost.bench.plot import check_plot
from roost.bench.result import SCHEDULER, Comparison, Mode, Result
from roost.bench.rounds import Plan, Rounds, Say
from roost.bench.run import run_once
from roost.bench.schedulers import KUBE_SCHEDULER, Scheduler, kube_scheduler, roost
from roost.bench.steady import lifetime_that_fits
from roost.bench.target import Target, given_cluster
from roost.bench.workload import Workload
from roost.cli.event_loop import loop_factory
from roost.errors import ConfigError, RoostError


class Settings(Struct, frozen=True, kw_only=True):
    """The options; what was not given is empty or None."""

    workloads: tuple[str, ...]
    on: str
    kubeconfig: str | None
    context: str | None
    yes: bool
    assets: Path | None
    size: str
    mode: str
    rate: float | None
    seconds: float
    against: str
    against_binary: Path | None
    against_percentage: int | None
    scheduler_name: str
    runs: int
    output: str
    plot: Path | None
    logs: Path | None


class Interrupted(RoostError):
    """A signal ended the benchmark; everything that it had started is stopped."""

    exit_code = 130


def bench_all(settings: Settings) -> None:
    """Measure what the options ask for, and print the report; raises RoostError if that cannot be or went wrong."""
    check(settings)
    if settings.plot is not None:
        check_plot(settings.plot)
    workloads = [find_workload(name, numbers(settings.size)) for name in settings.workloads]
    compared = list(_compared(settings, workloads))
    report(compared, settings)


def print_workloads() -> None:
    """Print what can be measured."""
    for file in list_workloads():
        print(f"{file.name}: {file.about}")  # noqa: T201
        for size, numbers_ in file.sizes.items():
            usual = " (usual)" if size == (file.default_size or next(iter(file.sizes))) else ""
            said = ", ".join(f"{name}={value}" for name, value in numbers_.items())
            print(f"  {file.name}/{size}{usual}: {said}")  # noqa: T201


def check(settings: Settings) -> None:
    """Raise ConfigError for options that do not go together."""
    live = settings.on != "core"
    wrong = (
        (not settings.workloads, "name a workload, such as SchedulingBasic; roost bench --list shows them"),
        (settings.kubeconfig and settings.on, "--kubeconfig and --on exclude each other: a cluster is given or made"),
        (
            settings.kubeconfig and not settings.yes,
            "--kubeconfig: this adds fake nodes to that cluster, on which other pods may be placed too, and removes "
            "them afterwards; say --yes if that is meant",
        ),
        (not live and settings.against, "--against needs a cluster; --on core measures the decision core alone"),
        (not live and (settings.mode or settings.rate), "--mode and --rate need a cluster, not --on core"),
        (settings.rate and settings.mode == "precreate", "--rate: pods come steadily; leave --mode precreate out"),
        (
            settings.against_binary and not settings.against,
            "--against-binary: say with --against which scheduler that is",
        ),
        (
            settings.against_percentage is not None and settings.against != KUBE_SCHEDULER,
            "--against-percentage needs --against kube-scheduler",
        ),
        (
            settings.against == "roost" and not settings.against_binary,
            "--against roost: name the other installation's roost with --against-binary",
        ),
    )
    for is_wrong, sentence in wrong:
        if is_wrong:
            raise ConfigError(sentence)


def numbers(text: str) -> dict[str, int]:
    """Read `nodes=1000,measurePods=2000`; raises ConfigError."""
    found: dict[str, int] = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if not equals or not value.strip().isdigit():
            raise ConfigError(f"--size: {part!r} is not NAME=NUMBER, as in nodes=1000,measurePods=2000")
        found[name.strip()] = int(value)
    return found


def _compared(settings: Settings, workloads: Sequence[Workload]) -> Iterator[Comparison]:
    for workload in workloads:
        if settings.on == "core":
            yield _on_core(settings, workload)
        else:
            yield _live(settings, workload)


def _on_core(settings: Settings, workload: Workload) -> Comparison:
    from roost.bench.on_core import run_on_core

    say = _teller()
    results = []
    for run in range(settings.runs):
        say(f"{workload.title}, run {run + 1} of {settings.runs}")
        results.append(run_on_core(workload))
    return Comparison(ours=tuple(results))


# ---- live


def _live(settings: Settings, workload: Workload) -> Comparison:
    gc.freeze()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_until_signal(_measure(settings, workload)))


async def _until_signal(work: Coroutine[Any, Any, Comparison]) -> Comparison:
    """Let SIGTERM and Ctrl-C end the work in order, so that nothing that was started stays behind."""
    task, signals = asyncio.ensure_future(work), list[str]()
    loop = asyncio.get_running_loop()

    def interrupt(name: str) -> None:
        signals.append(name)
        loop.set_exception_handler(lambda *_: None)  # connections that are cut complain
        task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, interrupt, number.name)
    try:
        return await task
    except asyncio.CancelledError:
        if not signals:
            raise
        raise Interrupted(f"{signals[0]}: everything that was started is stopped") from None


def make_plan(settings: Settings, workload: Workload) -> Plan:
    """Return how the workload is to be run; raises ConfigError if it cannot be run like that."""
    if not workload.whole_cluster and (settings.kubeconfig or settings.on != "control-plane"):
        whose = "a whole" if settings.kubeconfig else "the embedded"
        raise ConfigError(f"{workload.name}: {whose} cluster's controllers would interfere; use --on control-plane")
    mode = cast(Mode, "rate" if settings.rate else settings.mode or "precreate")
    plan = Plan(mode=mode, rate=settings.rate, seconds=settings.seconds, scheduler_name=settings.scheduler_name)
    if settings.rate is None:
        return plan
    return replace(plan, lifetime=lifetime_that_fits(workload, settings.rate, settings.seconds))


def make_schedulers(settings: Settings) -> list[Scheduler]:
    """Return Roost, and whom it is compared with."""
    if settings.against == KUBE_SCHEDULER:
        binary = find_kube_scheduler(settings.against_binary, settings.assets)
        return [roost(), kube_scheduler(binary, settings.against_percentage)]
    return [roost(), *([roost(settings.against_binary, "other roost")] if settings.against else [])]


async def _measure(settings: Settings, workload: Workload) -> Comparison:
    plan, schedulers = make_plan(settings, workload), make_schedulers(settings)
    with _folder(settings.logs) as folder:
        async with _target(settings, folder) as target, Load(target.info, may_exist=target.is_own) as load:
            rounds = Rounds(target, workload, plan, load, folder, _teller())
            try:
                await rounds.prepare()
                results = await _take_turns(rounds, schedulers, settings.runs)
            finally:
                if not target.is_own:
                    await rounds.remove()
    return Comparison(ours=tuple(results[0]), theirs=tuple(results[1]) if len(results) > 1 else ())


async def _take_turns(rounds: Rounds, schedulers: Sequence[Scheduler], runs: int) -> list[list[Result]]:
    results: list[list[Result]] = [[] for _ in schedulers]
    for run, which in turns(len(schedulers), runs):
        result = await run_once(rounds, schedulers[which])
        results[which].append(result)
        rounds.say(f"run {run + 1} of {runs}, {schedulers[which].name}: {in_short(result)}")
        await rounds.clear()
    return results


def turns(schedulers: int, runs: int) -> Iterator[tuple[int, int]]:
    """Yield run and scheduler by number; who begins changes each time, so that a drift of the machine favours none."""
    for run in range(runs):
        order = range(schedulers)
        for which in order if run % 2 == 0 else reversed(order):
            yield run, which


def in_short(result: Result) -> str:
    """Return a run's main figures as one line."""
    ours = result.process(SCHEDULER)
    cpu = f", {ours.cpu_ms_per_pod:.2f} ms CPU per pod" if ours else ""
    figures = [(result.to_last_bind, "bind"), (result.to_last_event, "event")]
    rates = [f"{rate:.0f} pods/s to the last {what}" for rate, what in figures if rate is not None]
    return f"{', '.join(rates)}{cpu}"


def _target(settings: Settings, folder: Path) -> AbstractAsyncContextManager[Target]:
    if settings.kubeconfig:
        return given_cluster(settings.kubeconfig, settings.context)
    if settings.on == "control-plane":
        return control_plane(find_assets(settings.assets), folder)
    return embedded(folder)


@contextmanager
def _folder(logs: Path | None) -> Iterator[Path]:
    """Make a folder for logs and data; the logs stay if they were asked for, or if something has failed."""
    if logs is not None:
        logs.mkdir(parents=True, exist_ok=True)
    folder = Path(mkdtemp(prefix="roost-bench-", dir=logs))
    keep = logs is not None
    try:
        yield folder
    except RoostError as error:
        keep = keep or not isinstance(error, ConfigError | Interrupted)
        raise
    finally:
        shutil.rmtree(folder / "etcd" if keep else folder, ignore_errors=True)
        if keep:
            sys.stderr.write(f"the logs are in {folder}\n")


# ---- what is said


def _teller() -> Say:
    """Return what writes a line of progress to standard error, with the seconds since it began."""
    began = time.monotonic()

    def say(text: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began:7.1f} s  {text}\n")
        sys.stderr.flush()

    return say


def report(compared: Sequence[Comparison], settings: Settings) -> None:
    """Print the report, and draw the plot."""
    from roost.bench.report import as_json, as_text

    print((as_json if settings.output == "json" else as_text)(compared))  # noqa: T201
    if settings.plot is not None:
        from roost.bench.plot import plot

        plot(compared, settings.plot)
