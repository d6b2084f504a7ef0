"""Scheduling on a real API server: what is bound, what is said about it, and what is left alone."""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.cluster import Cluster, more_than_once
from e2e.conftest import Measured, RoostRun, RunScheduler
from e2e.load import JSON_PATCH, SCHEDULER_NAME, deployment_object
from e2e.rig import ADMIN

PODS = 1000
NODES = 100
IMPOSSIBLE = "1000"
TOO_BIG = "0/100 nodes are available: 100 Insufficient cpu."


def test_a_thousand_pods_that_exactly_fill_a_hundred_nodes_are_bound_once_each(
    cluster: Cluster, run_scheduler: RunScheduler, measured: Measured
) -> None:
    cluster.create_nodes(NODES, cpu="1", memory="5000Mi", pods="10")
    cluster.create_pods(PODS)
    began = time.monotonic()
    scheduler = run_scheduler()
    cluster.wait_for_bindings(PODS)
    measured(f"{PODS} pods bound {time.monotonic() - began:.2f} s after the start of the scheduler")
    cluster.wait_for_events("Scheduled", PODS)
    scheduler.terminate()
    scheduler.wait(15)

    assert len(cluster.placements()) == PODS
    assert len(cluster.binds.accepted()) == PODS
    assert not more_than_once(cluster.binds.accepted())
    assert not cluster.binds.refused()
    assert not cluster.overfull_nodes()
    assert len(cluster.events_per_pod("Scheduled")) == PODS
    assert not more_than_once(cluster.events_per_pod("Scheduled"))


def test_the_event_of_a_bound_pod_says_where_it_went_and_who_says_so(
    cluster: Cluster, run_scheduler: RunScheduler
) -> None:
    cluster.create_nodes(3)
    cluster.create_pods(5)
    run_scheduler()
    placements = cluster.wait_until_all_bound()
    cluster.wait_for_events("Scheduled", 5)

    for event in cluster.events("Scheduled"):
        pod = event["regarding"]["name"]
        assert event["note"] == f"Successfully assigned {cluster.namespace}/{pod} to {placements[pod]}"
        assert event["reportingController"] == SCHEDULER_NAME
        assert (event["type"], event["action"]) == ("Normal", "Binding")
        assert event["regarding"]["kind"] == "Pod"
        assert event["regarding"]["uid"] == cluster.pod(pod)["metadata"]["uid"]


def test_an_impossible_pod_is_told_why_once_and_costs_nothing_while_it_waits(
    cluster: Cluster, run_scheduler: RunScheduler, measured: Measured
) -> None:
    cluster.create_nodes(NODES)
    cluster.create_pod("impossible", cpu=IMPOSSIBLE)
    scheduler = run_scheduler()
    condition = cluster.wait_for_condition("impossible", "Unschedulable")
    cluster.wait_for_events("FailedScheduling", 1)
    used, seconds = _cpu_used(scheduler.cpu_seconds, 5.0)
    measured(f"{used:.2f} s of processor time in {seconds:.0f} s of waiting")

    assert condition["status"] == "False"
    assert condition["message"].startswith(TOO_BIG)
    (event,) = cluster.events("FailedScheduling", "impossible")
    assert event["type"] == "Warning"
    assert event["note"].startswith(TOO_BIG)
    assert len(cluster.control_plane.audit.writes("pods/status", cluster.namespace)) == 1
    assert used < 0.1 * seconds
    assert not cluster.node_of("impossible")


def test_an_impossible_pod_does_not_hold_up_the_others(cluster: Cluster, run_scheduler: RunScheduler) -> None:
    cluster.create_nodes(10)
    cluster.create_pods(20, prefix="impossible", cpu=IMPOSSIBLE)
    cluster.create_pods(50)
    run_scheduler()
    cluster.wait_for_bindings(50)
    assert all(pod.startswith("pod-") for pod in cluster.placements())


def test_pods_of_another_scheduler_are_left_alone(cluster: Cluster, run_scheduler: RunScheduler) -> None:
    cluster.create_nodes(3)
    cluster.create_pods(5, prefix="other", scheduler="somebody-else")
    before = {name: cluster.pod(name) for name in ("other-0000", "other-0004")}
    cluster.create_pods(5)
    run_scheduler()
    cluster.wait_for_bindings(5)
    cluster.wait_for_events("Scheduled", 5)

    assert {name: cluster.pod(name) for name in before} == before
    assert len(cluster.placements()) == 5
    assert {event["regarding"]["name"][:3] for event in cluster.events("Scheduled")} == {"pod"}


def test_pods_of_another_scheduler_take_up_room(cluster: Cluster, run_scheduler: RunScheduler) -> None:
    cluster.create_nodes(2, cpu="1")
    cluster.create_pods(2, prefix="other", scheduler="somebody-else", cpu="700m")
    cluster.place("other-0000", "node-0000")
    cluster.place("other-0001", "node-0001")
    cluster.create_pod("large", cpu="400m")
    cluster.create_pod("small", cpu="300m")
    run_scheduler()
    cluster.wait_until_bound("small")
    cluster.wait_for_condition("large", "Unschedulable")
    assert not cluster.overfull_nodes()


def test_a_gated_pod_waits_until_its_last_gate_is_removed(
    cluster: Cluster, run_scheduler: RunScheduler, measured: Measured
) -> None:
    cluster.create_nodes(3)
    cluster.create_pod("gated", gates=("example.com/first", "example.com/second"))
    run_scheduler()
    _witness(cluster, "one")
    assert cluster.condition("gated")["reason"] == "SchedulingGated"
    assert not cluster.node_of("gated")

    _open_gate(cluster, "gated")
    _witness(cluster, "two")
    assert not cluster.node_of("gated")

    _open_gate(cluster, "gated")
    measured(f"bound {cluster.wait_until_bound('gated', every=0.01):.3f} s after the last gate")
    assert not cluster.events("FailedScheduling", "gated")


def test_once_schedules_what_is_pending_and_ends(cluster: Cluster, roost_run: RoostRun) -> None:
    cluster.create_nodes(20)
    cluster.create_pods(200)
    cluster.create_pod("impossible", cpu=IMPOSSIBLE)
    cluster.create_pod("gated", gates=("example.com/gate",))
    run = roost_run(cluster.control_plane.kubeconfig_for(ADMIN), "--once")

    assert run.wait(60) == 0, run.tail()
    assert len(cluster.placements()) == 200
    assert not more_than_once(cluster.binds.accepted())
    assert len(cluster.events_per_pod("Scheduled")) == 200
    assert cluster.condition("impossible")["reason"] == "Unschedulable"
    assert not cluster.node_of("gated")


def test_once_ends_when_nothing_is_pending(cluster: Cluster, roost_run: RoostRun) -> None:
    cluster.create_nodes(3)
    run = roost_run(cluster.control_plane.kubeconfig_for(ADMIN), "--once")
    assert run.wait(30) == 0, run.tail()


def test_the_pods_of_a_deployment_are_spread_evenly_over_equal_nodes(
    cluster: Cluster, run_scheduler: RunScheduler
) -> None:
    if not (cluster.control_plane.assets / "kube-controller-manager").exists():
        pytest.skip(f"kube-controller-manager missing in {cluster.control_plane.assets}")
    cluster.create_nodes(3)
    cluster.control_plane.start_controller_manager(["deployment-controller", "replicaset-controller"])
    cluster.api.create(f"/apis/apps/v1/namespaces/{cluster.namespace}/deployments", deployment_object("web", 6))
    run_scheduler()
    cluster.wait_for_bindings(6)
    assert sorted(Counter(cluster.placements().values()).values()) == [2, 2, 2]


@pytest.mark.parametrize("login", ["token", "certificate"])
def test_a_kubeconfig_may_sign_in_with_either_a_token_or_a_certificate(
    login: str, cluster: Cluster, roost_run: RoostRun
) -> None:
    cluster.create_nodes(3)
    cluster.create_pods(5)
    roost_run(_kubeconfig(cluster, login))
    cluster.wait_until_all_bound()


def _kubeconfig(cluster: Cluster, login: str) -> Path:
    plane = cluster.control_plane
    return plane.kubeconfig_for(ADMIN) if login == "token" else plane.certificate_kubeconfig()


def _witness(cluster: Cluster, name: str) -> None:
    """See another pod bound: the scheduler has had its chance."""
    cluster.create_pod(name)
    cluster.wait_until_bound(name)
    time.sleep(0.5)


def _open_gate(cluster: Cluster, pod: str) -> None:
    remove_first = [{"op": "remove", "path": "/spec/schedulingGates/0"}]
    cluster.api.patch(f"{cluster.pods_path}/{pod}", remove_first, JSON_PATCH)


def _cpu_used(cpu_seconds: Callable[[], float], seconds: float) -> tuple[float, float]:
    began, used = time.monotonic(), cpu_seconds()
    time.sleep(seconds)
    return cpu_seconds() - used, time.monotonic() - began
