"""The beta distribution over columns: how likely it is that a share of 0…1 stays below a limit.

    far from the limit          the tail is below 1e-25: nothing to work out
    alpha and beta above 200    quadrature of the tail, since the fraction would need too many steps
    all others                  continued fraction of the incomplete beta function; rows leave it as they converge

Absolute errors are below 1e-11, beside what the rounding of alpha and beta brings. `original_cumulative` is what IBM's
kube-safe-scheduler computes instead: a fraction that stops early, and a prefactor that underflows for narrow
distributions. Formulas: NIST DLMF 5.11, 8.17.
"""

import numpy as np

from roost.framework.view import Bool, Float64

_NARROW = 200.0
"""Where alpha and beta are both above this, quadrature takes fewer operations than the continued fraction."""

_CERTAIN = -80.0
"""A tail whose logarithm is below this, give or take what the square root of alpha + beta adds, is none."""

_TOLERANCE, _MOST_STEPS = 1e-12, 300
_ORIGINAL_TOLERANCE, _ORIGINAL_STEPS = 3e-7, 100
_SMALLEST = 5e-324
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188)
_SHIFT = 8

_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(20)
_POINTS, _WEIGHTS = (_POINTS + 1) / 2, _WEIGHTS / 2
_NEGLIGIBLE = 32.0
"""The quadrature ends where the density is e to the minus this of what it is at the limit."""


def fit_moments(mean: Float64, second: Float64) -> tuple[Float64, Float64, Bool]:
    """Return alpha and beta of the beta distributions of given first and second moments, and where there is one.

    Where there is none both are 1. No variance at all makes them infinite.
    """
    variance = second - mean * mean
    widest = mean * (1 - mean)
    fits = ~((mean < 0) | (mean > 1) | (variance < 0) | (variance >= widest))
    with np.errstate(all="ignore"):
        total = np.maximum(widest / variance - 1, _SMALLEST)
        return np.where(fits, mean * total, 1.0), np.where(fits, (1 - mean) * total, 1.0), fits


def cumulative(x: Float64, alpha: Float64, beta: Float64) -> Float64:
    """Return the probability of at most `x` (0…1), for finite alpha and beta above 0; arguments are broadcast."""
    below, x, y, a, b = _oriented(x, alpha, beta)
    share = a / (a + b)
    with np.errstate(divide="ignore"):
        exponent = a * np.log1p((x - share) / share) + b * np.log1p(np.maximum((share - x) / (b / (a + b)), -1))
    tail = np.zeros(below.shape)
    rows = np.flatnonzero(exponent > _CERTAIN)
    if len(rows):
        tail.flat[rows] = _tail(*(column.ravel()[rows] for column in (exponent, x, y, a, b)))
    return np.where(below, tail, 1 - tail)


def original_cumulative(x: Float64, alpha: Float64, beta: Float64) -> Float64:
    """Return what kube-safe-scheduler takes for `cumulative`; NaN where alpha or beta is infinite or NaN."""
    below, x, y, a, b = _oriented(x, alpha, beta)
    with np.errstate(all="ignore"):
        prefactor = x**a * y**b / np.maximum(np.exp(log_beta(a, b)), _SMALLEST)
        rows = np.flatnonzero(prefactor / a > np.exp(_CERTAIN))
    tail = np.where(np.isfinite(a + b), 0.0, np.nan)
    if len(rows):
        x, a, b, prefactor = (column.ravel()[rows] for column in (x, a, b, prefactor))
        tail.flat[rows] = prefactor * _fraction(x, a, b, _ORIGINAL_TOLERANCE, _ORIGINAL_STEPS) / a
    return np.clip(np.where(below, tail, 1 - tail), 0, 1)


def density(x: Float64, alpha: Float64, beta: Float64) -> Float64:
    """Return the density at `x`; infinite at an end where it has no bound."""
    x, a, b = np.broadcast_arrays(x, alpha, beta)
    with np.errstate(divide="ignore"):
        return np.exp(_power(a - 1, x) + _power(b - 1, 1 - x) - log_beta(a, b))


def mean_excess(x: Float64, alpha: Float64, beta: Float64) -> Float64:
    """Return by how much a value above `x` exceeds it on average; 0 where none is above it."""
    above = 1 - cumulative(x, alpha, beta)
    share = alpha / (alpha + beta) * (1 - cumulative(x, alpha + 1, beta))
    return np.where(above > 0, share / np.where(above > 0, above, 1.0) - np.where(above > 0, x, 0.0), 0.0)


def log_beta(a: Float64, b: Float64) -> Float64:
    """Return the logarithm of the complete beta function, by Stirling's formula and what it leaves."""
    total = a + b
    powers = (a - 0.5) * np.log(a / total) + (b - 0.5) * np.log(b / total) - 0.5 * np.log(total / (2 * np.pi))
    return powers + _correction(a, b)


def _oriented(x: Float64, alpha: Float64, beta: Float64) -> tuple[Bool, Float64, Float64, Float64, Float64]:
    """Turn the distribution round where that makes the tail below x the shorter one."""
    x, a, b = np.broadcast_arrays(np.asarray(x, dtype=np.float64), alpha, beta)
    with np.errstate(invalid="ignore"):
        below = x < (a + 1) / (a + b + 2)
    y = 1 - x
    return below, np.where(below, x, y), np.where(below, y, x), np.where(below, a, b), np.where(below, b, a)


def _tail(exponent: Float64, x: Float64, y: Float64, a: Float64, b: Float64) -> Float64:
    total = a + b
    prefactor = np.exp(exponent + 0.5 * np.log(a / (2 * np.pi) * (b / total)) - _correction(a, b))
    tail = np.empty_like(x)
    narrow = np.minimum(a, b) > _NARROW
    wide = ~narrow
    if wide.any():
        fraction = _fraction(x[wide], a[wide], b[wide], _TOLERANCE, _MOST_STEPS)
        tail[wide] = prefactor[wide] * fraction / a[wide]
    if narrow.any():
        x, y, a, b = x[narrow], y[narrow], a[narrow], b[narrow]
        tail[narrow] = prefactor[narrow] / (x * y) * _area(x, y, a - 1, b - 1)
    return tail


def _area(x: Float64, y: Float64, a: Float64, b: Float64) -> Float64:
    """Integrate t^a (1-t)^b, as a multiple of what it is at x, from x down to where it has vanished."""
    slope = a / x - b / y
    bend = a / (x * x) + b / (y * y)
    length = np.minimum(2 * _NEGLIGIBLE / (slope + np.sqrt(slope * slope + 2 * _NEGLIGIBLE * bend)), x)
    steps = length[:, None] * _POINTS
    relative = a[:, None] * np.log1p(-steps / x[:, None]) + b[:, None] * np.log1p(steps / y[:, None])
    area: Float64 = length * (np.exp(relative) * _WEIGHTS).sum(axis=1)
    return area


def _fraction(x: Float64, a: Float64, b: Float64, tolerance: float, most: int) -> Float64:
    """Return the continued fraction of the incomplete beta function (DLMF 8.17.22), two coefficients a step.

    Each row stops by itself, so its result does not depend on the others.
    """
    result, rows, going = np.empty_like(x), np.arange(len(x)), np.ones(len(x), dtype=np.bool_)
    before, top, before_bottom, bottom = np.ones_like(x), np.ones_like(x), np.ones_like(x), 1 - (a + b) * x / (a + 1)
    for m in range(1, most + 1):
        at = a + 2 * m
        even = m * (b - m) * x / ((at - 1) * at)
        odd = (a + m) * (a + b + m) * x / (at * (at + 1))
        before, before_bottom = top + even * before, bottom + even * before_bottom
        last, top, bottom = top, before - odd * top, before_bottom - odd * bottom
        # Scaled so that the denominator is 1, which keeps the numbers within range.
        before, before_bottom, top, bottom = before / bottom, before_bottom / bottom, top / bottom, np.ones(1)
        ended = going & (np.abs(top - last) < tolerance * np.abs(top)) if m < most else going
        result[rows[ended]] = top[ended]
        going ^= ended
        left = np.count_nonzero(going)
        if not left:
            break
        if 4 * left < 3 * len(rows):  # to leave out rows costs about as much as a step with them
            columns = (x, a, b, before, before_bottom, top)
            x, a, b, before, before_bottom, top = (column[going] for column in columns)
            rows, going = rows[going], going[going]
    return result


def _correction(a: Float64, b: Float64) -> Float64:
    return _stirling_error(a) + _stirling_error(b) - _stirling_error(a + b)


def _stirling_error(z: Float64) -> Float64:
    """Return how much the logarithm of the gamma function exceeds (z - 1/2) ln z - z + ln(2 pi) / 2."""
    small = z < _SHIFT
    if not small.any():
        return _stirling_series(z)
    error = _stirling_series(np.where(small, z + _SHIFT, z))
    low = z[small]
    high = low + _SHIFT
    factors = np.prod(low[:, None] + np.arange(_SHIFT), axis=1)
    error[small] += (high - 0.5) * np.log(high) - _SHIFT - (low - 0.5) * np.log(low) - np.log(factors)
    return error


def _stirling_series(z: Float64) -> Float64:
    square = z * z
    error = np.zeros_like(z)
    for coefficient in reversed(_STIRLING):
        error = error / square + coefficient
    return error / z


def _power(exponent: Float64, base: Float64) -> Float64:
    """Return the logarithm of a power, 0 for anything to the power of 0."""
    return np.where(exponent == 0, 0.0, exponent * np.log(np.where(exponent == 0, 1.0, base)))
