import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from roost.framework.overload_risk import original_overload_risk, overload_risk

RANKS = json.loads((Path(__file__).parent.parent / "golden" / "safe_beta.json").read_text())["rank"]

means, spreads, limits = st.floats(0, 2), st.floats(0, 1), st.integers(0, 100).map(lambda percent: percent / 100)


def column(*numbers: float) -> Any:
    return np.array(numbers, dtype=np.float64)


def risk(mean: float, spread: float, limit: float) -> float:
    return float(overload_risk(column(mean), column(spread), limit)[0])


@pytest.mark.parametrize("limit", [0, 0.5, 0.9, 1])
def test_s2_the_original_s_ranks_are_reproduced(limit: float) -> None:
    rows = [row for row in RANKS if row["threshold"] == limit]
    mean, spread = (column(*(float(row[field]) for row in rows)) for field in ("mu", "sigma"))
    expected = 1 - column(*(float(row["rank"]) for row in rows))
    np.testing.assert_allclose(original_overload_risk(mean, spread, limit), expected, rtol=0, atol=1e-12)


def test_s2_ours_are_the_same_where_the_original_is_not_degenerate() -> None:
    """That is where there is a beta distribution of these moments, and it is not so narrow that it underflows."""
    compared = 0
    for row in RANKS:
        mean, spread, limit = (float(row[field]) for field in ("mu", "sigma", "threshold"))
        if 0 < limit < 1 and 0 < mean < 1 and spread > 0.02 and spread**2 < mean * (1 - mean) - 1e-12:
            compared += 1
            assert risk(mean, spread, limit) == pytest.approx(1 - float(row["rank"]), abs=1e-8)
    assert compared > 40


@pytest.mark.parametrize(
    ("mean", "spread", "limit", "expected"),
    [
        pytest.param(0.9, 0.0, 0.9, 0.0, id="no spread: at the limit is not above it"),
        pytest.param(0.91, 0.0, 0.9, 1.0, id="no spread: above the limit"),
        pytest.param(0.91, 1e-200, 0.9, 1.0, id="a spread whose square underflows counts as none"),
        pytest.param(0.95, 2.5e-10, 0.9, 1.0, id="so small a spread that the original takes the risk for 0"),
        pytest.param(0.9, 0.001, 0.9, 0.50118206, id="near the limit where the original takes the risk for 0"),
        pytest.param(0.0, 0.3, 0.9, 0.0, id="nothing is ever used"),
        pytest.param(1.0, 0.3, 0.9, 1.0, id="all is always used"),
        pytest.param(1.5, 0.3, 0.9, 1.0, id="overfull"),
        pytest.param(1.5, 0.3, 1.0, 1.0, id="overfull is above a limit of 100%"),
        pytest.param(1.0, 0.3, 1.0, 0.0, id="nothing else is"),
        pytest.param(0.2, 0.5, 1.0, 0.0, id="not even if it is idle or full"),
        pytest.param(0.5, 0.1, 0.0, 1.0, id="anything is above a limit of 0%"),
        pytest.param(0.0, 0.1, 0.0, 0.0, id="except nothing"),
        pytest.param(0.2, 0.5, 0.9, 0.2, id="more spread than the mean allows: idle or full"),
        pytest.param(0.5, 0.5, 0.9, 0.5, id="the widest spread"),
        pytest.param(0.5, 0.4999999, 0.9, 0.5, id="nearly the widest spread"),
    ],
)
def test_risks(mean: float, spread: float, limit: float, expected: float) -> None:
    assert risk(mean, spread, limit) == pytest.approx(expected, abs=1e-6)


@given(means, spreads, limits)
def test_a_risk_is_a_probability(mean: float, spread: float, limit: float) -> None:
    assert 0 <= risk(mean, spread, limit) <= 1


numbers = st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 1.0, 1e-300, -1.0]) | st.floats(0, 1)


@given(numbers, numbers, limits)
def test_the_original_s_risk_is_a_probability_whatever_it_is_asked(mean: float, spread: float, limit: float) -> None:
    assert 0 <= float(original_overload_risk(column(mean), column(spread), limit)[0]) <= 1


@given(st.floats(0.3334, 0.6666), st.floats(0.3334, 0.6666), st.floats(0.0001, 0.3), limits)
def test_a_higher_mean_never_lowers_the_risk_in_the_middle_third(
    one: float, other: float, spread: float, limit: float
) -> None:
    """There alpha grows with the mean and beta shrinks, so the one distribution is above the other throughout."""
    low, high = sorted((one, other))
    assume((1 - high) * (3 * low - 1) >= spread**2 <= low * (2 - 3 * high))
    assert risk(high, spread, limit) >= risk(low, spread, limit) - 1e-10


@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99), st.floats(0.001, 0.29), st.integers(50, 99))
def test_a_higher_mean_hardly_ever_lowers_the_risk_as_long_as_there_is_one_peak(
    one: float, other: float, spread: float, percent: int
) -> None:
    low, high = sorted((one, other))
    for mean in (low, high):
        total = mean * (1 - mean) / spread**2 - 1
        assume(min(mean, 1 - mean) * total >= 1)
    assert risk(high, spread, percent / 100) >= risk(low, spread, percent / 100) - 0.001


@given(st.floats(0.001, 0.999), limits)
def test_the_risk_has_no_jump_where_the_spread_becomes_too_wide(mean: float, limit: float) -> None:
    assume(0 < limit < 1)
    widest = math.sqrt(mean * (1 - mean))
    assert risk(mean, widest * (1 - 1e-9), limit) == pytest.approx(risk(mean, widest, limit), abs=1e-6)
