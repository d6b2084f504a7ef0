from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import roost
from roost.cache import Cache
from roost.config.profiles import profile_from_fragment
from roost.errors import ConfigError
from roost.framework.cycle import Cycle
from roost.framework.plugin import Context
from roost.framework.profile import Profile
from roost.plugins.policies.node_index import NodeIndex, NodeIndexArgs
from roost.testing import node, pod

Rate = Callable[..., dict[str, int]]
Order = Literal["ascending", "descending"]

ORIGINAL: dict[str, list[tuple[str, int]]] = {
    "three nodes": [("node-c", 10), ("node-b", 9), ("node-a", 8)],
    "a single one": [("only", 10)],
    "fifteen, five of them beyond the tenth": [(f"n{14 - i:02}", max(0, 10 - i)) for i in range(15)],
    "numbers are compared as text": [("node-9", 10), ("node-2", 9), ("node-10", 8), ("node-1", 7)],
    "capitals before small letters, others after": [("é", 10), ("z", 9), ("node", 8), ("a", 7), ("Node", 6), ("B", 5)],
}
"""What the original server answered: names in the order of its reply, and scores."""


def policy(order: Order) -> Profile:
    return profile_from_fragment(
        {
            "plugins": {"score": {"enabled": [{"name": "NodeIndex"}], "disabled": [{"name": "*"}]}},
            "pluginConfig": [{"name": "NodeIndex", "args": {"order": order}}],
        }
    )


def index(order: Order) -> NodeIndex:
    return NodeIndex(NodeIndexArgs(order=order))


@pytest.mark.parametrize("reply", ORIGINAL.values(), ids=ORIGINAL)
def test_descending_is_the_order_of_the_original_and_its_scores_follow_from_ours(
    rate: Rate, reply: list[tuple[str, int]]
) -> None:
    scores = rate(index("descending"), pod(), [node(name) for name, _ in sorted(reply)])
    assert sorted(scores, key=lambda name: -scores[name]) == [name for name, _ in reply]
    assert {name: max(0, 10 - len(reply) + score) for name, score in scores.items()} == dict(reply)


@pytest.mark.parametrize("reply", ORIGINAL.values(), ids=ORIGINAL)
def test_ascending_is_the_order_the_original_promised(rate: Rate, reply: list[tuple[str, int]]) -> None:
    scores = rate(NodeIndex(), pod(), [node(name) for name, _ in reply])
    assert sorted(scores, key=lambda name: -scores[name]) == [name for name, _ in reversed(reply)]


def test_every_node_has_a_score_of_its_own_also_beyond_the_tenth(rate: Rate) -> None:
    scores = rate(NodeIndex(), pod(), [node(f"n{i:02}") for i in range(15)])
    assert scores == {f"n{i:02}": 15 - i for i in range(15)}


def test_two_pods_of_3_gb_go_on_each_node_of_8_gb_one_node_after_the_other() -> None:
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
    ],
)
def test_wrong_arguments_are_refused(args: dict[str, str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        profile_from_fragment({"pluginConfig": [{"name": "NodeIndex", "args": args}]})


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
