"""Times in, figures out: throughput as upstream's scheduler_perf samples it, and percentiles as it takes them.

scheduler_perf looks once a second how many pods are bound. The first look that finds any is only where counting begins.
A second in which nothing was bound is no sample of its own: it is added to the next, which then counts once per second.
What is bound after the last look is no sample, so that a run of less than two seconds has none.
"""

import math
from collections.abc import Sequence

from msgspec import Struct

INTERVAL = 1.0
"""Seconds between two looks."""

_FIRST_LOOK = 0.5
"""Upstream's ticker starts when it will; the middle of a second is its mean."""


class Distribution(Struct, frozen=True, kw_only=True, rename="camel"):
    """So many values: their average, the largest, and percentiles (a value that so many per cent do not exceed)."""

    count: int
    average: float
    p50: float
    p90: float
    p95: float
    p99: float
    maximum: float


def distribution(values: Sequence[float]) -> Distribution | None:
    """Return what can be said of values, in whatever unit they have; None if there are none."""
    if not values:
        return None
    ordered = sorted(values)
    return Distribution(
        count=len(ordered),
        average=math.fsum(ordered) / len(ordered),
        p50=percentile(ordered, 50),
        p90=percentile(ordered, 90),
        p95=percentile(ordered, 95),
        p99=percentile(ordered, 99),
        maximum=ordered[-1],
    )


def percentile(ordered: Sequence[float], percent: int) -> float:
    """Return a percentile of sorted values, by the nearest rank."""
    return ordered[max(1, math.ceil(len(ordered) * percent / 100)) - 1]


def throughput(times: Sequence[float]) -> Distribution | None:
    """Return the distribution of pods per second, of the times (seconds) at which pods were bound."""
    return distribution([rate for _, rate in throughput_series(times)])


def throughput_series(times: Sequence[float], interval: float = INTERVAL) -> list[tuple[float, float]]:
    """Return the samples in order, each as the time at which it ended and its pods per second."""
    if not times:
        return []
    ordered = sorted(times)
    series: list[tuple[float, float]] = []
    look, seen = ordered[0] + _FIRST_LOOK * interval, 0
    began, counted, skipped = look, -1, 0
    while look <= ordered[-1]:
        while seen < len(ordered) and ordered[seen] <= look:
            seen += 1
        if counted < 0:
            began, counted = look, seen
        elif seen == counted:
            skipped += 1
        else:
            rate = (seen - counted) / (look - began)
            series += [(look - interval * back, rate) for back in range(skipped, -1, -1)]
            began, counted, skipped = look, seen, 0
        look += interval
    return series
