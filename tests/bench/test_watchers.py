import asyncio

import pytest
from tests.bench.small_cluster import small_cluster

from roost.apiserver.in_process import InProcessCluster
from roost.apiserver.resources import EVENT, POD
from roost.apiserver.store import Store
from roost.bench.watchers import binds, scheduled_events
from roost.errors import RoostError

SECONDS = 10.0


def create_pod(store: Store, name: str) -> None:
    manifest = {"metadata": {"name": name}, "spec": {"containers": [{"name": "a", "image": "a"}]}}
    store.create(POD, manifest, "default")


async def bind(store: Store, name: str) -> None:
    await InProcessCluster(store).bind("default", name, "", "node-0")


def tell(store: Store, name: str, reason: str = "Scheduled") -> None:
    event = {
        "metadata": {"name": name, "namespace": "default"},
        "involvedObject": {"kind": "Pod", "namespace": "default", "name": name.rpartition(".")[0]},
        "reason": reason,
    }
    store.create(EVENT, event, "default")


async def test_each_pod_is_seen_once_when_it_gets_a_node() -> None:
    async with small_cluster() as (store, load), binds(load.streams, load.lists) as bound:
        for name in ("a", "b"):
            create_pod(store, name)
        assert bound.expect(["default/a", "default/b"]) == 2
        assert not await bound.wait(0.2)
        began = asyncio.get_running_loop().time()
        await bind(store, "a")
        assert not await bound.wait(0.2)
        assert bound.missing == 1
        await bind(store, "b")
        assert await bound.wait(SECONDS)
        assert began < bound.times["default/a"] < bound.times["default/b"]


async def test_what_has_been_seen_is_not_waited_for_again() -> None:
    async with small_cluster() as (store, load), binds(load.streams, load.lists) as bound:
        create_pod(store, "a")
        await bind(store, "a")
        bound.expect(["default/a"])
        assert await bound.wait(SECONDS)
        assert bound.expect(["default/a"]) == 0
        assert await bound.wait(0)


async def test_pods_that_were_bound_before_are_no_news() -> None:
    async with small_cluster() as (store, load):
        create_pod(store, "before")
        await bind(store, "before")
        async with binds(load.streams, load.lists) as bound:
            create_pod(store, "after")
            await bind(store, "after")
            bound.expect(["default/after"])
            assert await bound.wait(SECONDS)
            assert set(bound.times) == {"default/after"}


async def test_scheduled_events_are_noted_by_the_name_of_their_pod() -> None:
    async with small_cluster() as (store, load), scheduled_events(load.streams, load.lists) as told:
        tell(store, "pod-1.17f3a", reason="FailedScheduling")
        tell(store, "pod.with.dots.17f3b")
        told.expect(["default/pod.with.dots"])
        assert await told.wait(SECONDS)
        assert set(told.times) == {"default/pod.with.dots"}


async def test_a_watch_that_ends_is_taken_up_where_it_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roost.bench.watchers.SECONDS", 1)
    async with small_cluster() as (store, load), binds(load.streams, load.lists) as bound:
        await asyncio.sleep(1.3)
        create_pod(store, "a")
        await bind(store, "a")
        bound.expect(["default/a"])
        assert await bound.wait(SECONDS)


async def test_a_watch_that_fails_is_no_reason_to_wait_for_ever() -> None:
    async with small_cluster() as (_, load), binds(load.streams, load.lists) as bound:
        bound._take([], 0.0)
        with pytest.raises(RoostError, match=r"the watch of .* failed: not today"):
            bound._take([b'{"type":"ERROR","object":{"code":500,"message":"not today"}}'], 0.0)
