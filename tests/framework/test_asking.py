"""Extenders in the cycle, with their answers as values: what is asked, and what the answers come to."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from roost.api.extender import ExtenderFilterResult, HostPriority, NodeList
from roost.cache import Cache
from roost.config.profiles import default_profile
from roost.framework.asking import Answer, Asking, FilterQuestion, ScoreQuestion, decide_asking
from roost.framework.cycle import Cycle
from roost.framework.decision import Decision
from roost.framework.extenders import Extender, Kept, NoAnswer, host_scores, kept_nodes
from roost.framework.plugin import Context
from roost.framework.profile import Profile
from roost.framework.status import Code
from roost.testing import node, pod

ABC = [node(name) for name in "abc"]
BARE = Profile.of([])


def extender(url: str = "http://x", *, filters: bool = True, scores: bool = False, **fields: Any) -> Extender:
    verbs = {"filter_verb": "filter" if filters else "", "prioritize_verb": "score" if scores else ""}
    return Extender(url=url, **verbs, **fields)


def scorer(url: str = "http://x", weight: int = 1, **fields: Any) -> Extender:
    return extender(url, filters=False, scores=True, weight=weight, **fields)


def kept(names: str, **reasons: Any) -> Kept:
    return Kept(frozenset(names), **reasons)


class World:
    """A cache, a cycle, and what its extenders were asked."""

    def __init__(self, *extenders: Extender, nodes: Any = ABC, profile: Profile = BARE, **fields: Any) -> None:
        self.cache = Cache()
        for one in nodes:
            self.cache.set_node(one)
        self.asked: list[tuple[str, str]] = []
        self.info = self.cache.pod_info(pod(**fields))
        self.asking: Asking = decide_asking(Cycle(profile), self.info, self.cache.view, Context(), extenders)

    def answered(self, *answers: Answer) -> Decision:
        """Answer the questions in order; an answer that is a function is called first, as time passes."""
        waiting = iter(answers)
        try:
            question = next(self.asking)
            while True:
                self.asked.append(self._said(question))
                answer = next(waiting)
                question = self.asking.send(answer() if callable(answer) else answer)
        except StopIteration as end:
            assert next(waiting, None) is None, "an answer nobody asked for"
            return end.value

    def _said(self, question: FilterQuestion | ScoreQuestion) -> tuple[str, str]:
        if isinstance(question, FilterQuestion):
            return question.extender.url, "".join(question.names)
        return " ".join(one.url for one in question.extenders), "".join(question.names)


def table(decision: Decision) -> Mapping[str, tuple[str, tuple[str, ...]]]:
    return {name: (v.status.plugin, v.status.reasons) for name, v in decision.freeze().verdicts.items()}


# ---- filtering


def test_extenders_are_asked_in_turn_about_what_the_one_before_kept() -> None:
    world = World(extender("http://1"), extender("http://2"), nodes=[*ABC, node("d", unschedulable=True)],
                  profile=default_profile())  # fmt: skip
    decision = world.answered(kept("bc"), kept("c"))
    assert world.asked == [("http://1", "abc"), ("http://2", "bc")]
    assert (decision.outcome, decision.node, decision.feasible, decision.evaluated) == ("scheduled", "c", 1, 4)


def test_nobody_is_asked_once_no_node_is_left() -> None:
    world = World(extender("http://1"), extender("http://2"), scorer("http://3"))
    decision = world.answered(kept(""))
    assert world.asked == [("http://1", "abc")]
    assert decision.outcome == "unschedulable"


def test_nobody_is_asked_about_a_pod_that_fits_nowhere_anyway() -> None:
    world = World(extender(), profile=default_profile(), cpu="1000")
    assert world.answered().message.startswith("0/3 nodes are available: 3 Insufficient cpu. ")
    assert world.asked == []


def test_reasons_enter_the_fit_error_and_nodes_without_one_vanish() -> None:
    world = World(extender(), nodes=[*ABC, node("d", unschedulable=True)], profile=default_profile())
    decision = world.answered(kept("", failed={"a": "too far", "nowhere": "?"}, unresolvable={"b": "too old"}))
    assert decision.message == (
        "0/4 nodes are available: 1 node(s) were unschedulable, 1 too far, 1 too old. no new claims to deallocate, "
        "preemption: 0/4 nodes are available: 1 No preemption victims found for incoming pod, "
        "3 Preemption is not helpful for scheduling."
    )
    assert decision.rejected_by == {"NodeUnschedulable", "extender http://x/filter"}
    assert table(decision) == {
        "a": ("extender http://x/filter", ("too far",)),
        "b": ("extender http://x/filter", ("too old",)),
        "c": ("extender http://x/filter", ()),
        "d": ("NodeUnschedulable", ("node(s) were unschedulable",)),
    }


def test_each_node_counts_with_the_reason_of_the_first_who_rejected_it() -> None:
    decision = World(extender("http://1"), extender("http://2")).answered(
        kept("a", failed={"b": "wet", "c": "wet"}), kept("", failed={"a": "dry", "b": "dry"})
    )
    assert decision.message == "0/3 nodes are available: 1 dry, 2 wet."
    assert decision.rejected_by == {"extender http://1/filter", "extender http://2/filter"}


def test_what_is_unresolvable_wins() -> None:
    decision = World(extender()).answered(kept("", failed={"a": "busy"}, unresolvable={"a": "never"}))
    status = decision.freeze().verdicts["a"].status
    assert (status.code, status.reasons) == (Code.UnschedulableAndUnresolvable, ("never",))


def test_a_reason_for_a_node_that_was_kept_does_not_matter() -> None:
    assert World(extender()).answered(kept("b", failed={"b": "?", "a": "no"})).node == "b"


def test_an_extender_that_fails_makes_the_outcome_an_error() -> None:
    decision = World(extender()).answered(NoAnswer("extender http://x/filter: no answer within 5 s"))
    assert (decision.outcome, decision.message) == ("error", "extender http://x/filter: no answer within 5 s")


def test_one_that_is_ignorable_is_skipped() -> None:
    world = World(extender("http://1", ignorable=True), extender("http://2"))
    assert world.answered(NoAnswer("?"), kept("b")).node == "b"
    assert world.asked == [("http://1", "abc"), ("http://2", "abc")]


# ---- scoring


def test_a_score_counts_ten_times_its_weight_and_all_are_asked_at_once() -> None:
    world = World(scorer("http://1", weight=2), scorer("http://2"), profile=BARE)
    decision = world.answered([{"a": 3, "b": 4, "nowhere": 10}, {"a": 3, "c": 1}])
    assert world.asked == [("http://1 http://2", "abc")]
    assert [(one.node, one.total) for one in decision.top] == [("a", 90), ("b", 80), ("c", 10)]
    scores = decision.freeze().scores["a"]
    assert scores.raw == {"extender http://1/score": 3, "extender http://2/score": 3}
    assert scores.weighted == {"extender http://1/score": 60, "extender http://2/score": 30}


def test_an_extender_that_fails_to_score_contributes_nothing() -> None:
    decision = World(scorer("http://1"), scorer("http://2")).answered([NoAnswer("?"), {"c": 1}])
    assert (decision.node, list(decision.freeze().scores["c"].raw)) == ("c", ["extender http://2/score"])


def test_nobody_is_asked_to_score_a_single_node() -> None:
    world = World(extender(scores=True))
    assert world.answered(kept("b")).node == "b"
    assert len(world.asked) == 1


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        pytest.param({"a": -1, "b": -2, "c": -3}, ["a", "b", "c"], id="negative scores"),
        pytest.param({"b": 2**59, "c": 2**59 - 1}, ["b", "c", "a"], id="scores that selecting must not multiply"),
        pytest.param({"b": 2**60}, ["a", "c", "b"], id="ten times that wraps to a negative number, as in Go"),
        pytest.param({"c": 2**63 - 1}, ["a", "b", "c"], id="the largest number there is wraps to -10"),
        pytest.param({"a": 2**64}, ["a", "b", "c"], id="a sum beyond 64 bits wraps"),
    ],
)
def test_scores_are_neither_clamped_nor_checked(scores: dict[str, int], best: list[str]) -> None:
    decision = World(scorer()).answered([scores])
    assert [one.node for one in decision.top] == best


# ---- what changes while a question is out


def test_a_node_that_has_gone_meanwhile_falls_out() -> None:
    world = World(extender(scores=True))

    def answer() -> Kept:
        world.cache.remove_node("a")
        return kept("abc")

    assert world.answered(answer, [{"a": 10, "c": 2, "b": 1}]).node == "c"
    assert world.asked[1] == ("http://x", "bc")


def test_a_node_that_has_come_meanwhile_was_not_asked_about_even_if_it_took_a_slot() -> None:
    world = World(extender())

    def answer() -> Kept:
        world.cache.remove_node("a")
        for new in ("new-1", "new-2"):
            world.cache.set_node(node(new))
        return kept("ac", failed={"b": "no"})

    decision = world.answered(answer)
    assert (decision.node, decision.feasible, decision.evaluated) == ("c", 1, 4)


def test_a_node_that_has_filled_up_meanwhile_falls_out() -> None:
    world = World(scorer(), profile=default_profile(), cpu="3")

    def answer() -> list[dict[str, int]]:
        world.cache.assume(world.cache.pod_info(pod("other", cpu="2")), "c")
        return [{"c": 10, "b": 9}]

    assert world.answered(answer).node == "b"


def test_if_nothing_is_left_then_the_pod_is_unschedulable() -> None:
    world = World(scorer(), profile=default_profile(), nodes=ABC[:2], cpu="3")

    def answer() -> list[dict[str, int]]:
        for name in "ab":
            world.cache.assume(world.cache.pod_info(pod(name, cpu="2")), name)
        return [{"b": 9}]

    assert world.answered(answer).message.startswith("0/2 nodes are available: 2 Insufficient cpu. ")


# ---- whose business a pod is


@pytest.mark.parametrize(
    ("spec", "interested"),
    [
        pytest.param({}, False, id="not named"),
        pytest.param({"containers": [{"name": "a", "resources": {"requests": {"x.io/gpu": 1}}}]}, True, id="request"),
        pytest.param({"containers": [{"name": "a", "resources": {"limits": {"x.io/gpu": 1}}}]}, True, id="limit"),
        pytest.param({"initContainers": [{"name": "a", "resources": {"limits": {"x.io/gpu": 0}}}]}, True, id="init"),
        pytest.param({"overhead": {"x.io/gpu": 1}}, False, id="overhead does not count"),
    ],
)
def test_a_pod_concerns_an_extender_if_a_container_names_its_resource(spec: dict[str, Any], interested: bool) -> None:
    one = extender(managed_resources=frozenset({"x.io/gpu"}))
    assert one.is_interested(pod(spec=spec)) is interested
    world = World(one, spec=spec)
    world.answered(*([kept("a")] if interested else []))
    assert len(world.asked) == interested


# ---- always


NODES = st.lists(
    st.builds(node, st.sampled_from("abcdef"), cpu=st.sampled_from(["1", "2", "4"]), unschedulable=st.booleans()),
    max_size=6,
    unique_by=lambda one: one.name,
)


@given(NODES, st.sampled_from(["500m", "2", "3"]), st.integers(0, 3))
def test_an_extender_that_keeps_all_and_scores_0_changes_nothing(nodes: Any, cpu: str, count: int) -> None:
    world = World(*[extender(scores=True)] * count, nodes=nodes, profile=default_profile(), cpu=cpu)
    plain = Cycle(default_profile()).decide(world.info, world.cache.view, Context())
    fitting = frozenset(name for name, verdict in plain.freeze().verdicts.items() if verdict.feasible)
    filtering = [Kept(fitting)] * count if fitting else []
    scoring = [[dict.fromkeys(fitting, 0)] * count] if count and len(fitting) > 1 else []
    decision = world.answered(*filtering, *scoring)
    assert decision == plain
    assert decision.freeze().verdicts == plain.freeze().verdicts


@given(NODES, st.sets(st.sampled_from("abcdefg")), st.dictionaries(st.sampled_from("abcdefg"), st.integers()))
def test_only_a_node_that_fits_and_was_kept_is_chosen_and_none_scores_more(nodes: Any, names: Any, scores: Any) -> None:
    world = World(extender(scores=True), nodes=nodes, profile=default_profile(), cpu="2")
    plain = Cycle(default_profile()).decide(world.info, world.cache.view, Context())
    fitting = {name for name, verdict in plain.freeze().verdicts.items() if verdict.feasible}
    answers = [
        *([Kept(frozenset(names & fitting))] if fitting else []),
        *([[scores]] if len(names & fitting) > 1 else []),
    ]
    decision = world.answered(*answers)
    assert (decision.outcome == "scheduled") == bool(names & fitting)
    if decision.node is not None:
        assert decision.node in names & fitting
        rows = decision.freeze().scores
        assert set(rows) == names & fitting
        assert rows[decision.node].total == max(row.total for row in rows.values())


# ---- what comes over the wire


BY_NAME, IN_FULL = extender(node_cache_capable=True), extender()


def nodes_in_full(*names: str) -> NodeList:
    return NodeList(items=[Raw(b'{"metadata":{"name":"%b"},"status":{}}' % name.encode()) for name in names])


@pytest.mark.parametrize(
    ("who", "result", "expected"),
    [
        pytest.param(BY_NAME, ExtenderFilterResult(node_names=["b"]), kept("b"), id="names"),
        pytest.param(BY_NAME, ExtenderFilterResult(), kept(""), id="neither names nor nodes are no nodes"),
        pytest.param(
            BY_NAME, ExtenderFilterResult(nodes=nodes_in_full("a")), kept("a"), id="nodes though asked by name"
        ),
        pytest.param(IN_FULL, ExtenderFilterResult(nodes=nodes_in_full("a", "z")), kept("a"), id="a node nobody named"),
        pytest.param(IN_FULL, ExtenderFilterResult(node_names=["a"]), kept(""), id="names though asked in full"),
        pytest.param(
            IN_FULL, ExtenderFilterResult(error="boom"), NoAnswer("extender http://x/filter: boom"), id="error"
        ),
        pytest.param(
            BY_NAME,
            ExtenderFilterResult(node_names=["b", "z"]),
            NoAnswer("extender http://x/filter: it kept node 'z', which it was not asked about"),
            id="a name nobody asked about",
        ),
    ],
)
def test_what_an_answer_to_filter_means(who: Extender, result: ExtenderFilterResult, expected: object) -> None:
    assert kept_nodes(who, result, "ab") == expected


def test_nodes_in_full_may_spell_their_keys_in_any_case() -> None:
    result = ExtenderFilterResult(nodes=NodeList(items=[Raw(b'{"Metadata":{"Name":"a"}}'), Raw(b"null")]))
    assert kept_nodes(IN_FULL, result, "ab") == NoAnswer("extender http://x/filter: the message is null, not an object")


def test_a_host_that_is_scored_twice_gets_both() -> None:
    assert host_scores([HostPriority(host="a", score=1), HostPriority(host="a", score=4)]) == {"a": 5}
