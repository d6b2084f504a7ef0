"""Nodes as annotators see them, by keyword."""

from collections.abc import Mapping

import msgspec

from roost.annotator.nodes import AnnotatedNode
from roost.framework.measure import read_time

NOON = read_time("2026-01-01T12:00:00Z")


def annotated_node(
    name: str = "a",
    *,
    cpu: str = "4",
    memory: str = "8Gi",
    pods: str = "110",
    ready: str | None = "True",
    ip: str = "",
    allocatable: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> AnnotatedNode:
    conditions = [{"type": "MemoryPressure", "status": "False"}]
    if ready is not None:
        conditions.append({"type": "Ready", "status": ready})
    return msgspec.convert(
        {
            "metadata": {"name": name, "labels": labels, "annotations": annotations},
            "status": {
                "allocatable": {"cpu": cpu, "memory": memory, "pods": pods, **(allocatable or {})},
                "conditions": conditions,
                "addresses": [{"type": "Hostname", "address": name}, {"type": "InternalIP", "address": ip}],
            },
        },
        AnnotatedNode,
    )
