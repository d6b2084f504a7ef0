"""What holds for every plan, recounted without the decision core."""

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.analysis.spot_world import DAEMON_SET, REPLICA_SET, budget, on_demand, plan, pod, spot

from roost.analysis.spot_plan import Plan
from roost.api.draining import DisruptionBudget, DrainNode, DrainPod

APPS = ("web", "api", "db")
TAINT = {"key": "pool", "value": "spot", "effect": "NoSchedule"}
TOLERATES = {"key": "pool", "operator": "Exists"}
MEBI = 1024 * 1024

World = tuple[list[DrainNode], list[DrainPod], list[DisruptionBudget]]


@st.composite
def pods_named(draw: st.DrawFn, name: str, node_names: list[str]) -> DrainPod:
    return pod(
        name,
        draw(st.sampled_from(node_names)),
        owner=draw(st.sampled_from([REPLICA_SET, REPLICA_SET, DAEMON_SET])),
        cpu=f"{draw(st.integers(0, 20)) * 100}m",
        memory=f"{draw(st.integers(0, 20)) * 100}Mi",
        labels={"app": draw(st.sampled_from(APPS))},
        tolerations=[TOLERATES] if draw(st.booleans()) else [],
        status={"phase": draw(st.sampled_from(["Running", "Running", "Pending", "Succeeded"]))},
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    nodes = []
    for kind, make, most in (("s", spot, 4), ("d", on_demand, 3)):
        for i in range(draw(st.integers(1, most))):
            taints = [TAINT] if kind == "s" and draw(st.booleans()) else []
            how: dict[str, Any] = {"cpu": f"{draw(st.integers(1, 8)) * 500}m", "pods": draw(st.integers(1, 8))}
            nodes.append(make(f"{kind}{i}", memory=f"{draw(st.integers(1, 6))}Gi", taints=taints, **how))
    names = [node.name for node in nodes]
    pods = [draw(pods_named(f"p{i}", names)) for i in range(draw(st.integers(0, 14)))]
    budgets = [budget(app, draw(st.integers(0, 4)), app=app) for app in APPS if draw(st.booleans())]
    return nodes, pods, budgets


def amounts(made: DrainPod) -> Counter[str]:
    (container,) = made.spec.containers or ()
    asked = container.resources.requests or {}
    return Counter(
        cpu=int(str(asked["cpu"]).removesuffix("m")), memory=int(str(asked["memory"]).removesuffix("Mi")), pods=1
    )


def room(node: DrainNode) -> dict[str, int]:
    has = node.status.allocatable or {}
    gibi = int(str(has["memory"]).removesuffix("Gi"))
    return {"cpu": int(str(has["cpu"]).removesuffix("m")), "memory": gibi * 1024, "pods": int(has["pods"])}


def check(found: Plan, world: World) -> None:
    nodes, pods, budgets = world
    assert found.drain is not None
    by_name = {node.name: node for node in nodes}
    alive = [one for one in pods if one.status.phase != "Succeeded"]
    used = {node.name: Counter[str]() for node in nodes}
    for one in alive:
        used[one.spec.node_name] += amounts(one)
    for move in found.drain.moves:
        assert move.pod.spec.node_name == found.drain.node
        target = by_name[move.to_node]
        assert target.labels["pool"] == "spot"
        assert not target.taints or move.pod.spec.tolerations
        used[target.name] += amounts(move.pod)
        has = room(target)
        for resource, amount in amounts(move.pod).items():
            assert amount == 0 or used[target.name][resource] <= has[resource]
    spent = Counter(move.pod.labels["app"] for move in found.drain.moves)
    assert all(spent[one.name] <= one.status.disruptions_allowed for one in budgets)
    there = [one for one in alive if one.spec.node_name == found.drain.node]
    movable = {one.name for one in there if one.metadata.owner_references[0].kind != "DaemonSet"}
    assert sorted(movable) == sorted(move.pod.name for move in found.drain.moves)


@given(world=worlds(), landing=st.sampled_from(["best", "fullest"]))
@settings(max_examples=250, deadline=None)
def test_a_plan_overfills_no_node_and_overspends_no_budget(world: World, landing: str) -> None:
    nodes, pods, budgets = world
    found = plan(*nodes, *pods, *budgets, landing=landing)
    tried = [refusal.node for refusal in found.refusals]
    if found.drain is None:
        assert sorted(tried) == [node.name for node in nodes if node.labels["pool"] == "on-demand"]
        return
    assert found.drain.node not in tried
    check(found, world)
