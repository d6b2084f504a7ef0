"""Roost's own client, and its scheduler, on an embedded cluster over HTTP."""

import asyncio
import time
from contextlib import AsyncExitStack, aclosing

import msgspec
import pytest
from tests.apiserver.building import pod
from tests.scheduler.live import until

from roost.api.kinds import NODE, POD
from roost.apiserver.nodes import build_nodes
from roost.apiserver.resources import NODE as NODES
from roost.apiserver.resources import POD as PODS
from roost.apiserver.server import serve
from roost.apiserver.store import Store
from roost.cache.cache import Cache
from roost.client import ConnectionInfo, KubeCluster, connect
from roost.config.profiles import default_profile
from roost.errors import ConfigError, Conflict, Gone, NotFound
from roost.framework.cycle import Cycle
from roost.scheduler.loop import Scheduler


async def serving(stack: AsyncExitStack, *, nodes: int = 2, log_size: int = 10_000) -> tuple[Store, KubeCluster]:
    store = Store(time.time, log_size=log_size)
    for node in build_nodes(nodes):
        store.create(NODES, node)
    server = await stack.enter_async_context(serve(store))
    return store, await stack.enter_async_context(connect(ConnectionInfo(server=server.url)))


def body(name: str) -> bytes:
    return msgspec.json.encode({"apiVersion": "v1", "kind": "Pod", **pod(name)})


async def test_the_client_does_all_it_can() -> None:
    async with AsyncExitStack() as stack:
        _, cluster = await serving(stack)
        assert (await cluster.version()).startswith("v1.36")
        assert {"pods", "nodes", "events"} <= await cluster.discover("v1")
        assert await cluster.discover("nobody.dev/v1") == set()
        assert [node.name for node in (await cluster.list(NODE)).items] == ["node-0", "node-1"]
        made = await cluster.create(POD, body("a"), "default")
        await cluster.patch(
            POD, "a", {"status": {"nominatedNodeName": "node-1"}}, namespace="default", subresource="status"
        )
        await cluster.bind("default", "a", made.metadata.uid, "node-1")
        assert (await cluster.get(POD, "a", "default")).spec.node_name == "node-1"
        with pytest.raises(Conflict):
            await cluster.bind("default", "a", made.metadata.uid, "node-0")
        await cluster.create(POD, body("b"), "default")
        await cluster.evict("default", "b")
        with pytest.raises(NotFound):
            await cluster.get(POD, "b", "default")
        with pytest.raises(Conflict):
            await cluster.delete(POD, "a", "default", uid="another")


async def test_a_watch_goes_on_and_says_when_it_cannot() -> None:
    async with AsyncExitStack() as stack:
        store, cluster = await serving(stack, log_size=5)
        since = (await cluster.list(POD)).resource_version
        for i in range(3):
            store.create(PODS, pod(f"p{i}"), "default")
        async with aclosing(cluster.watch(POD, resource_version=since)) as batches:
            events = await anext(batches)
        assert [event.type for event in events] == ["ADDED"] * len(events)
        for i in range(3, 12):
            store.create(PODS, pod(f"p{i}"), "default")
        with pytest.raises(Gone):
            async for _ in cluster.watch(POD, resource_version=since):
                pass


async def test_the_scheduler_binds_every_pod() -> None:
    async with AsyncExitStack() as stack:
        store, cluster = await serving(stack, nodes=10)
        cycles = {"default-scheduler": Cycle(default_profile("default-scheduler"))}
        clock = asyncio.get_running_loop().time
        scheduler = Scheduler(cluster, Cache(), cycles, clock=clock, wall=time.time, host="host-1")
        stop = asyncio.Event()
        task = asyncio.create_task(scheduler.run(stop))
        try:
            for i in range(200):
                store.create(PODS, pod(f"p{i}"), "default")
            await until(lambda: all(it.object["spec"].get("nodeName") for it in store.all(PODS)), 20)
        finally:
            stop.set()
            await task
        per_node = {it.object["spec"]["nodeName"] for it in store.all(PODS)}
        assert len(per_node) == 10


async def test_a_port_that_is_taken_is_named() -> None:
    async with serve(Store(time.time)) as server:
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{port}"):
            async with serve(Store(time.time), port=port):
                pass


async def test_the_server_ends_though_somebody_watches() -> None:
    async with AsyncExitStack() as outer:
        async with AsyncExitStack() as inner:
            store = Store(time.time)
            server = await inner.enter_async_context(serve(store))
            cluster = await outer.enter_async_context(connect(ConnectionInfo(server=server.url)))
            since = (await cluster.list(POD)).resource_version

            async def watch() -> int:
                return len([batch async for batch in cluster.watch(POD, resource_version=since)])

            watching = asyncio.create_task(watch())
            await asyncio.sleep(0.05)
            began = time.monotonic()
        assert time.monotonic() - began < 3
        assert await watching == 0
