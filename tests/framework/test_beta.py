import json
import math
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.framework.beta import cumulative, density, fit_moments, log_beta, mean_excess, original_cumulative

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "safe_beta.json").read_text())
PRECISE = 1e-11

shapes = st.floats(0.01, 1e4)
shares = st.floats(0.001, 0.999)


def column(*numbers: float) -> Any:
    return np.array(numbers, dtype=np.float64)


def recorded(field: str) -> Any:
    return column(*(float(row[field]) for row in GOLDEN["beta"]))


def cdf(x: float, alpha: float, beta: float) -> float:
    return float(cumulative(column(x), column(alpha), column(beta))[0])


def binomial_sum(alpha: int, beta: int, x: Decimal) -> float:
    """For whole numbers the distribution is the chance of alpha or more successes in alpha + beta - 1 throws."""
    with localcontext() as context:
        context.prec = 50
        throws = alpha + beta - 1
        term, total = x**throws, Decimal(0)
        for successes in range(throws, alpha - 1, -1):
            total += term
            term *= successes / (throws - successes + Decimal(1)) * (1 - x) / x
        return float(total)


def test_s2_the_original_s_distribution_is_reproduced() -> None:
    found = original_cumulative(recorded("x"), recorded("alpha"), recorded("beta"))
    np.testing.assert_allclose(found, recorded("cdf"), rtol=0, atol=1e-12)


def test_s2_ours_agrees_with_it_as_far_as_it_goes() -> None:
    x, alpha, beta = recorded("x"), recorded("alpha"), recorded("beta")
    np.testing.assert_allclose(cumulative(x, alpha, beta), recorded("cdf"), rtol=0, atol=1e-8)
    np.testing.assert_allclose(density(x, alpha, beta), recorded("pdf"), rtol=1e-9, atol=1e-12)


def test_s2_the_mean_excess_agrees_as_well() -> None:
    """Where the original finds infinity, at 0 with an infinite density there, the excess is the mean."""
    x, alpha, beta = recorded("x"), recorded("alpha"), recorded("beta")
    expected = np.where(np.isinf(recorded("mean_residual_life")), recorded("mean"), recorded("mean_residual_life"))
    exists = (recorded("cdf") < 1 - 1e-9) & np.isfinite(expected)
    np.testing.assert_allclose(mean_excess(x, alpha, beta)[exists], expected[exists], rtol=1e-6)


@pytest.mark.parametrize("row", GOLDEN["match_moments"], ids=lambda row: f"mean {row['mu']}, spread {row['sigma']}")
def test_s2_moments_are_matched(row: Any) -> None:
    alpha, beta, fits = fit_moments(column(row["mu"]), column(float(row["m2"])))
    assert bool(fits[0]) == row["ok"]
    assert (float(alpha[0]), float(beta[0])) == pytest.approx((float(row["alpha"]), float(row["beta"])), rel=1e-9)
    for x in (0.5, 0.9):
        found = float(original_cumulative(column(x), alpha, beta)[0])
        assert found == pytest.approx(float(row[f"cdf_{x}"]), abs=1e-9, nan_ok=True)


@pytest.mark.parametrize(
    ("alpha", "beta", "percent"),
    [
        pytest.param(2, 3, 25, id="flat"),
        pytest.param(90, 10, 90, id="at the mean"),
        pytest.param(1900, 200, 90, id="the narrowest for the fraction"),
        pytest.param(1900, 201, 90, id="the widest for the quadrature"),
        pytest.param(9000, 1010, 89, id="narrow, below the mean"),
        pytest.param(9000, 1010, 90, id="narrow, near the mean"),
        pytest.param(9000, 1010, 91, id="narrow, above the mean"),
        pytest.param(60000, 40000, 60, id="very narrow"),
        pytest.param(1, 1500, 1, id="narrow and at the edge"),
        pytest.param(20, 2000, 1, id="narrow and askew"),
        pytest.param(1980, 20, 99, id="the same the other way round"),
        pytest.param(1, 900, 90, id="far away"),
    ],
)
def test_whole_numbers_give_a_sum_of_binomials(alpha: int, beta: int, percent: int) -> None:
    expected = binomial_sum(alpha, beta, Decimal(percent) / 100)
    assert cdf(percent / 100, alpha, beta) == pytest.approx(expected, abs=PRECISE)


@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 99))
def test_any_whole_numbers_give_a_sum_of_binomials(alpha: int, beta: int, percent: int) -> None:
    expected = binomial_sum(alpha, beta, Decimal(percent) / 100)
    assert cdf(percent / 100, alpha, beta) == pytest.approx(expected, abs=PRECISE)


@given(shares, shapes)
def test_powers_where_one_number_is_1(x: float, shape: float) -> None:
    assert cdf(x, shape, 1) == pytest.approx(x**shape, abs=PRECISE)
    assert cdf(x, 1, shape) == pytest.approx(-math.expm1(shape * math.log1p(-x)), abs=PRECISE)


@given(shares)
def test_the_arcsine_law(x: float) -> None:
    assert cdf(x, 0.5, 0.5) == pytest.approx(2 / math.pi * math.asin(math.sqrt(x)), abs=PRECISE)


@given(st.floats(1e-6, 1e18))
def test_half_of_a_symmetric_distribution_is_below_its_middle(shape: float) -> None:
    assert cdf(0.5, shape, shape) == pytest.approx(0.5, abs=1e-7)


@pytest.mark.parametrize("spread", [1e-4, 1e-5, 1e-6, 1e-7])
def test_a_narrow_distribution_is_nearly_normal(spread: float) -> None:
    """With the skew taken into account (Edgeworth), what is left is of the order of spread squared."""
    mean, deviations = 0.9, column(-3, -1, 0, 0.5, 2)
    total = mean * (1 - mean) / spread**2 - 1
    alpha, beta = column(mean * total), column((1 - mean) * total)
    skew = 2 * (1 - 2 * mean) * math.sqrt(total + 1) / ((total + 2) * math.sqrt(mean * (1 - mean)))
    normal = column(*(math.erfc(-z / math.sqrt(2)) / 2 for z in deviations))
    bell = np.exp(-(deviations**2) / 2) / math.sqrt(2 * math.pi)
    expected = normal - skew / 6 * (deviations**2 - 1) * bell
    found = cumulative(mean + deviations * spread, alpha, beta)
    np.testing.assert_allclose(found, expected, rtol=0, atol=max(20 * spread**2, 1e-9))


@given(shares, shapes, shapes)
def test_the_other_way_round_it_is_what_is_left(x: float, alpha: float, beta: float) -> None:
    y = 1 - x
    assert cdf(1 - y, alpha, beta) + cdf(y, beta, alpha) == pytest.approx(1, abs=PRECISE)


@given(st.lists(st.tuples(shares, shapes, shapes), min_size=2, max_size=40), st.randoms())
def test_a_row_does_not_depend_on_the_others(rows: list[tuple[float, float, float]], dice: Any) -> None:
    x, alpha, beta = (column(*numbers) for numbers in zip(*rows, strict=True))
    some = dice.sample(range(len(rows)), dice.randint(1, len(rows)))
    for function in (cumulative, original_cumulative):
        assert function(x[some], alpha[some], beta[some]).tolist() == function(x, alpha, beta)[some].tolist()


@given(shapes, shapes)
def test_it_never_falls_and_stays_between_0_and_1(alpha: float, beta: float) -> None:
    values = cumulative(np.arange(101) / 100, column(alpha), column(beta))
    assert values[0] == 0
    assert values[-1] == 1
    assert (np.diff(values) >= -PRECISE).all()
    assert ((values >= 0) & (values <= 1)).all()


@given(st.floats(1e-6, 1e5), st.floats(1e-6, 1e5))
def test_the_complete_beta_function(alpha: float, beta: float) -> None:
    expected = math.lgamma(alpha) + math.lgamma(beta) - math.lgamma(alpha + beta)
    assert float(log_beta(column(alpha), column(beta))[0]) == pytest.approx(expected, rel=1e-12, abs=1e-9)


def test_what_the_original_makes_of_narrow_distributions() -> None:
    """Its prefactor underflows: 1 instead of 0.4988, and NaN where alpha and beta are infinite."""
    alpha, beta, _ = fit_moments(column(0.9, 0.9), column(0.9**2 + 0.001**2, 0.9**2))
    assert original_cumulative(column(0.9), alpha, beta)[0] == 1
    assert cumulative(column(0.9), alpha[:1], beta[:1])[0] == pytest.approx(0.49881794, abs=1e-8)
    assert np.isnan(original_cumulative(column(0.9), column(math.inf), column(math.inf))[0])
