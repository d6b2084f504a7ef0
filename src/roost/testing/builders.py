"""Builders of pods and nodes by keyword: a test shows only the fields that matter to it."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from roost.api.meta import QuantityText
from roost.api.node import Node
from roost.api.pod import Pod

Fields = Mapping[str, Any]


def pod(
    name: str = "pod",
    *,
    namespace: str = "default",
    cpu: QuantityText | None = None,
    memory: QuantityText | None = None,
    requests: Mapping[str, QuantityText] | None = None,
    image: str = "app",
    host_ports: Sequence[int] = (),
    labels: Mapping[str, str] | None = None,
    node_name: str = "",
    node_selector: Mapping[str, str] | None = None,
    tolerations: Sequence[Fields] = (),
    priority: int | None = None,
    gates: Sequence[str] = (),
    scheduler_name: str = "roost",
    uid: str | None = None,
    metadata: Fields | None = None,
    spec: Fields | None = None,
    status: Fields | None = None,
) -> Pod:
    """Return a pod of one container; `spec`, `metadata` and `status` add fields as a manifest spells them."""
    asked = {"cpu": cpu, "memory": memory, **(requests or {})}
    container = {
        "name": "app",
        "image": image,
        "resources": {"requests": {name: amount for name, amount in asked.items() if amount is not None}},
        "ports": [{"containerPort": port, "hostPort": port} for port in host_ports],
    }
    fields: dict[str, Any] = {
        "containers": [container],
        "nodeName": node_name,
        "nodeSelector": node_selector,
        "tolerations": list(tolerations),
        "priority": priority,
        "schedulingGates": [{"name": gate} for gate in gates],
        "schedulerName": scheduler_name,
    }
    identity = {"name": name, "namespace": namespace, "uid": name if uid is None else uid, "labels": labels}
    return msgspec.convert(
        {
            "metadata": {**identity, **(metadata or {})},
            "spec": {**fields, **(spec or {})},
            "status": status or {},
        },
        Pod,
    )


def node(
    name: str = "node",
    *,
    cpu: QuantityText = "4",
    memory: QuantityText = "16Gi",
    pods: QuantityText = 110,
    allocatable: Mapping[str, QuantityText] | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    taints: Sequence[Fields] = (),
    unschedulable: bool = False,
    images: Mapping[str, int] | None = None,
) -> Node:
    """Return a node; `taints` as a manifest spells them, `images` by name with their size in bytes."""
    return msgspec.convert(
        {
            "metadata": {"name": name, "labels": labels, "annotations": annotations},
            "spec": {"taints": list(taints), "unschedulable": unschedulable},
            "status": {
                "allocatable": {"cpu": cpu, "memory": memory, "pods": pods, **(allocatable or {})},
                "images": [{"names": [image], "sizeBytes": size} for image, size in (images or {}).items()],
            },
        },
        Node,
    )
