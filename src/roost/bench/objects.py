"""Makes the objects that a step asks for: as plain data, or as JSON with only the name put in.

Many thousands of pods differ by nothing but their names. They are encoded once.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from roost.bench.steps import Churn, CreateNamespaces, CreateNodes, CreateObjects, CreatePods, Manifest

HOSTNAME = "kubernetes.io/hostname"
_PLACE = "-name-goes-here-"
CLUSTER_WIDE = frozenset({"Namespace", "Node", "PersistentVolume", "PriorityClass", "StorageClass"})
"""The kinds that are in no namespace, of those that workloads create."""
_NO_LABELS: Mapping[str, str] = MappingProxyType({})


def node_objects(step: CreateNodes, labels: Mapping[str, str] = _NO_LABELS) -> Iterator[dict[str, Any]]:
    """Yield the nodes of a step as manifests; `labels` are put on each besides its own."""
    status = step.template.get("status", {})
    status = {"allocatable": status.get("capacity", {}), **status}
    metadata = step.template.get("metadata", {})
    for number in range(step.count):
        name = metadata.get("name") or f"{step.prefix}-{step.first + number:06d}"
        turn = {key: values[number % len(values)] for key, values in step.labels.items()}
        said = {**metadata.get("labels", {}), **turn, **labels, HOSTNAME: name}
        yield {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {**metadata, "name": name, "labels": said},
            "spec": step.template.get("spec", {}),
            "status": status,
        }


def namespace_objects(step: CreateNamespaces, labels: Mapping[str, str] = _NO_LABELS) -> Iterator[dict[str, Any]]:
    """Yield the namespaces of a step as manifests."""
    for number in range(step.count):
        yield namespace_object(f"{step.prefix}-{number}", {**step.labels, **labels})


def namespace_object(name: str, labels: Mapping[str, str] = _NO_LABELS) -> dict[str, Any]:
    """Return a namespace as a manifest."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dict(labels)}}


def pod_names(step: CreatePods) -> Iterator[str]:
    """Yield the names of a step's pods."""
    for number in range(step.count):
        yield f"{step.prefix}-{number:06d}"


def pod_object(step: CreatePods, name: str, scheduler_name: str) -> dict[str, Any]:
    """Return one pod of a step as a manifest."""
    return _for_scheduler(_named(step.template, "Pod", step.namespace, name), scheduler_name)


def pod_objects(step: CreatePods, scheduler_name: str) -> Iterator[dict[str, Any]]:
    """Yield the pods of a step as manifests; they share everything but the metadata."""
    for name in pod_names(step):
        yield pod_object(step, name, scheduler_name)


def pod_bodies(step: CreatePods, scheduler_name: str) -> Iterator[tuple[str, bytes]]:
    """Yield name and JSON of each pod of a step."""
    encoded = msgspec.json.encode(pod_object(step, _PLACE, scheduler_name))
    head, _, tail = encoded.partition(_PLACE.encode())
    for name in pod_names(step):
        yield name, head + name.encode() + tail


def step_objects(step: CreateObjects) -> Iterator[dict[str, Any]]:
    """Yield the objects of a step as manifests, in the step's namespace where their kind has one."""
    for one in step.objects:
        yield _named(one, str(one.get("kind", "")), step.namespace, one["metadata"]["name"])


def churn_objects(step: Churn, time: int, scheduler_name: str) -> Iterator[dict[str, Any]]:
    """Yield what a churn creates at its n-th time, one object per template."""
    for number, template in enumerate(step.templates):
        made = _named(template, str(template.get("kind", "")), step.namespace, f"{step.prefix}-{number}-{time:06d}")
        if made["kind"] == "Node":
            status = made.get("status", {})
            made["metadata"]["labels"] = {**made["metadata"].get("labels", {}), HOSTNAME: made["metadata"]["name"]}
            made["status"] = {"allocatable": status.get("capacity", {}), **status}
        yield _for_scheduler(made, scheduler_name) if made["kind"] == "Pod" else made


def _named(template: Manifest, kind: str, namespace: str, name: str) -> dict[str, Any]:
    metadata = {**template.get("metadata", {}), "name": name}
    if kind not in CLUSTER_WIDE:
        metadata["namespace"] = namespace
    return {"apiVersion": "v1", "kind": kind, **template, "metadata": metadata}


def _for_scheduler(pod: dict[str, Any], scheduler_name: str) -> dict[str, Any]:
    return {**pod, "spec": {**pod.get("spec", {}), "schedulerName": scheduler_name}}
