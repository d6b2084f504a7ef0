"""What the webhook server counts; `exposition` turns it into Prometheus' format when somebody asks."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from roost.framework.measure import Measure, Measured
from roost.framework.view import Bool
from roost.telemetry.histogram import Histogram, exponential

SECONDS = exponential(0.0005, 2, 14)
BYTES = exponential(256, 4, 11)

Key = tuple[str, str]
"""A verb and a policy."""


class Monitored(Protocol):
    """A view that tells what policies have looked at."""

    alive: Bool

    @property
    def measures(self) -> Sequence[Measure]:
        """The measures that policies have asked for."""
        ...

    @property
    def unreadable(self) -> Mapping[tuple[str, str], str]:
        """What could not be read, by node and annotation."""
        ...

    def measured(self, measure: Measure) -> Measured:
        """Return a measure as columns."""
        ...


class Metrics:
    """The counts of one webhook server; `unmonitored` counts the nodes that came last in full."""

    def __init__(self) -> None:
        self.requests: dict[tuple[str, str, int], int] = {}
        self.errors: dict[Key, int] = {}
        self.seconds: dict[Key, Histogram] = {}
        self.request_bytes: dict[Key, Histogram] = {}
        self.response_bytes: dict[Key, Histogram] = {}
        self.unmonitored: dict[tuple[str, str], int] = {}

    def answered(self, key: Key, code: int, *, seconds: float, request_bytes: int, response_bytes: int) -> None:
        """Count a request that was answered with a status."""
        self.requests[*key, code] = self.requests.get((*key, code), 0) + 1
        _of(self.seconds, key, SECONDS).observe(seconds)
        _of(self.request_bytes, key, BYTES).observe(request_bytes)
        _of(self.response_bytes, key, BYTES).observe(response_bytes)

    def failed(self, key: Key) -> None:
        """Count a request that got a sentence in place of an answer."""
        self.errors[key] = self.errors.get(key, 0) + 1


def _of(histograms: dict[Key, Histogram], key: Key, bounds: Sequence[float]) -> Histogram:
    found = histograms.get(key)
    if found is None:
        found = histograms[key] = Histogram(bounds)
    return found


def unmonitored(view: Monitored) -> Mapping[tuple[str, str], int]:
    """Count the nodes that lack a measure, by annotation and reason: missing, unreadable or stale."""
    counts: dict[tuple[str, str], int] = {}
    for measure in view.measures:
        column, annotation = view.measured(measure), measure.annotation
        unknown = int(np.count_nonzero(view.alive & ~column.known))
        unreadable = min(unknown, sum(key == annotation for _, key in view.unreadable))
        counts[annotation, "missing"] = unknown - unreadable
        counts[annotation, "unreadable"] = unreadable
        counts[annotation, "stale"] = int(np.count_nonzero(view.alive & column.known & ~column.fresh))
    return counts
