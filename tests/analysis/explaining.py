"""Small clusters of plain objects to be explained, and suggestions applied to them from the outside."""

import copy
from collections.abc import Sequence
from typing import Any

import msgspec

from roost.analysis.change import Change
from roost.analysis.explanation import Explanation, explain
from roost.analysis.snapshot import Snapshot
from roost.analysis.suggestions import Search, find_suggestions
from roost.analysis.trial import Trial
from roost.api.node import Node
from roost.api.pod import Pod
from roost.apiserver.json_patches import json_patch
from roost.config.profiles import default_profile
from roost.framework.cycle import Cycle
from roost.framework.plugin import Context
from roost.framework.profile import Profile

Object = dict[str, Any]


def a_node(
    name: str, *, cpu: str = "4", taints: Sequence[Object] = (), cordoned: bool = False, **labels: str
) -> Object:
    cordon = [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}] if cordoned else []
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **labels}},
        "spec": {"unschedulable": cordoned, "taints": [*taints, *cordon]},
        "status": {"allocatable": {"cpu": cpu, "memory": "8Gi", "pods": "10"}},
    }


def a_pod(
    name: str,
    *,
    on: str = "",
    cpu: str = "100m",
    memory: str = "100Mi",
    labels: Object | None = None,
    ports: Sequence[int] = (),
    priority: int = 0,
    **spec: Any,
) -> Object:
    container = {
        "name": "app",
        "resources": {"requests": {"cpu": cpu, "memory": memory}},
        "ports": [{"containerPort": port, "hostPort": port} for port in ports],
    }
    return {
        "metadata": {"name": name, "namespace": "shop", "uid": name, "labels": labels or {}},
        "spec": {"containers": [container], "nodeName": on, "priority": priority, "schedulerName": "roost", **spec},
    }


class World:
    """Nodes and pods as plain data."""

    def __init__(self, nodes: Sequence[Object], pods: Sequence[Object] = ()) -> None:
        self.nodes = list(nodes)
        self.pods = list(pods)

    def snapshot(self) -> Snapshot:
        snapshot = Snapshot()
        for node in self.nodes:
            snapshot.add_node(msgspec.convert(node, Node))
        for pod in self.pods:
            snapshot.add_pod(msgspec.convert(pod, Pod))
        return snapshot

    def explain(self, pod: Object, *, prefer: str = "", profile: Profile | None = None) -> Explanation:
        snapshot = self.snapshot()
        cycle = Cycle(profile or default_profile())
        return explain(cycle, snapshot.pod_info(as_pod(pod)), snapshot.cache.view, Context(), prefer=prefer)

    def search(self, pod: Object, *, only: str = "") -> Search:
        snapshot, cycle = self.snapshot(), Cycle(default_profile())
        explanation = explain(cycle, snapshot.pod_info(as_pod(pod)), snapshot.cache.view, Context())
        assert explanation.outcome == "unschedulable"
        return find_suggestions(Trial(snapshot, cycle, as_pod(pod), Context(), only=only), explanation.groups)

    def place(self, pod: Object) -> str | None:
        """Decide for a pod with nothing remembered."""
        snapshot = self.snapshot()
        return Cycle(default_profile()).decide(snapshot.pod_info(as_pod(pod)), snapshot.cache.view, Context()).node

    def changed(self, change: Change, pod: Object) -> "tuple[World, Object]":
        """Apply a change as its reader would: to manifests, with patches as an API server applies them."""
        world = World(copy.deepcopy(self.nodes), [one for one in self.pods if key_of(one) not in change.evict])
        if change.node_patch:
            world.nodes = [
                json_patch(node, list(change.node_patch)) if node["metadata"]["name"] == change.node else node
                for node in world.nodes
            ]
        if change.new_node is not None:
            world.nodes.append(msgspec.to_builtins(change.new_node))
        return world, json_patch(pod, list(change.pod_patch))


def key_of(pod: Object) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def as_pod(pod: Object) -> Pod:
    return msgspec.convert(pod, Pod)
