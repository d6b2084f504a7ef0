"""The order of NodeIndex, ours and the original's; pods per node have a file of their own."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import roost
from roost.cache import Cache
from roost.config.profiles import profile_from_fragment
from roost.errors import ConfigError
from roost.framework.cycle import Cycle
from roost.framework.plugin import Context
from roost.framework.profile import Profile, Scorer
from roost.plugins.policies.node_index import NodeIndex, NodeIndexArgs
from roost.testing import node, pod

Rate = Callable[..., dict[str, int]]
Order = Literal["ascending", "descending"]

Reply = list[tuple[str, int]]
GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "node_index.json").read_text())
RECORDED: dict[str, Reply] = {
    case["note"]: [(row["Host"], row["Score"]) for row in case["response"]]
    for case in GOLDEN["cases"]
    if case.get("input_nodes")
}
RECORDED["capitals before small letters, others after"] = [
    *(("é", 10), ("z", 9), ("node", 8)),
    *(("a", 7), ("Node", 6), ("B", 5)),
]
"""What the original server answered: names in the order of its reply, and scores."""
ORIGINAL = {note: reply for note, reply in RECORDED.items() if note != "duplicates"}


def policy(order: Order | None = None, **args: Any) -> Profile:
    return profile_from_fragment(
        {
            "plugins": {"score": {"enabled": [{"name": "NodeIndex"}], "disabled": [{"name": "*"}]}},
            "pluginConfig": [{"name": "NodeIndex", "args": {"order": order, **args}}],
        }
    )


def index(order: Order) -> NodeIndex:
    return NodeIndex(NodeIndexArgs(order=order))


ORIGINALLY = NodeIndex(NodeIndexArgs(compat="original"))


# ---- the original


@pytest.mark.parametrize("reply", ORIGINAL.values(), ids=ORIGINAL)
def test_n6_the_recorded_scores_and_their_order_are_reproduced(reply: Reply) -> None:
    cycle, cache = Cycle(Profile(score=(Scorer(ORIGINALLY, 1),))), Cache()
    for name, _ in sorted(reply, key=lambda row: row[0][::-1]):
        cache.set_node(node(name))
    rows = cycle.decide(cache.pod_info(pod()), cache.view, Context()).freeze().scores
    scores = {name: row.total // 10 for name, row in rows.items()}
    assert in_order_of_reply(scores) == reply


def in_order_of_reply(scores: dict[str, int]) -> Reply:
    """Order scores as a webhook server must: the best first, and of equal ones the last name first."""
    assert ORIGINALLY.reply_order == "by score"
    return sorted(sorted(scores.items(), reverse=True), key=lambda row: -row[1])


def test_n6_a_node_that_is_asked_about_twice_has_two_ranks() -> None:
    """As rows of a view, since a cluster has no two nodes of one name: their ranks follow each other."""
    ranks = {"a": (0, 1), "b": (2,)}
    scores = ORIGINALLY.normalize(Context(), Cache().pod_info(pod()), np.array([1, 2, 3]))
    assert [(name, int(scores[rank])) for name in "ba" for rank in reversed(ranks[name])] == RECORDED["duplicates"]


def test_n1_the_original_prefers_the_last_name_and_what_it_promised_the_first(weigh: Rate) -> None:
    nodes = [node(f"node-{letter}") for letter in "bca"]
    assert weigh(ORIGINALLY, pod(), nodes) == {"node-c": 100, "node-b": 90, "node-a": 80}
    promised = NodeIndex(NodeIndexArgs(max_score=10))
    assert weigh(promised, pod(), nodes) == {"node-a": 10, "node-b": 9, "node-c": 8}


def test_n2_of_fifteen_nodes_ten_have_a_score_above_0_and_ours_all_one_of_their_own(rate: Rate, weigh: Rate) -> None:
    nodes = [node(f"n{i:02}") for i in range(15)]
    originally = weigh(ORIGINALLY, pod(), nodes)
    assert sorted(originally.values(), reverse=True) == [100, 90, 80, 70, 60, 50, 40, 30, 20, 10, 0, 0, 0, 0, 0]
    assert len(set(rate(NodeIndex(), pod(), nodes).values())) == 15


def test_n3_a_single_node_scores_10(weigh: Rate) -> None:
    assert weigh(ORIGINALLY, pod(), [node("only")]) == {"only": 100}
    assert weigh(NodeIndex(NodeIndexArgs(max_score=10)), pod(), [node("only")]) == {"only": 10}


def test_n4_names_are_compared_as_text(weigh: Rate) -> None:
    nodes = [node(f"node-{number}") for number in (1, 2, 10, 9)]
    assert weigh(ORIGINALLY, pod(), nodes) == {"node-9": 100, "node-2": 90, "node-10": 80, "node-1": 70}


def test_the_original_counts_among_the_nodes_that_fit_and_ours_among_all() -> None:
    nodes = [node("a"), node("b", cpu="0"), node("c"), node("d", cpu="0")]

    def scores(**args: Any) -> dict[str, int]:
        rows = roost.decide(pod(cpu="1"), nodes, policy=policy(**args)).freeze().scores
        return {name: row.total for name, row in rows.items()}

    assert scores(compat="original") == {"c": 100, "a": 90}
    assert scores(order="descending", maxScore=10) == {"c": 9, "a": 7}
    assert scores(order="descending") == {"c": 3, "a": 1}


@pytest.mark.parametrize("reply", ORIGINAL.values(), ids=ORIGINAL)
def test_descending_is_the_order_of_the_original_and_its_scores_follow_from_ours(rate: Rate, reply: Reply) -> None:
    scores = rate(index("descending"), pod(), [node(name) for name, _ in sorted(reply)])
    assert sorted(scores, key=lambda name: -scores[name]) == [name for name, _ in reply]
    assert {name: max(0, 10 - len(reply) + score) for name, score in scores.items()} == dict(reply)


# ---- ours


@pytest.mark.parametrize("reply", ORIGINAL.values(), ids=ORIGINAL)
def test_ascending_is_the_order_the_original_promised(rate: Rate, reply: Reply) -> None:
    scores = rate(NodeIndex(), pod(), [node(name) for name, _ in reply])
    assert sorted(scores, key=lambda name: -scores[name]) == [name for name, _ in reversed(reply)]


def test_every_node_has_a_score_of_its_own_also_beyond_the_tenth(rate: Rate) -> None:
    scores = rate(NodeIndex(), pod(), [node(f"n{i:02}") for i in range(15)])
    assert scores == {f"n{i:02}": 15 - i for i in range(15)}


@pytest.mark.parametrize("order", ["ascending", "descending"])
@pytest.mark.parametrize("highest", [1, 3, 10, 1000])
def test_a_highest_score_leaves_the_first_few_in_order_and_the_others_at_0(
    rate: Rate, order: Order, highest: int
) -> None:
    names = [f"n{i:02}" for i in range(15)]
    scores = rate(NodeIndex(NodeIndexArgs(order=order, max_score=highest)), pod(), [node(name) for name in names])
    in_order = names if order == "ascending" else names[::-1]
    assert scores == {name: max(0, highest - i) for i, name in enumerate(in_order)}


def test_n5_two_pods_of_3_gb_go_on_each_node_of_8_gb_one_node_after_the_other() -> None:
    nodes = [node(f"node-{letter}", memory="8G") for letter in "cab"]
    placed = roost.simulate(nodes, [pod(f"p{i}", memory="3G") for i in range(6)], policy="NodeIndex").placements
    assert list(placed.values()) == ["node-a", "node-a", "node-b", "node-b", "node-c", "node-c"]


def test_load_and_labels_do_not_matter() -> None:
    busy = [pod(f"b{i}", cpu="100m", node_name="a") for i in range(30)]
    nodes = [node("b", labels={"disktype": "ssd"}), node("a", cpu="3500m")]
    assert roost.decide(pod(cpu="100m"), nodes, busy, policy="NodeIndex").node == "a"


@pytest.mark.parametrize(("order", "chosen"), [("ascending", "a"), ("descending", "c")])
def test_the_order_is_an_argument(order: Order, chosen: str) -> None:
    assert roost.decide(pod(), [node("b"), node("a"), node("c")], policy=policy(order)).node == chosen


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ({"order": "random"}, "order: 'random' is none of ascending, descending"),
        ({"direction": "ascending"}, "direction: unknown field"),
        ({"maxScore": 0}, "args.maxScore: must be 1 or more, not 0"),
        ({"podsPerNode": -1}, "args.podsPerNode: must be 1 or more, not -1"),
        ({"podsPerNode": "3"}, "args.podsPerNode: is a text, not a whole number"),
        ({"compat": "original", "order": "ascending"}, "args.order: compat: original is descending; leave out one"),
        ({"compat": "original", "maxScore": 10}, "args.maxScore: compat: original has 10; leave out one of the two"),
    ],
)
def test_wrong_arguments_are_refused(args: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        policy(**args)


@pytest.mark.parametrize("tie", ["first", "spread", "random"])
@pytest.mark.parametrize("order", ["ascending", "descending"])
def test_the_order_holds_whatever_the_tie_rule_since_there_are_no_ties(
    tie: Literal["first", "spread", "random"], order: Order
) -> None:
    nodes = [node(f"n{i:02}") for i in range(40)]
    profile = Profile.of([index(order)], tie=tie)
    decisions = [roost.decide(pod(uid=str(i)), nodes, policy=profile) for i in range(5)]
    assert {decision.node for decision in decisions} == {"n00" if order == "ascending" else "n39"}


names = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,6}[a-z0-9])?", fullmatch=True)
clusters = st.dictionaries(names, st.booleans(), min_size=1, max_size=40)


@given(clusters, st.sampled_from(["ascending", "descending"]))
@settings(deadline=None)
def test_of_the_nodes_that_fit_the_first_name_is_chosen(free: dict[str, bool], order: Order) -> None:
    nodes = [node(name, cpu="4" if is_free else "0") for name, is_free in free.items()]
    decision = roost.decide(pod(cpu="1"), nodes, policy=policy(order))
    fitting = [name.encode() for name, is_free in free.items() if is_free]
    first = min(fitting, default=None) if order == "ascending" else max(fitting, default=None)
    assert (decision.node.encode() if decision.node else None) == first


@pytest.mark.parametrize("count", [1, 10, 11, 1000, 20_000])
def test_it_holds_for_any_number_of_nodes(count: int) -> None:
    full = {f"node-{i}" for i in range(0, count, 3)} if count > 1 else set()
    nodes = [node(f"node-{i}", cpu="0" if f"node-{i}" in full else "4") for i in range(count)]
    cache = Cache()
    for one in nodes:
        cache.set_node(one)
    cycle = Cycle(policy("ascending"))
    in_order = sorted({one.name for one in nodes} - full)
    asked = [cache.pod_info(pod(f"p{i}", cpu="4")) for i in range(min(5, len(in_order)))]
    for info, expected in zip(asked, in_order, strict=False):
        decision = cycle.decide(info, cache.view, Context())
        assert decision.node == expected
        cache.assume(info, expected)


steps = st.lists(st.tuples(st.booleans(), names), min_size=1, max_size=30)


@given(steps)
@settings(deadline=None)
def test_what_is_remembered_stays_true_when_nodes_come_and_go(changes: Sequence[tuple[bool, str]]) -> None:
    """A node that comes shifts the positions of others, which did not change themselves."""
    cache, cycle = Cache(), Cycle(Profile.of([NodeIndex()]))
    for comes, name in changes:
        if comes:
            cache.set_node(node(name))
        else:
            cache.remove_node(name)
        decision = cycle.decide(cache.pod_info(pod()), cache.view, Context())
        if cache.node_names:
            rows = decision.freeze().scores
            in_order = sorted(cache.node_names)
            assert {name: row.total for name, row in rows.items()} == {
                name: len(in_order) - i for i, name in enumerate(in_order)
            }
            assert decision.node == in_order[0]


def test_pods_that_wait_together_fill_the_nodes_in_order() -> None:
    nodes = [node(f"n{i:03}", pods=10) for i in range(100)]
    placed = roost.simulate(nodes, [pod(f"p{i}") for i in range(500)], policy="NodeIndex").placements
    assert Counter(placed.values()) == dict.fromkeys([f"n{i:03}" for i in range(50)], 10)
