"""Draws throughput over time: a line for each run, a picture for each workload. With matplotlib, only when asked."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from roost.bench.result import Comparison, Result
from roost.errors import ConfigError, RoostError

_ENDINGS = (".svg", ".png")
_COLOURS = ("#1f77b4", "#d62728")
_INTERVALS = 40
"""At least so many points to a line, unless each would stand for more than a second."""


def check_plot(path: Path) -> None:
    """Raise ConfigError if a picture could not be drawn there, before anything is measured in vain."""
    if path.suffix not in _ENDINGS:
        raise ConfigError(f"--plot: {path} must end in {' or '.join(_ENDINGS)}")
    if not path.parent.is_dir():
        raise ConfigError(f"--plot: there is no folder {path.parent}")
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "--plot: matplotlib is not installed: pip install 'roost[plot]', or leave --plot out"
        ) from error


def plot(comparisons: Sequence[Comparison], path: Path) -> None:
    """Write a picture of all workloads, one below the other; raises RoostError if it cannot be written."""
    check_plot(path)
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "roost", "svg.fonttype": "none"}):
        figure = Figure(figsize=(8, 3.2 * len(comparisons)), layout="constrained")
        axes = figure.subplots(len(comparisons), squeeze=False)
        for comparison, (axis,) in zip(comparisons, axes, strict=True):
            _draw(comparison, axis)
        try:
            figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
        except OSError as error:
            raise RoostError(f"--plot: {path} cannot be written: {error.strerror}") from error


def _draw(comparison: Comparison, axis: Any) -> None:
    first = comparison.ours[0]
    for runs, colour in zip((comparison.ours, comparison.theirs), _COLOURS, strict=True):
        for number, run in enumerate(runs):
            seconds, rates = over_time(run)
            axis.plot(seconds, rates, color=colour, alpha=0.8, linewidth=1.2, label=None if number else run.scheduler)
    axis.set_title(f"{first.title} on {first.target}, {first.nodes} nodes", fontsize="medium")
    clock = "CPU seconds" if first.target == "core" else "seconds"
    axis.set_xlabel(f"{clock} since the first bind")
    axis.set_ylabel("pods/s")
    axis.set_ylim(bottom=0)
    axis.grid(visible=True, alpha=0.3)
    axis.legend(frameon=False)


def over_time(run: Result) -> tuple[list[float], list[float]]:
    """Return the middles of equal intervals from the first bind to the last, and the pods per second in each."""
    if len(run.bind_times) < 2:
        return [], []
    ending = run.bind_times[-1]
    count = max(1, round(ending), min(_INTERVALS, len(run.bind_times) // 10))
    bound, edges = np.histogram(run.bind_times, bins=count, range=(0.0, ending))
    middles = (edges[:-1] + edges[1:]) / 2
    return middles.tolist(), (bound / (ending / count)).tolist()
