"""Extenders that have a say in preemption: they are asked in turn, and what they leave is chosen from."""

from typing import Any

import pytest

from roost.api.extender import MetaPod, MetaVictims
from roost.cache import Cache
from roost.config.profiles import default_profile
from roost.framework.asking import Answer, PreemptQuestion, decide_asking
from roost.framework.cycle import Cycle
from roost.framework.decision import Decision
from roost.framework.extenders import Extender, NoAnswer
from roost.framework.plugin import Context
from roost.framework.status import Code
from roost.testing import node, pod

Asked = list[tuple[str, dict[str, list[str]]]]


def extender(url: str = "http://x", **fields: Any) -> Extender:
    return Extender(url=url, preempt_verb="preempt", **fields)


def victims(*uids: str, violations: int = 0) -> MetaVictims:
    return MetaVictims(pods=[MetaPod(uid=uid) for uid in uids], num_pdb_violations=violations)


def decided(extenders: list[Extender], *answers: Answer, cpu: int = 1) -> tuple[Decision, Asked]:
    """Decide for a pod of high priority on nodes a, b, c, which pods a1, a2 … of low priority fill."""
    cache = Cache()
    for name in "abc":
        cache.set_node(node(name, cpu=2))
        for number in (1, 2):
            cache.set_pod(pod(f"{name}{number}", cpu=1, node_name=name, priority=number))
    info = cache.pod_info(pod("high", cpu=cpu, priority=9))
    asking = decide_asking(Cycle(default_profile()), info, cache.view, Context(), extenders)
    asked: Asked = []
    waiting = iter(answers)
    try:
        question = next(asking)
        while True:
            assert isinstance(question, PreemptQuestion)
            found = {name: [info.pod.name for info in it.pods] for name, it in question.candidates.items()}
            asked.append((question.extender.url, found))
            question = asking.send(next(waiting))
    except StopIteration as end:
        assert next(waiting, None) is None, "an answer nobody asked for"
        return end.value, asked


def test_each_is_asked_about_what_the_one_before_left() -> None:
    one, two = extender("http://1"), extender("http://2")
    decision, asked = decided([one, two], {"b": victims("b1"), "c": victims("c1")}, {"c": victims("c1")})
    assert asked == [("http://1", {"a": ["a1"], "b": ["b1"], "c": ["c1"]}), ("http://2", {"b": ["b1"], "c": ["c1"]})]
    assert decision.plan is not None
    assert (decision.plan.nominated, [info.key for info in decision.plan.victims]) == ("c", ["default/c1"])
    assert decision.message == "0/3 nodes are available: 3 Insufficient cpu."


def test_other_victims_on_the_node_may_be_named() -> None:
    decision, _ = decided([extender()], {"b": victims("b2", "b1", violations=1)})
    assert decision.plan is not None
    assert [info.pod.name for info in decision.plan.victims] == ["b2", "b1"]
    assert decision.plan.candidates["b"].violations == 1


def test_without_any_node_left_nobody_is_evicted() -> None:
    decision, asked = decided([extender("http://1"), extender("http://2")], {})
    assert len(asked) == 1
    assert decision.plan is not None
    assert (decision.plan.nominated, decision.plan.victims) == (None, ())
    assert decision.message.endswith(
        "3 Insufficient cpu. no new claims to deallocate, preemption: no candidate node for preemption"
    )


FAULTS = [
    pytest.param(NoAnswer("extender http://x/preempt: no"), "extender http://x/preempt: no", id="it fails"),
    pytest.param({"a": victims()}, 'expected at least one victim pod on node "a"', id="a node without victims"),
    pytest.param({"a": None}, 'expected at least one victim pod on node "a"', id="null in place of victims"),
    pytest.param(
        {"a": victims("b1")},
        "extender http://x/preempt: it would evict pod 'b1' (a uid) from a, where it is not",
        id="a pod that is elsewhere",
    ),
]


@pytest.mark.parametrize(("answer", "problem"), FAULTS)
def test_a_fault_ends_preemption(answer: Answer, problem: str) -> None:
    decision, _ = decided([extender()], answer)
    assert decision.outcome == "unschedulable"
    assert decision.plan is not None
    assert (decision.plan.status.code, decision.plan.victims) == (Code.Error, ())
    assert decision.message == f"0/3 nodes are available: 3 Insufficient cpu. preemption: {problem}"


@pytest.mark.parametrize(
    ("answer", "nominated"),
    [
        pytest.param(NoAnswer("no"), "a", id="one that fails is skipped"),
        pytest.param({"a": victims(), "b": victims("b1")}, "b", id="a node without victims is left out"),
    ],
)
def test_an_ignorable_one_does_not_matter(answer: Answer, nominated: str) -> None:
    decision, _ = decided([extender(ignorable=True)], answer)
    assert decision.plan is not None
    assert decision.plan.nominated == nominated


def test_nobody_is_asked_where_evicting_does_not_help() -> None:
    decision, asked = decided([extender()], cpu=3)
    assert asked == []
    assert decision.plan is not None
    assert decision.plan.nominated == ""


def test_one_that_is_not_interested_is_not_asked() -> None:
    _, asked = decided([extender(managed_resources=frozenset({"x.io/gpu"}))])
    assert asked == []
