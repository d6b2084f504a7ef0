"""Statistics of time series as columns: mean, standard deviation, and a forecast of the next stretch.

A series is the last axis of an array, oldest first; NaN where nothing was measured. Everything is computed for all
series at once, and what cannot be said is NaN: no mean of nothing, no deviation of one sample, no forecast of two.
"""

import numpy as np
from msgspec import Struct

from roost.framework.view import Float64

CHUNKS = 100
"""Into how many stretches a series is cut for its forecast, which is the mean of the stretch after the last."""

LEVEL, TREND = 0.5, 0.1
"""How much each new stretch moves the level and the trend (Holt's alpha and beta)."""

DAMPING = 0.9
"""What remains of the trend from one stretch to the next: a forecast does not run away."""

FEWEST = 3
"""How many stretches need a sample before there is a forecast."""


class Statistics(Struct, frozen=True):
    """Mean and sample standard deviation (n - 1) of each series; NaN where there are too few samples."""

    mean: Float64
    deviation: Float64


def statistics(values: Float64) -> Statistics:
    """Return the statistics over the last axis."""
    measured = ~np.isnan(values)
    count = measured.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(measured, values, 0.0).sum(axis=-1) / count
        distance = np.where(measured, values - mean[..., None], 0.0)
        variance = (distance * distance).sum(axis=-1) / (count - 1)
    return Statistics(np.where(count > 0, mean, np.nan), np.where(count > 1, np.sqrt(np.abs(variance)), np.nan))


def forecast(values: Float64, chunks: int = CHUNKS) -> Float64:
    """Return the expected mean of the stretch that follows: damped Holt smoothing over the means of stretches.

    Stretches without a sample go by on the trend. Nothing is clamped here.
    """
    means = _stretch_means(values, chunks)
    level, trend = np.full(means.shape[:-1], np.nan), np.zeros(means.shape[:-1])
    for i in range(means.shape[-1]):
        level, trend = _step(level, trend, means[..., i])
    enough = (~np.isnan(means)).sum(axis=-1) >= FEWEST
    expected: Float64 = np.where(enough, level + DAMPING * trend, np.nan)
    return expected


def _step(level: Float64, trend: Float64, mean: Float64) -> tuple[Float64, Float64]:
    expected = level + DAMPING * trend
    new_level = np.where(np.isnan(mean), expected, LEVEL * mean + (1 - LEVEL) * expected)
    new_trend = np.where(np.isnan(mean), DAMPING * trend, TREND * (new_level - level) + (1 - TREND) * DAMPING * trend)
    begins = np.isnan(level)
    return np.where(begins, mean, new_level), np.where(begins, 0.0, new_trend)


def _stretch_means(values: Float64, chunks: int) -> Float64:
    """Return the means of stretches of equal length that end with the series; the first may lack its beginning."""
    length = max(1, -(-values.shape[-1] // chunks))
    missing = -values.shape[-1] % length
    padded = np.concatenate([np.full((*values.shape[:-1], missing), np.nan), values], axis=-1)
    return statistics(padded.reshape(*values.shape[:-1], -1, length)).mean
