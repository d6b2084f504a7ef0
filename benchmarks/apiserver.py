"""The embedded cluster: pods created and bound per second, in process and over HTTP.

    python -m benchmarks.apiserver [--pods 5000] [--nodes 100] [--repeat 3] [--json]

One thread and one watcher of all pods. In process, each pod is created from its JSON, watched, and bound through the
`Cluster` that schedulers act on; the watcher reads every event as a value. Over HTTP, the server is a process of its
own on a loop of uvloop, and 32 connections that stay open create and bind; what counts is the server's CPU time, since
the client needs as much of a processor as the server does.
"""

import argparse
import asyncio
import json
import multiprocessing
import statistics
import time
from collections.abc import Callable
from contextlib import aclosing
from multiprocessing.connection import Connection as Pipe

import msgspec
import uvloop

from roost.api.kinds import POD
from roost.api.pod import Pod
from roost.apiserver.in_process import InProcessCluster
from roost.apiserver.nodes import build_nodes
from roost.apiserver.resources import NODE
from roost.apiserver.server import serve
from roost.apiserver.store import Store
from roost.client import ConnectionInfo, KubeCluster, connect
from roost.framework.cluster import Cluster

NAMESPACE = "default"
CONNECTIONS = 32
Measure = Callable[[int, int], float]


def main() -> None:
    """Measure each way as often as asked, and print the medians."""
    options = _options()
    figures = {}
    for name, measure in MEASURES.items():
        runs = [measure(options.pods, options.nodes) for _ in range(options.repeat)]
        figures[name] = {"per_second": statistics.median(runs), "runs": runs}
        if not options.json:
            print(f"{name}: {statistics.median(runs):,.0f} pods created and bound per second (median of {len(runs)})")
    if options.json:
        print(json.dumps({"pods": options.pods, "nodes": options.nodes, "figures": figures}, indent=1))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pods", type=int, default=5000)
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def new_store(nodes: int) -> Store:
    """Return a store with nodes."""
    store = Store(time.time)
    for node in build_nodes(nodes):
        store.create(NODE, node)
    return store


def pod_body(i: int) -> bytes:
    """Return the JSON of a pod as a workload has it."""
    resources = {"requests": {"cpu": "100m", "memory": "128Mi"}}
    container = {"name": "app", "image": "nginx:1.29", "resources": resources, "ports": [{"containerPort": 80}]}
    metadata = {"name": f"pod-{i}", "labels": {"app": "web", "tier": "front"}}
    return msgspec.json.encode(
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}
    )


async def create_and_bind(cluster: Cluster, i: int, nodes: int) -> None:
    """Create a pod and bind it, as a workload and a scheduler do."""
    pod: Pod = await cluster.create(POD, pod_body(i), NAMESPACE)
    await cluster.bind(NAMESPACE, pod.name, pod.metadata.uid, f"node-{i % nodes}")


async def watch_until_bound(cluster: Cluster, version: str, pods: int) -> None:
    """Watch until so many pods are bound."""
    bound = 0
    async with aclosing(cluster.watch(POD, resource_version=version)) as batches:
        async for events in batches:
            bound += sum(bool(event.object and event.object.spec.node_name) for event in events)
            if bound == pods:
                return


# ---- in process


def in_process(pods: int, nodes: int) -> float:
    """Return pods created and bound per second without a socket."""
    return asyncio.run(_in_process(InProcessCluster(new_store(nodes)), pods, nodes))


async def _in_process(cluster: InProcessCluster, pods: int, nodes: int) -> float:
    watcher = asyncio.create_task(watch_until_bound(cluster, str(cluster.store.version), pods))
    await asyncio.sleep(0.01)
    began = time.perf_counter()
    for i in range(pods):
        await create_and_bind(cluster, i, nodes)
    await watcher
    return pods / (time.perf_counter() - began)


# ---- over HTTP


def over_http(pods: int, nodes: int) -> float:
    """Return pods created and bound per second as the clock has it, client and server on processors of their own."""
    seconds, _ = _over_http(pods, nodes)
    return pods / seconds


def over_http_per_cpu_second(pods: int, nodes: int) -> float:
    """Return pods created and bound per second of the server's CPU time: what one processor serves."""
    _, cpu = _over_http(pods, nodes)
    return pods / cpu


def _over_http(pods: int, nodes: int) -> tuple[float, float]:
    """Return the seconds that passed, and the server's CPU seconds."""
    context = multiprocessing.get_context("spawn")
    pipe, other = context.Pipe()
    server = context.Process(target=_serve, args=(nodes, other), daemon=True)
    server.start()
    try:
        url = pipe.recv()
        return uvloop.run(_load(url, pods, nodes, pipe))
    finally:
        pipe.send("end")
        server.join(10)


def _serve(nodes: int, pipe: Pipe) -> None:
    uvloop.run(_serve_until_told(nodes, pipe))


async def _serve_until_told(nodes: int, pipe: Pipe) -> None:
    async with serve(new_store(nodes)) as server:
        pipe.send(server.url)
        while await asyncio.to_thread(pipe.recv) != "end":
            pipe.send(time.process_time())


async def _load(url: str, pods: int, nodes: int, pipe: Pipe) -> tuple[float, float]:
    async with connect(ConnectionInfo(server=url), connections=CONNECTIONS + 1) as cluster:
        version = (await cluster.list(POD)).resource_version
        watcher = asyncio.create_task(watch_until_bound(cluster, version, pods))
        cpu, began = _cpu(pipe), time.perf_counter()
        await asyncio.gather(*(_share(cluster, first, pods, nodes) for first in range(CONNECTIONS)))
        await watcher
        return time.perf_counter() - began, _cpu(pipe) - cpu


async def _share(cluster: KubeCluster, first: int, pods: int, nodes: int) -> None:
    for i in range(first, pods, CONNECTIONS):
        await create_and_bind(cluster, i, nodes)


def _cpu(pipe: Pipe) -> float:
    pipe.send("cpu")
    seconds: float = pipe.recv()
    return seconds


MEASURES: dict[str, Measure] = {
    "in process": in_process,
    "over HTTP": over_http,
    "over HTTP, per second of the server's CPU": over_http_per_cpu_second,
}


if __name__ == "__main__":
    main()
