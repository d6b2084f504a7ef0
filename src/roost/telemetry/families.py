"""Prometheus' metric families from plain counts; the library is imported at the first scrape, not at the start."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from roost.telemetry.histogram import Histogram

if TYPE_CHECKING:
    from prometheus_client.core import HistogramMetricFamily, Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Values = Iterable[tuple[list[str], float]]


def counter(name: str, text: str, labels: list[str], values: Values) -> "Metric":
    """Return a counter with its label values and counts; its name is written without `_total`."""
    from prometheus_client.core import CounterMetricFamily

    return _filled(CounterMetricFamily(name, text, labels=labels), values)


def gauge(name: str, text: str, labels: list[str], values: Values) -> "Metric":
    """Return a gauge with its label values and readings."""
    from prometheus_client.core import GaugeMetricFamily

    return _filled(GaugeMetricFamily(name, text, labels=labels), values)


def _filled(family: Any, values: Values) -> "Metric":
    for labels, value in values:
        family.add_metric(labels, value)
    metric: Metric = family
    return metric


def histogram(
    name: str, text: str, labels: list[str], values: Iterable[tuple[list[str], Histogram]]
) -> "HistogramMetricFamily":
    """Return a histogram with its label values."""
    from prometheus_client.core import HistogramMetricFamily

    family = HistogramMetricFamily(name, text, labels=labels)
    for found, histogram in values:
        family.add_metric(found, list(_buckets(histogram)), histogram.sum)
    return family


def _buckets(histogram: Histogram) -> Iterator[tuple[str, float]]:
    """Yield upper bounds with how many observations are at or below them."""
    below = 0
    for bound, count in zip(histogram.bounds, histogram.counts, strict=False):
        below += count
        yield repr(float(bound)), below
    yield "+Inf", histogram.count
