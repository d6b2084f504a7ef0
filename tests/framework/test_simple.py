"""Policies of five lines: plain classes with `score(pod, node)` or `filter(pod, node)`."""

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from roost.api.node import Node
from roost.cache import Cache
from roost.framework.cycle import Cycle
from roost.framework.decision import Decision, Table
from roost.framework.plugin import Args, Context, FilterPlugin, ScorePlugin
from roost.framework.profile import Profile
from roost.framework.simple import lift
from roost.framework.status import Code
from roost.testing import node, pod

AB = [node("a", cpu=1, labels={"cost": "9"}), node("b", cpu=2, labels={"cost": "4"})]


def decide(policy: type, nodes: Sequence[Node] = AB, args: Args | None = None) -> Decision:
    cache = Cache()
    for one in nodes:
        cache.set_node(one)
    return Cycle(Profile.of([lift(policy)(args)])).decide(cache.pod_info(pod("web")), cache.view, Context())


def table(policy: type, nodes: Sequence[Node] = AB) -> Table:
    decision = decide(policy, nodes)
    assert decision.outcome != "error", decision.message
    return decision.freeze()


def scoring(value: Any, **fields: Any) -> type:
    return type("Constant", (), {"score": lambda self, pod, node: value, **fields})


def filtering(value: Any) -> type:
    return type("Picky", (), {"filter": lambda self, pod, node: value})


# ---- the five lines


class Cheapest:
    def score(self, pod, node):
        return 100 - float(node.labels["cost"])


class BigEnough:
    def filter(self, pod, node):
        return node.status.allocatable["cpu"] >= 2 or "too small for me"


class Both:
    def filter(self, pod, node):
        return node.name != "a"

    def score(self, pod, node):
        return 7


def test_a_score_chooses() -> None:
    assert [(best.node, best.total) for best in decide(Cheapest).top] == [("b", 96), ("a", 91)]


def test_a_filter_rejects_with_its_reason() -> None:
    verdict = table(BigEnough).verdicts["a"]
    assert (verdict.status.code, verdict.status.reasons, verdict.status.plugin) == (
        Code.Unschedulable,
        ("too small for me",),
        "BigEnough",
    )
    assert decide(BigEnough).node == "b"


def test_a_class_may_do_both() -> None:
    assert {name: row.total for name, row in table(Both).scores.items()} == {"b": 7}
    assert issubclass(lift(Both), FilterPlugin)
    assert issubclass(lift(Both), ScorePlugin)


def test_a_class_that_does_one_is_not_asked_for_the_other() -> None:
    assert not issubclass(lift(Cheapest), FilterPlugin)
    assert not issubclass(lift(BigEnough), ScorePlugin)


def test_a_class_that_does_neither_is_no_policy() -> None:
    with pytest.raises(TypeError, match=r"Args has neither def score\(self, pod, node\) nor def filter"):
        lift(Args)


# ---- what a filter may say


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(True, None, id="True lets the pod in"),
        pytest.param(None, None, id="None, so that a filter may end without a word"),
        pytest.param(np.True_, None, id="numpy's True"),
        pytest.param(False, "node(s) rejected by Picky", id="False names the policy"),
        pytest.param(np.False_, "node(s) rejected by Picky", id="numpy's False"),
        pytest.param("node(s) were too dear", "node(s) were too dear", id="a text is the reason"),
    ],
)
def test_answers_of_a_filter(answer: Any, reason: str | None) -> None:
    decision = decide(filtering(answer))
    assert decision.reasons == ({} if reason is None else {reason: 2})
    assert decision.outcome == ("scheduled" if reason is None else "unschedulable")


def test_each_node_may_have_its_own_reason() -> None:
    class Named:
        def filter(self, pod, node):
            return f"{pod.name} does not like {node.name}"

    assert decide(Named).message == "0/2 nodes are available: 1 web does not like a, 1 web does not like b."


# ---- what a score may be


@pytest.mark.parametrize(
    ("value", "score"),
    [
        pytest.param(55, 55, id="a whole number"),
        pytest.param(55.99, 55, id="a fraction is truncated"),
        pytest.param(-3, 0, id="less than 0 is 0"),
        pytest.param(-0.5, 0, id="a little less than 0 is 0"),
        pytest.param(100.5, 100, id="more than 100 is 100"),
        pytest.param(1e300, 100, id="much more is 100"),
        pytest.param(math.inf, 100, id="infinity is 100"),
        pytest.param(True, 1, id="True is 1"),
        pytest.param(np.float32(12.7), 12, id="a number of numpy"),
    ],
)
def test_scores_are_brought_to_0_to_100(value: Any, score: int) -> None:
    assert table(scoring(value)).scores["a"].total == score


@pytest.mark.filterwarnings("ignore")  # as where it runs: numpy only warns
@pytest.mark.parametrize("value", [math.nan, None, "many"], ids=["not a number", "nothing", "a text"])
def test_what_is_no_score_is_an_error_that_names_the_policy(value: Any) -> None:
    decision = decide(scoring(value))
    assert decision.outcome == "error"
    assert "plugin Constant failed in score" in decision.message


def test_scores_of_the_rank_scale_are_summed_as_they_are() -> None:
    assert table(scoring(123_456.7, scale="rank")).scores["a"].total == 123_456
    assert table(scoring(-5, scale="rank")).scores["a"].total == 0


def test_the_weight_of_a_policy_counts() -> None:
    assert table(scoring(10, weight=3)).scores["a"].weighted == {"Constant": 30}


def test_a_policy_is_not_asked_about_empty_slots() -> None:
    cache = Cache()
    for one in AB:
        cache.set_node(one)
    cache.remove_node("a")
    decision = Cycle(Profile.of([lift(Cheapest)(), lift(Both)()])).decide(cache.pod_info(pod()), cache.view, Context())
    assert (decision.node, decision.feasible, decision.evaluated) == ("b", 1, 1)


# ---- its fields


class Budget(Args):
    limit: int = 5


class WithArgs:
    args_type = Budget
    name = "budget"

    def __init__(self, args=Budget()):  # noqa: B008
        self.limit = args.limit

    def filter(self, pod, node):
        return float(node.labels["cost"]) <= self.limit


def test_a_policy_may_take_arguments_and_a_name() -> None:
    assert decide(WithArgs).node == "b"
    assert decide(WithArgs, args=Budget(limit=3)).reasons == {"node(s) rejected by budget": 2}


def test_a_policy_without_arguments_needs_no_constructor() -> None:
    assert decide(Cheapest, args=Args()).node == "b"


def test_a_lifted_policy_keeps_its_docstring_and_fields() -> None:
    class Documented:
        """Likes all nodes."""

        weight = 4
        pod_reads = ("labels",)
        score = staticmethod(lambda pod, node: 1)

    plugin = lift(Documented)
    assert (plugin.__doc__, plugin.name, plugin.weight, plugin.pod_reads) == (
        "Likes all nodes.",
        "Documented",
        4,
        ("labels",),
    )
    assert table(Documented).scores["a"].total == 4


# ---- exceptions


def test_an_exception_names_the_policy_the_place_and_the_cause() -> None:
    class Broken:
        def score(self, pod, node):
            return 1 / len(node.taints)

    decision = decide(Broken)
    line = Broken.score.__code__.co_firstlineno + 1
    assert (decision.outcome, decision.node) == ("error", None)
    assert decision.message == (
        f"plugin Broken failed in score at test_simple.py:{line}: ZeroDivisionError: division by zero"
    )


def test_an_exception_within_a_library_names_the_policy_s_own_line() -> None:
    class Broken:
        def filter(self, pod, node):
            return json.loads(node.name)

    line = Broken.filter.__code__.co_firstlineno + 1
    assert f"plugin Broken failed in filter at test_simple.py:{line}: JSONDecodeError" in decide(Broken).message


class Licensed:
    """Scores only what its own filter accepts."""

    def filter(self, pod: Any, node: Node) -> bool:
        return "seats" in node.labels

    def score(self, pod: Any, node: Node) -> float:
        return float(node.labels["seats"])


def test_a_policy_need_not_score_nodes_that_it_rejects() -> None:
    nodes = [node("a"), node("b", labels={"seats": "3"}), node("c", labels={"seats": "7"})]
    assert decide(Licensed, nodes).node == "c"
