"""The Python face: pods and nodes in, decisions out, without a server."""

from typing import Any

import pytest

import roost
from roost.config.profiles import default_profile, policy_profile
from roost.errors import ConfigError, InvalidObject, RoostError
from roost.framework.profile import Profile
from roost.simulator import Simulation
from roost.testing import node, pod

Manifest = dict[str, Any]


def node_manifest(name: str, cpu: str = "4", **spec: Any) -> Manifest:
    allocatable = {"cpu": cpu, "memory": "8Gi", "pods": "110"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"zone": name}},
        "spec": spec,
        "status": {"allocatable": allocatable, "conditions": [{"type": "Ready", "status": "True"}]},
    }


def pod_manifest(name: str, cpu: str = "1", **spec: Any) -> Manifest:
    container = {"name": "app", "image": "app:1", "resources": {"requests": {"cpu": cpu}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"containers": [container], **spec},
    }


class Cheapest:
    """Prefers the node whose label says the lowest price."""

    def score(self, pod, node):
        return 100 - float(node.labels.get("price", 100))


class Largest:
    def score(self, pod, node):
        return float(node.status.allocatable["cpu"])


PRICED = [node("a", cpu=8, labels={"price": "30"}), node("b", cpu=2, labels={"price": "10"}), node("c", cpu=4)]


# ---- decide


def test_a_pod_goes_where_most_is_free() -> None:
    decision = roost.decide(pod(cpu=1), [node("a", cpu=2), node("b", cpu=8)])
    assert (decision.node, decision.feasible, decision.evaluated) == ("b", 2, 2)


def test_pods_that_are_there_count() -> None:
    nodes = [node("a", cpu=4), node("b", cpu=4)]
    placed = [pod("busy", cpu=3, node_name="a"), pod("elsewhere", cpu=4, node_name="not-here")]
    assert roost.decide(pod(cpu=2), nodes, placed).node == "b"


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_pods_that_have_ended_or_wait_do_not_count(phase: str) -> None:
    there = [pod("ended", cpu=4, node_name="a", status={"phase": phase}), pod("waiting", cpu=4)]
    assert roost.decide(pod(cpu=4), [node("a", cpu=4)], there).node == "a"


def test_manifests_are_read_as_they_are() -> None:
    nodes = [node_manifest("a"), node_manifest("b", unschedulable=True), node_manifest("c")]
    there = [pod_manifest("busy", cpu="3500m", nodeName="a")]
    decision = roost.decide(pod_manifest("web"), nodes, there)
    assert (decision.node, decision.pod.key) == ("c", "shop/web")
    assert decision.evaluated == 3


def test_manifests_and_values_may_be_mixed_and_come_from_a_generator() -> None:
    nodes = (one for one in (node_manifest("a", cpu="1"), node("b", cpu=4)))
    assert roost.decide(pod_manifest("web", cpu="2"), nodes).node == "b"


def test_a_pod_that_fits_nowhere_gets_the_reason() -> None:
    decision = roost.decide(pod(cpu=5), [node("a"), node("b", unschedulable=True)])
    assert decision.node is None
    assert decision.message == (
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable."
        " no new claims to deallocate, preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
    )


def test_the_table_of_a_decision_can_be_looked_at() -> None:
    table = roost.decide(pod(cpu=1), PRICED, policy=Cheapest).freeze()
    assert {name: dict(row.weighted) for name, row in table.scores.items()} == {
        "a": {"Cheapest": 70},
        "b": {"Cheapest": 90},
        "c": {"Cheapest": 0},
    }


# ---- policies


@pytest.mark.parametrize(
    ("policy", "chosen"),
    [
        pytest.param(None, "a", id="none: kube-scheduler's defaults"),
        pytest.param("ImageLocality", "a", id="a plugin by its name"),
        pytest.param(Cheapest, "b", id="a class"),
        pytest.param([f"{Cheapest.__module__}:Cheapest"], "b", id="a list of names"),
        pytest.param((f"{Cheapest.__module__}:Cheapest", f"{Largest.__module__}:Largest"), "b", id="several add up"),
        pytest.param(default_profile(), "a", id="a profile"),
        pytest.param(policy_profile([f"{Largest.__module__}:Largest"]), "a", id="a profile of a policy"),
    ],
)
def test_a_policy_may_be_given_as(policy: Any, chosen: str) -> None:
    assert roost.decide(pod(cpu=1), PRICED, policy=policy).node == chosen


def test_a_policy_chooses_only_among_nodes_that_fit() -> None:
    assert roost.decide(pod(cpu=3), PRICED, policy=Cheapest).node == "a"


def test_a_class_of_a_test_s_own_is_a_policy_too() -> None:
    class Mine:
        def score(self, pod, node):
            return 100 if node.name == "c" else 0

    assert roost.decide(pod(cpu=1), PRICED, policy=Mine).node == "c"


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        pytest.param("RandomNod", "unknown plugin RandomNod; did you mean RandomNode", id="a name misspelt"),
        pytest.param("no_such_module:Policy", "plugin no_such_module:Policy cannot be imported", id="no such module"),
        pytest.param(["RandomNode", "RandomNode"], "each policy must be named once", id="the same twice"),
        pytest.param([], "each policy must be named once, not none", id="none in a list"),
        pytest.param(Simulation, "has neither def score", id="a class that is no policy"),
    ],
)
def test_a_policy_that_cannot_be_used_is_a_mistake_in_one_sentence(policy: Any, problem: str) -> None:
    for call in (lambda: roost.decide(pod(), PRICED, policy=policy), lambda: roost.simulate(PRICED, [], policy)):
        with pytest.raises(ConfigError) as caught:
            call()
        assert problem in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        pytest.param({"pod_reads": ("lables",)}, "lables", id="a part of the pod misspelt"),
        pytest.param({"pod_reads": "labels"}, "pod_reads", id="a text instead of several"),
        pytest.param({"reads": "node"}, "reads", id="a text instead of a set"),
    ],
)
def test_a_policy_that_says_wrongly_what_it_reads_is_a_mistake_in_one_sentence(fields: Any, problem: str) -> None:
    """Else its answers would be remembered wrongly, or deciding would fail for every pod."""
    policy = type("Mine", (), {"score": lambda self, pod, node: 1, **fields})
    with pytest.raises(ConfigError, match=problem):
        roost.decide(pod(), PRICED, policy=policy)


def test_a_seed_draws_among_the_best_where_the_profile_does() -> None:
    dice = Profile(tie="random")
    nodes = [node(f"n{number}") for number in range(10)]
    drawn = [roost.decide(pod(), nodes, policy=dice, seed=seed).node for seed in range(20)]
    assert len(set(drawn)) > 3
    assert drawn == [roost.decide(pod(), nodes, policy=dice, seed=seed).node for seed in range(20)]


# ---- mistakes in objects


@pytest.mark.parametrize(
    ("given", "nodes"),
    [
        pytest.param(pod(cpu="lots"), [node("a")], id="of the pod"),
        pytest.param(pod(), [node("a", memory="lots")], id="of a node"),
        pytest.param(pod_manifest("web", cpu="lots"), [node("a")], id="in a manifest"),
    ],
)
def test_a_quantity_that_is_none_is_named(given: Any, nodes: list[Any]) -> None:
    with pytest.raises(InvalidObject, match="'lots'"):
        roost.decide(given, nodes)


@pytest.mark.parametrize(
    ("given", "nodes"),
    [
        pytest.param({"metadata": {"name": "web"}, "spec": {"containers": "app"}}, [node("a")], id="a pod"),
        pytest.param(pod(), [{"metadata": {"name": "a"}, "spec": {"taints": [{"key": 1}]}}], id="a node"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_an_error_of_roost_s(given: Any, nodes: list[Any]) -> None:
    with pytest.raises(InvalidObject, match=r"web|spec|containers|taints"):
        roost.decide(given, nodes)


# ---- simulate


def test_pods_are_placed_one_after_the_other() -> None:
    simulation = roost.simulate([node("a", cpu=2), node("b", cpu=2)], [pod(f"p{number}", cpu=1) for number in range(5)])
    assert simulation.placements == {
        "default/p0": "a",
        "default/p1": "b",
        "default/p2": "a",
        "default/p3": "b",
        "default/p4": None,
    }
    assert simulation.decisions[4].message == "0/2 nodes are available: 2 Insufficient cpu."


def test_pods_with_a_node_are_there_from_the_beginning_wherever_they_stand() -> None:
    pods = [
        pod("first", cpu=2),
        pod("there", cpu=3, node_name="a"),
        pod("done", node_name="a", status={"phase": "Failed"}),
    ]
    simulation = roost.simulate([node("a"), node("b", cpu=2)], pods)
    assert simulation.placements == {"default/first": "b"}
    assert {info.key: simulation.cache.node_of(info.key) for info in simulation.cache.pods} == {
        "default/there": "a",
        "default/first": "b",
    }


def test_a_simulation_follows_its_policy() -> None:
    simulation = roost.simulate(PRICED, [pod(f"p{number}", cpu=1) for number in range(4)], policy=Cheapest)
    assert list(simulation.placements.values()) == ["b", "b", "a", "a"]


def test_manifests_can_be_simulated() -> None:
    simulation = roost.simulate([node_manifest("a", cpu="1")], [pod_manifest("x"), pod_manifest("y")])
    assert simulation.placements == {"shop/x": "a", "shop/y": None}


def test_the_same_simulation_gives_the_same_decisions() -> None:
    def run() -> Simulation:
        return roost.simulate(PRICED, [pod(f"p{i}", cpu=1 + i % 2) for i in range(8)])

    assert run().decisions == run().decisions


def test_two_pods_of_one_name_are_a_mistake_in_one_sentence() -> None:
    with pytest.raises(RoostError, match="default/web"):
        roost.simulate(PRICED, [pod("web", cpu=1), pod("web", cpu=1)])
