"""Changes as commands that people can run: kubectl, on the object where a change lasts.

A pod is made by its controller again and again, so its template is what is patched. A pod of its own is patched where
Kubernetes allows that (tolerations), else deleted and created again.
"""

import json
from shlex import quote

import msgspec

from roost.analysis.change import Change, Operation
from roost.api.pod import Pod

_TEMPLATE_HASH = "pod-template-hash"
_PATCHED = {"ReplicaSet": "replicaset", "StatefulSet": "statefulset", "DaemonSet": "daemonset"}


def commands(change: Change, pod: Pod, *, manifest: str = "") -> list[str]:
    """Return the commands that make a change; `manifest` is the file of a pod that does not exist yet."""
    if change.evict:
        return _deletions(change.evict)
    if change.new_node is not None:
        return []
    if change.command:
        return [change.command]
    return [_on_manifest(change.pod_patch, manifest) if manifest else _on_pod(change.pod_patch, pod)]


def json_text(value: object) -> str:
    """Return plain data as JSON on one line."""
    return json.dumps(msgspec.to_builtins(value), ensure_ascii=False, separators=(",", ":"))


def maker_of(pod: Pod) -> tuple[str, str]:
    """Return the kind and name of what makes a pod, the Deployment where it is one; empty if nobody does."""
    owner = next((one for one in pod.metadata.owner_references or () if one.controller), None)
    if owner is None:
        return "", ""
    suffix = f"-{pod.labels.get(_TEMPLATE_HASH, '')}"
    if owner.kind == "ReplicaSet" and len(suffix) > 1 and owner.name.endswith(suffix):
        return "Deployment", owner.name.removesuffix(suffix)
    return owner.kind, owner.name


def _deletions(keys: tuple[str, ...]) -> list[str]:
    by_namespace: dict[str, list[str]] = {}
    for key in keys:
        namespace, _, name = key.partition("/")
        by_namespace.setdefault(namespace, []).append(name)
    return [f"kubectl -n {namespace} delete pod {' '.join(names)}" for namespace, names in by_namespace.items()]


def _on_manifest(operations: tuple[Operation, ...], manifest: str) -> str:
    return f"kubectl patch --local -f {quote(manifest)} --type=json -p {_patch(operations)} -o yaml"


def _on_pod(operations: tuple[Operation, ...], pod: Pod) -> str:
    kind, name = maker_of(pod)
    if kind == "Deployment" or kind in _PATCHED:
        moved = tuple({**one, "path": f"/spec/template{one['path']}"} for one in operations)
        return (
            f"kubectl -n {pod.namespace} patch {_PATCHED.get(kind, 'deployment')} {name} --type=json -p {_patch(moved)}"
        )
    target = f"kubectl -n {pod.namespace}"
    if all(one["path"] == "/spec/tolerations" for one in operations):
        return f"{target} patch pod {pod.name} --type=json -p {_patch(operations)}"
    again = f"kubectl patch --local -f - --type=json -p {_patch(operations)} -o json | kubectl replace --force -f -"
    return f"{target} get pod {pod.name} -o json | {again}"


def _patch(operations: tuple[Operation, ...]) -> str:
    return quote(json_text(list(operations)))
