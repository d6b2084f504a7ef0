import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.bench.small_cluster import small_cluster

from roost.apiserver.in_process import InProcessCluster
from roost.apiserver.resources import NAMESPACE, NODE, POD, PRIORITY_CLASS
from roost.apiserver.store import Store
from roost.bench.player import LABEL, Player
from roost.bench.steps import (
    Barrier,
    Churn,
    CreateNamespaces,
    CreateNodes,
    CreateObjects,
    CreatePods,
    DeletePods,
    Sleep,
)
from roost.bench.watchers import binds
from roost.errors import Conflict, RoostError

TEMPLATE = {"spec": {"containers": [{"name": "a", "image": "a", "resources": {"requests": {"cpu": "1m"}}}]}}
GATED = {"spec": {**TEMPLATE["spec"], "schedulingGates": [{"name": "wait"}]}}


def pods(count: int = 3, *, prefix: str = "pod", **more: Any) -> CreatePods:
    return CreatePods(count=count, template=TEMPLATE, namespace="here", prefix=prefix, **more)


def names(store: Store, resource: Any) -> list[str]:
    return sorted(item["metadata"]["name"] for item in everything(store, resource))


def everything(store: Store, resource: Any) -> list[dict[str, Any]]:
    return [dict(item.object) for item in store.all(resource)]


@asynccontextmanager
async def playing(*, schedule: bool = True, may_exist: bool = True) -> Any:
    """Run a player on a cluster where each pod of it is bound to a node soon, unless `schedule` is false."""
    async with small_cluster(may_exist=may_exist) as (store, load), binds(load.streams, load.lists) as bound:
        player = Player(load, "mine")
        binding = asyncio.create_task(bind_all(store)) if schedule else None
        try:
            async with player.watching(bound):
                yield store, player
        finally:
            if binding:
                binding.cancel()
                await asyncio.gather(binding, return_exceptions=True)


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roost.bench.player.NO_PROGRESS", 5.0)


async def bind_all(store: Store) -> None:
    while True:
        for pod in everything(store, POD):
            spec, metadata = pod["spec"], pod["metadata"]
            if spec["schedulerName"] == "mine" and not spec.get("nodeName") and not spec.get("schedulingGates"):
                await InProcessCluster(store).bind(metadata["namespace"], metadata["name"], "", "node-0")
        await asyncio.sleep(0.01)


async def test_pods_are_created_in_their_namespace_and_waited_for() -> None:
    async with playing() as (store, player):
        await player.play([pods(measured=True)])
        made = everything(store, POD)
        assert sorted(pod["metadata"]["name"] for pod in made) == ["pod-000000", "pod-000001", "pod-000002"]
        assert all(pod["spec"]["nodeName"] == "node-0" for pod in made)
        assert sorted(player.measured) == ["here/pod-000000", "here/pod-000001", "here/pod-000002"]
        assert set(player.load.sent) == set(player.measured)


async def test_who_does_not_wait_goes_on_and_the_barrier_waits() -> None:
    async with playing() as (store, player):
        await player.play([pods(skip_wait=True), Barrier(namespaces=["here"])])
        assert all(pod["spec"].get("nodeName") for pod in everything(store, POD))
        assert player.may_wait == ["here/pod-"]


async def test_a_barrier_of_attempts_waits_for_the_condition() -> None:
    async with playing(schedule=False) as (store, player):
        gated = CreatePods(count=1, template=GATED, namespace="here", prefix="gated", skip_wait=True)
        await player.play([gated, Barrier(stage="Attempted"), Sleep(seconds=0.01)])
        assert names(store, POD) == ["gated-000000"]


async def test_nothing_bound_for_long_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roost.bench.player.NO_PROGRESS", 0.1)
    async with playing(schedule=False) as (_, player):
        with pytest.raises(RoostError, match=r"3 of 3 pods are not bound, and none was for 0\.1 s"):
            await player.play([pods()])


async def test_a_scheduler_that_has_died_ends_the_wait() -> None:
    def died() -> None:
        raise RoostError("kube-scheduler ended")

    async with playing(schedule=False) as (_, player):
        player.check = died
        with pytest.raises(RoostError, match="kube-scheduler ended"):
            await player.play([pods()])


async def test_at_a_rate_pods_come_one_after_the_other() -> None:
    async with playing() as (_, player):
        keys = await player.create_pods(pods(10), rate=50)
        sent = [player.load.sent[key] for key in keys]
        assert sent == sorted(sent)
        assert sent[-1] - sent[0] >= 9 / 50 - 0.01


async def test_clearing_leaves_nodes_and_namespaces_and_nothing_else() -> None:
    node = CreateNodes(count=2, template={"status": {"capacity": {"cpu": "4", "pods": "10"}}}, prefix="mine")
    priority = {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": "high"},
        "value": 10,
    }
    async with playing() as (store, player):
        steps = [node, CreateNamespaces(count=2, prefix="more"), CreateObjects(namespace="here", objects=[priority])]
        for _ in range(2):  # a second run finds nodes and namespaces, and makes the rest again
            await player.play([*steps, pods()])
            assert "high" in names(store, PRIORITY_CLASS)
            await player.clear()
            assert names(store, POD) == []
            assert "high" not in names(store, PRIORITY_CLASS)
            assert names(store, NODE) == ["mine-000000", "mine-000001", "node-0", "node-1"]
            assert {"more-0", "more-1", "here"} <= set(names(store, NAMESPACE))
        labelled = [one for one in everything(store, NODE) if LABEL in one["metadata"]["labels"]]
        assert len(labelled) == 2
        assert (player.measured, player.load.sent, player.may_wait) == ([], {}, [])


async def test_deleted_pods_are_gone_and_no_barrier_waits_for_them() -> None:
    async with playing() as (store, player):
        await player.play([pods(), DeletePods(namespace="here", per_second=100), Barrier()])
        assert names(store, POD) == []


async def test_churn_creates_and_deletes_until_the_end() -> None:
    template = {"apiVersion": "v1", "kind": "Pod", **TEMPLATE}
    churn = Churn(
        mode="recreate", templates=[template], number=1, interval_milliseconds=20, namespace="here", prefix="churn"
    )
    async with playing() as (store, player):
        await player.play([churn])
        seen: set[int] = set()
        await until(lambda: seen.add(len(names(store, POD))) or seen >= {0, 1})
    assert player.may_wait == ["here/churn-"]


async def test_an_error_in_the_background_is_not_silent() -> None:
    unknown = Churn(mode="create", templates=[{"kind": "Nothing"}], namespace="here", prefix="churn")
    async with playing() as (_, player):
        with pytest.raises(RoostError, match="Nothing: the workload wants an object of a kind that is not known"):
            await player.play([unknown, Sleep(seconds=0.1), Sleep(seconds=0)])


async def test_in_a_cluster_of_others_nothing_of_theirs_is_taken_for_ours() -> None:
    async with playing(may_exist=False) as (store, player):
        store.create(NAMESPACE, {"metadata": {"name": "here"}})
        with pytest.raises(Conflict, match="already exists"):
            await player.play([pods()])
        assert player.namespaces == set()


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(500):
        if holds():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came to that")
