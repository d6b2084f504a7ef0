"""A pod of high priority makes room for itself: by evicting whom, and saying what, is as kube-scheduler does it.

There is no kubelet and no disruption controller here: victims are held by a finalizer, so that what was written to them
can be read, and how many disruptions a budget allows is written by hand.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from e2e.cluster import Cluster
from e2e.conftest import RoostRun, RunScheduler
from e2e.load import CORE, SCHEDULER_NAME, Object, Refused, list_events, pod_object, wait_until
from e2e.rig import ADMIN

STOCK = "stock"
PRIORITIES = {"low": 10, "middle": 20, "high": 1000}
CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"
HOLD = "example.com/hold"


@pytest.fixture
def full(cluster: Cluster) -> Iterator[Cluster]:
    """Two nodes of one CPU, and a budget that guards the pods of `guarded`."""
    for name, value in PRIORITIES.items():
        _create_anew(cluster, CLASSES, {"metadata": {"name": name}, "value": value})
    budgets = f"/apis/policy/v1/namespaces/{cluster.namespace}/poddisruptionbudgets"
    selector = {"matchLabels": {"app": "guarded"}}
    cluster.api.create(budgets, {"metadata": {"name": "guard"}, "spec": {"minAvailable": 1, "selector": selector}})
    cluster.api.patch(f"{budgets}/guard/status", {"status": {"disruptionsAllowed": 0}})
    for node in ("a", "b"):
        cluster.create_node(node, cpu="1")
    yield cluster
    _clear(cluster)


def test_it_evicts_whom_kube_scheduler_evicts_and_says_the_same(full: Cluster, roost_run: RoostRun) -> None:
    if not (full.control_plane.assets / "kube-scheduler").exists():
        pytest.skip(f"kube-scheduler missing in {full.control_plane.assets}")
    stock = full.control_plane.start_scheduler(STOCK)
    expected = _story(full, STOCK)
    stock.stop()
    _clear(full)
    roost_run(full.control_plane.kubeconfig_for(ADMIN))
    found = _story(full, SCHEDULER_NAME)
    for what, fact in expected.items():
        assert found[what] == fact, what


def test_many_pods_of_high_priority_take_the_places_of_as_many_others(
    full: Cluster, run_scheduler: RunScheduler
) -> None:
    full.create_pods(10, "old", cpu="200m", memory="1Mi", priority_class="low")
    scheduler = run_scheduler()
    full.wait_until_all_bound()
    full.create_pods(6, "new", cpu="200m", memory="1Mi", priority_class="high")
    wait_until(lambda: sum(name.startswith("new") for name in full.placements()) == 6, "all new pods are bound")
    assert sorted(full.placements())[:6] == [f"new-{i:04d}" for i in range(6)]
    assert len(full.pods()) == 10
    assert scheduler.is_alive()
    assert not full.overfull_nodes()


def _story(cluster: Cluster, scheduler: str) -> dict[str, Any]:
    """Play it for one scheduler; return what it wrote, without names, uids and times that are its own."""
    _place(cluster, scheduler, "guarded", "a", "low")
    _place(cluster, scheduler, "free", "b", "middle")
    _create(cluster, scheduler, "urgent", "high", cpu="800m")
    wait_until(lambda: _status(cluster, "urgent").get("nominatedNodeName") == "b", "node b is promised")
    wait_until(lambda: bool(_deleted(cluster, "free")), "the victim is on its way")
    wait_until(lambda: bool(_events(cluster, scheduler, "Preempted")), "the victim's event")
    _create(cluster, scheduler, "late", "low", cpu="300m")
    wait_until(lambda: bool(_condition(cluster, "late", "PodScheduled")), "the late pod has to wait")
    wait_until(lambda: len(_events(cluster, scheduler, "FailedScheduling")) == 2, "both pods have an event")
    facts = {
        "guarded": (_deleted(cluster, "guarded"), _condition(cluster, "guarded", "DisruptionTarget")),
        "free": _own(cluster, scheduler, _condition(cluster, "free", "DisruptionTarget")),
        "urgent": _condition(cluster, "urgent", "PodScheduled"),
        "late": (_condition(cluster, "late", "PodScheduled"), _status(cluster, "late").get("nominatedNodeName")),
        "events": [
            event for reason in ("Preempted", "FailedScheduling") for event in _events(cluster, scheduler, reason)
        ],
    }
    cluster.api.patch(f"{cluster.pods_path}/free", {"metadata": {"finalizers": None}})
    wait_until(lambda: cluster.node_of("urgent") == "b", "the pod is on the node that it was promised")
    return facts | {"late after all": cluster.node_of("late"), "guarded after all": cluster.node_of("guarded")}


def _place(cluster: Cluster, scheduler: str, name: str, node: str, priority: str) -> None:
    _create(cluster, scheduler, name, priority, cpu="800m", metadata={"finalizers": [HOLD], "labels": {"app": name}})
    cluster.place(name, node)


def _create(cluster: Cluster, scheduler: str, name: str, priority: str, *, cpu: str, metadata: Object = {}) -> None:  # noqa: B006
    pod = pod_object(
        name, cpu=cpu, memory="1Mi", namespace=cluster.namespace, priority_class=priority, scheduler=scheduler
    )
    pod["metadata"] |= metadata
    cluster.api.create(cluster.pods_path, pod)


def _status(cluster: Cluster, name: str) -> Object:
    status = cluster.pod(name)["status"]
    assert isinstance(status, dict)
    return status


def _deleted(cluster: Cluster, name: str) -> bool:
    return "deletionTimestamp" in cluster.pod(name)["metadata"]


def _condition(cluster: Cluster, name: str, kind: str) -> Object:
    """Return a condition without its times."""
    found = [one for one in _status(cluster, name).get("conditions") or () if one["type"] == kind]
    return {key: value for one in found for key, value in one.items() if not key.startswith("last")}


def _own(cluster: Cluster, scheduler: str, condition: Object) -> Object:
    return condition | {"message": condition["message"].replace(f"{scheduler}:", "SCHEDULER:")}


def _events(cluster: Cluster, scheduler: str, reason: str) -> list[Object]:
    """Return what events say, with `urgent` in the place of that pod's uid.

    Roost names the pod that preempts as related. So did kube-scheduler before 1.36, which fails to.
    """
    uid = cluster.pod("urgent")["metadata"]["uid"]
    found = [one for one in list_events(cluster.api, cluster.namespace) if one["reason"] == reason]
    mine = [one for one in found if one.get("reportingController") == scheduler]
    told = [
        {
            "note": one["note"].replace(uid, "urgent"),
            "type": one["type"],
            "action": one["action"],
            "regarding": one["regarding"]["name"],
        }
        for one in mine
    ]
    return sorted(told, key=str)


def _create_anew(cluster: Cluster, path: str, body: Object) -> None:
    try:
        cluster.api.create(path, body)
    except Refused as refused:
        if refused.status != 409:
            raise


def _clear(cluster: Cluster) -> None:
    for pod in cluster.pods():
        path = f"{cluster.pods_path}/{pod['metadata']['name']}"
        with contextlib.suppress(Refused):  # a victim may have gone meanwhile, or goes with its last finalizer
            cluster.api.patch(path, {"metadata": {"finalizers": None}})
            cluster.api.delete(path)
    wait_until(lambda: not cluster.pods(), "the namespace is empty")
    cluster.api.request(
        "DELETE", f"{CORE.replace('/api/v1', '/apis/events.k8s.io/v1')}/namespaces/{cluster.namespace}/events"
    )
