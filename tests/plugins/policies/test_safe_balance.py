import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import roost
from roost.api.node import Node
from roost.cache import Cache
from roost.config.arguments import make_plugin
from roost.config.profiles import profile_from_fragment
from roost.errors import ConfigError
from roost.framework.cycle import Cycle
from roost.framework.measure import USAGE_AT
from roost.framework.plugin import Context
from roost.framework.profile import Profile
from roost.plugins.policies.safe_balance import SafeBalance, SafeBalanceArgs, balance_scores
from roost.testing import node, pod

Rate = Callable[..., dict[str, int]]
SMALL = pod(cpu="200m", memory="200Mi")
GI = 2**30


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SAFEFORECASTWEIGHT", raising=False)


def measured(
    name: str, cpu: tuple[float, float] | None, memory: tuple[float, float] | None = None, **more: str
) -> Node:
    """A node of 4 CPUs and 8Gi with (mean, deviation) of what is free: milli-cores, Gi."""
    texts = dict(more)
    for resource, free, unit in (("cpu", cpu, 1), ("memory", memory, GI)):
        if free is not None:
            texts |= {f"mean-free-{resource}": f"{free[0] * unit}", f"std-free-{resource}": f"{free[1] * unit}"}
    return node(name, cpu="4", memory="8Gi", annotations=texts)


def test_the_documented_examples(rate: Rate) -> None:
    """What the original answered to the same is replayed with that of SafeOverload."""
    nodes = [
        measured("idle", (3600, 100), (7, 0.1)),
        measured("mid", (2000, 400), (4, 0.5)),
        measured("busy", (600, 300), (1, 0.25)),
        measured("over", (9000, 100), (20, 1)),
    ]
    expected = {"idle": 8, "mid": 6, "busy": 4, "over": 8}
    assert rate(SafeBalance(SafeBalanceArgs(scale="extender")), SMALL, nodes) == expected
    assert rate(SafeBalance(SafeBalanceArgs(compat="original")), SMALL, nodes) == expected
    assert rate(SafeBalance(), SMALL, nodes) == {"idle": 85, "mid": 57, "busy": 41, "over": 81}


def test_it_rejects_no_node() -> None:
    assert not hasattr(SafeBalance, "filter")


@pytest.mark.parametrize(
    ("mean", "spread", "score"),
    [
        pytest.param(0.0, 0.0, 100, id="idle"),
        pytest.param(1.0, 0.0, 50, id="full and steady"),
        pytest.param(1.0, 1.0, 0, id="full and unsteady"),
        pytest.param(2.0, 0.0, 50, id="more than full is full"),
        pytest.param(0.5, 0.25, 50, id="the square root of the spread counts"),
        pytest.param(0.5, 0.01, 70, id="a little spread"),
        pytest.param(0.29, 0.0, 86, id="half a point is rounded up"),
        pytest.param(math.nan, 0.5, 0, id="where the original overflows"),
    ],
)
def test_the_formula(mean: float, spread: float, score: int) -> None:
    assert balance_scores(np.array([mean]), np.array([spread]), 100).tolist() == [score]


@given(st.floats(0, 2), st.floats(0, 1), st.sampled_from([10, 100]))
def test_scores_are_in_range_and_more_use_or_spread_never_scores_more(mean: float, spread: float, highest: int) -> None:
    score, fuller, wider = balance_scores(
        np.array([mean, mean + 0.1, mean]), np.array([spread, spread, min(1, spread + 0.1)]), highest
    ).tolist()
    assert 0 <= score <= highest
    assert fuller <= score
    assert wider <= score


def test_the_fuller_resource_decides(rate: Rate) -> None:
    scores = rate(
        SafeBalance(),
        pod(),
        [measured("both", (3000, 0), (2, 0)), measured("cpu", (3000, 0)), measured("memory", None, (2, 0))],
    )
    assert scores == {"both": 63, "cpu": 88, "memory": 63}


def test_s3_an_unmonitored_node_scores_the_mean_of_the_others(weigh: Rate) -> None:
    nodes = [measured("a", (4000, 0)), measured("b", (1000, 0)), node("none")]
    assert weigh(SafeBalance(), pod(), nodes) == {"a": 100, "b": 63, "none": 82}
    assert weigh(SafeBalance(), pod(), nodes[2:]) == {"none": 50}
    assert weigh(SafeBalance(SafeBalanceArgs(compat="original")), pod(), nodes) == {"a": 100, "b": 60, "none": 0}


def test_what_was_measured_too_long_ago_counts_as_unmonitored() -> None:
    cache, cycle = Cache(), Cycle(Profile.of([SafeBalance()]))
    cache.set_node(measured("a-idle", (4000, 0), **{USAGE_AT: "1000"}))
    cache.set_node(measured("b-mid", (2000, 0)))
    cache.set_node(measured("c-busy", (0, 0)))
    found = []
    for stale_before in (500.0, 1500.0):
        cache.view.age(stale_before)
        found.append(cycle.decide(cache.pod_info(pod()), cache.view, Context()).node)
    assert found == ["a-idle", "b-mid"]


def test_pods_go_to_the_node_that_they_suit_best() -> None:
    nodes = [measured("cpu", (3500, 100), (2, 0.1)), measured("memory", (1000, 100), (7, 0.1))]
    assert roost.decide(pod(cpu="200m", memory="1Gi"), nodes, policy="SafeBalance").node == "memory"
    assert roost.decide(pod(cpu="900m"), nodes, policy="SafeBalance").node == "cpu"


def test_a_change_is_noticed_though_answers_are_remembered() -> None:
    cache, cycle = Cache(), Cycle(Profile.of([SafeBalance()]))
    cache.set_node(measured("a", (2000, 100)))
    for free, expected in ((3000, "b"), (500, "a"), (500, "a"), (2900, "b")):
        cache.set_node(measured("b", (free, 100)))
        assert cycle.decide(cache.pod_info(SMALL), cache.view, Context()).node == expected


def made(**args: Any) -> SafeBalance:
    plugin = make_plugin("SafeBalance", SafeBalance, ("args", args))
    assert isinstance(plugin, SafeBalance)
    return plugin


@pytest.mark.parametrize(("text", "weight"), [("101", 20), ("abc", 20), ("-1", 20), ("0", 0), ("100", 100), ("", 20)])
def test_s4_s5_the_weight_of_the_forecast_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, text: str, weight: int
) -> None:
    monkeypatch.setenv("SAFEFORECASTWEIGHT", text)
    assert made().args.forecast_weight == weight
    assert made(forecastWeight=7).args.forecast_weight == 7


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ({"forecastWeight": 101}, r"forecastWeight: must be a whole number from 0 to 100, not 101"),
        ({"utilization": 90}, r"utilization: unknown field"),
    ],
)
def test_wrong_arguments_are_refused_with_the_field_and_what_to_do(args: Mapping[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=rf"^pluginConfig\[0\]\.args\.{sentence}"):
        profile_from_fragment(
            {
                "plugins": {"score": {"enabled": [{"name": "SafeBalance"}]}},
                "pluginConfig": [{"name": "SafeBalance", "args": args}],
            }
        )
