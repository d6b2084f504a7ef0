"""A pod that does not exist yet: from a manifest of a pod or of what makes pods, as the API server would store it."""

from copy import deepcopy
from typing import Any

import msgspec

from roost.analysis.snapshot import Snapshot
from roost.api.pod import Pod
from roost.apiserver.pod_defaults import add_tolerations, default_pod, merge_label_keys
from roost.cli.read_dump import read_manifest
from roost.errors import ConfigError

_TEMPLATES = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController")
_DEFAULT_PRIORITIES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}


def pod_of_manifest(file: str, namespace: str, snapshot: Snapshot) -> Pod:
    """Return the first pod of a manifest with what admission fills in; raises ConfigError naming the file."""
    for obj in read_manifest(file):
        found = _pod_in(obj)
        if found is not None:
            return _stored(deepcopy(found), file, namespace, snapshot)
    raise ConfigError(f"{file}: has no pod, nor anything with a template of one such as a Deployment")


def _pod_in(obj: dict[str, Any]) -> dict[str, Any] | None:
    kind, spec = obj.get("kind"), obj.get("spec")
    if kind == "Pod":
        return obj
    if kind not in _TEMPLATES or not isinstance(spec, dict):
        return None
    template = spec.get("template")
    if not isinstance(template, dict) or not isinstance(template.get("spec"), dict):
        return None
    outer = obj.get("metadata") or {}
    metadata = {**(template.get("metadata") or {}), "name": outer.get("name"), "namespace": outer.get("namespace")}
    return {"metadata": metadata, "spec": template["spec"]}


def _stored(pod: dict[str, Any], file: str, namespace: str, snapshot: Snapshot) -> Pod:
    metadata, spec = pod.setdefault("metadata", {}), pod.get("spec")
    if not isinstance(metadata, dict) or not isinstance(spec, dict) or not isinstance(spec.get("containers"), list):
        raise ConfigError(f"{file}: the pod needs spec.containers, a list")
    metadata["namespace"] = metadata.get("namespace") or namespace
    metadata["name"] = metadata.get("name") or metadata.get("generateName") or "pod"
    metadata["uid"] = f"manifest:{metadata['namespace']}/{metadata['name']}"
    pod["status"] = {}
    spec.pop("nodeName", None)
    try:
        default_pod(pod)
        add_tolerations(spec)
        merge_label_keys(pod)
        _resolve_priority(spec, snapshot, file)
        return msgspec.convert(pod, Pod)
    except (msgspec.ValidationError, AttributeError, TypeError) as error:
        raise ConfigError(f"{file}: the pod cannot be read: {error}") from error


def _resolve_priority(spec: dict[str, Any], snapshot: Snapshot, file: str) -> None:
    name = spec.get("priorityClassName") or ""
    known = {**{key: one.value for key, one in snapshot.priority_classes.items()}, **_DEFAULT_PRIORITIES}
    if name and name not in known and snapshot.looked_at(["PriorityClass"]):
        raise ConfigError(f"{file}: spec.priorityClassName: there is no PriorityClass {name}")
    if spec.get("priority") is None:
        default = next((one.value for one in snapshot.priority_classes.values() if one.global_default), 0)
        spec["priority"] = known.get(name, default)
