"""The embedded cluster: pods created and bound per second, in process and over HTTP.

    python -m benchmarks.apiserver [--pods 5000] [--nodes 100] [--repeat 3] [--json]

One thread and one watcher of all pods. In process, each pod is created from its JSON, watched, and bound through the
`Cluster` that schedulers act on; the watcher reads every event as a value.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Callable
from contextlib import aclosing

import msgspec

from roost.api.kinds import POD
from roost.api.pod import Pod
from roost.apiserver.in_process import InProcessCluster
from roost.apiserver.nodes import build_nodes
from roost.apiserver.resources import NODE
from roost.apiserver.store import Store

NAMESPACE = "default"
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


# ---- in process


def in_process(pods: int, nodes: int) -> float:
    """Return pods created and bound per second without a socket."""
    return asyncio.run(_create_and_bind(InProcessCluster(new_store(nodes)), pods, nodes))


async def _create_and_bind(cluster: InProcessCluster, pods: int, nodes: int) -> float:
    bodies = [pod_body(i) for i in range(pods)]
    watcher = asyncio.create_task(_watch_until_bound(cluster, pods))
    await asyncio.sleep(0.01)
    began = time.perf_counter()
    for i, body in enumerate(bodies):
        pod: Pod = await cluster.create(POD, body, NAMESPACE)
        await cluster.bind(NAMESPACE, pod.name, pod.metadata.uid, f"node-{i % nodes}")
    await watcher
    return pods / (time.perf_counter() - began)


async def _watch_until_bound(cluster: InProcessCluster, pods: int) -> None:
    bound = 0
    async with aclosing(cluster.watch(POD, resource_version=str(cluster.store.version))) as batches:
        async for events in batches:
            bound += sum(bool(event.object and event.object.spec.node_name) for event in events)
            if bound == pods:
                return


# ---- over HTTP


MEASURES: dict[str, Measure] = {"in process": in_process}


if __name__ == "__main__":
    main()
