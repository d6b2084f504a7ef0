"""Looks at where pods ended up: a fast scheduler that fills nodes beyond what they hold is not fast."""

from collections import defaultdict
from collections.abc import Collection, Iterable

from roost.api.kinds import NODE, POD
from roost.api.node import Node
from roost.api.pod import Pod
from roost.api.quantity import milli_value, value
from roost.api.requests import pod_requests
from roost.bench.result import Placement
from roost.client import KubeCluster


async def look_at_placement(cluster: KubeCluster, namespaces: Collection[str], may_wait: Collection[str]) -> Placement:
    """Return where the pods of these namespaces are; `may_wait` are prefixes of pods that need not have a node."""
    nodes = await cluster.list(NODE)
    everywhere = await cluster.list(POD)
    own = [pod for pod in everywhere.items if pod.metadata.namespace in namespaces]
    return Placement(
        pods=len(own),
        unbound=sum(not pod.spec.node_name and not _may_wait(pod, may_wait) for pod in own),
        nodes_used=len({pod.spec.node_name for pod in own if pod.spec.node_name}),
        over_capacity=tuple(over_capacity(nodes.items, everywhere.items)),
    )


def over_capacity(nodes: Iterable[Node], pods: Iterable[Pod]) -> list[str]:
    """Return the names of nodes whose pods ask for more than the node has; a node that is gone is not counted."""
    asked: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for pod in pods:
        if pod.spec.node_name and not pod.is_terminal:
            total = asked[pod.spec.node_name]
            total["pods"] += 1
            for name, amount in pod_requests(pod).items():
                total[name] += amount
    return [node.metadata.name for node in nodes if _exceeds(asked.get(node.metadata.name, {}), capacity(node))]


def capacity(node: Node) -> dict[str, int]:
    """Return what pods may take of a node, in the units of `pod_requests`."""
    said = node.status.allocatable or node.status.capacity or {}
    return {name: milli_value(text) if name == "cpu" else value(text) for name, text in said.items()}


def _exceeds(asked: dict[str, int], given: dict[str, int]) -> bool:
    return any(amount > given.get(name, 0) for name, amount in asked.items())


def _may_wait(pod: Pod, prefixes: Collection[str]) -> bool:
    return any(f"{pod.metadata.namespace}/{pod.metadata.name}".startswith(prefix) for prefix in prefixes)
