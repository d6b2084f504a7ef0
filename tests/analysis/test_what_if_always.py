"""What holds for every what-if answer, recounted without the decision core."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.analysis.spot_world import DAEMON_SET, REPLICA_SET, node, pod

from roost.analysis import Forecast, Snapshot, add, drain, load, with_policy
from roost.api.draining import DrainNode, DrainPod
from roost.config.profiles import default_profile, policy_profile
from roost.framework.profile import Profile

TAINT = {"key": "pool", "value": "spot", "effect": "NoSchedule"}
TOLERATIONS = ([], [{"key": "pool", "operator": "Exists"}], [{"operator": "Exists"}])
POLICIES = (default_profile(), policy_profile(["RandomNode"]), policy_profile(["SpotFirst"]))

Objects = tuple[list[DrainNode], list[DrainPod]]


@st.composite
def pods_named(draw: st.DrawFn, name: str, node_names: Sequence[str]) -> DrainPod:
    day = draw(st.integers(1, 9))
    return pod(
        name,
        draw(st.sampled_from(node_names)),
        owner=draw(st.sampled_from([REPLICA_SET, REPLICA_SET, DAEMON_SET, None])),
        cpu=f"{draw(st.integers(0, 20)) * 100}m",
        memory=f"{draw(st.integers(0, 20)) * 100}Mi",
        labels={"app": draw(st.sampled_from(["web", "db"]))},
        host_ports=[80] if draw(st.integers(0, 5)) == 0 else [],
        tolerations=draw(st.sampled_from(TOLERATIONS)),
        metadata={"creationTimestamp": f"2026-01-0{day}T00:00:00Z"},
        status={"phase": draw(st.sampled_from(["Running", "Running", "Pending", "Succeeded"]))},
    )


@st.composite
def worlds(draw: st.DrawFn) -> Objects:
    nodes = []
    for i in range(draw(st.integers(1, 5))):
        how: dict[str, Any] = {"cpu": f"{draw(st.integers(1, 8)) * 500}m", "pods": draw(st.integers(1, 8))}
        taints = [TAINT] if draw(st.booleans()) else []
        labels = {"kubernetes.io/hostname": f"n{i}", "topology.kubernetes.io/zone": f"z{i % 2}"}
        nodes.append(node(f"n{i}", memory=f"{draw(st.integers(1, 6))}Gi", taints=taints, labels=labels, **how))
    names = [*(one.name for one in nodes), ""]
    return nodes, [draw(pods_named(f"p{i}", names)) for i in range(draw(st.integers(0, 14)))]


def amounts(made: DrainPod) -> Counter[str]:
    (container,) = made.spec.containers or ()
    asked = container.resources.requests or {}
    return Counter(
        cpu=int(str(asked["cpu"]).removesuffix("m")), memory=int(str(asked["memory"]).removesuffix("Mi")), pods=1
    )


def room(one: DrainNode) -> Counter[str]:
    has = one.status.allocatable or {}
    gibi = int(str(has["memory"]).removesuffix("Gi"))
    return Counter(cpu=int(str(has["cpu"]).removesuffix("m")), memory=gibi * 1024, pods=int(has["pods"]))


def alive(pods: Sequence[DrainPod]) -> list[DrainPod]:
    return [one for one in pods if one.status.phase != "Succeeded"]


def movable(pods: Sequence[DrainPod]) -> set[str]:
    return {one.key for one in alive(pods) if one.metadata.owner_references != (DAEMON,)}


(DAEMON,) = pod("x", owner=DAEMON_SET).metadata.owner_references or ()


def asked_about(forecast: Forecast) -> list[str]:
    return [*(one.pod for one in forecast.placed), *(one.pod for one in forecast.pending)]


def places_after(pods: Sequence[DrainPod], forecast: Forecast) -> dict[str, str]:
    places = {one.key: one.spec.node_name for one in alive(pods)}
    places |= {one.pod: one.to_node for one in forecast.placed}
    return places | {one.pod: "" for one in forecast.pending}


def check(nodes: Sequence[DrainNode], pods: Sequence[DrainPod], forecast: Forecast) -> None:
    """Check that no pod is counted twice, that nobody is put where there is no room, and that the sums are right."""
    assert len(asked_about(forecast)) == len(set(asked_about(forecast)))
    by_key = {one.key: one for one in pods}
    where = places_after(pods, forecast)
    used = {one.name: Counter[str]() for one in nodes}
    for key, name in where.items():
        if name:
            used[name] += amounts(by_key[key])
    has = {one.name: room(one) for one in nodes}
    arrived = {name for key, name in where.items() if key in asked_about(forecast) and name}
    for name in arrived:
        for resource in ("cpu", "memory", "pods"):
            came = [by_key[one.pod] for one in forecast.placed if one.to_node == name]
            if any(amounts(one)[resource] for one in came):
                assert used[name][resource] <= has[name][resource]
    for use in forecast.nodes:
        assert use.of("cpu").after.requested == used[use.node]["cpu"]
        assert use.of("memory").after.requested == used[use.node]["memory"] * 1024 * 1024
        assert use.of("pods").after.requested == used[use.node]["pods"]
    counts = forecast.counts
    assert counts["moves"] + counts["unmoved"] + counts["pending"] == len(asked_about(forecast))
    for key in asked_about(forecast):
        target = next((one for one in nodes if one.name == where[key]), None)
        assert target is None or not target.taints or by_key[key].spec.tolerations


@given(world=worlds(), policy=st.sampled_from(POLICIES), count=st.integers(1, 2))
@settings(max_examples=60, deadline=None)
def test_a_drain_leaves_nothing_movable_and_overfills_no_node(world: Objects, policy: Profile, count: int) -> None:
    nodes, pods = world
    drained = {one.name for one in nodes[:count]}
    forecast = drain(load([*nodes, *pods]), sorted(drained), policy)
    check(nodes, pods, forecast)
    leaving = movable([one for one in pods if one.spec.node_name in drained])
    assert set(asked_about(forecast)) == leaving
    assert not any(one.to_node in drained for one in forecast.placed)
    stays = {stay.pod for stay in forecast.stays}
    assert stays | leaving == {one.key for one in alive(pods) if one.spec.node_name in drained}
    assert set(forecast.emptied) == {one.spec.node_name for one in pods if one.key in leaving}
    (cpu,) = [use for use in forecast.resources if use.resource == "cpu"]
    assert cpu.after.allocatable == sum(room(one)["cpu"] for one in nodes if one.name not in drained)


@given(world=worlds(), policy=st.sampled_from(POLICIES))
@settings(max_examples=60, deadline=None)
def test_placing_anew_counts_every_pod_once_and_again_changes_nothing(world: Objects, policy: Profile) -> None:
    nodes, pods = world
    cluster = load([*nodes, *pods])
    forecast = with_policy(cluster, policy)
    check(nodes, pods, forecast)
    assert set(asked_about(forecast)) == movable(pods)
    assert len(forecast.stays) + len(asked_about(forecast)) == len(alive(pods))
    again = with_policy(load([*nodes, *(at(one, forecast) for one in alive(pods))]), policy)
    assert again.moves == ()
    assert [one.pod for one in again.placed] == [one.pod for one in forecast.placed]
    assert [one.to_node for one in again.placed] == [one.to_node for one in forecast.placed]


def at(one: DrainPod, forecast: Forecast) -> Any:
    """Return a pod where it would be."""
    data = msgspec.to_builtins(one)
    data["spec"]["nodeName"] = places_after([one], forecast)[one.key]
    return {"apiVersion": "v1", "kind": "Pod", **data}


@given(world=worlds(), policy=st.sampled_from(POLICIES), replicas=st.integers(0, 6))
@settings(max_examples=40, deadline=None)
def test_adding_moves_nobody_and_overfills_no_node(world: Objects, policy: Profile, replicas: int) -> None:
    nodes, pods = world
    cluster: Snapshot = load([*nodes, *pods])
    new = [pod(f"new-{i}", cpu="300m", memory="100Mi", status={}) for i in range(replicas)]
    forecast = add(cluster, new, policy)
    check(nodes, [*pods, *new], forecast)
    assert sorted(asked_about(forecast)) == sorted(one.key for one in new)
    assert (forecast.emptied, forecast.stays) == ((), ())
    assert add(cluster, new, policy) == forecast
