"""A generated dump of a large cluster, as kubectl prints one: nearly full, with taints and zones."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

from e2e.load import Object

ZONES = ("a", "b", "c")
PENDING = "shop/does-not-fit"


def write_dump(path: Path, *, nodes: int, pods_per_node: int, seed: int = 1) -> None:
    """Write a dump with so many nodes and pods, and a pending pod for which no node has room."""
    with path.open("w") as file:
        file.write('{"apiVersion": "v1", "kind": "List", "items": [\n')
        file.write(",\n".join(json.dumps(obj) for obj in _objects(nodes, pods_per_node, random.Random(seed))))
        file.write("\n]}\n")


def _objects(nodes: int, pods_per_node: int, dice: random.Random) -> Iterator[Object]:
    for number in range(nodes):
        yield _node(number)
    for number in range(nodes * pods_per_node):
        yield _pod(f"web-{number}", f"node-{number % nodes:04d}", str(dice.choice((600, 700, 750))) + "m", number)
    yield _pod("does-not-fit", "", "3", 0)


def _node(number: int) -> Object:
    name = f"node-{number:04d}"
    taints = [{"key": "dedicated", "value": "batch", "effect": "NoSchedule"}] if number % 10 == 0 else []
    resources = {"cpu": "8", "memory": "32Gi", "pods": "110", "ephemeral-storage": "100Gi"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "uid": f"uid-{name}",
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "topology.kubernetes.io/zone": ZONES[number % 3],
                "node.kubernetes.io/instance-type": "m5.2xlarge",
            },
            "annotations": {"node.alpha.kubernetes.io/ttl": "0"},
            "managedFields": _managed_fields(),
        },
        "spec": {"podCIDR": "10.0.0.0/24", "taints": taints},
        "status": {
            "allocatable": resources,
            "capacity": resources,
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
            "images": [{"names": [f"registry.example/app-{image}:v1"], "sizeBytes": 10**7} for image in range(10)],
        },
    }


def _pod(name: str, node: str, cpu: str, number: int) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"uid-{name}",
            "labels": {"app": f"app-{number % 200}", "pod-template-hash": "abc"},
            "managedFields": _managed_fields(),
            "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-abc", "uid": "r", "controller": True}
            ],
        },
        "spec": {
            "nodeName": node,
            "schedulerName": "default-scheduler",
            "containers": [
                {
                    "name": "app",
                    "image": f"registry.example/app-{number % 10}:v1",
                    "env": [{"name": f"VARIABLE_{i}", "value": "some value that nobody needs"} for i in range(10)],
                    "resources": {"requests": {"cpu": cpu, "memory": "1Gi"}, "limits": {"memory": "2Gi"}},
                    "volumeMounts": [{"name": "token", "mountPath": "/var/run/secrets", "readOnly": True}],
                }
            ],
            "tolerations": [
                {"key": f"node.kubernetes.io/{what}", "operator": "Exists", "effect": "NoExecute"}
                for what in ("not-ready", "unreachable")
            ],
            "volumes": [{"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}],
        },
        "status": {"phase": "Running" if node else "Pending", "startTime": "2026-01-01T00:00:00Z"},
    }


def _managed_fields() -> list[Object]:
    fields: Object = {f"f:field-{i}": {".": {}, "f:name": {}, "f:value": {}} for i in range(12)}
    return [{"manager": "kubelet", "operation": "Update", "apiVersion": "v1", "fieldsV1": {"f:metadata": fields}}]
