"""A pod that fitted nowhere for a while is bound as soon as something changes for it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from e2e.cluster import Cluster
from e2e.conftest import Measured, RunScheduler
from e2e.load import CORE

FAILING_SECONDS = 15
BOUND_WITHIN = 5.0
ONLY_FOR_OTHERS = [{"key": "example.com/only", "value": "others", "effect": "NoSchedule"}]


@dataclass(frozen=True)
class Relief:
    """A change that makes room for the waiting pod."""

    what: str
    happen: Callable[[Cluster], None]


RELIEFS = [
    Relief("a node that fits is added", lambda cluster: cluster.create_node("roomy")),
    Relief("a pod that took the room is deleted", lambda cluster: _delete_pod(cluster, "tenant")),
    Relief("a taint is removed", lambda cluster: _change_node(cluster, "tainted", {"spec": {"taints": []}})),
    Relief(
        "a node is uncordoned", lambda cluster: _change_node(cluster, "cordoned", {"spec": {"unschedulable": None}})
    ),
    Relief("a node grows", lambda cluster: _resize(cluster, "tiny", "4")),
]


@pytest.mark.parametrize("relief", RELIEFS, ids=lambda relief: relief.what.replace(" ", "-"))
def test_a_pod_refused_many_times_is_bound_at_once_when(
    relief: Relief, cluster: Cluster, run_scheduler: RunScheduler, measured: Measured
) -> None:
    _make_full_cluster(cluster)
    cluster.create_pod("waiting", cpu="900m")
    scheduler = run_scheduler()
    cluster.wait_for_condition("waiting", "Unschedulable")
    _fail_many_times(cluster)
    tries = len(cluster.control_plane.audit.writes("pods/status", cluster.namespace))
    assert not cluster.node_of("waiting")

    relief.happen(cluster)
    seconds = cluster.wait_until_bound("waiting", seconds=30, every=0.005)

    measured(f"bound after {seconds:.3f} s ({tries} changes of its condition before)")
    assert seconds < BOUND_WITHIN
    assert scheduler.is_alive()
    assert not cluster.overfull_nodes()


def _make_full_cluster(cluster: Cluster) -> None:
    """Set up nodes of which each is too small, full, tainted or cordoned."""
    cluster.create_node("tiny", cpu="100m")
    cluster.create_node("full", cpu="1")
    cluster.create_node("tainted", cpu="8", taints=ONLY_FOR_OTHERS)
    cluster.create_node("cordoned")
    _change_node(cluster, "cordoned", {"spec": {"unschedulable": True}})
    cluster.create_pod("tenant", cpu="900m", scheduler="somebody-else")
    cluster.place("tenant", "full")


def _fail_many_times(cluster: Cluster) -> None:
    """Change the cluster every second in ways that look helpful and are not."""
    for i in range(FAILING_SECONDS):
        cluster.create_node(f"tainted-{i}", cpu="8", taints=ONLY_FOR_OTHERS)
        cluster.create_node(f"tiny-{i}", cpu="100m")
        _resize(cluster, "tainted", f"{9 + i}")
        _change_node(cluster, "full", {"metadata": {"labels": {"example.com/round": str(i)}}})
        time.sleep(1)


def _change_node(cluster: Cluster, name: str, change: dict[str, object]) -> None:
    cluster.api.patch(f"{CORE}/nodes/{name}", change)


def _resize(cluster: Cluster, name: str, cpu: str) -> None:
    cluster.api.patch(f"{CORE}/nodes/{name}/status", {"status": {"allocatable": {"cpu": cpu}}})


def _delete_pod(cluster: Cluster, name: str) -> None:
    cluster.api.delete(f"{cluster.pods_path}/{name}")
