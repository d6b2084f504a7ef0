"""The stages of a cycle, with plugins that do one thing each."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from roost.cache import Cache
from roost.errors import PluginError
from roost.framework.cycle import Cycle
from roost.framework.decision import Decision
from roost.framework.plugin import Context, OnlyNodes, Plugin, Verdicts, default_normalize
from roost.framework.pod_info import PodInfo
from roost.framework.profile import Profile
from roost.framework.status import SKIP, Code, Status, unresolvable, unschedulable
from roost.framework.view import Rows, View
from roost.testing import node, pod

ABC = [node(name) for name in "abc"]


class Points:
    """The extension points of a plugin made of functions that take (pod, view, rows), as far as there are any."""

    def pre_filter(self, ctx, pod, view):
        return self.points["pre_filter"](pod, view)

    def filter(self, ctx, pod, view, rows):
        return self.points["filter"](pod, view, rows)

    def pre_score(self, ctx, pod, view):
        return self.points["pre_score"](pod, view)

    def score(self, ctx, pod, view, rows):
        return self.points["score"](pod, view, rows)

    def normalize(self, ctx, pod, scores):
        return self.points["normalize"](scores)


def plugin(name: str = "Test", *, weight: int = 1, **points: Callable[..., Any]) -> Plugin:
    methods = {point: vars(Points)[point] for point in points}
    made: type[Plugin] = type(name, (Plugin,), {"name": name, "weight": weight, "points": points, **methods})
    return made()


def reject_all(pod: PodInfo, view: View, rows: Rows) -> Verdicts:
    return Verdicts.rejecting(np.ones(view.size, dtype=np.bool_)[rows], unschedulable("never"))


def reject(name: str) -> Callable[[PodInfo, View, Rows], Verdicts]:
    def judge(pod: PodInfo, view: View, rows: Rows) -> Verdicts:
        numbers = np.arange(view.size)[rows]
        return Verdicts.rejecting(np.array([view.name(row) == name for row in numbers]), unschedulable(f"not {name}"))

    return judge


def cache_of(nodes: list[Any]) -> Cache:
    cache = Cache()
    for one in nodes:
        cache.set_node(one)
    return cache


def decide(*plugins: Plugin, nodes: list[Any] = ABC) -> Decision:
    cache = cache_of(nodes)
    return Cycle(Profile.of(plugins)).decide(cache.pod_info(pod()), cache.view, Context())


def fitting(decision: Decision) -> set[str]:
    return {name for name, verdict in decision.freeze().verdicts.items() if verdict.feasible}


# ---- before and while filtering


def test_without_plugins_the_first_node_by_name_is_taken() -> None:
    assert decide(nodes=[node("b"), node("a")]).node == "a"


def test_a_pre_filter_may_leave_only_some_nodes_not_all_of_which_exist() -> None:
    decision = decide(plugin(pre_filter=lambda pod, view: OnlyNodes(frozenset({"b", "gone"}))))
    assert (decision.node, decision.feasible, decision.evaluated) == ("b", 1, 3)
    left_out = decision.freeze().verdicts["a"].status
    assert (left_out.code, left_out.message) == (
        Code.UnschedulableAndUnresolvable,
        "node(s) didn't satisfy plugin(s) [Test]",
    )


def test_several_pre_filters_leave_what_all_of_them_leave() -> None:
    narrow = [
        plugin("Second", pre_filter=lambda pod, view: OnlyNodes(frozenset("bc"))),
        plugin("First", pre_filter=lambda pod, view: OnlyNodes(frozenset("ab"))),
    ]
    decision = decide(*narrow, plugin("Picky", filter=reject("b")))
    assert decision.message == ("0/3 nodes are available: 1 not b, 2 node(s) didn't satisfy plugin(s) [First Second].")


def test_a_pre_filter_may_reject_the_pod_and_the_rest_is_not_asked() -> None:
    never = plugin("Never", pre_filter=lambda pod, view: pytest.fail("asked"), filter=lambda *_: pytest.fail("asked"))
    decision = decide(plugin("Guard", pre_filter=lambda pod, view: unresolvable("no", "never")), never)
    assert decision.message == "0/3 nodes are available: no, never."
    assert {verdict.status for verdict in decision.freeze().verdicts.values()} == {
        Status(Code.UnschedulableAndUnresolvable, ("no", "never"), "Guard")
    }


def test_a_filter_that_skips_itself_is_not_asked() -> None:
    skipping = plugin(pre_filter=lambda pod, view: SKIP, filter=reject_all)
    assert fitting(decide(skipping)) == {"a", "b", "c"}


def test_a_pre_filter_of_one_plugin_skips_no_other() -> None:
    assert fitting(decide(plugin("One", pre_filter=lambda pod, view: SKIP), plugin("Two", filter=reject("b")))) == {
        "a",
        "c",
    }


def test_each_node_is_rejected_by_the_first_filter_that_does() -> None:
    decision = decide(plugin("One", filter=reject("b")), plugin("Two", filter=reject_all))
    assert {name: verdict.status.plugin for name, verdict in decision.freeze().verdicts.items()} == {
        "a": "Two",
        "b": "One",
        "c": "Two",
    }
    assert decision.rejected_by == {"One", "Two"}


@pytest.mark.parametrize("remembered", [True, False])
def test_a_rejection_that_no_pod_can_alter_waits_for_its_turn_like_any_other(remembered: bool) -> None:
    first, last = plugin("First", filter=reject("b")), plugin("Last", filter=reject_all)
    first.remember, last.reads = remembered, frozenset({"node"})
    verdicts = decide(first, last).freeze().verdicts
    assert [verdicts[name].status.plugin for name in "abc"] == ["Last", "First", "Last"]


def test_a_filter_that_is_asked_only_about_what_still_fits_is_not_asked_about_nothing() -> None:
    last = plugin("Last", filter=lambda pod, view, rows: pytest.fail("asked"))
    last.remember = False
    assert decide(plugin(filter=reject_all), last).message == "0/3 nodes are available: 3 never."


def test_without_nodes_no_plugin_is_asked() -> None:
    decision = decide(plugin(pre_filter=lambda pod, view: pytest.fail("asked")), nodes=[])
    assert decision.message == "no nodes available to schedule pods"


# ---- scoring


def test_a_scorer_that_skips_itself_is_absent_from_the_scores() -> None:
    skipping = plugin("Skips", pre_score=lambda pod, view: SKIP, score=lambda *_: 50)
    scores = decide(skipping, plugin("Scores", score=lambda *_: 7)).freeze().scores
    assert (scores["a"].total, dict(scores["a"].raw)) == (7, {"Scores": 7})


def test_weights_multiply_what_normalising_gave() -> None:
    scorer = plugin(weight=3, score=lambda pod, view, rows: np.arange(view.size)[rows], normalize=default_normalize)
    scores = decide(scorer).freeze().scores
    assert {name: (row.raw["Test"], row.weighted["Test"]) for name, row in scores.items()} == {
        "a": (0, 0),
        "b": (1, 150),
        "c": (2, 300),
    }


def test_normalising_sees_the_nodes_that_fit_and_no_other() -> None:
    seen: list[list[int]] = []

    def note(scores: np.ndarray) -> np.ndarray:
        seen.append(scores.tolist())
        return scores

    decide(plugin(filter=reject("b"), score=lambda pod, view, rows: 10 + np.arange(view.size)[rows], normalize=note))
    assert seen == [[10, 12]]


@pytest.mark.parametrize(
    ("scores", "reverse", "expected"),
    [
        pytest.param([0, 3, 7], False, [0, 42, 100], id="the highest is 100, the others truncated"),
        pytest.param([0, 3, 7], True, [100, 58, 0], id="reversed: 100 less that"),
        pytest.param([0, 0], False, [0, 0], id="nothing stays nothing"),
        pytest.param([0, 0], True, [100, 100], id="and is the best when reversed"),
        pytest.param([5], True, [0], id="one node"),
    ],
)
def test_the_default_way_to_normalise(scores: list[int], reverse: bool, expected: list[int]) -> None:
    assert default_normalize(np.array(scores, dtype=np.int64), reverse=reverse).tolist() == expected


def test_the_stages_can_be_asked_for_one_by_one() -> None:
    cache = cache_of(ABC)
    cycle = Cycle(Profile.of([plugin(filter=reject("b"), score=lambda pod, view, rows: np.arange(view.size)[rows])]))
    info = cache.pod_info(pod())
    filtered = cycle.filter_nodes(info, cache.view, Context())
    assert (filtered.count, filtered.feasible.tolist()) == (2, [True, False, True])
    scored = cycle.score_nodes(info, cache.view, Context(), filtered)
    assert [cache.view.name(row) for row in cycle.select_node(info, cache.view, Context(), scored)] == ["c", "a"]


def test_scoring_when_nothing_fits_scores_nothing() -> None:
    cache = cache_of(ABC)
    scorer = plugin("S", score=lambda pod, view, rows: np.arange(view.size)[rows], normalize=default_normalize)
    cycle = Cycle(Profile.of([plugin(filter=reject_all), scorer]))
    info = cache.pod_info(pod())
    filtered = cycle.filter_nodes(info, cache.view, Context())
    assert cycle.score_nodes(info, cache.view, Context(), filtered).rows(cache.view) == {}


# ---- plugins that fail


def fail(*_: Any) -> None:
    raise RuntimeError("out of order")


@pytest.mark.parametrize("point", ["pre_filter", "filter", "pre_score", "score", "normalize"])
def test_an_exception_at_any_point_is_an_error_that_names_plugin_point_and_line(point: str) -> None:
    points = {"score": lambda *_: 1} if point in ("pre_score", "normalize") else {}
    decision = decide(plugin(**points, **{point: fail}))
    assert (decision.outcome, decision.node, decision.evaluated) == ("error", None, 3)
    where = f"test_cycle.py:{fail.__code__.co_firstlineno + 1}"
    assert decision.message == f"plugin Test failed in {point} at {where}: RuntimeError: out of order"


@pytest.mark.parametrize(
    ("point", "answer"),
    [
        pytest.param("score", None, id="no scores"),
        pytest.param("score", np.array([1, 2]), id="too few scores"),
        pytest.param("filter", np.array([True, False, True]), id="a mask instead of verdicts"),
        pytest.param("pre_filter", True, id="a word that says nothing"),
    ],
)
def test_an_answer_that_cannot_be_used_is_an_error_that_names_the_plugin(point: str, answer: object) -> None:
    decision = decide(plugin(**{point: lambda *_: answer}))
    assert decision.outcome == "error"
    assert f"plugin Test failed in {point}" in decision.message


def test_a_stage_by_itself_raises_what_went_wrong() -> None:
    cache = cache_of(ABC)
    cycle = Cycle(Profile.of([plugin(filter=fail)]))
    with pytest.raises(PluginError, match="plugin Test failed in filter") as caught:
        cycle.filter_nodes(cache.pod_info(pod()), cache.view, Context())
    assert isinstance(caught.value.__cause__, RuntimeError)
