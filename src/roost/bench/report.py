"""Says what was measured: as a table for reading, or as JSON with all that the table is made of.

Result, Result …  ─► FIGURES: one row each ─► median and spread per scheduler ─► ratio of the n-th runs
"""

import json
import os
import platform
import re
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import Struct

from roost.bench.result import SCHEDULER, Comparison, Result, Summary, summary
from roost.bench.samples import Distribution

_NUMBERS = re.compile(r"\[[-+\d.e,\s]+\]")
"""A list of numbers, which is to stand in one line."""

Facts = dict[str, Any]
Value = Callable[[Result], float | None]


class Figure(Struct, frozen=True):
    """One row of a report: its name in JSON, its words, how a run gives it, and whether two of it make a ratio."""

    key: str
    label: str
    value: Value
    decimals: int = 0
    compares: bool = True


# ---- as text


def as_text(comparisons: Sequence[Comparison]) -> str:
    """Return tables: one for all that ran on the core, and one for each workload that ran on a cluster."""
    on_core = [one for one in comparisons if one.ours[0].deciding is not None]
    blocks = [_core_table(on_core)] if on_core else []
    blocks += [_block(one) for one in comparisons if one.ours[0].deciding is None]
    return "\n\n".join([machine(), *blocks])


def machine() -> str:
    """Return what the figures were measured on, in a line."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{platform.machine()}, {cpus} CPUs, Python {platform.python_version()}"


def _core_table(comparisons: Sequence[Comparison]) -> str:
    head = ("core, CPU time of one process", "nodes", "pods", "decisions/s", "µs", "with queue", "spin ms")
    rows: list[tuple[str, ...]] = [head]
    for one in comparisons:
        told = [_told([figure.value(run) for run in one.ours], figure.decimals) for figure in CORE]
        first = one.ours[0]
        rows.append((one.title, str(first.nodes), str(first.measured), *told))
    return "\n".join([*_aligned(rows), *_remarks(comparisons)])


def _block(comparison: Comparison) -> str:
    rows = [_heading(comparison)]
    for figure in figures_of(comparison):
        row = _row(figure, comparison)
        if row is not None:
            rows.append(row)
    return "\n".join([_title(comparison), *_aligned(rows), *_remarks([comparison])])


def _title(comparison: Comparison) -> str:
    first = comparison.ours[0]
    how = f"{first.rate:g} pods/s" if first.rate else first.mode
    runs = len(comparison.ours)
    times = "" if runs == 1 else f", median (and spread) of {runs} runs" + (" in turn" if comparison.theirs else "")
    return f"{first.title} on {first.target}, {how}: {first.nodes} nodes, {first.measured} measured pods{times}"


def _heading(comparison: Comparison) -> tuple[str, ...]:
    ours, theirs = _name(comparison.ours), _name(comparison.theirs)
    return ("", ours, theirs, "ratio") if comparison.theirs else ("", ours)


def _name(runs: Sequence[Result]) -> str:
    return f"{runs[0].scheduler} {runs[0].version}".rstrip() if runs else ""


def _row(figure: Figure, comparison: Comparison) -> tuple[str, ...] | None:
    """Return a row of the table; None for a figure that no run has."""
    ours = [figure.value(run) for run in comparison.ours]
    theirs = [figure.value(run) for run in comparison.theirs]
    if all(value is None for value in (*ours, *theirs)):
        return None
    told = (figure.label, _told(ours, figure.decimals))
    if not comparison.theirs:
        return told
    ratio = _told(ratios(ours, theirs), 2) if figure.compares else ""
    return (*told, _told(theirs, figure.decimals), ratio)


def _told(values: Sequence[float | None], decimals: int) -> str:
    found = summary(values)
    if found is None:
        return "–"
    middle = f"{found.median:,.{decimals}f}"
    return middle if found.runs == 1 else f"{middle} ({found.minimum:,.{decimals}f}–{found.maximum:,.{decimals}f})"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        first, *others = (
            cell.ljust(width) if not n else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join([first, *others]).rstrip()


def _remarks(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """Yield what is to be known beside the figures, each sentence once."""
    runs = [run for one in comparisons for run in (*one.ours, *one.theirs)]
    said = [remark for run in runs for remark in _remarks_on(run)]
    yield from (f"  {remark}" for remark in dict.fromkeys(said))


def _remarks_on(run: Result) -> Iterator[str]:
    process = run.process(SCHEDULER)
    if process is not None and process.counted and run.deciding is None:
        yield f"CPU of {run.scheduler} is counted from {process.counted}."
    if run.latency_of:
        yield f"Latency: {run.latency_of}."
    if run.deciding is not None and (run.deciding.rejected or run.deciding.preempting):
        told = f"{run.deciding.rejected} rejected, {run.deciding.preempting} preempting"
        yield f"{run.title}: {run.deciding.decisions} decisions, {told}."
    if run.placement.problem:
        yield f"{run.scheduler}: {run.placement.problem}!"
    yield from run.notes


# ---- as JSON


def as_json(comparisons: Sequence[Comparison]) -> str:
    """Return everything: per workload the runs, what they have in common, and the ratios."""
    text = json.dumps({"machine": machine(), "workloads": [facts(one) for one in comparisons]}, indent=1)
    return _NUMBERS.sub(lambda match: " ".join(match[0].split()), text)


def facts(comparison: Comparison) -> Facts:
    """Return a comparison as plain data."""
    first, figures = comparison.ours[0], figures_of(comparison)
    found: Facts = {
        "workload": first.workload,
        "size": first.size,
        "target": first.target,
        "schedulers": [_side(runs, figures) for runs in (comparison.ours, comparison.theirs) if runs],
    }
    if comparison.theirs:
        pairs = {
            figure.key: summary(ratios(_values(figure, comparison.ours), _values(figure, comparison.theirs)))
            for figure in figures
            if figure.compares
        }
        found["ratios"] = {key: _plain(value) for key, value in pairs.items() if value is not None}
    return found


def _side(runs: Sequence[Result], figures: Sequence[Figure]) -> Facts:
    told = {figure.key: summary(_values(figure, runs)) for figure in figures}
    return {
        "scheduler": runs[0].scheduler,
        "version": runs[0].version,
        "figures": {key: _plain(value) for key, value in told.items() if value is not None},
        "runs": [_run(run) for run in runs],
    }


def _values(figure: Figure, runs: Sequence[Result]) -> list[float | None]:
    return [figure.value(run) for run in runs]


def _plain(value: Summary) -> Facts:
    plain: Facts = msgspec.to_builtins(value)
    return plain


def _run(run: Result) -> Facts:
    plain: Facts = msgspec.to_builtins(run)
    plain["throughput"] = msgspec.to_builtins(run.throughput)
    for times in ("bindTimes", "eventTimes"):
        plain[times] = [round(at, 4) for at in plain[times]]
    return plain


def ratios(ours: Sequence[float | None], theirs: Sequence[float | None]) -> list[float | None]:
    """Return ours divided by theirs, run by run; None where either is missing."""
    return [a / b if a is not None and b else None for a, b in zip(ours, theirs, strict=False)]


# ---- the figures


def figures_of(comparison: Comparison) -> list[Figure]:
    """Return the figures to tell, with those of each process that any run saw."""
    runs = (*comparison.ours, *comparison.theirs)
    if runs[0].deciding is not None:
        return [*CORE, _memory(SCHEDULER)]
    names = dict.fromkeys(process.name for run in runs for process in run.processes)
    return [*RATES, *(_cpu(name) for name in names), STARTUP_CPU, *(_memory(name) for name in names), *LAST]


def _of(what: str, field: str) -> Value:
    """Return how to get a field of a distribution of a run, if the run has that."""
    of_run, of_distribution = attrgetter(what), attrgetter(field)

    def value(run: Result) -> float | None:
        found: Distribution | None = of_run(run)
        return float(of_distribution(found)) if found is not None else None

    return value


def _distribution(what: str, key: str, label: str, decimals: int, fields: Sequence[str]) -> list[Figure]:
    words = {"maximum": "largest"}
    return [
        Figure(f"{key}.{field}", f"{label}, {words.get(field, field)}", _of(what, field), decimals) for field in fields
    ]


def _cpu(name: str) -> Figure:
    def value(run: Result) -> float | None:
        process = run.process(name)
        return process.cpu_ms_per_pod if process is not None else None

    return Figure(f"cpuMsPerPod.{name}", f"CPU ms per pod, {name}", value, 2)


def _memory(name: str) -> Figure:
    def value(run: Result) -> float | None:
        process = run.process(name)
        return process.peak_rss_mib if process is not None else None

    return Figure(f"peakRssMib.{name}", f"peak memory MiB, {name}", value)


def _startup_cpu(run: Result) -> float | None:
    process = run.process(SCHEDULER)
    return process.startup_cpu_seconds if process is not None else None


RATES = (
    Figure("podsPerSecond.toLastBind", "pods/s, first to last bind", attrgetter("to_last_bind")),
    Figure("podsPerSecond.toLastEvent", "pods/s, first bind to last event", attrgetter("to_last_event")),
    Figure("podsPerSecond.fromStart", "pods/s, start to last bind", attrgetter("from_start")),
    Figure("podsPerSecond.fromStartToLastEvent", "pods/s, start to last event", attrgetter("from_start_to_event")),
    *_distribution("throughput", "throughput", "pods/s in samples of 1 s", 0, ("average", "p50", "p90", "p95", "p99")),
    Figure("seconds.startToFirstBind", "s, start to first bind", attrgetter("clocks.start_to_first_bind"), 2),
    Figure("seconds.startToInSync", "s, start to in sync", attrgetter("clocks.start_to_in_sync"), 2),
    *_distribution("latencies", "latency", "latency s", 3, ("p50", "p90", "p95", "p99", "maximum")),
    *_distribution("event_backlog", "eventBacklog", "event after bind s", 3, ("p50", "p99", "maximum")),
)
STARTUP_CPU = Figure("startupCpuSeconds", "CPU s to start up, scheduler", _startup_cpu, 2)
LAST = (
    Figure("nodesUsed", "nodes used", attrgetter("placement.nodes_used"), 0, compares=False),
    Figure("spinMs", "spin ms", attrgetter("spin_ms"), 1, compares=False),
)
CORE = (
    Figure("decisionsPerSecond", "decisions/s", lambda run: 1e6 / run.deciding.microseconds if run.deciding else None),
    Figure("microseconds", "µs per decision", _of("deciding", "microseconds"), 1),
    Figure("microsecondsWithQueue", "µs, with the queue", _of("deciding", "microseconds_with_queue"), 1),
    Figure("spinMs", "spin ms", attrgetter("spin_ms"), 1, compares=False),
)
