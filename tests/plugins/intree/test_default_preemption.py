"""DefaultPreemption: who is evicted, where, and why nobody is."""

from typing import Any

import pytest
from msgspec import convert
from msgspec.structs import replace

from roost.api.budgets import PodDisruptionBudget
from roost.api.node import Node
from roost.api.pod import Pod
from roost.cache import Cache
from roost.config.profiles import default_profile
from roost.errors import ConfigError
from roost.framework.cycle import Cycle
from roost.framework.decision import Decision
from roost.framework.plan import Plan
from roost.framework.plugin import Context
from roost.framework.profile import Profile
from roost.plugins.intree.default_preemption import DefaultPreemption, DefaultPreemptionArgs
from roost.testing import node, pod

Budget = dict[str, Any]


def low(name: str, on: str = "a", *, cpu: str = "1", priority: int = 1, started: str = "", **fields: Any) -> Pod:
    status = {"phase": "Running", "startTime": f"2026-01-01T{started}Z"} if started else {"phase": "Running"}
    return pod(name, cpu=cpu, priority=priority, node_name=on, status=status | fields.pop("status", {}), **fields)


def high(*, cpu: str = "1", priority: int = 9, **fields: Any) -> Pod:
    return pod("high", cpu=cpu, priority=priority, **fields)


def budget(name: str, allowed: int = 0, disrupted: tuple[str, ...] = (), **selector: Any) -> PodDisruptionBudget:
    status = {"disruptionsAllowed": allowed, "disruptedPods": dict.fromkeys(disrupted, "2026-01-01T00:00:00Z")}
    fields = {"metadata": {"name": name, "namespace": "default"}, "spec": {"selector": selector}, "status": status}
    return convert(fields, PodDisruptionBudget)


def cluster(nodes: list[Node], *placed: Pod, budgets: tuple[PodDisruptionBudget, ...] = ()) -> Cache:
    cache = Cache()
    for one in nodes:
        cache.set_node(one)
    for other in placed:
        cache.set_pod(other)
    for protecting in budgets:
        cache.set_budget(protecting)
    return cache


def decided(cache: Cache, one: Pod, *, profile: Profile | None = None, ctx: Context | None = None) -> Decision:
    return Cycle(profile or default_profile()).decide(cache.pod_info(one), cache.view, ctx or Context())


def plan_of(cache: Cache, one: Pod) -> Plan:
    plan = decided(cache, one).plan
    assert plan is not None
    return plan


def victims(plan: Plan, name: str | None = None) -> list[str]:
    """Return the names of the victims, on the node nominated or on another candidate."""
    pods = plan.victims if name is None else plan.candidates[name].pods
    return [info.pod.name for info in pods]


ONE = [node("a", cpu=2)]

# ---- who on a node

WHO = [
    pytest.param([low("p"), low("q", priority=2)], ["p"], id="the less important, as far as that is enough"),
    pytest.param([low("p", cpu="500m"), low("q", cpu="1500m", priority=2)], ["q"], id="another if it is not"),
    pytest.param(
        [low("old", started="08:00:00"), low("new", started="09:00:00")], ["new"], id="of equal ones the younger"
    ),
    pytest.param(
        [low("run", started="08:00:00"), low("wait")], ["wait"], id="one that has not started before one that has"
    ),
    pytest.param([low("peer", priority=9), low("p")], ["p"], id="never one of the same priority"),
    pytest.param(
        [low("p", cpu="2"), low("free", cpu="0", priority=0)], ["p"], id="not one whose leaving changes nothing"
    ),
]


@pytest.mark.parametrize(("placed", "expected"), WHO)
def test_who_has_to_go(placed: list[Pod], expected: list[str]) -> None:
    assert victims(plan_of(cluster(ONE, *placed), high())) == expected


def test_victims_stand_in_the_order_of_importance() -> None:
    placed = [low("c"), low("a", priority=3), low("b", priority=2), low("d", priority=0)]
    plan = plan_of(cluster([node("a", cpu=4)], *placed), high(cpu="4"))
    assert victims(plan) == ["a", "b", "c", "d"]


def test_a_pod_that_is_ending_already_counts_as_victim() -> None:
    ending = low("ending", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    plan = plan_of(cluster([node("a", cpu=1)], ending), high())
    assert victims(plan) == ["ending"]


# ---- budgets

PROTECTED = {"labels": {"app": "db"}}
BUDGETS = [
    pytest.param(budget("none", matchLabels={"app": "db"}), ["free"], 0, id="the one that no budget protects"),
    pytest.param(budget("one", allowed=1, matchLabels={"app": "db"}), ["db"], 0, id="the less important if one may go"),
    pytest.param(budget("other", matchLabels={"app": "web"}), ["db"], 0, id="the budget of other pods does not matter"),
    pytest.param(budget("empty"), ["db"], 0, id="nor one that selects everything"),
    pytest.param(
        budget("counted", disrupted=("db",), matchLabels={"app": "db"}), ["db"], 0, id="nor for a pod counted already"
    ),
]


@pytest.mark.parametrize(("protecting", "expected", "violations"), BUDGETS)
def test_budgets_are_respected_where_that_is_possible(
    protecting: PodDisruptionBudget, expected: list[str], violations: int
) -> None:
    placed = [low("db", priority=1, **PROTECTED), low("free", priority=2)]
    plan = plan_of(cluster(ONE, *placed, budgets=(protecting,)), high())
    assert (victims(plan), plan.candidates["a"].violations) == (expected, violations)


def test_where_it_is_not_possible_they_are_violated() -> None:
    placed = [low("db", **PROTECTED), low("db2", **PROTECTED)]
    protecting = budget("one", allowed=1, matchLabels={"app": "db"})
    plan = plan_of(cluster(ONE, *placed, budgets=(protecting,)), high(cpu="2"))
    assert (sorted(victims(plan)), plan.candidates["a"].violations) == (["db", "db2"], 1)


def test_a_budget_that_is_gone_protects_nobody() -> None:
    protecting = budget("none", matchLabels={"app": "db"})
    cache = cluster(ONE, low("db", **PROTECTED), low("free", priority=2), budgets=(protecting,))
    cache.remove_budget(protecting)
    assert victims(plan_of(cache, high())) == ["db"]


# ---- which node

AB = [node("a", cpu=1), node("b", cpu=1)]
BETTER = [
    pytest.param(
        [low("a1", "a", **PROTECTED), low("b1", "b", priority=5)], "b", id="fewer victims that a budget protects"
    ),
    pytest.param([low("a1", "a", priority=3), low("b1", "b", priority=2)], "b", id="then the lower highest priority"),
    pytest.param(
        [low("a1", "a", cpu="500m"), low("a2", "a", cpu="500m"), low("b1", "b")], "b", id="then the smaller sum"
    ),
    pytest.param([low("a1", started="08:00:00"), low("b1", "b", started="09:00:00")], "b", id="then the later start"),
    pytest.param([low("a1"), low("b1", "b")], "a", id="then the first name"),
]


@pytest.mark.parametrize(("placed", "expected"), BETTER)
def test_which_of_the_candidates_is_best(placed: list[Pod], expected: str) -> None:
    protecting = budget("none", matchLabels={"app": "db"})
    plan = plan_of(cluster(AB, *placed, budgets=(protecting,)), high())
    assert plan.nominated == expected
    assert set(plan.candidates) == {"a", "b"}


def test_nodes_that_are_equally_good_are_told() -> None:
    plan = plan_of(cluster(AB, low("a1"), low("b1", "b")), high())
    assert plan.ties == ("a", "b")


def test_a_node_where_evicting_does_not_help_is_no_candidate() -> None:
    nodes = [node("a", cpu=1), node("b", cpu=4, unschedulable=True), node("c", cpu="500m")]
    plan = plan_of(cluster(nodes, low("a1"), low("b1", "b", cpu="4"), low("c1", "c", cpu="500m")), high())
    assert set(plan.candidates) == {"a"}


def test_host_ports_are_freed_by_evicting_who_holds_them() -> None:
    placed = [low("holder", cpu="100m", host_ports=[80]), low("other", cpu="100m")]
    assert victims(plan_of(cluster(ONE, *placed), high(host_ports=[80]))) == ["holder"]


def test_those_with_rules_against_the_pod_are_evicted() -> None:
    terms = [{"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "web"}}}]
    away = {"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}}
    nodes = [node("a", cpu=2, labels={"kubernetes.io/hostname": "a"})]
    placed = [low("loner", cpu="100m", spec=away), low("friendly", cpu="100m", priority=0)]
    assert victims(plan_of(cluster(nodes, *placed), high(labels={"app": "web"}))) == ["loner"]


# ---- nobody

NOBODY = [
    pytest.param(
        {}, [low("peer", cpu="2", priority=9)], "No preemption victims found for incoming pod", id="no such pod"
    ),
    pytest.param(
        {"cpu": "3"}, [low("p", cpu="2")], "Preemption is not helpful for scheduling", id="no node of that size"
    ),
    pytest.param(
        {}, [low("peer", cpu="1500m", priority=9), low("p", cpu="500m")], "Insufficient cpu", id="not enough if they go"
    ),
]


@pytest.mark.parametrize(("asking", "placed", "text"), NOBODY)
def test_why_nobody_is_evicted(asking: dict[str, Any], placed: list[Pod], text: str) -> None:
    decision = decided(cluster(ONE, *placed), high(**asking))
    preemption = f"no new claims to deallocate, preemption: 0/1 nodes are available: 1 {text}."
    assert decision.message == f"{decision.fit_error} {preemption}"
    assert decision.plan is not None
    assert (decision.plan.victims, decision.plan.nominated) == ((), "")


def test_a_pod_that_must_not_preempt_says_so() -> None:
    plan = plan_of(cluster(ONE, low("p", cpu="2")), high(spec={"preemptionPolicy": "Never"}))
    assert plan.message == "no new claims to deallocate, preemption: not eligible due to preemptionPolicy=Never."
    assert plan.nominated is None


PREEMPTED = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
ENDING = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
NOMINATED = {"status": {"nominatedNodeName": "a"}}


def test_a_pod_whose_victims_are_ending_does_not_evict_others() -> None:
    ending = low("ending", metadata=ENDING, status={"conditions": [PREEMPTED]})
    plan = plan_of(cluster([*ONE, node("b", cpu=1)], ending, low("p"), low("b1", "b")), high(**NOMINATED))
    assert plan.message.endswith("preemption: not eligible due to a terminating pod on the nominated node.")
    assert plan.nominated is None, "the promise stays"


MORE = [
    pytest.param(low("ending", metadata=ENDING), id="who ends for another reason"),
    pytest.param(low("there", status={"conditions": [PREEMPTED]}), id="who is not ending yet"),
    pytest.param(
        low("ending", priority=9, metadata=ENDING, status={"conditions": [PREEMPTED]}), id="who is no less important"
    ),
]


@pytest.mark.parametrize("other", MORE)
def test_nobody_waits_for(other: Pod) -> None:
    plan = plan_of(cluster([*ONE, node("b", cpu=1)], other, low("p"), low("b1", "b")), high(**NOMINATED))
    assert plan.victims


def test_a_promise_that_cannot_be_kept_is_taken_back() -> None:
    plan = plan_of(cluster(ONE, low("peer", cpu="2", priority=9)), high(**NOMINATED))
    assert plan.nominated == ""


# ---- how many nodes are tried


def test_the_search_ends_with_enough_candidates() -> None:
    nodes = [node(f"n{i:02}", cpu=1) for i in range(40)]
    cache = cluster(nodes, *(low(f"p{i:02}", f"n{i:02}") for i in range(40)))
    plugin = DefaultPreemption(DefaultPreemptionArgs(min_candidate_nodes_percentage=20, min_candidate_nodes_absolute=5))
    profile = replace(default_profile(), post_filter=(plugin,))
    found = [decided(cache, high(), profile=profile, ctx=Context(seed=seed)).plan for seed in range(3)]
    assert [len(plan.candidates) for plan in found if plan is not None] == [8, 8, 8]
    assert len({tuple(plan.candidates) for plan in found if plan is not None}) > 1, "it starts elsewhere"


def test_it_goes_on_until_one_violates_no_budget() -> None:
    nodes = [node(f"n{i}", cpu=1) for i in range(6)]
    placed = [low(f"p{i}", f"n{i}", labels={"app": "db"} if i != 4 else {}) for i in range(6)]
    cache = cluster(nodes, *placed, budgets=(budget("none", matchLabels={"app": "db"}),))
    plugin = DefaultPreemption(DefaultPreemptionArgs(min_candidate_nodes_percentage=0, min_candidate_nodes_absolute=1))
    for seed in range(6):
        profile = replace(default_profile(), post_filter=(plugin,))
        plan = decided(cache, high(), profile=profile, ctx=Context(seed=seed)).plan
        assert plan is not None
        assert plan.nominated == "n4"


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        ({"min_candidate_nodes_percentage": 101}, "minCandidateNodesPercentage: 101 is not between 0 and 100"),
        ({"min_candidate_nodes_absolute": -1}, "minCandidateNodesAbsolute: -1 is negative"),
        (
            {"min_candidate_nodes_percentage": 0, "min_candidate_nodes_absolute": 0},
            "minCandidateNodesPercentage: must not be 0 while minCandidateNodesAbsolute is 0 too",
        ),
    ],
)
def test_arguments_that_cannot_be(args: dict[str, int], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        DefaultPreemption(DefaultPreemptionArgs(**args))
