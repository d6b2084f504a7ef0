"""How much of a node would be in use with one pod more, by what was measured: what safe scheduling goes by.

    annotations of the node        mean-free-cpu, std-free-cpu, forecasted-free-cpu (milli-cores), the same of memory
                                   (bytes), written by whoever watches the node
    Utilization of a resource      mean and spread as shares of allocatable, the pod counted in, as columns

A number that is missing, no finite number, or too old is missing: without a mean nothing is known of the resource,
without a spread it is 0, without a forecast the mean counts alone. `is_original` stands for what IBM's
kube-safe-scheduler made of the same annotations: NaN and infinity are numbers, nothing is too old, and a pod asks for
what its containers add up to, or for its largest init container.
"""

import math
import re
from collections.abc import Iterable

import numpy as np
from msgspec import Struct

from roost.api.pod import Container
from roost.api.quantity import milli_value, value
from roost.errors import ConfigError
from roost.framework.measure import USAGE_AT, Measure, read_number
from roost.framework.plugin import ScaledArgs, Surroundings
from roost.framework.pod_info import PodInfo
from roost.framework.resources import CPU, MEMORY, Int64
from roost.framework.view import Bool, Float64, Rows, View

RESOURCES = ("cpu", "memory")
UNKNOWN = -1
"""The raw score of a node of which nothing is known."""

FORECAST_WEIGHT = 20

_OVERFULL = 2.0
"""Means above this differ from it in nothing that matters."""

_ROWS = {"cpu": CPU, "memory": MEMORY}
_AMOUNT = {"cpu": milli_value, "memory": value}
_NO_FORECAST = ("N/A", "None")
_NOT_FINITE = re.compile(r"nan|[+-]?inf(inity)?", re.IGNORECASE)


class MeasuredUsageArgs(ScaledArgs):
    """How much a forecast of what will be free counts against the mean of what was: 0…100 percent."""

    forecast_weight: int = FORECAST_WEIGHT


class Utilization(Struct, frozen=True):
    """Resources on some rows, one line each, with one pod more: shares of allocatable, and where they are `known`.

    `spread` is of 0…1 and so is `mean`, but for a mean above 1 where the node would be overfull. Where nothing is known
    both are 0; among the original's they may be NaN also where they are known.
    """

    mean: Float64
    spread: Float64
    known: Bool


class FreeMeasures(Struct, frozen=True):
    """The measures of what is free of one resource; the first forecast that is known counts."""

    mean: Measure
    spread: Measure
    forecasts: tuple[Measure, ...]


def read_forecast(text: str) -> float | None:
    """Return a finite number, or NaN for a text that says there is no forecast."""
    return math.nan if text in _NO_FORECAST else read_number(text)


def read_as_go(text: str) -> float | None:
    """Return a decimal number as Go's ParseFloat reads it, NaN and infinity in any case among them."""
    if _NOT_FINITE.fullmatch(text):
        return float(text)
    return read_number(text) if text == text.strip() else None


FREE = {
    resource: FreeMeasures(
        Measure(f"mean-free-{resource}", read_number, USAGE_AT),
        Measure(f"std-free-{resource}", read_number, USAGE_AT),
        tuple(Measure(f"{word}-free-{resource}", read_forecast, USAGE_AT) for word in ("forecasted", "forcasted")),
    )
    for resource in RESOURCES
}
ORIGINAL_FREE = {
    resource: FreeMeasures(
        Measure(f"mean-free-{resource}", read_as_go),
        Measure(f"std-free-{resource}", read_as_go),
        (Measure(f"forcasted-free-{resource}", read_as_go),),
    )
    for resource in RESOURCES
}


def utilization(args: MeasuredUsageArgs, pod: PodInfo, view: View, rows: Rows) -> Utilization:
    """Return what would be in use of CPU and memory, of shape (2, rows)."""
    one = _original_utilization if args.is_original else _utilization
    asked = demand(pod, is_original=args.is_original)
    means, spreads, known = zip(
        *(one(resource, asked[resource], args.forecast_weight / 100, view, rows) for resource in RESOURCES),
        strict=True,
    )
    return Utilization(np.stack(means), np.stack(spreads), np.stack(known))


def demand(pod: PodInfo, *, is_original: bool = False) -> dict[str, int]:
    """Return what a pod asks for: milli-cores and bytes, overhead and sidecars counted as Kubernetes counts them."""
    if is_original:
        return {resource: _original_demand(pod, resource) for resource in RESOURCES}
    return {resource: pod.requests.effective.get(resource, 0) for resource in RESOURCES}


def lowest_known(scores: Int64, known: Bool, otherwise: int) -> Int64:
    """Return of each node (shape (2, rows) to (rows,)) the lower of the scores of what is known of it."""
    lowest: Int64 = np.where(known, scores, np.iinfo(np.int64).max).min(axis=0)
    return np.where(known.any(axis=0), lowest, otherwise)


def fill_unknown(scores: Int64, highest: int) -> Int64:
    """Give nodes of which nothing is known the mean of the others, rounded half up; half of the highest if all are."""
    known = scores != UNKNOWN
    if known.all():
        return scores
    mean = math.floor(float(scores[known].mean()) + 0.5) if known.any() else highest // 2
    return np.where(known, scores, mean)


def check_percent(field: str, percent: int) -> None:
    """Raise ConfigError if a percentage is none."""
    if not 0 <= percent <= 100:
        raise ConfigError(f"{field}: must be a whole number from 0 to 100, not {percent}")


def percent_from(around: Surroundings, variable: str, default: int) -> int | None:
    """Return the percentage that a variable holds; None if it is not set, or with a warning if it holds none."""
    text = around.environ.get(variable, "")
    if re.fullmatch(r"[+-]?0{0,9}[0-9]{1,3}", text, re.ASCII) and 0 <= int(text) <= 100:
        return int(text)
    if text:
        around.warn(f"{variable}: must be a whole number from 0 to 100, not '{text}'; {default} is used")
    return None


def _utilization(resource: str, asked: int, weight: float, view: View, rows: Rows) -> tuple[Float64, Float64, Bool]:
    measures, allocatable = FREE[resource], view.allocatable[_ROWS[resource]][rows]
    measured = view.measured(measures.mean)
    free = measured.values[rows]
    fresh = measured.fresh[rows]
    known = measured.known[rows] & fresh & ((allocatable > 0) | (asked > 0))
    for measure in reversed(measures.forecasts):
        forecast = view.measured(measure).values[rows]
        weighted = (1 - weight) * measured.values[rows] + weight * forecast
        free = np.where(np.isnan(forecast), free, weighted)
    spread = np.nan_to_num(view.measured(measures.spread).values[rows], nan=0.0)
    with np.errstate(all="ignore"):
        mean = np.minimum((np.maximum(allocatable - free, 0) + asked) / allocatable, _OVERFULL)
        spread = np.where(allocatable > 0, np.clip(spread / allocatable, 0, 1), 1.0)
    return np.where(known, mean, 0.0), np.where(known, spread, 0.0), known


def _original_utilization(
    resource: str, asked: int, weight: float, view: View, rows: Rows
) -> tuple[Float64, Float64, Bool]:
    measures, allocatable = ORIGINAL_FREE[resource], view.allocatable[_ROWS[resource]][rows]
    measured, forecast = view.measured(measures.mean), view.measured(measures.forecasts[0])
    deviation = view.measured(measures.spread)
    with np.errstate(all="ignore"):
        weighted = (1 - weight) * measured.values[rows] + weight * forecast.values[rows]
        free = np.where(forecast.known[rows], weighted, measured.values[rows])
        mean = (np.maximum(allocatable - free, 0) + asked) / allocatable
        spread = np.where(deviation.known[rows], deviation.values[rows], 0.0) / allocatable
        # As in Go, the smaller and the larger of NaN and a number is NaN.
        return np.maximum(np.minimum(mean, 1), 0), np.maximum(np.minimum(spread, 1), 0), measured.known[rows]


def _original_demand(pod: PodInfo, resource: str) -> int:
    spec = pod.pod.spec
    together = sum(_asked(spec.containers or (), resource))
    return max([together, *_asked(spec.init_containers or (), resource)])


def _asked(containers: Iterable[Container], resource: str) -> list[int]:
    amounts = [(container.resources.requests or {}).get(resource, 0) for container in containers]
    return [_AMOUNT[resource](amount) for amount in amounts]
