"""The probability that the utilisation of a node exceeds a limit, given its mean and its spread.

Utilisation is taken to have the beta distribution of this mean and standard deviation. Where there is none:

    no spread                         it is the mean, so the risk is 0 or 1
    more spread than the mean allows  it is 0 or 1, the widest that can be; the risk is the mean
    mean above 1                      the node would be overfull: the risk is 1, whatever the limit
"""

import numpy as np

from roost.framework.beta import cumulative, fit_moments, original_cumulative
from roost.framework.view import Bool, Float64

_EDGE = 1e-12
"""Means as close to 0 or 1 as this count as if there were no spread: the risk is as close to 0 or 1."""

_NARROWEST = 1e20
"""The greatest alpha + beta; a narrower distribution differs from this one by nothing that floats can hold."""


def overload_risk(mean: Float64, spread: Float64, limit: float) -> Float64:
    """Return the probability of more than `limit`; means of 0 or more, spreads and limit of 0…1."""
    risk = np.where(mean > limit, 1.0, 0.0)
    if limit <= 0 or limit >= 1:
        return risk
    alpha, beta, fits, is_open = fit_shape(mean, spread)
    risk[is_open & ~fits] = mean[is_open & ~fits]
    risk[fits] = 1 - cumulative(np.array(limit), alpha[fits], beta[fits])
    return risk


def fit_shape(mean: Float64, spread: Float64) -> tuple[Float64, Float64, Bool, Bool]:
    """Return alpha and beta (1 where there are none), where there are, and where there is a spread to go by."""
    variance = spread * spread
    is_open = (mean > _EDGE) & (mean < 1 - _EDGE) & (variance > 0)
    widest = mean * (1 - mean)
    fits = is_open & (variance < widest)
    total = np.minimum(np.divide(widest, variance, out=np.ones_like(mean), where=fits) - 1, _NARROWEST)
    fits &= total > 0
    return np.where(fits, mean * total, 1.0), np.where(fits, (1 - mean) * total, 1.0), fits, is_open


def original_overload_risk(mean: Float64, spread: Float64, limit: float) -> Float64:
    """Return what kube-safe-scheduler takes for `overload_risk`, for any numbers, NaN and infinity among them."""
    with np.errstate(all="ignore"):
        alpha, beta, fits = fit_moments(mean, spread * spread + mean * mean)
        within = np.where(fits, original_cumulative(np.array(limit), alpha, beta), 0.0)
    within = np.where(np.isnan(within), 1.0, within)
    within = np.where((spread == 0) & (mean > limit), 0.0, within)
    within = np.where((mean == 0) | ((spread == 0) & (mean <= limit)), 1.0, within)
    return 1 - within
