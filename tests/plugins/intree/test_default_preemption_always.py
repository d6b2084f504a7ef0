"""DefaultPreemption: what it finds for all nodes at once is what looking at one node after the other finds."""

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import convert

from roost.api.budgets import PodDisruptionBudget
from roost.api.labels import selects
from roost.api.node import Node
from roost.api.pod import Pod
from roost.cache import Cache
from roost.config.profiles import default_profile
from roost.framework.cycle import Cycle
from roost.framework.plugin import Context
from roost.framework.profile import Profile
from roost.testing import node, pod

APPS = ("web", "db", "")
PROFILE = default_profile()


def rules(app: str, near: str, away: str, spread: bool) -> dict[str, Any]:
    """Return a spec with rules between pods, by zone."""

    def terms(which: str) -> list[dict[str, Any]]:
        return [{"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": which}}}] if which else []

    spreading = {"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}
    return {
        "affinity": {
            "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms(near)},
            "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms(away)},
        },
        "topologySpreadConstraints": [spreading | {"labelSelector": {"matchLabels": {"app": app}}}] if spread else [],
    }


@st.composite
def pods(draw: st.DrawFn, *, top: int, may_repel: bool = True) -> dict[str, Any]:
    app = draw(st.sampled_from(APPS))
    away = draw(st.sampled_from(("", "", "", *APPS))) if may_repel else ""
    return {
        "cpu": draw(st.sampled_from(("0", "500m", "1", "2"))),
        "priority": draw(st.integers(0, top)),
        "labels": {"app": app} if app else {},
        "host_ports": draw(st.sampled_from(((), (), (80,)))),
        "spec": rules(app, draw(st.sampled_from(("", "", "", app))), away, draw(st.integers(0, 5)) == 0),
    }


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Node], list[Pod], list[tuple[Pod, str]], list[PodDisruptionBudget], Pod]:
    """Draw nodes, pods on them, nominated pods, budgets, and the pod to place.

    Nominated pods repel nobody: whether rules against a pod are looked at at all is settled before any victim goes, and
    by the pods that are placed. A cluster without the victims would settle it otherwise.
    """
    names = "abcd"[: draw(st.integers(1, 4))]
    nodes = [
        node(
            name,
            cpu=draw(st.integers(1, 3)),
            pods=draw(st.integers(2, 4)),
            labels={"zone": draw(st.sampled_from("xy"))},
        )
        for name in names
    ]
    placed = []
    for i in range(draw(st.integers(0, 9))):
        started = {"phase": "Running", "startTime": f"2026-01-01T00:00:{i:02}Z"}
        placed.append(pod(f"p{i}", node_name=draw(st.sampled_from(names)), status=started, **draw(pods(top=4))))
    promised = [
        (pod(f"n{i}", **draw(pods(top=8, may_repel=False))), draw(st.sampled_from(names)))
        for i in range(draw(st.integers(0, 2)))
    ]
    budgets = [
        {
            "metadata": {"name": f"b{i}", "namespace": "default"},
            "spec": {"selector": {"matchLabels": {"app": draw(st.sampled_from(APPS[:2]))}}},
            "status": {"disruptionsAllowed": draw(st.integers(0, 1))},
        }
        for i in range(draw(st.integers(0, 2)))
    ]
    return nodes, placed, promised, convert(budgets, list[PodDisruptionBudget]), pod("new", **draw(pods(top=6)))


def cache_of(nodes: list[Node], placed: list[Pod], promised: list[tuple[Pod, str]]) -> Cache:
    cache = Cache()
    for one in nodes:
        cache.set_node(one)
    for other in placed:
        cache.set_pod(other)
    for waiting, name in promised:
        cache.view.nominations.set(cache.pod_info(waiting), name)
    return cache


def importance(one: Pod) -> tuple[int, str]:
    return -(one.spec.priority or 0), one.status.start_time or ""


def protected(found: list[Pod], budgets: list[PodDisruptionBudget]) -> set[str]:
    """Return the names of those, in the order of importance, whose leaving violates a budget."""
    left = {budget.name: budget.status.disruptions_allowed for budget in budgets}
    names = set()
    for one in found:
        for budget in budgets:
            if one.labels and selects(budget.spec.selector, one.labels):
                left[budget.name] -= 1
                if left[budget.name] < 0:
                    names.add(one.name)
    return names


def one_by_one(profile: Profile, world: Any) -> dict[str, tuple[list[str], int]]:
    """Return the victims on each node, with a cluster of its own for each state that is looked at."""
    nodes, placed, promised, budgets, new = world

    def fits(name: str, gone: set[str]) -> bool:
        cache = cache_of(nodes, [one for one in placed if one.name not in gone], promised)
        filtered = Cycle(profile).filter_nodes(cache.pod_info(new), cache.view, Context())
        return bool(filtered.feasible[cache.view.rows_named(name)[0]])

    found: dict[str, tuple[list[str], int]] = {}
    for one in nodes:
        lower = [
            p for p in placed if p.spec.node_name == one.name and (p.spec.priority or 0) < (new.spec.priority or 0)
        ]
        lower.sort(key=importance)
        gone = {p.name for p in lower}
        if not lower or not fits(one.name, gone):
            continue
        violating = protected(lower, budgets)
        for back in sorted(lower, key=lambda p: p.name not in violating):
            gone.discard(back.name)
            if not fits(one.name, gone):
                gone.add(back.name)
        if gone:
            found[one.name] = [f"default/{p.name}" for p in lower if p.name in gone], len(gone & violating)
    return found


@given(worlds())
@settings(deadline=None)
def test_the_candidates_are_those_of_looking_at_one_node_after_the_other(world: Any) -> None:
    nodes, placed, promised, budgets, new = world
    cache = cache_of(nodes, placed, promised)
    for budget in budgets:
        cache.set_budget(budget)
    decision = Cycle(PROFILE).decide(cache.pod_info(new), cache.view, Context())
    if decision.plan is None:
        return
    assert decision.filtered is not None
    resolvable = decision.filtered.resolvable(cache.view)
    helped = {name for name in cache.node_names if resolvable[cache.view.rows_named(name)[0]]}
    expected = {name: found for name, found in one_by_one(PROFILE, world).items() if name in helped}
    got = {
        name: ([info.key for info in victims.pods], victims.violations)
        for name, victims in decision.plan.candidates.items()
    }
    assert got == expected


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(("place", "move", "remove", "node goes", "node comes", "look")),
        st.sampled_from("pqrs"),
        st.sampled_from("ab"),
        st.integers(0, 3),
    ),
    max_size=25,
)


@pytest.mark.filterwarnings("error")
@given(EVENTS)
def test_the_columns_of_pods_are_the_pods_on_the_nodes_there_are(events: list[tuple[str, str, str, int]]) -> None:
    cache = Cache()
    for what, name, on, priority in events:
        if what == "node comes":
            cache.set_node(node(on))
        elif what == "node goes":
            cache.remove_node(on)
        elif what == "remove":
            cache.remove_pod(pod(name))
        elif what != "look" or cache.view.placed is None:
            cache.set_pod(pod(name, node_name=on, priority=priority, cpu=priority))
    placed = cache.view.placed
    there = defaultdict(set)
    for entry, info in enumerate(placed.pods):
        if info is not None and placed.rows[entry] >= 0:
            there[cache.view.name(int(placed.rows[entry]))].add((info.key, int(placed.priority[entry])))
            assert placed.vectors[: len(info.requests.vector), entry].tolist() == info.requests.vector.tolist()
    expected = defaultdict(set)
    for info in cache.pods:
        if cache.view.slot(cache.node_of(info.key) or "") is not None:
            expected[cache.node_of(info.key) or ""].add((info.key, info.priority))
    assert there == expected
