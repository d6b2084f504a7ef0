import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.bench.samples import distribution, percentile, throughput, throughput_series

Times = list[float]


def evenly(rate: float, seconds: float, begin: float = 0.0) -> Times:
    return [begin + n / rate for n in range(round(rate * seconds))]


SERIES: dict[str, tuple[Times, list[float]]] = {
    "nothing bound is no sample": ([], []),
    "less than a look is no sample": (evenly(100, 0.5), []),
    "the first look only begins the count": (evenly(100, 1.4), []),
    "each further look is a sample": (evenly(100, 3.6), [100, 100, 100]),
    "what is bound after the last look is no sample": ([*evenly(100, 1.6), 1.9, 1.95], [100]),
    "seconds without a bind share the next sample": ([*evenly(100, 1.51), *evenly(100, 1, 3.6)], [100, 30, 30, 30]),
}


@pytest.mark.parametrize(("times", "rates"), SERIES.values(), ids=SERIES)
def test_throughput_is_sampled_once_a_second(times: Times, rates: list[float]) -> None:
    assert [round(rate) for _, rate in throughput_series(times)] == pytest.approx(rates, abs=1)


def test_a_sample_that_stands_for_several_seconds_has_a_time_in_each() -> None:
    times = [*evenly(100, 1.51), *evenly(100, 1, 3.6)]
    assert [at for at, _ in throughput_series(times)] == [1.5, 2.5, 3.5, 4.5]


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([7.0], 50, 7.0), ([7.0], 99, 7.0), ([1.0, 2.0, 3.0, 4.0], 50, 2.0), ([1.0, 2.0, 3.0, 4.0], 90, 4.0)],
)
def test_a_percentile_is_the_value_of_the_nearest_rank(values: Times, percent: int, expected: float) -> None:
    assert percentile(values, percent) == expected


def test_nothing_has_no_distribution() -> None:
    assert distribution([]) is None
    assert throughput([0.0, 0.1]) is None


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_percentiles_are_values_in_order_and_the_average_lies_between(values: Times) -> None:
    found = distribution(values)
    assert found is not None
    told = [min(values), found.p50, found.p90, found.p95, found.p99, found.maximum]
    assert told == sorted(told)
    assert set(told) <= set(values)
    assert min(values) <= found.average * (1 + 1e-9)
    assert found.average <= max(values) * (1 + 1e-9)


@given(st.lists(st.floats(0, 30), max_size=200))
def test_samples_never_count_more_pods_than_were_bound(times: Times) -> None:
    assert math.fsum(rate for _, rate in throughput_series(times)) <= len(times) + 1e-6


@given(st.lists(st.floats(0, 30), max_size=200), st.floats(-1000, 1000))
def test_samples_do_not_depend_on_when_the_clock_began(times: Times, begin: float) -> None:
    whole = [round(at * 8) / 8 for at in times]  # so that moving them rounds nothing
    moved = [at + round(begin) for at in whole]
    assert [rate for _, rate in throughput_series(moved)] == [rate for _, rate in throughput_series(whole)]
