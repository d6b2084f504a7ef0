"""The live loop on the embedded cluster: every pod bound once, whatever happens to the watches."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest
from tests.apiserver.building import pod
from tests.scheduler.live import running, until
from tests.scheduler.virtual_time import in_virtual_time

from roost.apiserver.conditions import find_condition, is_true
from roost.apiserver.in_process import InProcessCluster
from roost.apiserver.nodes import build_nodes
from roost.apiserver.resources import EVENT, NODE, POD
from roost.apiserver.standins import run_standins
from roost.apiserver.store import DeleteOptions, Event, Object, Selection, Store
from roost.config.profiles import default_profile
from roost.errors import OutcomeUnknown

EPOCH = 1_767_225_600.0


class Bindings:
    """Counts how often each pod gets a node, and where the nodes stand."""

    def __init__(self, store: Store) -> None:
        self.times: Counter[str] = Counter()
        self.nodes: dict[str, str] = {}
        store.subscribe(Selection(POD), self._note)

    def _note(self, event: Event) -> None:
        item = event.item
        node_name = item.object["spec"].get("nodeName", "")
        if node_name and self.nodes.get(item.name) != node_name:
            self.times[item.name] += 1
            self.nodes[item.name] = node_name

    @property
    def are_each_once(self) -> bool:
        return set(self.times.values()) <= {1}


def new_cluster(nodes: int, **how: Any) -> InProcessCluster:
    loop = asyncio.get_running_loop()
    store = Store(lambda: EPOCH + loop.time(), **how)
    for node in build_nodes(nodes):
        store.create(NODE, node)
    return InProcessCluster(store)


def add_pod(cluster: InProcessCluster, name: str, cpu: str = "100m", **spec: Any) -> None:
    container = {"name": "app", "image": "nginx:1", "resources": {"requests": {"cpu": cpu}}}
    cluster.store.create(POD, pod(name, containers=[container], spec=spec), "default")


def pod_of(cluster: InProcessCluster, name: str) -> Object:
    return cluster.store.get(POD, name, "default").object


def events(cluster: InProcessCluster, reason: str) -> list[Object]:
    return [it.object for it in cluster.store.all(EVENT) if it.object["reason"] == reason]


def scheduling(cluster: InProcessCluster) -> Any:
    return running(cluster, [default_profile("default-scheduler")])  # type: ignore[arg-type]


@asynccontextmanager
async def standing_in(cluster: InProcessCluster) -> AsyncIterator[None]:
    task = asyncio.create_task(run_standins(cluster.store))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@in_virtual_time
async def test_three_hundred_pods_are_bound_once_each() -> None:
    cluster = new_cluster(20)
    bindings = Bindings(cluster.store)
    for i in range(150):
        add_pod(cluster, f"pod-{i}")
    async with standing_in(cluster), scheduling(cluster) as scheduler:
        for i in range(150, 300):
            add_pod(cluster, f"pod-{i}")
        await until(lambda: len(bindings.nodes) == 300)
        await until(lambda: all(it.object["status"]["phase"] == "Running" for it in cluster.store.all(POD)))
        await until(lambda: len(scheduler.cache.pods) == 300)
    assert bindings.are_each_once
    assert len(events(cluster, "Scheduled")) == 300
    assert events(cluster, "Scheduled")[0]["message"].startswith("Successfully assigned default/pod-")
    zones = Counter(
        pod_of(cluster, f"pod-{i}")["metadata"]["labels"]["topology.kubernetes.io/zone"] for i in range(300)
    )
    assert len(zones) == 3


@in_virtual_time
async def test_a_pod_that_fits_nowhere_gets_its_condition_and_a_new_node_wakes_it() -> None:
    cluster = new_cluster(3)
    add_pod(cluster, "large", cpu="12")
    async with scheduling(cluster):
        await until(lambda: find_condition(pod_of(cluster, "large"), "PodScheduled") is not None)
        condition = find_condition(pod_of(cluster, "large"), "PodScheduled") or {}
        assert (condition["status"], condition["reason"]) == ("False", "Unschedulable")
        assert condition["message"].startswith("0/3 nodes are available: 3 Insufficient cpu.")
        roomy = {"metadata": {"name": "roomy"}, "status": {"allocatable": {"cpu": "16", "pods": "9", "memory": "9Gi"}}}
        cluster.store.create(NODE, roomy)
        await until(lambda: pod_of(cluster, "large")["spec"].get("nodeName") == "roomy")
    assert is_true(pod_of(cluster, "large"), "PodScheduled")
    assert len(events(cluster, "FailedScheduling")) == 1


@in_virtual_time
async def test_a_gated_pod_is_bound_when_its_gate_is_removed() -> None:
    cluster = new_cluster(1)
    add_pod(cluster, "gated", schedulingGates=[{"name": "wait"}])
    async with scheduling(cluster):
        await asyncio.sleep(30)
        assert "nodeName" not in pod_of(cluster, "gated")["spec"]
        cluster.store.modify(POD, "gated", lambda obj: obj["spec"].pop("schedulingGates") and None, "default")
        assert await until(lambda: "nodeName" in pod_of(cluster, "gated")["spec"]) < 1


@in_virtual_time
async def test_a_cordoned_node_takes_nothing_until_it_is_uncordoned() -> None:
    cluster = new_cluster(1)
    async with standing_in(cluster), scheduling(cluster):
        cluster.store.modify(NODE, "node-0", lambda obj: obj["spec"].update(unschedulable=True))
        await asyncio.sleep(1)
        add_pod(cluster, "web")
        await until(lambda: len(events(cluster, "FailedScheduling")) == 1)
        cluster.store.modify(NODE, "node-0", lambda obj: obj["spec"].pop("unschedulable") and None)
        await until(lambda: "nodeName" in pod_of(cluster, "web")["spec"])


@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_lost_when_watches_break_and_the_log_expires(seed: int) -> None:
    @in_virtual_time
    async def run() -> None:
        dice = Random(seed)
        cluster = new_cluster(20, log_size=50)
        bindings = Bindings(cluster.store)
        broken = Counter[str]()

        async def note(verb: str, plural: str) -> None:
            await asyncio.sleep(dice.random() * 0.02)
            if verb in ("list", "watch"):
                broken[verb] += 1

        cluster.on_request = note
        async with standing_in(cluster), scheduling(cluster) as scheduler:
            for i in range(300):
                add_pod(cluster, f"pod-{i}")
                if dice.random() < 0.1:
                    cluster.interrupt_watches()
                if dice.random() < 0.1:
                    cluster.interrupt_watches()
                    cluster.expire_watch_log()
                if dice.random() < 0.05:
                    leave(cluster, f"pod-{dice.randrange(i + 1)}")
                await asyncio.sleep(dice.random() * 0.2)
            await until(lambda: not waiting(cluster), 600)
            await until(lambda: len(scheduler.cache.pods) == len(cluster.store.all(POD)), 600)
        assert bindings.are_each_once
        assert broken["watch"] > 20, "watches were interrupted"
        assert broken["list"] > 4, "and some had to list again"

    run()


def leave(cluster: InProcessCluster, name: str) -> None:
    if cluster.store.find(POD, name, "default") is not None:
        cluster.store.delete(POD, name, "default", DeleteOptions(grace_seconds=1))


def waiting(cluster: InProcessCluster) -> list[str]:
    return [it.name for it in cluster.store.all(POD) if not it.object["spec"].get("nodeName")]


@in_virtual_time
async def test_a_lost_answer_to_a_binding_binds_nothing_twice() -> None:
    cluster = new_cluster(5)
    bindings = Bindings(cluster.store)
    dice = Random(1)

    class Losing(InProcessCluster):
        async def bind(self, namespace: str, name: str, uid: str, node_name: str) -> None:
            await super().bind(namespace, name, uid, node_name)
            if dice.random() < 0.3:
                raise OutcomeUnknown("the connection broke")

    losing = Losing(cluster.store)
    async with scheduling(losing):
        for i in range(60):
            add_pod(cluster, f"pod-{i}")
        await until(lambda: len(bindings.nodes) == 60)
        await asyncio.sleep(30)
    assert bindings.are_each_once
    assert len(events(cluster, "Scheduled")) == 60
