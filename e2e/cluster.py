"""What a test does with a control plane: its own namespace, nodes and pods, and checks on the placement."""

import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from e2e.audit import BindCounter
from e2e.load import (
    CORE,
    Api,
    Object,
    Refused,
    create_nodes,
    create_pods,
    list_events,
    list_nodes,
    list_pods,
    numbered,
    wait_until,
)
from e2e.rig import ControlPlane

BIND_SECONDS = 60.0
THOUSANDTHS = {"m": 1, "": 1000, "k": 1000**2, "Ki": 1000 * 2**10, "Mi": 1000 * 2**20, "Gi": 1000 * 2**30}


@dataclass
class Cluster:
    """A control plane emptied of nodes and pods, with a namespace of the test's own."""

    control_plane: ControlPlane
    namespace: str
    binds: BindCounter = field(init=False)

    def __post_init__(self) -> None:
        self.binds = BindCounter(self.control_plane.audit, self.namespace)

    @property
    def api(self) -> Api:
        return self.control_plane.api

    @property
    def pods_path(self) -> str:
        return f"{CORE}/namespaces/{self.namespace}/pods"

    def create_nodes(self, count: int, **shape: Any) -> None:
        create_nodes(self.api, numbered("node", count), **shape)

    def create_node(self, name: str, **shape: Any) -> None:
        create_nodes(self.api, [name], **shape)

    def create_pods(self, count: int, prefix: str = "pod", **shape: Any) -> None:
        create_pods(self.api, numbered(prefix, count), self.namespace, **shape)

    def create_pod(self, name: str, **shape: Any) -> None:
        create_pods(self.api, [name], self.namespace, **shape)

    def place(self, pod: str, node: str) -> None:
        """Bind a pod as another scheduler would."""
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod}, "target": {"name": node}}
        self.api.create(f"{self.pods_path}/{pod}/binding", binding)

    def pod(self, name: str) -> Object:
        return self.api.get(f"{self.pods_path}/{name}")

    def pods(self) -> list[Object]:
        return list_pods(self.api, self.namespace)

    def node_of(self, pod: str) -> str:
        """Name the node a pod is bound to ('' for none)."""
        return str(self.pod(pod)["spec"].get("nodeName", ""))

    def placements(self) -> dict[str, str]:
        """Map each bound pod to its node."""
        specs = ((pod["metadata"]["name"], pod["spec"].get("nodeName", "")) for pod in self.pods())
        return {name: node for name, node in specs if node}

    def condition(self, pod: str) -> Object:
        """Read a pod's PodScheduled condition ({} while it has none)."""
        return _condition(self.pod(pod))

    def events(self, reason: str, pod: str | None = None) -> list[Object]:
        """Find the events with a reason, of one pod or of all."""
        return [
            event
            for event in list_events(self.api, self.namespace)
            if event["reason"] == reason and pod in (None, event["regarding"]["name"])
        ]

    def events_per_pod(self, reason: str) -> Counter[str]:
        """Count the events with a reason by pod."""
        return Counter(event["regarding"]["name"] for event in self.events(reason))

    def wait_for_bindings(self, count: int, seconds: float = BIND_SECONDS) -> None:
        """Wait, without asking the API server, until it has accepted so many bindings."""
        what = f"{count} bindings accepted in {self.namespace}"
        wait_until(lambda: len(self.binds.accepted()) >= count, what, seconds=seconds, every=0.02)

    def wait_until_bound(self, pod: str, seconds: float = BIND_SECONDS, every: float = 0.05) -> float:
        """Wait until one pod is bound; return the seconds it took."""
        return wait_until(lambda: bool(self.node_of(pod)), f"pod {pod} is bound", seconds=seconds, every=every)

    def wait_until_all_bound(self, seconds: float = BIND_SECONDS) -> dict[str, str]:
        """Wait until every pod of the namespace is bound; return the placements."""

        def all_bound() -> bool:
            return all(pod["spec"].get("nodeName") for pod in self.pods())

        wait_until(all_bound, "every pod is bound", seconds=seconds, every=0.25, tolerant=True)
        return self.placements()

    def wait_for_condition(self, pod: str, reason: str, seconds: float = 30.0) -> Object:
        """Wait until a pod's PodScheduled condition has a reason; return the condition."""
        what = f"pod {pod} has the condition {reason}"
        wait_until(lambda: self.condition(pod).get("reason") == reason, what, seconds=seconds)
        return self.condition(pod)

    def wait_for_events(self, reason: str, count: int, seconds: float = 30.0) -> None:
        """Wait until so many events with a reason are there: they come behind the bindings."""
        what = f"{count} events with the reason {reason}"
        wait_until(lambda: len(self.events(reason)) >= count, what, seconds=seconds, every=0.25)

    def overfull_nodes(self) -> list[str]:
        """Find nodes that hold more than they can, by our own arithmetic."""
        used = _used(list_pods(self.api))
        return [
            f"{name} holds {used[name, resource] / 1000:g} {resource} of {room}"
            for name, resource, room in _rooms(list_nodes(self.api))
            if used[name, resource] > quantity(room)
        ]


def fresh_cluster(control_plane: ControlPlane, test_name: str) -> Cluster:
    """Empty a control plane and open a namespace named after the test."""
    api = control_plane.api
    for namespace in {pod["metadata"]["namespace"] for pod in list_pods(api)}:
        api.delete(f"{CORE}/namespaces/{namespace}/pods")
    api.delete(f"{CORE}/nodes")
    stamp = f"{time.time_ns() // 1_000_000:x}"
    name = re.sub(r"[^a-z0-9]+", "-", test_name.lower().removeprefix("test_"))[:40].strip("-")
    cluster = Cluster(control_plane, f"{name}-{stamp}")
    create_namespace(api, cluster.namespace)
    return cluster


def create_namespace(api: Api, name: str) -> None:
    """Create a namespace unless it is there."""
    _create_once(api, f"{CORE}/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


def apply_manifest(api: Api, path: Path) -> None:
    """Create every object of a YAML file, and the namespaces they ask for."""
    for obj in yaml.safe_load_all(path.read_text()):
        if obj:
            namespace = obj["metadata"].get("namespace")
            if namespace:
                create_namespace(api, namespace)
            _create_once(api, _collection(obj["apiVersion"], obj["kind"], namespace), obj)


def quantity(text: str) -> int:
    """Read the few forms of quantities these tests use, in thousandths."""
    match = re.fullmatch(r"(\d+)(|m|k|Ki|Mi|Gi)", text)
    assert match, f"a quantity these tests do not use: {text}"
    return int(match[1]) * THOUSANDTHS[match[2]]


def more_than_once(counts: Counter[str]) -> dict[str, int]:
    """Keep what was counted twice or more."""
    return {name: count for name, count in counts.items() if count > 1}


def not_kept(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Name the pods whose placement was lost or changed."""
    return [name for name, node in before.items() if after.get(name) != node]


def _collection(api_version: str, kind: str, namespace: str | None) -> str:
    root = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
    plural = f"{kind.lower()}s"
    return f"{root}/namespaces/{namespace}/{plural}" if namespace else f"{root}/{plural}"


def _create_once(api: Api, path: str, obj: Object) -> None:
    try:
        api.create(path, obj)
    except Refused as error:
        if error.status != 409:
            raise


def _used(pods: Iterable[Object]) -> Counter[tuple[str, str]]:
    """Sum what is requested by (node, resource), in thousandths."""
    used: Counter[tuple[str, str]] = Counter()
    for pod in pods:
        node = pod["spec"].get("nodeName", "")
        used[node, "pods"] += quantity("1")
        for container in pod["spec"]["containers"]:
            for resource, amount in container["resources"].get("requests", {}).items():
                used[node, resource] += quantity(amount)
    return used


def _rooms(nodes: Iterable[Object]) -> Iterator[tuple[str, str, str]]:
    for node in nodes:
        for resource, room in node["status"]["allocatable"].items():
            yield node["metadata"]["name"], resource, room


def _condition(pod: Object) -> Object:
    conditions = pod["status"].get("conditions") or []
    return next((one for one in conditions if one["type"] == "PodScheduled"), {})
