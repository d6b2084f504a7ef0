import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

import roost
from roost.api.node import Node
from roost.cache import Cache
from roost.config.profiles import profile_from_fragment
from roost.errors import ConfigError
from roost.framework.cycle import Cycle
from roost.framework.plugin import Context
from roost.framework.profile import Profile
from roost.plugins.policies.cheapest_node import CheapestNode, CheapestNodeArgs, read_price
from roost.testing import node, pod

Rate = Callable[..., dict[str, int]]

HIGHTOWER, OURS = "hightower.com/cost", "roost.dev/price-per-hour"


def priced(name: str, price: str | None, **shape: Any) -> Node:
    return node(name, annotations=None if price is None else {HIGHTOWER: price}, **shape)


class Golden(Struct, frozen=True):
    """What the original decided: nodes as (cpu, price) in the order of the API, the CPU used on n1, the pod's requests.

    `ours` is where Roost differs; the documentation says why.
    """

    nodes: Sequence[tuple[str, str | None]]
    requests: Sequence[str]
    bound_to: str | None
    used: str | None = None
    ours: str | None = ""


DEMO = [("4", "0.80"), ("2", "0.20"), ("1", "0.05")]
GOLDEN = {
    "the cheapest that fits": Golden(DEMO, ["500m"], "n3"),
    "the cheapest is too small": Golden(DEMO, ["1500m"], "n2"),
    "equal prices: the first": Golden([("4", "0.20"), ("4", "0.20")], ["100m"], "n1"),
    "no prices: the first that fits": Golden([("50m", None), ("4", None), ("4", None)], ["100m"], "n2"),
    "a negative price is none": Golden([("4", "0.05"), ("4", "-1")], ["100m"], "n2", ours="n1"),
    "NaN is no price": Golden([("4", "NaN"), ("4", "0.05")], ["100m"], "n1", ours="n2"),
    "whole CPUs in use count": Golden([("1", "0.05")], ["900m"], "n1", used="1", ours=None),
    "containers are summed": Golden([("1", "0.05"), ("2", "0.80")], ["600m", "600m"], "n2"),
    "a fraction of a CPU": Golden([("0.5", "0.05")], ["500m"], "n1"),
    "nothing fits": Golden([("100m", "0.05"), ("100m", None)], ["500m"], None),
}


@pytest.mark.parametrize("row", GOLDEN.values(), ids=GOLDEN)
def test_decisions_of_the_original(row: Golden) -> None:
    nodes = [priced(f"n{i}", price, cpu=cpu) for i, (cpu, price) in enumerate(row.nodes, 1)]
    running = [pod("running", cpu=row.used, node_name="n1")] if row.used else []
    containers = [{"name": f"c{i}", "resources": {"requests": {"cpu": cpu}}} for i, cpu in enumerate(row.requests)]
    decision = roost.decide(pod(spec={"containers": containers}), nodes, running, policy="CheapestNode")
    assert decision.node == (row.bound_to if row.ours == "" else row.ours)


def test_a_price_that_cannot_be_read_leaves_no_pod_behind() -> None:
    """The original failed the pod: `strconv.ParseFloat: parsing "abc": invalid syntax`."""
    nodes = [priced("n1", "abc"), priced("n2", None), priced("n3", "9.99")]
    assert roost.decide(pod(), nodes, policy="CheapestNode").node == "n3"
    assert roost.decide(pod(), nodes[:2], policy="CheapestNode").node == "n1"


def test_a_pod_on_a_node_that_is_not_there_does_no_harm() -> None:
    """The original crashed."""
    assert roost.decide(pod(), [priced("n1", "1")], [pod("r", node_name="n9")], policy="CheapestNode").node == "n1"


def test_what_the_original_said_of_each_node_stands_in_the_counts() -> None:
    nodes = [priced("n1", "0.05", cpu="100m"), priced("n2", None, cpu="100m")]
    decision = roost.decide(pod(cpu="500m"), nodes, policy="CheapestNode")
    assert decision.message.startswith("0/2 nodes are available: 2 Insufficient cpu.")
    assert {name: verdict.status.message for name, verdict in decision.freeze().verdicts.items()} == dict.fromkeys(
        ("n1", "n2"), "Insufficient cpu"
    )


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("0.05", 0.05),
        ("1", 1.0),
        ("0", 0.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("+0.5", 0.5),
        ("1e-3", 0.001),
        ("2.5E+2", 250.0),
        (" 0.05\n", 0.05),
        ("0.0000000001", 1e-10),
    ],
)
def test_prices(text: str, price: float) -> None:
    assert read_price(text) == price


NO_PRICES = ["", " ", "abc", "NaN", "nan", "Inf", "-Infinity", "-1", "-0.05", "1e999", "$0.05", "0,05", "0.05 USD"]
NO_PRICES += ["1_000", "0x1p-2", "½", "٣", "1.2.3", ".", "e3"]


@pytest.mark.parametrize("text", NO_PRICES)
def test_what_is_no_price(text: str) -> None:
    assert math.isnan(read_price(text))


def test_a_long_text_is_refused_without_delay() -> None:
    assert math.isnan(read_price("1" * 200_000 + "x"))


@pytest.mark.parametrize(
    ("annotations", "labels", "price_key", "wins_against_2"),
    [
        pytest.param({HIGHTOWER: "1"}, {}, None, True, id="the original's annotation"),
        pytest.param({}, {HIGHTOWER: "1"}, None, True, id="the same as a label"),
        pytest.param({OURS: "1"}, {}, None, True, id="our own annotation"),
        pytest.param({}, {OURS: "1"}, None, True, id="our own label"),
        pytest.param({OURS: "1", HIGHTOWER: "3"}, {}, None, True, id="our own key goes first"),
        pytest.param({HIGHTOWER: "3"}, {OURS: "1"}, None, True, id="our own key goes first, as a label too"),
        pytest.param({OURS: "1"}, {OURS: "3"}, None, True, id="the annotation goes before the label"),
        pytest.param({OURS: "?"}, {OURS: "1"}, None, True, id="unless it cannot be read"),
        pytest.param({OURS: "?", HIGHTOWER: "1"}, {}, None, True, id="and the second key is there if the first cannot"),
        pytest.param({"x/price": "1"}, {}, "x/price", True, id="a key of one's own"),
        pytest.param({}, {"x/price": "1"}, "x/price", True, id="a label key of one's own"),
        pytest.param({OURS: "1"}, {}, "x/price", False, id="a key of one's own is the only one"),
        pytest.param({"x/price": "1"}, {}, None, False, id="another key is not looked at"),
    ],
)
def test_where_the_price_stands(
    annotations: dict[str, str], labels: dict[str, str], price_key: str | None, wins_against_2: bool
) -> None:
    rival = node("a", annotations={price_key or OURS: "2"})
    profile = Profile.of([CheapestNode(CheapestNodeArgs(price_key=price_key))])
    decision = roost.decide(pod(), [rival, node("b", annotations=annotations, labels=labels)], policy=profile)
    assert decision.node == ("b" if wins_against_2 else "a")


def test_scores_number_the_different_prices_and_leave_0_for_none(weigh: Rate) -> None:
    prices = {"a": "0.3", "b": "0.10", "c": None, "d": "0.1", "e": "abc", "f": "7"}
    scores = weigh(CheapestNode(), pod(), [priced(name, price) for name, price in prices.items()])
    assert scores == {"b": 3, "d": 3, "a": 2, "f": 1, "c": 0, "e": 0}


def test_prices_closer_than_float32_can_tell_differ(weigh: Rate) -> None:
    scores = weigh(CheapestNode(), pod(), [priced("a", "0.1000000001"), priced("b", "0.1")])
    assert scores == {"a": 1, "b": 2}


def test_nothing_is_cheaper_than_free() -> None:
    nodes = [priced("a", "0.0000001"), priced("b", "0"), priced("c", None)]
    assert roost.decide(pod(), nodes, policy="CheapestNode").node == "b"


def test_cheap_nodes_are_filled_first_and_those_without_a_price_last() -> None:
    nodes = [priced("a", None, cpu="1"), priced("b", "0.4", cpu="1"), priced("c", "0.1", cpu="1")]
    placed = roost.simulate(nodes, [pod(f"p{i}", cpu="500m") for i in range(7)], policy="CheapestNode").placements
    assert list(placed.values()) == ["c", "c", "b", "b", "a", "a", None]


def test_a_second_policy_with_a_smaller_weight_breaks_ties_of_the_price() -> None:
    score = {
        "disabled": [{"name": "*"}],
        "enabled": [{"name": "CheapestNode", "weight": 101}, {"name": "NodeResourcesFit", "weight": 1}],
    }
    profile = profile_from_fragment({"plugins": {"score": score}})
    nodes = [priced("a", "1"), priced("b", "1"), priced("c", "2")]
    busy = [pod("busy", cpu="3", node_name="a")]
    assert roost.decide(pod(cpu="1"), nodes, busy, policy="CheapestNode").node == "a"
    assert roost.decide(pod(cpu="1"), nodes, busy, policy=profile).node == "b"


def test_a_price_that_changes_is_noticed_though_answers_are_remembered() -> None:
    cache, cycle = Cache(), Cycle(Profile.of([CheapestNode()]))
    for price, expected in (("2", "a"), ("0.5", "b"), ("0.5", "b"), ("?", "a"), ("0.9", "b")):
        cache.set_node(priced("a", "1"))
        cache.set_node(priced("b", price))
        assert cycle.decide(cache.pod_info(pod()), cache.view, Context()).node == expected


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ({"priceKey": " "}, "priceKey: is empty; name an annotation or a label, such as roost.dev/price-per-hour"),
        ({"priceKey": 5}, "priceKey: is a whole number, not a text"),
        ({"pricekey": "x"}, "pricekey: unknown field; did you mean priceKey"),
    ],
)
def test_wrong_arguments_are_refused_with_the_field_and_what_to_do(args: Mapping[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=rf"^pluginConfig\[0\]\.args\.{sentence}"):
        profile_from_fragment(
            {
                "plugins": {"score": {"enabled": [{"name": "CheapestNode"}]}},
                "pluginConfig": [{"name": "CheapestNode", "args": args}],
            }
        )


texts = st.one_of(
    st.floats(min_value=0, allow_infinity=False).map(repr),
    st.decimals(0, 10, places=4).map(str),
    st.sampled_from(["0.1", "0.10", "NaN", "-1", "abc", "1e400"]),
    st.none(),
)
clusters = st.lists(st.tuples(texts, st.booleans()), min_size=1, max_size=25)


@given(clusters)
@settings(deadline=None)
def test_of_the_nodes_that_fit_one_with_the_lowest_price_is_chosen(cluster: list[tuple[str | None, bool]]) -> None:
    nodes = [priced(f"{i:02}", text, cpu="4" if fits else "0") for i, (text, fits) in enumerate(cluster)]
    decision = roost.decide(pod(cpu="1"), nodes, policy="CheapestNode")
    order = [(_price(text), f"{i:02}") for i, (text, fits) in enumerate(cluster) if fits]
    assert decision.node == (min(order)[1] if order else None)


@given(clusters)
@settings(deadline=None)
def test_different_prices_have_different_scores_and_lower_ones_higher(cluster: list[tuple[str | None, bool]]) -> None:
    nodes = [priced(f"{i:02}", text) for i, (text, _) in enumerate(cluster)]
    rows = roost.decide(pod(), nodes, policy="CheapestNode").freeze().scores
    by_price = sorted((_price(text), rows[f"{i:02}"].total) for i, (text, _) in enumerate(cluster))
    for (price, score), (next_price, next_score) in pairwise(by_price):
        assert (score > next_score) == (price < next_price)
        assert (score == next_score) == (price == next_price)


def test_pods_that_wait_together_are_placed_as_one_by_one() -> None:
    nodes = [priced(f"n{i:02}", str(i % 7), pods=5) for i in range(30)]
    together = roost.simulate(nodes, [pod(f"p{i}") for i in range(160)], policy="CheapestNode").placements
    apart = roost.simulate(
        nodes, [pod(f"p{i}", labels={"number": str(i)}) for i in range(160)], policy="CheapestNode"
    ).placements
    assert together == apart
    assert Counter(together.values()) == {**{f"n{i:02}": 5 for i in range(30)}, None: 10}


def _price(text: str | None) -> float:
    price = math.nan if text is None else read_price(text)
    return math.inf if math.isnan(price) else price
