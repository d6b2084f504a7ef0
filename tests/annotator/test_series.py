"""Statistics of series: what the annotator that went before computed, and what it could not say."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from roost.annotator.series import CHUNKS, forecast, statistics
from roost.annotator.usage import free_of

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "usage_annotator.json").read_text())
NAN = float("nan")


@pytest.mark.parametrize("case", GOLDEN["stats"], ids=lambda case: str(case["note"]))
def test_u1_mean_and_deviation_are_those_of_the_usage_annotator(case: dict[str, object]) -> None:
    allocatable, requested = (np.full((1, 1), case[name]) for name in ("allocatable", "requested"))
    used = (float(str(case["allocatable"])) - np.array(case["values"]))[None, None]
    free = free_of(used, allocatable, requested if case["requested"] else None)
    found = statistics(free)
    assert found.mean.item() == pytest.approx(case["mean"], rel=1e-15)
    assert found.deviation.item() == pytest.approx(NAN if case["std"] is None else case["std"], rel=1e-12, nan_ok=True)


def test_what_was_not_measured_does_not_count() -> None:
    found = statistics(np.array([[1, NAN, 3], [NAN, NAN, NAN], [NAN, 5, NAN]]))
    np.testing.assert_array_equal(found.mean, [2, NAN, 5])
    np.testing.assert_array_equal(found.deviation, [np.sqrt(2), NAN, NAN])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param(np.full(1440, 7.0), 7.0, id="what never moves stays"),
        pytest.param([NAN] * 98 + [1.0, 1.0], NAN, id="two stretches are too few"),
        pytest.param([NAN] * 97 + [1.0, 1.0, 1.0], 1.0, id="three are enough"),
        pytest.param([NAN] * 50, NAN, id="nothing was measured"),
        pytest.param([5.0, NAN, NAN, 5.0, NAN, 5.0, NAN], 5.0, id="gaps go by"),
    ],
)
def test_a_forecast(values: list[float], expected: float) -> None:
    np.testing.assert_allclose(forecast(np.array(values)), expected, rtol=1e-12)


def test_a_forecast_goes_on_in_the_direction_of_a_trend() -> None:
    rising = np.linspace(0, 990, 1440)
    expected = float(forecast(np.stack([rising, rising[::-1]]))[0])
    last = rising[-15:].mean()
    assert last < expected + 60
    assert abs(expected - last) < 60
    follows = forecast(np.concatenate([np.full(700, 10.0), np.full(740, 50.0)]))
    assert 45 < follows < 55


def test_a_forecast_is_of_the_stretch_that_follows_the_last_hundredth() -> None:
    values = np.concatenate([np.full(99 * 14, 1.0), np.full(14, 2.0)])
    whole = forecast(values)
    means = np.concatenate([np.ones(99), [2.0]])
    assert whole == forecast(means)
    assert len(means) == CHUNKS


@given(
    values=arrays(
        np.float64,
        st.tuples(st.integers(1, 4), st.integers(1, 30)),
        elements=st.one_of(st.just(NAN), st.floats(0, 1e12)),
    ),
    chunks=st.integers(1, 12),
)
def test_each_series_is_computed_as_if_it_were_alone(values: np.ndarray, chunks: int) -> None:
    together, expected = statistics(values), forecast(values, chunks)
    for row, series in enumerate(values):
        measured = series[~np.isnan(series)]
        assert np.isnan(together.mean[row]) == (len(measured) == 0)
        assert np.isnan(together.deviation[row]) == (len(measured) < 2)
        if len(measured):
            assert together.mean[row] == pytest.approx(measured.mean(), rel=1e-9, abs=1e-9)
        if len(measured) > 1:
            assert together.deviation[row] == pytest.approx(measured.std(ddof=1), rel=1e-6, abs=1e-3)
        np.testing.assert_allclose(expected[row], forecast(series, chunks), rtol=1e-9)
