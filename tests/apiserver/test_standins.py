"""The stand-ins: what happens to pods, workloads, nodes and namespaces when nobody else looks after them."""

import asyncio
from typing import Any

import pytest
from tests.apiserver.building import Time, add_node, add_pod, bind_pod, new_store, pod
from tests.scheduler.live import until
from tests.scheduler.virtual_time import in_virtual_time

from roost.apiserver.bindings import bind, binding_to
from roost.apiserver.conditions import find_condition, is_true
from roost.apiserver.resources import DEPLOYMENT, NAMESPACE, NODE, POD, REPLICA_SET
from roost.apiserver.standins import all_standins, run_standins, settle
from roost.apiserver.store import DeleteOptions, Object, Store


class Rig:
    """A store, its stand-ins, time, and a scheduler that takes the first node."""

    def __init__(self, nodes: int = 2) -> None:
        self.time = Time()
        self.store = Store(self.time)
        self.standins = all_standins()
        for i in range(nodes):
            add_node(self.store, f"node-{i}")

    def run(self, seconds: int = 5, schedules: bool = True) -> None:
        for _ in range(seconds * 2):
            settle(self.store, self.time.now, self.standins)
            for item in self.store.all(POD) if schedules else ():
                if not item.object["spec"].get("nodeName"):
                    body = binding_to("node-0", name=item.name, namespace=item.namespace)
                    bind(self.store, item.namespace, item.name, body)
            self.time.now += 0.5

    def deploy(self, replicas: int = 3, **spec: Any) -> None:
        labels = {"app": "web"}
        template = {"metadata": {"labels": labels}, "spec": pod()["spec"]}
        body = {"selector": {"matchLabels": labels}, "template": template, "replicas": replicas, **spec}
        self.store.create(DEPLOYMENT, {"metadata": {"name": "web"}, "spec": body}, "default")

    def set_image(self, image: str) -> None:
        def change(obj: Object) -> None:
            obj["spec"]["template"]["spec"]["containers"][0]["image"] = image

        self.store.modify(DEPLOYMENT, "web", change, "default")

    @property
    def deployment(self) -> Object:
        return self.store.get(DEPLOYMENT, "web", "default").object

    @property
    def sizes(self) -> list[int]:
        return sorted(it.object["spec"]["replicas"] for it in self.store.all(REPLICA_SET))


# ---- kubelet


def test_a_bound_pod_runs_after_a_moment() -> None:
    rig = Rig()
    add_pod(rig.store)
    bind_pod(rig.store)
    settle(rig.store, rig.time.now, rig.standins)
    assert rig.store.get(POD, "web", "default").object["status"]["phase"] == "Pending"
    rig.run(1)
    status = rig.store.get(POD, "web", "default").object["status"]
    assert status["phase"] == "Running"
    assert all(one["status"] == "True" for one in status["conditions"])
    assert {"PodScheduled", "Ready", "ContainersReady", "Initialized"} <= {one["type"] for one in status["conditions"]}
    assert status["podIP"] == status["podIPs"][0]["ip"] != status["hostIP"]
    (container,) = status["containerStatuses"]
    assert (container["name"], container["ready"], "running" in container["state"]) == ("app", True, True)


def test_a_pending_pod_and_one_on_no_node_do_not_run() -> None:
    rig = Rig()
    add_pod(rig.store, "pending")
    add_pod(rig.store, "lost")
    bind_pod(rig.store, "lost", "nowhere")
    rig.run(schedules=False)
    assert {it.object["status"]["phase"] for it in rig.store.all(POD)} == {"Pending"}


def test_a_deleted_pod_ends_soon() -> None:
    rig = Rig()
    add_pod(rig.store)
    bind_pod(rig.store)
    rig.run()
    rig.store.delete(POD, "web", "default")
    assert rig.store.find(POD, "web", "default") is not None
    rig.run(1)
    assert rig.store.find(POD, "web", "default") is None


def test_the_pods_of_a_node_that_stays_away_are_gone_after_a_while() -> None:
    rig = Rig()
    add_pod(rig.store)
    bind_pod(rig.store)
    rig.run()
    rig.store.delete(NODE, "node-0")
    rig.run(30)
    assert rig.store.find(POD, "web", "default") is not None
    rig.run(20)
    assert rig.store.find(POD, "web", "default") is None


# ---- nodes


def test_a_node_becomes_ready_once() -> None:
    rig = Rig(1)
    rig.run(1)
    node = rig.store.get(NODE, "node-0")
    assert is_true(node.object, "Ready")
    rig.run(5)
    assert rig.store.get(NODE, "node-0") is node


def test_a_cordoned_node_is_tainted_until_it_is_not() -> None:
    rig = Rig(1)
    rig.store.modify(NODE, "node-0", lambda obj: obj["spec"].update(unschedulable=True))
    rig.run(1)
    (taint,) = rig.store.get(NODE, "node-0").object["spec"]["taints"]
    assert (taint["key"], taint["effect"]) == ("node.kubernetes.io/unschedulable", "NoSchedule")
    rig.store.modify(NODE, "node-0", lambda obj: obj["spec"].pop("unschedulable") and None)
    rig.run(1)
    assert "taints" not in rig.store.get(NODE, "node-0").object["spec"]


# ---- deployments


def test_a_deployment_makes_pods_that_belong_to_it() -> None:
    rig = Rig()
    rig.deploy(3)
    rig.run()
    (replica_set,) = rig.store.all(REPLICA_SET)
    letters = replica_set.metadata["labels"]["pod-template-hash"]
    assert replica_set.name == f"web-{letters}"
    pods = rig.store.all(POD)
    assert len(pods) == 3
    for item in pods:
        assert item.name.startswith(f"{replica_set.name}-")
        assert item.metadata["labels"] == {"app": "web", "pod-template-hash": letters}
        assert item.metadata["ownerReferences"][0]["uid"] == replica_set.metadata["uid"]
    assert_rolled_out(rig, 3)


def assert_rolled_out(rig: Rig, replicas: int) -> None:
    """Assert what `kubectl rollout status` and `kubectl wait --for=condition=Available` wait for."""
    status = rig.deployment["status"]
    assert status["observedGeneration"] == rig.deployment["metadata"]["generation"]
    for name in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"):
        assert status.get(name, 0) == replicas, name
    assert "unavailableReplicas" not in status
    assert is_true(rig.deployment, "Available")
    assert (find_condition(rig.deployment, "Progressing") or {})["reason"] == "NewReplicaSetAvailable"


def test_a_deployment_scales_up_and_down() -> None:
    rig = Rig()
    rig.deploy(2)
    rig.run()
    for replicas in (5, 1, 0):
        rig.store.modify(DEPLOYMENT, "web", lambda obj, n=replicas: obj["spec"].update(replicas=n), "default")
        rig.run()
        assert len(rig.store.all(POD)) == replicas
        assert_rolled_out(rig, replicas)


def test_a_rollout_keeps_within_surge_and_unavailability() -> None:
    rig = Rig()
    rig.deploy(8)
    rig.run()
    rig.set_image("nginx:2")
    for _ in range(40):
        rig.run(1)
        assert sum(rig.sizes) <= 10, "8 and 25 % more"
        assert rig.deployment["status"]["availableReplicas"] >= 6, "8 and 25 % less"
    assert rig.sizes == [0, 8]
    assert {it.object["spec"]["containers"][0]["image"] for it in rig.store.all(POD)} == {"nginx:2"}
    assert_rolled_out(rig, 8)
    assert rig.deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"


def test_a_rollout_that_cannot_go_on_keeps_the_old_pods() -> None:
    rig = Rig()
    rig.deploy(4)
    rig.run()
    rig.set_image("nginx:2")
    rig.run(20, schedules=False)
    assert rig.deployment["status"]["availableReplicas"] == 3
    assert (find_condition(rig.deployment, "Progressing") or {})["reason"] == "ReplicaSetUpdated"
    assert is_true(rig.deployment, "Available")


def test_going_back_takes_the_old_replica_set_again() -> None:
    rig = Rig()
    rig.deploy(2)
    rig.run()
    rig.set_image("nginx:2")
    rig.run(10)
    rig.set_image("nginx:1")
    rig.run(10)
    assert rig.sizes == [0, 2]
    assert rig.deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"
    assert_rolled_out(rig, 2)


def test_recreate_ends_the_old_pods_first() -> None:
    rig = Rig()
    rig.deploy(2, strategy={"type": "Recreate"})
    rig.run()
    rig.set_image("nginx:2")
    settle(rig.store, rig.time.now, rig.standins)
    images = {it.object["spec"]["containers"][0]["image"] for it in rig.store.all(POD)}
    assert images == {"nginx:1"}, "they are still on their way out"
    rig.run(10)
    assert_rolled_out(rig, 2)


def test_a_pod_that_is_deleted_is_replaced() -> None:
    rig = Rig()
    rig.deploy(2)
    rig.run()
    name = rig.store.all(POD)[0].name
    rig.store.delete(POD, name, "default")
    rig.run()
    assert name not in [it.name for it in rig.store.all(POD)]
    assert_rolled_out(rig, 2)


# ---- what belongs to what is gone


@pytest.mark.parametrize(("propagation", "left"), [("", 0), ("Background", 0), ("Foreground", 0), ("Orphan", 2)])
def test_deleting_a_deployment(propagation: str, left: int) -> None:
    rig = Rig()
    rig.deploy(2)
    rig.run()
    rig.store.delete(DEPLOYMENT, "web", "default", DeleteOptions(propagation=propagation))
    rig.run(10)
    assert rig.store.all(DEPLOYMENT) == []
    assert len(rig.store.all(POD)) == left
    assert len(rig.store.all(REPLICA_SET)) == (1 if left else 0)
    for item in rig.store.all(REPLICA_SET):
        assert not item.metadata.get("ownerReferences")


def test_a_namespace_goes_when_it_is_empty() -> None:
    rig = Rig()
    rig.store.create(NAMESPACE, {"metadata": {"name": "team"}})
    rig.store.create(POD, pod(), "team")
    bind(rig.store, "team", "web", binding_to("node-0", name="web", namespace="team"))
    rig.run()
    leaving = rig.store.delete(NAMESPACE, "team")
    assert leaving.object["status"]["phase"] == "Terminating"
    rig.run()
    assert rig.store.find(NAMESPACE, "team") is None
    assert rig.store.all(POD, "team") == []


# ---- as they run


def test_the_same_writes_lead_to_the_same_cluster() -> None:
    def outcome() -> list[bytes]:
        rig = Rig()
        rig.deploy(3)
        rig.run()
        rig.set_image("nginx:2")
        rig.run(10)
        return [it.bytes for resource in (DEPLOYMENT, REPLICA_SET, POD, NODE) for it in rig.store.all(resource)]

    assert outcome() == outcome()


@in_virtual_time
async def test_they_wake_when_something_changes_and_sleep_when_nothing_does() -> None:
    loop = asyncio.get_running_loop()
    store = Store(loop.time)
    add_node(store)
    task = asyncio.create_task(run_standins(store))
    add_pod(store)
    await asyncio.sleep(1)
    bind_pod(store)
    began = loop.time()
    await until(lambda: is_true(store.get(POD, "web", "default").object, "Ready"))
    assert loop.time() - began < 0.5
    version = store.version
    await asyncio.sleep(1000)
    assert store.version == version
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_a_store_without_stand_ins_stays_as_it_is() -> None:
    store = new_store()
    add_node(store)
    assert find_condition(store.get(NODE, "node-0").object, "Ready") is None
