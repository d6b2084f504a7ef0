"""The binding subresource: gives a pod its node, once."""

from roost.apiserver.admission import topology_labels
from roost.apiserver.conditions import with_condition
from roost.apiserver.refusals import bad_request, conflict
from roost.apiserver.resources import NODE, POD
from roost.apiserver.store import Object, Store, Stored
from roost.apiserver.timestamps import rfc3339
from roost.apiserver.writes import precondition_failed

_QUALIFIED = "pods/binding"


def bind(store: Store, namespace: str, name: str, binding: Object, *, dry_run: bool = False) -> Stored:
    """Bind a pod as a core/v1 Binding says; return the pod. Raises NotFound and Conflict, in kube-apiserver's words."""
    metadata, target = binding.get("metadata") or {}, binding.get("target") or {}
    _check_binding(name, metadata, target)
    pod = store.get(POD, name, namespace)
    _check_preconditions(pod, metadata)
    _check_pod(pod)
    labels = topology_labels(store.find(NODE, target["name"]))
    return store.replace(pod, _bound(pod.object, metadata, labels, target["name"], store.clock()), dry_run=dry_run)


def binding_to(node_name: str, *, name: str, namespace: str, uid: str = "") -> Object:
    """Return the Binding of a pod to a node, on condition that the pod still has this uid (if given)."""
    metadata = {"name": name, "namespace": namespace, **({"uid": uid} if uid else {})}
    return {"apiVersion": "v1", "kind": "Binding", "metadata": metadata, "target": {"kind": "Node", "name": node_name}}


def _check_binding(name: str, metadata: Object, target: Object) -> None:
    if metadata.get("name", name) != name:
        raise bad_request("name in URL does not match name in Binding object")
    kind = target.get("kind") or "Node"
    if kind not in ("Node", "<empty>"):
        raise bad_request(f'target.kind: Unsupported value: "{kind}": supported values: "Node", "<empty>"')
    if not target.get("name"):
        raise bad_request("target.name: Required value")


def _check_preconditions(pod: Stored, metadata: Object) -> None:
    found = {"UID": pod.metadata["uid"], "ResourceVersion": str(pod.version)}
    asked = {"UID": metadata.get("uid"), "ResourceVersion": metadata.get("resourceVersion")}
    for what, value in asked.items():
        if value and value != found[what]:
            detail = precondition_failed(what, value, found[what])
            key = f"/registry/pods/{pod.namespace}/{pod.name}"
            problem = (
                f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: {detail}"
            )
            raise conflict(_QUALIFIED, pod.name, problem)


def _check_pod(pod: Stored) -> None:
    spec = pod.object["spec"]
    if "deletionTimestamp" in pod.metadata:
        raise conflict(_QUALIFIED, pod.name, f"pod {pod.name} is being deleted, cannot be assigned to a host")
    if spec.get("nodeName"):
        problem = f'pod {pod.name} is already assigned to node "{spec["nodeName"]}"'
        raise conflict(_QUALIFIED, pod.name, problem)
    if spec.get("schedulingGates"):
        raise conflict(_QUALIFIED, pod.name, f"pod {pod.name} has non-empty .spec.schedulingGates")


def _bound(pod: Object, given: Object, node_labels: Object, node_name: str, now: float) -> Object:
    status = dict(pod["status"])
    scheduled = {"type": "PodScheduled", "status": "True"}
    status["conditions"] = with_condition(status.get("conditions"), scheduled, rfc3339(now))
    status.pop("nominatedNodeName", None)
    metadata = dict(pod["metadata"])
    for name, added in (
        ("labels", {**(given.get("labels") or {}), **node_labels}),
        ("annotations", given.get("annotations")),
    ):
        if added:
            metadata[name] = {**(metadata.get(name) or {}), **added}
    return {**pod, "metadata": metadata, "spec": {**pod["spec"], "nodeName": node_name}, "status": status}
