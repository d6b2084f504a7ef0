import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.api.node import Node
from roost.api.pod import Pod
from roost.cache import Cache
from roost.framework.measure import USAGE_AT
from roost.framework.measured_usage import (
    UNKNOWN,
    MeasuredUsageArgs,
    demand,
    fill_unknown,
    lowest_known,
    percent_from,
    read_as_go,
    utilization,
)
from roost.framework.plugin import Surroundings
from roost.framework.view import ALL
from roost.testing import node, pod

GI = 2**30


def used(there: Node, asks: Pod | None = None, **args: Any) -> tuple[Any, Any, Any]:
    """Return mean, spread and whether it is known, each of CPU and memory."""
    cache = Cache()
    cache.set_node(there)
    found = utilization(MeasuredUsageArgs(**args), cache.pod_info(asks or pod()), cache.view, ALL)
    return tuple(column[:, 0].tolist() for column in (found.mean, found.spread, found.known))  # type: ignore[return-value]


def measured(cpu: str = "4", memory: str = "8Gi", **annotations: str) -> Node:
    """Annotations by name, with _ for -."""
    return node(cpu=cpu, memory=memory, annotations={key.replace("_", "-"): text for key, text in annotations.items()})


def test_mean_and_spread_are_shares_of_allocatable_with_the_pod_counted_in() -> None:
    there = measured(mean_free_cpu="3000", std_free_cpu="400", mean_free_memory=str(6 * GI), std_free_memory=str(GI))
    mean, spread, known = used(there, pod(cpu="500m", memory="1Gi"))
    assert mean == [pytest.approx(1500 / 4000), pytest.approx(3 / 8)]
    assert spread == [pytest.approx(0.1), pytest.approx(1 / 8)]
    assert known == [True, True]


@pytest.mark.parametrize(
    ("annotations", "mean"),
    [
        pytest.param({}, 0.5, id="none"),
        pytest.param({"forcasted_free_cpu": "1000"}, 0.55, id="as the original spells it"),
        pytest.param({"forecasted_free_cpu": "1000"}, 0.55, id="as it is spelled"),
        pytest.param({"forecasted_free_cpu": "1000", "forcasted_free_cpu": "3000"}, 0.55, id="the right spelling wins"),
        pytest.param({"forecasted_free_cpu": "?", "forcasted_free_cpu": "1000"}, 0.55, id="unless it is no number"),
        pytest.param({"forcasted_free_cpu": "N/A"}, 0.5, id="not available"),
        pytest.param({"forcasted_free_cpu": "NaN"}, 0.5, id="no number"),
    ],
)
def test_s8_a_forecast_counts_with_its_weight(annotations: dict[str, str], mean: float) -> None:
    assert used(measured(mean_free_cpu="2000", **annotations))[0][0] == pytest.approx(mean)


def test_s8_the_original_knows_one_spelling() -> None:
    there = measured(mean_free_cpu="2000", forecasted_free_cpu="1000")
    assert used(there, compat="original")[0][0] == 0.5


def test_s8_a_forecast_alone_is_nothing() -> None:
    there = measured(forecasted_free_cpu="1000", forcasted_free_memory="1000")
    assert used(there)[2] == used(there, compat="original")[2] == [False, False]


def test_the_forecast_has_the_weight_that_is_given() -> None:
    there = measured(mean_free_cpu="2000", forecasted_free_cpu="1000")
    assert used(there, forecast_weight=0)[0][0] == 0.5
    assert used(there, forecast_weight=100)[0][0] == 0.75


def test_what_says_that_there_is_no_forecast_is_not_reported_as_unreadable() -> None:
    cache = Cache()
    cache.set_node(measured(mean_free_cpu="lots", forcasted_free_cpu="N/A", forcasted_free_memory="None"))
    utilization(MeasuredUsageArgs(), cache.pod_info(pod()), cache.view, ALL)
    assert cache.view.unreadable == {("node", "mean-free-cpu"): "lots"}


@pytest.mark.parametrize(
    ("there", "asks", "mean", "spread", "known"),
    [
        pytest.param(measured(mean_free_cpu="NaN"), {}, 0.0, 0.0, False, id="a mean that is none"),
        pytest.param(measured(mean_free_cpu="Inf"), {}, 0.0, 0.0, False, id="an infinite mean"),
        pytest.param(measured(mean_free_cpu="2500m"), {}, 0.0, 0.0, False, id="a quantity is no number"),
        pytest.param(measured(mean_free_cpu="2e3", std_free_cpu="nan"), {}, 0.5, 0.0, True, id="no spread"),
        pytest.param(measured(mean_free_cpu="2e3", std_free_cpu="-9"), {}, 0.5, 0.0, True, id="a negative spread"),
        pytest.param(measured(mean_free_cpu="2e3", std_free_cpu="9e9"), {}, 0.5, 1.0, True, id="a spread beyond all"),
        pytest.param(measured(mean_free_cpu="9000"), {}, 0.0, 0.0, True, id="more free than there is"),
        pytest.param(measured(mean_free_cpu="-1000"), {}, 1.25, 0.0, True, id="less than nothing free"),
        pytest.param(measured(mean_free_cpu="1000"), {"cpu": "2"}, 1.25, 0.0, True, id="more asked than free"),
        pytest.param(measured(mean_free_cpu="-1e308"), {}, 2.0, 0.0, True, id="a very large number"),
        pytest.param(measured("0", mean_free_cpu="5"), {}, 0.0, 0.0, False, id="nothing there and nothing asked"),
        pytest.param(measured("0", mean_free_cpu="5"), {"cpu": "1m"}, 2.0, 1.0, True, id="asked but nothing there"),
    ],
)
def test_odd_numbers(there: Node, asks: dict[str, Any], mean: float, spread: float, known: bool) -> None:
    found = used(there, pod(**asks))
    assert [column[0] for column in found] == [mean, spread, known]


def test_what_is_too_old_is_not_known_except_to_the_original() -> None:
    cache = Cache()
    cache.set_node(node("old", annotations={"mean-free-cpu": "1000", USAGE_AT: "1000"}))
    cache.set_node(node("new", annotations={"mean-free-cpu": "1000", USAGE_AT: "1970-01-01T01:00:00Z"}))
    cache.set_node(node("ever", annotations={"mean-free-cpu": "1000"}))
    cache.view.age(2000)
    known = [
        utilization(MeasuredUsageArgs(compat=compat), cache.pod_info(pod()), cache.view, ALL).known[0].tolist()
        for compat in (None, "original")
    ]
    assert known == [[False, True, True], [True, True, True]]


INIT_LARGER = {
    "containers": [{"name": "c", "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}}],
    "initContainers": [
        {"name": "i", "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}},
        {"name": "j", "resources": {"requests": {"cpu": "500m", "memory": "2Gi"}}},
    ],
}
SIDECAR = {
    "containers": [{"name": "c", "resources": {"requests": {"cpu": "300m"}}}],
    "initContainers": [
        {"name": "s", "restartPolicy": "Always", "resources": {"requests": {"cpu": "200m"}}},
    ],
    "overhead": {"cpu": "50m", "memory": "1Mi"},
}
SUB_MILLI = {"containers": [{"name": n, "resources": {"requests": {"cpu": "0.0005"}}} for n in "ab"]}


@pytest.mark.parametrize(
    ("spec", "ours", "original"),
    [
        pytest.param(INIT_LARGER, (1000, 2 * GI), (1000, 2 * GI), id="an init container larger than the sum"),
        pytest.param(SIDECAR, (550, 2**20), (300, 0), id="a sidecar runs beside the containers, overhead is added"),
        pytest.param(SUB_MILLI, (1, 0), (2, 0), id="half a milli-core twice, rounded up after adding or before"),
        pytest.param({"containers": []}, (0, 0), (0, 0), id="nothing"),
    ],
)
def test_s6_demand(spec: dict[str, Any], ours: tuple[int, int], original: tuple[int, int]) -> None:
    info = Cache().pod_info(pod(spec=spec))
    assert tuple(demand(info).values()) == ours
    assert tuple(demand(info, is_original=True).values()) == original


@pytest.mark.parametrize(
    ("text", "number"),
    [("2.5e3", 2500.0), ("+5", 5.0), (".5", 0.5), ("Inf", math.inf), ("-infinity", -math.inf), ("nAn", math.nan)]
    + [(text, None) for text in ("", " 5", "5 ", "2500m", "4Gi", "None", "N/A", "1_000", "+nan", "1e999", "0x1p-2")],
)
def test_numbers_as_go_reads_them(text: str, number: float | None) -> None:
    found = read_as_go(text)
    assert found == number or (found is not None and number is not None and math.isnan(found) and math.isnan(number))


@pytest.mark.parametrize(
    ("text", "percent"),
    [("0", 0), ("0000100", 100), ("+5", 5), ("007", 7), ("-0", 0)]
    + [(text, None) for text in ("101", "abc", "-1", "50.0", " 50", "5_0", "٥", "1e1", "0" * 5000)],
)
def test_s4_s5_percentages_of_the_environment(text: str, percent: int | None) -> None:
    warnings: list[str] = []
    around = Surroundings({"SAFEPERCENTILE": text}, lambda name: None, warnings.append)
    assert percent_from(around, "SAFEPERCENTILE", 30) == percent
    expected = f"SAFEPERCENTILE: must be a whole number from 0 to 100, not '{text}'; 30 is used"
    assert warnings == ([] if percent is not None else [expected])


def test_s4_an_empty_variable_is_as_good_as_none() -> None:
    around = Surroundings({"SAFEPERCENTILE": ""}, lambda name: None, pytest.fail)
    assert percent_from(around, "SAFEPERCENTILE", 30) is None


@pytest.mark.parametrize(
    ("scores", "filled"),
    [
        pytest.param([3, 8], [3, 8], id="all known"),
        pytest.param([3, UNKNOWN, 8], [3, 6, 8], id="half a point is rounded up"),
        pytest.param([3, UNKNOWN, 4, 4, UNKNOWN], [3, 4, 4, 4, 4], id="two unknown"),
        pytest.param([UNKNOWN, UNKNOWN], [50, 50], id="nothing known"),
    ],
)
def test_unknown_nodes_score_the_mean_of_the_others(scores: list[int], filled: list[int]) -> None:
    assert fill_unknown(np.array(scores), 100).tolist() == filled


@given(st.lists(st.integers(UNKNOWN, 100), min_size=1))
def test_filled_scores_keep_what_is_known_and_stay_in_its_range(scores: list[int]) -> None:
    filled = fill_unknown(np.array(scores), 100).tolist()
    known = [score for score in scores if score != UNKNOWN] or [50]
    assert all(
        new == old or (old == UNKNOWN and min(known) <= new <= max(known))
        for old, new in zip(scores, filled, strict=True)
    )


def test_the_lowest_score_of_what_is_known_counts() -> None:
    scores, known = np.array([[5, 5, 5, 5], [3, 3, 3, 3]]), np.array([[1, 1, 0, 0], [1, 0, 1, 0]], dtype=bool)
    assert lowest_known(scores, known, UNKNOWN).tolist() == [3, 5, 3, UNKNOWN]
