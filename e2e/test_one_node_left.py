"""With one node left, a stock kube-scheduler asks no extender for scores: see docs/explanation/one-node-left.md."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.cluster import Cluster
from e2e.conftest import roost_command
from e2e.extenders import Extender, Extenders, trouble
from e2e.load import HOSTNAME_LABEL, pod_object
from e2e.processes import Process
from e2e.rig import ControlPlane
from e2e.test_extenders import usage

SCHEDULER = "asks-one"
_REQUESTS = re.compile(r'^roost_extender_requests_total\{.*verb="(\w+)"\} (\d+)', re.MULTILINE)


@pytest.fixture
def extenders(control_plane: ControlPlane, tmp_path: Path) -> Iterator[Extenders]:
    if not (control_plane.assets / "kube-scheduler").exists():
        pytest.skip(f"kube-scheduler missing in {control_plane.assets}")
    started = Extenders(control_plane, tmp_path, roost_command())
    yield started
    started.stop()


def asked(extender: Extender) -> dict[str, int]:
    """Count the requests of an extender by verb, from its metrics."""
    return {verb: int(count) for verb, count in _REQUESTS.findall(extender.get("/metrics")[1].decode())}


def feasible_nodes(scheduler: Process, pod: str) -> int:
    """Read from kube-scheduler's log how many nodes were left for a pod."""
    found = re.search(
        rf'"Successfully bound pod to node" pod="[^"]*/{pod}" .*feasibleNodes=(\d+)', scheduler.log_text()
    )
    assert found, scheduler.tail()
    return int(found[1])


def create_pinned_pod(cluster: Cluster, name: str, node: str) -> None:
    pod = pod_object(name, namespace=cluster.namespace, scheduler=SCHEDULER)
    pod["spec"]["nodeSelector"] = {HOSTNAME_LABEL: node}
    cluster.api.create(cluster.pods_path, pod)


def test_of_a_pod_that_one_node_can_take_the_extender_is_asked_to_filter_only(
    cluster: Cluster, extenders: Extenders
) -> None:
    cluster.create_nodes(3)
    index = extenders.extend("--policy", "AlwaysTrue,NodeIndex")
    scheduler = extenders.schedule(SCHEDULER, index.entry("filter", "prioritize"))

    create_pinned_pod(cluster, "pinned", "node-0002")
    cluster.wait_until_bound("pinned")
    assert cluster.node_of("pinned") == "node-0002"
    assert asked(index) == {"filter": 1}
    assert " prioritize " not in index.process.log_text()

    cluster.create_pod("free", scheduler=SCHEDULER)
    cluster.wait_until_bound("free")
    assert asked(index) == {"filter": 2, "prioritize": 1}
    assert (feasible_nodes(scheduler, "pinned"), feasible_nodes(scheduler, "free")) == (1, 3)
    assert not trouble(scheduler)


def test_on_a_cluster_with_one_node_scores_are_never_asked_for(cluster: Cluster, extenders: Extenders) -> None:
    cluster.create_node("only")
    index = extenders.extend("--policy", "NodeIndex")
    scheduler = extenders.schedule(SCHEDULER, index.entry("prioritize", weight=10))
    cluster.create_pods(20, scheduler=SCHEDULER)
    cluster.wait_until_all_bound()

    assert asked(index) == {}, "an extender that only prioritizes hears of no pod at all"
    assert not trouble(scheduler)


def test_a_filter_of_the_extender_that_leaves_one_node_ends_the_questions(
    cluster: Cluster, extenders: Extenders
) -> None:
    cluster.create_node("idle", annotations=usage(3600, 28000))
    for number in range(3):
        cluster.create_node(f"busy-{number}", annotations=usage(100, 500, deviation=400))
    safe = extenders.extend("--policy", "SafeOverload")
    scheduler = extenders.schedule(SCHEDULER, safe.entry("filter", "prioritize"))
    cluster.create_pod("one", scheduler=SCHEDULER)
    cluster.wait_until_bound("one")

    assert cluster.node_of("one") == "idle"
    assert asked(safe) == {"filter": 1}
    assert feasible_nodes(scheduler, "one") == 1


def test_after_a_preemption_the_node_that_was_cleared_is_the_one_left(cluster: Cluster, extenders: Extenders) -> None:
    for node in ("a", "b"):
        cluster.create_node(node, cpu="1")
        cluster.create_pod(f"low-{node}", cpu="800m", scheduler="nobody")
        cluster.place(f"low-{node}", node)
    high = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": cluster.namespace}}
    cluster.api.create("/apis/scheduling.k8s.io/v1/priorityclasses", {**high, "value": 1000})
    index = extenders.extend("--policy", "AlwaysTrue,NodeIndex")
    scheduler = extenders.schedule(SCHEDULER, index.entry("filter", "prioritize"))
    cluster.create_pod("high", cpu="800m", scheduler=SCHEDULER, priority_class=cluster.namespace)
    cluster.wait_until_bound("high")

    assert "prioritize" not in asked(index)
    assert feasible_nodes(scheduler, "high") == 1
