"""`roost rebalance spot` on a real control plane, with no more rights than its manifests give it.

A ReplicaSet's pods are bound to on-demand nodes, evicted from there, made again by the real controller, and bound to
spot nodes by Roost. There are no kubelets: a pod is said to be running by the test.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.cluster import Cluster, apply_manifest, fresh_cluster
from e2e.conftest import RoostRun, roost_command
from e2e.load import CORE, list_events, node_object, pod_object, wait_until
from e2e.rig import ADMIN, ControlPlane

MANIFESTS = Path(__file__).parents[1] / "deploy" / "rebalance-spot"
ACCOUNTS = f"{CORE}/namespaces/roost-system/serviceaccounts"
POLICY = "/apis/policy/v1"
SPOT = {"karpenter.sh/capacity-type": "spot"}
TAINT = "ToBeDeletedByClusterAutoscaler"
REPLICAS = 3


@pytest.fixture
def guarded(rbac_control_plane: ControlPlane, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster that asks its roles, with the roles of the manifests and the controllers of ReplicaSets and budgets."""
    apply_manifest(rbac_control_plane.api, MANIFESTS / "rbac.yaml")
    manager = rbac_control_plane.start_controller_manager(["replicaset-controller", "disruption-controller"])
    cluster = fresh_cluster(rbac_control_plane, request.node.name)
    yield cluster
    cluster.api.delete(replica_sets(cluster))
    manager.stop()


def rebalance(cluster: Cluster, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command as the account of the manifests."""
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    answer = cluster.api.create(f"{ACCOUNTS}/roost-rebalance-spot/token", asked)
    kubeconfig = cluster.control_plane.kubeconfig_with("rebalance-spot", answer["status"]["token"])
    command = [*roost_command(), "rebalance", "spot", "--kubeconfig", str(kubeconfig), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def planned(cluster: Cluster, *arguments: str) -> Any:
    done = rebalance(cluster, "-o", "json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def cordon(cluster: Cluster, name: str, value: bool) -> None:
    cluster.api.patch(f"{CORE}/nodes/{name}", {"spec": {"unschedulable": value}})


def start_replica_set(cluster: Cluster) -> None:
    labels = {"app": "shop"}
    template = {"metadata": {"labels": labels}, "spec": pod_object("shop", cpu="1")["spec"]}
    spec = {"replicas": REPLICAS, "selector": {"matchLabels": labels}, "template": template}
    replica_set = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "shop"}, "spec": spec}
    cluster.api.create(replica_sets(cluster), replica_set)


def say_running(cluster: Cluster) -> None:
    """Say what a kubelet would say of the pods."""
    for pod in cluster.pods():
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        cluster.api.patch(f"{cluster.pods_path}/{pod['metadata']['name']}/status", {"status": status})


def taints(cluster: Cluster, name: str) -> list[str]:
    return [one["key"] for one in cluster.api.get(f"{CORE}/nodes/{name}")["spec"].get("taints") or []]


def replica_sets(cluster: Cluster) -> str:
    return f"/apis/apps/v1/namespaces/{cluster.namespace}/replicasets"


def budgets(cluster: Cluster) -> str:
    return f"{POLICY}/namespaces/{cluster.namespace}/poddisruptionbudgets"


def add_budget(cluster: Cluster, least: int, allowed: int) -> None:
    """Create a budget and wait until the real controller has counted."""
    spec = {"minAvailable": least, "selector": {"matchLabels": {"app": "shop"}}}
    kind = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget"}
    cluster.api.create(budgets(cluster), {**kind, "metadata": {"name": "shop"}, "spec": spec})

    def counted() -> bool:
        status = cluster.api.get(f"{budgets(cluster)}/shop").get("status", {})
        return bool(status.get("observedGeneration") and status.get("disruptionsAllowed") == allowed)

    wait_until(counted, f"the budget allows {allowed}")


@pytest.fixture
def shop(guarded: Cluster, roost_run: RoostRun) -> Cluster:
    """Three running pods of a ReplicaSet on `on-demand`, and two spot nodes that have just come."""
    other = {"key": "example.com/other", "value": "x", "effect": "PreferNoSchedule"}
    guarded.api.create(f"{CORE}/nodes", node_object("on-demand", taints=[other]))
    for name in ("spot-0", "spot-1"):
        guarded.create_node(name, cpu="2", labels=SPOT)
        cordon(guarded, name, True)
    roost_run(guarded.control_plane.kubeconfig_for(ADMIN))
    start_replica_set(guarded)
    wait_until(lambda: len(guarded.placements()) == REPLICAS, "the pods are bound")
    assert set(guarded.placements().values()) == {"on-demand"}
    say_running(guarded)
    for name in ("spot-0", "spot-1"):
        cordon(guarded, name, False)
    return guarded


def test_pods_are_evicted_and_land_on_spot_nodes(shop: Cluster) -> None:
    plan = planned(shop)
    assert plan["drain"]["node"] == "on-demand"
    assert sorted(move["to"] for move in plan["drain"]["moves"]) in (
        ["spot-0", "spot-0", "spot-1"],
        ["spot-0", "spot-1", "spot-1"],
    )
    before = {pod["metadata"]["uid"] for pod in shop.pods()}

    done = rebalance(shop, "--apply")
    assert done.returncode == 0, done.stderr
    assert f"on-demand is drained: {REPLICAS} pods evicted." in done.stdout
    wait_until(lambda: len(shop.placements()) == REPLICAS, "the pods are bound again")
    assert set(shop.placements().values()) == {"spot-0", "spot-1"}
    assert before.isdisjoint(pod["metadata"]["uid"] for pod in shop.pods())
    assert not shop.overfull_nodes()
    assert taints(shop, "on-demand") == ["example.com/other"]
    assert len(shop.events("Rescheduler")) == REPLICAS
    of_node = {event["note"] for event in list_events(shop.api, "default") if event["reason"] == "Rescheduler"}
    assert of_node == {"marked the node as draining/unschedulable", "marked the node as drained/schedulable"}
    assert planned(shop)["leftAlone"] == [{"node": "on-demand", "why": "there is nothing to move"}]


def test_a_disruption_budget_holds_the_node(shop: Cluster) -> None:
    add_budget(shop, least=2, allowed=1)
    plan = planned(shop, "--apply")
    assert plan["drain"] is None
    (left,) = plan["leftAlone"]
    assert "is one too many: its disruption budget shop allows 1 at a time" in left["why"]
    assert set(shop.placements().values()) == {"on-demand"}


def test_one_pod_without_a_place_holds_the_node(shop: Cluster) -> None:
    shop.api.delete(f"{CORE}/nodes/spot-1")
    plan = planned(shop, "--apply")
    assert plan["drain"] is None
    (left,) = plan["leftAlone"]
    assert "has no place on a spot node: 0/2 nodes are available: 1 Insufficient cpu" in left["why"]
    assert set(shop.placements().values()) == {"on-demand"}


def test_a_pod_that_does_not_end_is_a_failure_and_the_mark_is_taken_away(shop: Cluster) -> None:
    held = shop.pods()[0]["metadata"]["name"]
    shop.api.patch(f"{shop.pods_path}/{held}", {"metadata": {"finalizers": ["example.com/hold"]}})
    done = rebalance(shop, "--apply", "--pod-eviction-timeout", "1s", "--max-graceful-termination", "1s")
    shop.api.patch(f"{shop.pods_path}/{held}", {"metadata": {"finalizers": None}})
    assert done.returncode == 1
    told = f"roost: on-demand is not drained: 1 pod(s) did not end within 6 s: {shop.namespace}/{held}"
    assert done.stderr.splitlines()[-1] == told
    assert taints(shop, "on-demand") == ["example.com/other"]
