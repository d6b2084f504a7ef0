"""Identical pods in a row are decided ahead of time; the decisions must be those of deciding one by one."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from roost.api.node import Node
from roost.api.pod import Pod
from roost.cache import Cache
from roost.config.profiles import default_profile, profile_from_fragment
from roost.framework.cycle import Cycle
from roost.framework.decision import Decision
from roost.framework.look_ahead import MOST
from roost.framework.plugin import Context, Plugin, PreFilterAnswer, Scores, Verdicts
from roost.framework.pod_info import PodInfo
from roost.framework.profile import Profile
from roost.framework.resources import PODS
from roost.framework.status import unschedulable
from roost.framework.view import Rows, View
from roost.testing import node, pod

Event = Callable[[Cache], object]


def cache_of(nodes: Iterable[Node], pods: Iterable[Pod] = ()) -> Cache:
    cache = Cache()
    for one in nodes:
        cache.set_node(one)
    for one in pods:
        cache.set_pod(one)
    return cache


def infos(cache: Cache, pods: Sequence[Pod]) -> list[PodInfo]:
    return [cache.pod_info(one) for one in pods]


def place(cache: Cache, decision: Decision, event: Event | None) -> None:
    """Do what the driver does after a decision; an event may happen in between."""
    if decision.node is not None:
        cache.assume(decision.pod, decision.node)
    if event is not None:
        event(cache)


def ahead(profile: Profile, cache: Cache, pods: Sequence[Pod], events: dict[int, Event]) -> list[Decision]:
    decisions = []
    for decision in Cycle(profile).decide_run(infos(cache, pods), cache.view, Context()):
        decisions.append(decision)
        place(cache, decision, events.get(len(decisions)))
    return decisions


def one_by_one(profile: Profile, cache: Cache, pods: Sequence[Pod], events: dict[int, Event]) -> list[Decision]:
    decisions = []
    for info in infos(cache, pods):
        decisions.append(Cycle(profile).decide(info, cache.view, Context()))
        place(cache, decisions[-1], events.get(len(decisions)))
    return decisions


def decided(
    profile: Profile, nodes: Sequence[Node], pods: Sequence[Pod], events: dict[int, Event] | None = None
) -> list[Decision]:
    """Decide ahead, after checking that deciding one by one gives the same."""
    decisions = ahead(profile, cache_of(nodes), pods, events or {})
    expected = one_by_one(profile, cache_of(nodes), pods, events or {})
    assert [decision.facts for decision in decisions] == [decision.facts for decision in expected]
    return decisions


def placements(decisions: Sequence[Decision]) -> str:
    return " ".join(decision.node or "-" for decision in decisions)


def alike(count: int, **fields: Any) -> list[Pod]:
    return [pod(f"p{number}", **{"cpu": 1, **fields}) for number in range(count)]


def fit(strategy: str) -> Profile:
    args = {"scoringStrategy": {"type": strategy, "resources": [{"name": "cpu"}]}}
    scorers = {"disabled": [{"name": "NodeResourcesBalancedAllocation"}]}
    return profile_from_fragment(
        {"pluginConfig": [{"name": "NodeResourcesFit", "args": args}], "plugins": {"score": scorers}}
    )


SPREADING, PACKING = fit("LeastAllocated"), fit("MostAllocated")
THREE = [node("a", cpu=2), node("b", cpu=2), node("c", cpu=2)]


@pytest.mark.parametrize(
    ("profile", "nodes", "expected"),
    [
        pytest.param(SPREADING, THREE, "a b c a b c - -", id="spreading goes round until all are full"),
        pytest.param(PACKING, THREE, "a a b b c c - -", id="packing fills one after the other"),
        pytest.param(SPREADING, [node("a", cpu=8), node("b", cpu=2)], "a a a a b a a a", id="the larger takes more"),
        pytest.param(
            PACKING, [node("a", cpu=8), node("b", cpu=2)], "b b a a a a a a", id="the smaller is packed first"
        ),
        pytest.param(SPREADING, [node("a", pods=2), node("b", cpu=1)], "a a b - - - - -", id="places for pods run out"),
        pytest.param(SPREADING, [], "- - - - - - - -", id="no nodes"),
    ],
)
def test_where_a_run_of_pods_goes(profile: Profile, nodes: list[Node], expected: str) -> None:
    assert placements(decided(profile, nodes, alike(8))) == expected


def test_pods_of_several_shapes_alternate_with_runs() -> None:
    pods = [*alike(3), pod("big", cpu=3), *alike(2, memory="1Gi"), pod("none"), pod("port", host_ports=[80]), *alike(1)]
    renamed = [pod_named(one, f"q{number}") for number, one in enumerate(pods)]
    decisions = decided(default_profile(), [node("a", cpu=5), node("b", cpu=4), node("c", cpu=1)], renamed)
    assert all(decision.node for decision in decisions)


def pod_named(one: Pod, name: str) -> Pod:
    return replace(one, metadata=replace(one.metadata, name=name, uid=name))


def test_a_run_longer_than_one_evaluation_serves() -> None:
    nodes = [node(f"n{number}", cpu=100 + number, pods=200) for number in range(8)]
    decisions = decided(SPREADING, nodes, alike(MOST + 100))
    assert all(decision.node for decision in decisions)


def test_a_run_on_many_more_nodes_than_pods() -> None:
    nodes = [node(f"n{number:03}", cpu=2 + number % 5) for number in range(300)]
    decisions = decided(SPREADING, nodes, alike(40))
    assert len({decision.node for decision in decisions}) == 40


def test_preferences_hold_along_a_run_and_when_the_preferred_nodes_are_full() -> None:
    rules = {"weight": 10, "preference": {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}}
    spec = {"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [rules]}}}
    soft = [{"key": "old", "effect": "PreferNoSchedule"}]
    nodes = [node("a", cpu=2, taints=soft), node("b", cpu=2, labels={"disk": "ssd"}), node("c", cpu=2)]
    assert placements(decided(default_profile(), nodes, alike(7, spec=spec))) == "b b c c a a -"


def test_when_the_most_preferred_node_is_full_the_next_sets_the_scale() -> None:
    def preference(weight: int, zone: str) -> dict[str, Any]:
        wanted = {"key": "zone", "operator": "In", "values": [zone]}
        return {"weight": weight, "preference": {"matchExpressions": [wanted]}}

    preferences = [preference(10, "a"), preference(4, "b")]
    spec = {"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferences}}}
    nodes = [node(name, cpu=2, labels={"zone": name}) for name in "abc"]
    decisions = decided(default_profile(), nodes, alike(6, spec=spec))
    assert placements(decisions) == "a a b b c c"


def test_one_node_takes_more_pods_than_were_worked_out_at_first() -> None:
    nodes = [node(f"n{number:02}", cpu=64) for number in range(60)]
    assert {decision.node for decision in decided(PACKING, nodes, alike(50))} == {"n00"}


def test_pods_that_fit_nowhere_all_get_the_reasons() -> None:
    decisions = decided(default_profile(), THREE, alike(3, cpu=3))
    (message,) = {decision.message for decision in decisions}
    assert message.startswith("0/3 nodes are available: 3 Insufficient cpu. ")
    assert [decision.pod.key for decision in decisions] == ["default/p0", "default/p1", "default/p2"]


def test_a_decision_taken_ahead_has_no_columns_and_says_so() -> None:
    first, *_ = decided(SPREADING, THREE, alike(4))
    with pytest.raises(ValueError, match="default/p0 was taken ahead: decide the pod alone"):
        first.freeze()


# ---- what happens in between

BUSY = pod("busy", cpu=2, node_name="b", uid="busy")
BETWEEN = [
    pytest.param(lambda cache: cache.set_pod(BUSY), "a c a c - -", id="another pod is placed"),
    pytest.param(lambda cache: cache.remove_node("b"), "a c a c - -", id="a node goes"),
    pytest.param(lambda cache: cache.set_node(node("0", cpu=2)), "a 0 b c 0 a", id="a node comes"),
    pytest.param(lambda cache: cache.set_node(node("b", cpu=2, unschedulable=True)), "a c a c - -", id="a cordon"),
    pytest.param(lambda cache: cache.set_node(node("a", cpu=8)), "a a a a b c", id="a node grows"),
    pytest.param(lambda cache: cache.forget(cache.pods[0]), "a a b c a b", id="a binding fails"),
    pytest.param(lambda cache: cache.view.journal.bump("images"), "a b c a b c", id="something that alters nothing"),
]


@pytest.mark.parametrize(("event", "expected"), BETWEEN)
def test_what_happens_in_between_is_taken_into_account(event: Event, expected: str) -> None:
    assert placements(decided(SPREADING, THREE, alike(6), {1: event})) == expected


def test_a_driver_may_place_a_pod_elsewhere() -> None:
    cache = cache_of(THREE)
    decisions = []
    for decision in Cycle(SPREADING).decide_run(infos(cache, alike(5)), cache.view, Context()):
        decisions.append(decision)
        cache.assume(decision.pod, "c" if len(decisions) == 1 else str(decision.node))
    assert placements(decisions) == "a a b a b"


def test_a_driver_may_place_no_pod_at_all() -> None:
    cache = cache_of(THREE)
    decisions = list(Cycle(SPREADING).decide_run(infos(cache, alike(4)), cache.view, Context()))
    assert placements(decisions) == "a a a a"


def test_room_that_appears_while_pods_fit_nowhere_is_taken() -> None:
    events: dict[int, Event] = {3: lambda cache: cache.set_node(node("new", cpu=2))}
    assert placements(decided(SPREADING, [node("a", cpu=1)], alike(6), events)) == "a - - new new -"


# ---- plugins of all kinds


class Crowded(Plugin):
    """Counts how often it is asked; prefers crowded nodes, and fails where there are as many pods as it can bear."""

    name = "Crowded"
    reads = frozenset({"usage"})
    pod_reads = ()

    def __init__(self, bears: int = 1 << 30) -> None:
        super().__init__()
        self.bears = bears
        self.times_asked = 0

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        self.times_asked += 1
        pods = view.usage[PODS][rows]
        if (pods >= self.bears).any():
            raise RuntimeError("too crowded")
        return np.minimum(10 * pods, 100)


class NotMoreThan(Plugin):
    """Lets no more than a number of pods into the cluster."""

    name = "NotMoreThan"
    reads = frozenset({"usage"})
    pod_reads = ()

    def __init__(self, pods: int) -> None:
        super().__init__()
        self.pods = pods

    def pre_filter(self, ctx: Context, pod: PodInfo, view: View) -> PreFilterAnswer:
        placed = int(view.usage[PODS].sum())
        return unschedulable(f"{placed} pods are enough") if placed >= self.pods else None


class AtMost(Plugin):
    """Lets no more than two pods onto a node."""

    name = "AtMost"
    reads = frozenset({"usage"})
    pod_reads = ()

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        return Verdicts.rejecting(view.usage[PODS][rows] >= 2, unschedulable("two pods are enough"))


def test_a_run_is_decided_from_few_evaluations() -> None:
    crowded = Crowded()
    cache = cache_of(THREE)
    assert placements(ahead(Profile.of([crowded]), cache, alike(60), {})) == " ".join(["a"] * 60)
    assert crowded.times_asked < 15


def test_filters_and_scores_of_users_hold_along_a_run() -> None:
    profile = Profile.of([AtMost(), Crowded()])
    assert placements(decided(profile, THREE, alike(7))) == "a a b b c c -"


def test_a_plugin_that_looks_at_the_whole_cluster_beforehand_is_asked_for_every_pod() -> None:
    profile = Profile.of([NotMoreThan(4), *(scorer.plugin for scorer in SPREADING.score)])
    assert placements(decided(profile, THREE, alike(6))) == "a b c a - -"


@pytest.mark.parametrize("bears", range(1, 6))
def test_a_plugin_that_fails_along_a_run_fails_for_the_pod_for_which_it_would_fail_alone(bears: int) -> None:
    decisions = decided(Profile.of([Crowded(bears)]), THREE, alike(7))
    assert [decision.outcome for decision in decisions] == ["scheduled"] * bears + ["error"] * (7 - bears)
    assert "plugin Crowded failed in score at test_look_ahead.py" in decisions[-1].message
