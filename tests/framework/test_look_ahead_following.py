"""Identical pods that are spread are decided ahead too; the decisions must be those of deciding one by one."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import convert

from roost.api.controllers import Service
from roost.api.node import Node
from roost.api.pod import Pod
from roost.cache import Cache
from roost.config.profiles import default_profile, profile_from_fragment
from roost.framework.cycle import Cycle
from roost.framework.decision import Decision
from roost.framework.look_ahead_following import FEWEST, FollowedRun
from roost.framework.plugin import Context
from roost.framework.profile import Profile
from roost.testing import node, pod

ZONE, HOSTNAME, RACK = "topology.kubernetes.io/zone", "kubernetes.io/hostname", "rack"
WEB = {"app": "web"}
PLAIN = default_profile()
ROOMY = profile_from_fragment({"plugins": {"score": {"enabled": [{"name": "NodeResourcesFit", "weight": 5}]}}})
Event = Callable[[Cache], object]


def cache_of(nodes: Iterable[Node], placed: Iterable[Pod] = ()) -> Cache:
    cache = Cache()
    for one in nodes:
        cache.set_node(one)
    for one in placed:
        cache.set_pod(one)
    service = {"metadata": {"name": "web", "namespace": "default"}, "spec": {"selector": WEB}}
    cache.set_controller(convert(service, Service))
    return cache


def driven(decisions: Iterator[Decision], cache: Cache, events: dict[int, Event]) -> list[Decision]:
    """Place each pod as soon as it is decided, as the driver does; an event may happen after it."""
    seen = []
    for decision in decisions:
        seen.append(decision)
        if decision.node is not None:
            cache.assume(decision.pod, decision.node)
        events.get(len(seen), id)(cache)
    return seen


def decided(
    nodes: Sequence[Node],
    pods: Sequence[Pod],
    placed: Sequence[Pod] = (),
    events: dict[int, Event] | None = None,
    profile: Profile = PLAIN,
) -> list[Decision]:
    """Decide ahead, after checking that deciding one by one gives the same."""
    cache = cache_of(nodes, placed)
    infos = [cache.pod_info(one) for one in pods]
    ahead = driven(Cycle(profile).decide_run(infos, cache.view, Context()), cache, events or {})
    cache = cache_of(nodes, placed)
    cycle, infos = Cycle(profile), [cache.pod_info(one) for one in pods]
    one_by_one = driven((cycle.decide(info, cache.view, Context()) for info in infos), cache, events or {})
    assert [decision.facts for decision in ahead] == [decision.facts for decision in one_by_one]
    return ahead


def alike(count: int, **fields: Any) -> list[Pod]:
    return [pod(f"p{number}", **{"cpu": 1, "labels": WEB, **fields}) for number in range(count)]


def zoned(name: str, zone: str | None = None, cpu: int = 64, rack: str = "") -> Node:
    labels = {HOSTNAME: name, **({} if zone is None else {ZONE: zone}), **({RACK: rack} if rack else {})}
    return node(name, cpu=cpu, labels=labels)


@pytest.fixture
def followed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of pods that were decided ahead in each run."""
    counts: list[int] = []
    real = FollowedRun.decisions

    def counted(self: FollowedRun, pods: Any) -> Iterator[Decision]:
        counts.append(0)
        for decision in real(self, pods):
            counts[-1] += 1
            yield decision

    monkeypatch.setattr(FollowedRun, "decisions", counted)
    return counts


def placements(decisions: Sequence[Decision]) -> str:
    return " ".join(decision.node or "-" for decision in decisions)


SIX = [zoned(f"{zone}{number}", zone) for zone in "ab" for number in range(3)]


def test_pods_of_a_service_go_round_the_zones_and_their_nodes(followed: list[int]) -> None:
    assert placements(decided(SIX, alike(8))) == "a0 b0 a1 b1 a2 b2 a0 b0"
    assert followed == [8]


def test_the_zone_that_has_some_already_waits(followed: list[int]) -> None:
    placed = [pod(f"placed{number}", labels=WEB, node_name="a0") for number in range(3)]
    assert placements(decided(SIX, alike(9), placed)).split()[:4] == ["b0", "b1", "b2", "a1"]
    assert followed == [9]


def test_few_pods_are_not_worth_it(followed: list[int]) -> None:
    decided(SIX, alike(FEWEST - 1))
    assert followed == []


def test_a_node_that_is_full_is_left_and_counts_for_nothing_any_more(followed: list[int]) -> None:
    nodes = [zoned("a0", "a", cpu=2), zoned("b0", "b", cpu=3), zoned("c0", "c", cpu=8)]
    decisions = decided(nodes, alike(14))
    assert [decision.node for decision in decisions].count(None) == 1
    assert sum(followed) == 13


def test_a_node_with_more_pods_than_expected_begins_a_new_run(followed: list[int]) -> None:
    decided([zoned("a0", "a"), zoned("b0", "b")], alike(80))
    assert len(followed) == 2
    assert sum(followed) == 80


def test_an_event_in_between_is_heeded(followed: list[int]) -> None:
    events: dict[int, Event] = {
        3: lambda cache: cache.set_pod(pod("other", labels=WEB, node_name="b1", cpu=30)),
        6: lambda cache: cache.set_node(zoned("c9", "c")),
        9: lambda cache: cache.set_controller(
            convert({"metadata": {"name": "web", "namespace": "default"}, "spec": {"selector": {"app": "x"}}}, Service)
        ),
    }
    decided(SIX, alike(20), events=events)
    assert followed[:2] == [3, 3]


def test_a_constraint_that_rejects_is_decided_one_by_one(followed: list[int]) -> None:
    one = {
        "maxSkew": 1,
        "topologyKey": ZONE,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": WEB},
    }
    assert placements(decided(SIX, alike(9, spec={"topologySpreadConstraints": [one]})))[:5] == "a0 b0"
    assert followed == []


def soft(key: str) -> dict[str, Any]:
    selector = {"matchLabels": WEB}
    return {"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": selector}


def test_pods_on_a_node_that_lacks_a_label_do_not_count_for_its_zone(followed: list[int]) -> None:
    nodes = [zoned("a0", "a", cpu=64), zoned("a1", "a", cpu=12, rack="1"), zoned("b1", "b", cpu=12, rack="1")]
    spec = {"topologySpreadConstraints": [soft(ZONE), soft(RACK)]}
    decisions = decided(nodes, alike(30, spec=spec), profile=ROOMY)
    assert {decision.node for decision in decisions} == {"a0", "a1", "b1"}
    assert followed == [30]


def test_where_preferences_are_scaled_anew_when_a_node_is_full_a_new_run_begins(followed: list[int]) -> None:
    def preference(weight: int, zone: str) -> dict[str, Any]:
        wanted = {"key": ZONE, "operator": "In", "values": [zone]}
        return {"weight": weight, "preference": {"matchExpressions": [wanted]}}

    preferences = [preference(100, "a"), preference(40, "b")]
    spec = {"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferences}}}
    decided([zoned("a0", "a", cpu=2), zoned("b0", "b"), zoned("c0", "c")], alike(20, spec=spec))
    assert sum(followed) == 20
    assert len(followed) == 2


CONSTRAINTS = st.lists(
    st.fixed_dictionaries(
        {
            "maxSkew": st.integers(1, 4),
            "topologyKey": st.sampled_from([ZONE, HOSTNAME, RACK]),
            "whenUnsatisfiable": st.just("ScheduleAnyway"),
            "labelSelector": st.sampled_from([{"matchLabels": WEB}, {"matchLabels": {"app": "db"}}, {}, None]),
        },
        optional={"nodeAffinityPolicy": st.just("Ignore")},
    ),
    min_size=1,
    max_size=3,
)
PREFERENCE = {
    "nodeAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 5, "preference": {"matchExpressions": [{"key": RACK, "operator": "In", "values": ["1"]}]}}
        ]
    }
}


@given(
    shapes=st.lists(
        st.tuples(st.sampled_from(["a", "b", "", None]), st.sampled_from([1, 3, 12]), st.sampled_from(["", "1", "2"])),
        min_size=1,
        max_size=6,
    ),
    constraints=st.none() | CONSTRAINTS,
    placed=st.lists(st.integers(0, 5), max_size=8),
    affinity=st.sampled_from([None, None, PREFERENCE]),
    narrowed=st.booleans(),
    count=st.integers(FEWEST, 30),
    profile=st.sampled_from([PLAIN, ROOMY]),
)
@settings(max_examples=150, deadline=None)
def test_whatever_the_cluster(
    shapes: Any, constraints: Any, placed: list[int], affinity: Any, narrowed: bool, count: int, profile: Profile
) -> None:
    nodes = [zoned(f"n{number}", zone, cpu, rack) for number, (zone, cpu, rack) in enumerate(shapes)]
    there = [pod(f"placed{i}", labels=WEB, node_name=f"n{on}", cpu="200m") for i, on in enumerate(placed)]
    spec = {"topologySpreadConstraints": constraints, "affinity": affinity}
    selector = {RACK: "1"} if narrowed else None
    decided(nodes, alike(count, cpu="500m", spec=spec, node_selector=selector), there, profile=profile)
