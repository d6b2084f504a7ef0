"""Histograms at the cost of a list index per observation."""

from bisect import bisect_left
from collections.abc import Sequence


def exponential(start: float, factor: float, count: int) -> tuple[float, ...]:
    """Return bucket bounds, each `factor` times the one before."""
    return tuple(start * factor**step for step in range(count))


class Histogram:
    """Counts of observations by upper bound, the last for those above all bounds."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    @property
    def count(self) -> int:
        """The number of observations."""
        return sum(self.counts)
