"""The API server or the scheduler goes away in mid-run: no pod is lost, none is bound twice."""

import time

import pytest

from e2e.cluster import Cluster, more_than_once, not_kept
from e2e.conftest import Measured, RoostRun, RunScheduler
from e2e.load import wait_until
from e2e.processes import Process
from e2e.rig import ADMIN

PODS = 1500
NODES = 100
MID_RUN = 200
OUTAGE_SECONDS = 1.5
RECOVERY_SECONDS = 90.0
SHUTDOWN_SECONDS = 15.0


@pytest.fixture
def busy(cluster: Cluster) -> Cluster:
    """A cluster with far more pending pods than are bound in a second."""
    cluster.create_nodes(NODES)
    cluster.create_pods(PODS)
    return cluster


def test_nothing_is_lost_or_bound_twice_when_the_api_server_is_killed_in_mid_run(
    busy: Cluster, run_scheduler: RunScheduler, measured: Measured
) -> None:
    scheduler = run_scheduler()
    busy.wait_for_bindings(MID_RUN)
    busy.control_plane.kill_apiserver()
    known = set(busy.binds.accepted())
    time.sleep(OUTAGE_SECONDS)
    busy.control_plane.start_apiserver()
    began = time.monotonic()
    placed = busy.placements()
    final = busy.wait_until_all_bound(RECOVERY_SECONDS)
    seconds = time.monotonic() - began
    measured(f"{len(known)} of {PODS} known as bound at the kill, all {seconds:.1f} s after the server was ready again")

    assert len(known) < PODS, "the API server was not killed in mid-run"
    assert known <= set(placed)
    assert not not_kept(placed, final)
    assert len(final) == PODS
    _assert_nothing_happened_twice(busy)
    assert scheduler.is_alive(), scheduler.tail()


def test_the_scheduler_goes_on_watching_after_the_api_server_came_back(
    cluster: Cluster, run_scheduler: RunScheduler
) -> None:
    cluster.create_nodes(1, cpu="1")
    cluster.create_pods(10)
    run_scheduler()
    cluster.wait_until_all_bound()
    cluster.control_plane.kill_apiserver()
    time.sleep(OUTAGE_SECONDS)
    cluster.control_plane.start_apiserver()

    cluster.create_node("later", cpu="4")
    cluster.create_pods(30, prefix="later")
    final = cluster.wait_until_all_bound(RECOVERY_SECONDS)
    assert {final[pod] for pod in final if pod.startswith("later")} == {"later"}
    assert not cluster.overfull_nodes()


def test_the_scheduler_waits_for_an_api_server_that_restarts_while_it_is_idle(
    cluster: Cluster, run_scheduler: RunScheduler
) -> None:
    cluster.create_nodes(1)
    cluster.create_pod("before")
    scheduler = run_scheduler()
    cluster.wait_until_bound("before")
    cluster.control_plane.restart_apiserver()
    cluster.create_pod("after")
    cluster.wait_until_bound("after")
    assert scheduler.is_alive(), scheduler.tail()


def test_nothing_is_lost_or_bound_twice_when_the_scheduler_is_killed_in_mid_run(
    busy: Cluster, run_scheduler: RunScheduler, measured: Measured
) -> None:
    scheduler = run_scheduler()
    busy.wait_for_bindings(MID_RUN)
    scheduler.kill()
    placed = busy.placements()
    began = time.monotonic()
    run_scheduler()
    final = busy.wait_until_all_bound(RECOVERY_SECONDS)
    seconds = time.monotonic() - began
    measured(f"{len(placed)} of {PODS} bound after the kill, all {seconds:.1f} s after the next start")

    assert len(placed) < PODS, "the scheduler was not killed in mid-run"
    assert not not_kept(placed, final)
    assert len(final) == PODS
    _assert_nothing_happened_twice(busy)


def test_an_orderly_end_in_mid_run_finishes_what_is_under_way_and_says_so(
    busy: Cluster, roost_run: RoostRun, measured: Measured
) -> None:
    scheduler = _run_roost(busy, roost_run)
    busy.wait_for_bindings(MID_RUN)
    measured(f"ended {_end_in_order(scheduler):.2f} s after SIGTERM")
    bound = busy.placements()

    assert len(bound) < PODS, "the scheduler was not ended in mid-run"
    assert set(bound) == set(busy.binds.accepted())
    assert set(busy.events_per_pod("Scheduled")) == set(bound)
    assert not more_than_once(busy.events_per_pod("Scheduled"))

    _run_roost(busy, roost_run)
    final = busy.wait_until_all_bound(RECOVERY_SECONDS)
    assert not not_kept(bound, final)
    assert len(final) == PODS
    _assert_nothing_happened_twice(busy)


def test_an_idle_scheduler_ends_at_once(cluster: Cluster, roost_run: RoostRun) -> None:
    cluster.create_nodes(1)
    cluster.create_pod("only")
    scheduler = _run_roost(cluster, roost_run)
    cluster.wait_until_bound("only")
    assert _end_in_order(scheduler) < 5


def test_pods_and_nodes_that_vanish_under_the_scheduler_do_not_stop_it(
    cluster: Cluster, run_scheduler: RunScheduler
) -> None:
    cluster.create_nodes(20)
    cluster.create_pods(400)
    scheduler = run_scheduler()
    cluster.wait_for_bindings(50)
    for i in range(10):
        cluster.api.delete(f"{cluster.pods_path}/pod-{399 - i:04d}")
        cluster.api.delete(f"/api/v1/nodes/node-{i:04d}")
    remaining = cluster.wait_until_all_bound()

    assert len(remaining) == 390
    assert not more_than_once(cluster.binds.accepted())
    cluster.create_pod("last")
    cluster.wait_until_bound("last")
    assert scheduler.is_alive(), scheduler.tail()


def _assert_nothing_happened_twice(cluster: Cluster) -> None:
    """Check bindings, events and nodes. (A request cut off by a kill may take effect without an accepted answer.)"""
    assert not more_than_once(cluster.binds.accepted())
    assert not more_than_once(cluster.events_per_pod("Scheduled"))
    assert not cluster.overfull_nodes()


def _run_roost(cluster: Cluster, roost_run: RoostRun) -> Process:
    return roost_run(cluster.control_plane.kubeconfig_for(ADMIN))


def _end_in_order(scheduler: Process) -> float:
    scheduler.terminate()
    seconds = wait_until(lambda: not scheduler.is_alive(), "the scheduler has ended", seconds=SHUTDOWN_SECONDS)
    assert scheduler.wait(0) == 0, scheduler.tail()
    return seconds
