"""The rules of binding, eviction and scale."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.apiserver.building import Time, add_node, add_pod, bind_pod, new_store, pod, watch

from roost.apiserver.bindings import bind
from roost.apiserver.evictions import evict
from roost.apiserver.resources import DEPLOYMENT, POD, POD_DISRUPTION_BUDGET
from roost.apiserver.scale import read_scale, write_scale
from roost.apiserver.standins import all_standins, settle
from roost.apiserver.standins.disruption import Disruption
from roost.apiserver.store import Object, Store
from roost.errors import ApiError, Conflict, NotFound, TooManyRequests


@pytest.fixture
def store() -> Store:
    store = new_store()
    add_node(store, **{"topology.kubernetes.io/zone": "a", "topology.kubernetes.io/region": "r", "other": "label"})
    return store


# ---- binding


def test_a_binding_gives_the_pod_its_node_condition_and_zone(store: Store) -> None:
    old = add_pod(store, labels={"app": "web", "topology.kubernetes.io/zone": "wrong"})
    watcher = watch(store)
    new = bind_pod(store, uid=old.metadata["uid"])
    assert new.object["spec"]["nodeName"] == "node-0"
    assert new.object["status"]["conditions"] == [
        {
            "type": "PodScheduled",
            "status": "True",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
    ]
    assert new.metadata["labels"] == {
        "app": "web",
        "topology.kubernetes.io/zone": "a",
        "topology.kubernetes.io/region": "r",
    }
    assert watcher.seen == [("MODIFIED", "web")]
    assert new.metadata["generation"] == 1


def test_a_binding_replaces_the_condition_that_said_why_not(store: Store) -> None:
    add_pod(store)
    why = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "lastTransitionTime": "2025-01-01T00:00:00Z",
    }
    status = {"conditions": [why], "nominatedNodeName": "node-1"}
    store.modify(POD, "web", lambda obj: obj["status"].update(status), "default", subresource="status")
    status = bind_pod(store).object["status"]
    assert [(one["status"], one["lastTransitionTime"]) for one in status["conditions"]] == [
        ("True", "2026-01-01T00:00:00Z")
    ]
    assert "reason" not in status["conditions"][0]
    assert "nominatedNodeName" not in status


def test_a_node_that_nobody_knows_can_be_bound_to(store: Store) -> None:
    add_pod(store)
    assert bind_pod(store, node_name="nowhere").object["spec"]["nodeName"] == "nowhere"


def binding(name: str = "web", target: Object | None = None, **metadata: str) -> Object:
    return {"metadata": {"name": name, **metadata}, "target": target or {"kind": "Node", "name": "node-0"}}


def delete_bound(store: Store) -> None:
    bind_pod(store)
    store.delete(POD, "web", "default")


REFUSED: dict[str, tuple[Callable[[Store], Any], Object, type[ApiError], str]] = {
    "a pod that is bound already": (
        bind_pod,
        binding(),
        Conflict,
        'Operation cannot be fulfilled on pods/binding "web": pod web is already assigned to node "node-0"',
    ),
    "a pod that is being deleted": (
        delete_bound,
        binding(),
        Conflict,
        'Operation cannot be fulfilled on pods/binding "web": pod web is being deleted, cannot be assigned to a host',
    ),
    "a pod with another uid": (
        lambda store: None,
        binding(uid="other"),
        Conflict,
        'Operation cannot be fulfilled on pods/binding "web": StorageError: invalid object, Code: 4, '
        "Key: /registry/pods/default/web, ResourceVersion: 0, AdditionalErrorMsg: "
        "Precondition failed: UID in precondition: other, UID in object meta: ",
    ),
    "a pod that has changed": (
        lambda store: None,
        binding(resourceVersion="1"),
        Conflict,
        "ResourceVersion in precondition: 1",
    ),
    "a pod that is gone": (
        lambda store: store.delete(POD, "web", "default"),
        binding(),
        NotFound,
        'pods "web" not found',
    ),
    "another name": (
        lambda store: None,
        binding("other"),
        ApiError,
        "name in URL does not match name in Binding object",
    ),
    "no node": (lambda store: None, binding(target={"kind": "Node"}), ApiError, "target.name: Required value"),
    "something that is no node": (
        lambda store: None,
        binding(target={"kind": "Pod", "name": "x"}),
        ApiError,
        'Unsupported value: "Pod"',
    ),
}


@pytest.mark.parametrize(("before", "body", "error", "text"), REFUSED.values(), ids=REFUSED.keys())
def test_a_binding_is_refused(store: Store, before: Any, body: Object, error: type[ApiError], text: str) -> None:
    add_pod(store)
    before(store)
    version = store.version
    with pytest.raises(error) as caught:
        bind(store, "default", "web", body)
    assert text in str(caught.value)
    assert store.version == version


def test_a_gated_pod_is_not_bound(store: Store) -> None:
    add_pod(store, spec={"schedulingGates": [{"name": "wait"}]})
    with pytest.raises(Conflict, match=r"pod web has non-empty \.spec\.schedulingGates"):
        bind_pod(store)


# ---- eviction


def run(store: Store, count: int, **budget: Any) -> None:
    for i in range(count):
        add_pod(store, f"web-{i}", labels={"app": "web"})
        bind_pod(store, f"web-{i}")
    if budget:
        spec = {"selector": {"matchLabels": {"app": "web"}}, **budget}
        store.create(POD_DISRUPTION_BUDGET, {"metadata": {"name": "budget"}, "spec": spec}, "default")
    clock = store.clock
    assert isinstance(clock, Time)
    standins = all_standins()
    for _ in range(3):
        settle(store, clock.now, standins)
        clock.now += 1


def test_an_eviction_deletes_a_pod_and_says_why(store: Store) -> None:
    run(store, 1)
    evict(store, "default", "web-0", {"metadata": {"name": "web-0"}})
    pod = store.get(POD, "web-0", "default").object
    assert "deletionTimestamp" in pod["metadata"]
    assert pod["status"]["conditions"][-1]["reason"] == "EvictionByEvictionAPI"


def test_a_budget_lets_go_as_many_as_it_can_spare(store: Store) -> None:
    run(store, 3, minAvailable=2)
    evict(store, "default", "web-0", {})
    with pytest.raises(TooManyRequests) as caught:
        evict(store, "default", "web-1", {})
    assert str(caught.value) == "Cannot evict pod as it would violate the pod's disruption budget."
    assert caught.value.status == 429
    settle(store, store.clock(), [Disruption()])
    with pytest.raises(TooManyRequests):
        evict(store, "default", "web-1", {})


@pytest.mark.parametrize(("budget", "allowed"), [({"maxUnavailable": "50%"}, 2), ({"minAvailable": "100%"}, 0)])
def test_budgets_in_percent(store: Store, budget: Object, allowed: int) -> None:
    run(store, 4, **budget)
    status = store.get(POD_DISRUPTION_BUDGET, "budget", "default").object["status"]
    assert (status["disruptionsAllowed"], status["currentHealthy"], status["expectedPods"]) == (allowed, 4, 4)


def test_a_pending_pod_goes_whatever_its_budget_says(store: Store) -> None:
    run(store, 1, minAvailable=5)
    add_pod(store, "pending", labels={"app": "web"})
    evict(store, "default", "pending", {})
    assert store.find(POD, "pending", "default") is None


def test_an_eviction_of_another_uid_is_a_conflict(store: Store) -> None:
    run(store, 1)
    with pytest.raises(Conflict):
        evict(store, "default", "web-0", {"deleteOptions": {"preconditions": {"uid": "other"}}})


# ---- scale


def test_scale_reads_and_writes_replicas(store: Store) -> None:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod()["spec"]}
    selector = {
        "matchLabels": {"app": "web"},
        "matchExpressions": [{"key": "x", "operator": "In", "values": ["b", "a"]}],
    }
    store.create(
        DEPLOYMENT, {"metadata": {"name": "web"}, "spec": {"selector": selector, "template": template}}, "default"
    )
    scale = read_scale(store, DEPLOYMENT, "web", "default")
    assert scale["spec"] == {"replicas": 1}
    assert scale["status"] == {"replicas": 0, "selector": "app=web,x in (a,b)"}
    scale["spec"]["replicas"] = 3
    assert write_scale(store, DEPLOYMENT, "web", "default", scale)["spec"] == {"replicas": 3}
    assert store.get(DEPLOYMENT, "web", "default").metadata["generation"] == 2
    with pytest.raises(Conflict):
        write_scale(store, DEPLOYMENT, "web", "default", scale)
    with pytest.raises(ApiError, match="must be greater than or equal to 0"):
        write_scale(store, DEPLOYMENT, "web", "default", {"spec": {"replicas": -1}})
