import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
from roost.framework.measure import CONGESTION_AT
from roost.framework.plugin import Context
from roost.framework.profile import Profile, Scorer
from roost.plugins.policies.congestion import ANNOTATION, VARIABLE, Congestion, CongestionArgs, read_whole
from roost.testing import node, pod

Rate = Callable[..., dict[str, int]]
GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "congestion.json").read_text())
NOTHING = ("<missing>", "annotations-nil")
ROWS = [(env, text) for env, scores in GOLDEN["scores"].items() for text in scores]


def congested(name: str, congestion: str | None = None, at: str | None = None) -> Node:
    texts = {ANNOTATION: congestion, CONGESTION_AT: at}
    return node(name, annotations={key: text for key, text in texts.items() if text is not None})


def made(**args: Any) -> Congestion:
    plugin = make_plugin("Congestion", Congestion, ("args", args))
    assert isinstance(plugin, Congestion)
    return plugin


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


# ---- the numbers of the original


@pytest.mark.parametrize(("env", "text"), ROWS, ids=[f"{env}: {text!r}" for env, text in ROWS])
def test_c1_the_recorded_scores_are_reproduced(
    rate: Rate, monkeypatch: pytest.MonkeyPatch, env: str, text: str
) -> None:
    for name, value in GOLDEN["envs"][env].items():
        monkeypatch.setenv(name, value)
    there = congested("n", None if text in NOTHING else text)
    assert rate(made(compat="original"), pod(), [there]) == {"n": GOLDEN["scores"][env][text]}


@pytest.mark.parametrize(("env", "text"), ROWS, ids=[f"{env}: {text!r}" for env, text in ROWS])
def test_where_the_original_could_read_the_number_the_default_gives_the_same_in_tens(
    rate: Rate, monkeypatch: pytest.MonkeyPatch, env: str, text: str
) -> None:
    for name, value in GOLDEN["envs"][env].items():
        monkeypatch.setenv(name, value)
    if read_whole(text) is not None:
        expected = GOLDEN["scores"][env][text]
        assert rate(made(scale="extender"), pod(), [congested("n", text)]) == {"n": expected}
        assert abs(rate(made(), pod(), [congested("n", text)])["n"] - 10 * expected) <= 5


@pytest.mark.parametrize("value", ["ten", "0", "-5", "2.5", "1e2"])
def test_c3_a_highest_congestion_that_is_none_above_0_is_100_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, value: str
) -> None:
    monkeypatch.setenv(VARIABLE, value)
    with caplog.at_level(logging.WARNING):
        assert made().args.max == 100
    assert caplog.messages == [f"CONGESTION_FACTOR_MAX: must be a whole number above 0, not '{value}'; 100 is used"]


# ---- what cannot be read, and what is floating


def test_c2_a_number_that_is_not_whole_counts() -> None:
    nodes = [congested("a", "40.6"), congested("b", "40.4"), congested("c", "4.06e1")]
    assert roost.decide(pod(), nodes, policy="Congestion").node == "b"


@pytest.mark.parametrize("text", ["", "5%", "abc", "0x10", "1_0", "nan", "inf"])
def test_c2_what_is_no_number_is_kept_for_a_warning_and_tells_nothing(weigh: Rate, text: str) -> None:
    nodes = [congested("a", "20"), congested("b", text), congested("c", "60")]
    assert weigh(made(), pod(), nodes) == {"a": 80, "b": 60, "c": 40}
    cache = rated_cache(made(), *nodes)
    assert cache.view.unreadable == {("b", ANNOTATION): text}


def test_c2_as_the_original_a_number_that_is_not_whole_is_no_congestion_but_kept_for_a_warning() -> None:
    cache = rated_cache(made(compat="original"), congested("a", "5.0"), congested("b", "5"))
    assert cache.view.unreadable == {("a", ANNOTATION): "5.0"}


def rated_cache(plugin: Congestion, *nodes: Node, stale_before: float = float("-inf")) -> Cache:
    cache = Cache()
    for one in nodes:
        cache.set_node(one)
    cache.view.age(stale_before)
    assert scores(plugin, cache)
    return cache


def scores(plugin: Congestion, cache: Cache) -> dict[str, int]:
    decision = Cycle(Profile(score=(Scorer(plugin, 1),))).decide(cache.pod_info(pod()), cache.view, Context())
    assert decision.outcome != "error", decision.message
    return {name: row.total for name, row in decision.freeze().scores.items()}


# ---- nodes of which nothing is known


@pytest.mark.parametrize(
    ("congestions", "expected"),
    [
        pytest.param([None, None], [50, 50], id="nothing is known of any"),
        pytest.param([None, "30"], [70, 70], id="one is known"),
        pytest.param(["0", None, "99", None], [100, 51, 1, 51], id="the mean is rounded, halves up"),
        pytest.param(["100", None], [0, 0], id="a score of 0 is known too"),
    ],
)
def test_a_node_of_which_nothing_is_known_scores_the_mean_of_the_others(
    weigh: Rate, congestions: list[str | None], expected: list[int]
) -> None:
    nodes = [congested(f"n{i}", text) for i, text in enumerate(congestions)]
    assert list(weigh(made(), pod(), nodes).values()) == expected


def test_only_nodes_that_fit_enter_the_mean() -> None:
    nodes = [congested("known", "50"), congested("unknown"), node("full", cpu="0", annotations={ANNOTATION: "0"})]
    decision = roost.decide(pod(cpu="1"), nodes, policy="Congestion")
    assert {name: row.total for name, row in decision.freeze().scores.items()} == {"known": 50, "unknown": 50}


def test_a_measurement_that_is_too_old_is_as_good_as_none_but_not_for_the_original() -> None:
    nodes = [congested("old", "0", at="1000"), congested("new", "40", at="2000"), congested("timeless", "20")]
    cache = rated_cache(made(), *nodes, stale_before=1500)
    assert scores(made(), cache) == {"old": 70, "new": 60, "timeless": 80}
    assert scores(made(compat="original"), cache) == {"old": 100, "new": 60, "timeless": 80}


# ---- arguments


def test_the_variable_is_the_default_and_an_argument_goes_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "10")
    assert (made().args.max, made(max=20).args.max) == (10, 20)
    monkeypatch.setenv(VARIABLE, "")
    assert made().args.max == 100


def test_a_highest_congestion_below_1_suits_an_annotator_that_writes_fractions(rate: Rate) -> None:
    nodes = [congested("a", "0.25"), congested("b", "1.5")]
    assert rate(made(max=1.0), pod(), nodes) == {"a": 75, "b": 0}


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ({"max": 0}, r"args\.max: must be a number above 0, not 0$"),
        ({"max": -1.5}, r"args\.max: must be a number above 0, not -1\.5$"),
        ({"max": "ten"}, r"args\.max: is a text, not a number"),
        ({"scale": "rank"}, r"args\.scale: 'rank' is none of percent, extender"),
        ({"compat": "ibm"}, r"args\.compat: 'ibm' is none of original"),
    ],
)
def test_wrong_arguments_are_refused(args: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        made(**args)


def test_in_our_own_scheduler_a_score_of_the_original_counts_ten_times() -> None:
    fragment = {
        "plugins": {"score": {"enabled": [{"name": "Congestion", "weight": 2}], "disabled": [{"name": "*"}]}},
        "pluginConfig": [{"name": "Congestion", "args": {"compat": "original"}}],
    }
    decision = roost.decide(pod(), [congested("a", "30"), congested("b")], policy=profile_from_fragment(fragment))
    assert {name: row.total for name, row in decision.freeze().scores.items()} == {"a": 140, "b": 200}


# ---- always


@given(
    st.lists(st.one_of(st.none(), st.floats(-10, 200).map(str), st.text(max_size=4)), min_size=1, max_size=12),
    st.floats(1e-3, 1e6),
    st.sampled_from([{}, {"scale": "extender"}, {"compat": "original"}]),
)
def test_scores_stay_within_the_scale_and_never_prefer_more_congestion(
    texts: list[str | None], highest: float, args: dict[str, Any]
) -> None:
    plugin = Congestion(CongestionArgs(max=highest, **args))
    cache = Cache()
    for i, text in enumerate(texts):
        cache.set_node(congested(f"n{i}", text))
    found = scores(plugin, cache)
    assert all(0 <= score <= 100 for score in found.values())
    if not args:
        readable = [(float(text), found[f"n{i}"]) for i, text in enumerate(texts) if text and is_float(text)]
        assert all(a[1] >= b[1] for a in readable for b in readable if a[0] <= b[0])


def is_float(text: str) -> bool:
    return text.lstrip("-").replace(".", "", 1).replace("e-", "", 1).isdecimal() and text.isascii()
