"""Admission: what kube-apiserver makes of an object before it stores it, and what it does not let in."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from roost.apiserver.pod_defaults import (
    add_tolerations,
    default_pod,
    default_template_spec,
    merge_label_keys,
    qos_class,
)
from roost.apiserver.refusals import forbidden, not_found
from roost.apiserver.resources import NAMESPACE, NODE, PRIORITY_CLASS, Resource
from roost.apiserver.shapes import check_shape
from roost.apiserver.stored import Object, Objects, Stored
from roost.apiserver.validation import validate, validate_pod_update

ZONE, REGION = "topology.kubernetes.io/zone", "topology.kubernetes.io/region"
GATED = "Scheduling is blocked due to non-empty scheduling gates"
_SYSTEM_PRIORITIES = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
_FIXED_ON_UPDATE = (
    "priority",
    "preemptionPolicy",
    "priorityClassName",
    "serviceAccountName",
    "serviceAccount",
)


class Reader(Protocol):
    """What admission reads of the other objects."""

    def find(self, resource: Resource, name: str, namespace: str = "") -> Stored | None:
        """Return an object, or None."""
        ...

    def all(self, resource: Resource, namespace: str = "") -> Objects:
        """Return all objects of a resource."""
        ...


def initial_objects(namespaces: Sequence[str]) -> Iterator[tuple[Resource, Object]]:
    """Yield what is there from the start."""
    for name in namespaces:
        yield NAMESPACE, {"metadata": {"name": name}}
    for name, value in _SYSTEM_PRIORITIES.items():
        yield PRIORITY_CLASS, {"metadata": {"name": name}, "value": value}


def check_namespace(resource: Resource, name: str, namespace: Stored | None, namespace_name: str) -> None:
    """Refuse a new object in a namespace that is not there (404) or that is on its way out (403)."""
    if namespace is None:
        raise not_found(NAMESPACE, namespace_name)
    if (namespace.object.get("status") or {}).get("phase") == "Terminating":
        problem = f"unable to create new content in namespace {namespace_name} because it is being terminated"
        raise forbidden(resource, name, problem)


def admit_new(reader: Reader, resource: Resource, obj: Object, now: str) -> None:
    """Fill in a new object, and refuse it if it cannot be."""
    check_shape(resource, obj)
    _DEFAULTS.get(resource.kind, _leave)(obj)
    validate(resource, obj)
    if resource.kind == "Pod":
        _admit_pod(reader, resource, obj, now)


def admit_update(resource: Resource, after: Object, before: Object, subresource: str) -> None:
    """Fill in what an update leaves out, and refuse changes of what is fixed."""
    check_shape(resource, after)
    if subresource:
        return
    _DEFAULTS.get(resource.kind, _leave)(after)
    if resource.kind == "Pod":
        for name in _FIXED_ON_UPDATE:
            if name in before["spec"]:
                after["spec"].setdefault(name, before["spec"][name])
        default_pod(after)
        add_tolerations(after["spec"])
        validate_pod_update(resource, after, before)
    validate(resource, after)


def topology_labels(node: Stored | None) -> dict[str, str]:
    """Return the labels that a pod takes over from its node."""
    labels = (node.metadata.get("labels") or {}) if node is not None else {}
    return {key: labels[key] for key in (ZONE, REGION) if key in labels}


def _admit_pod(reader: Reader, resource: Resource, pod: Object, now: str) -> None:
    spec, metadata = pod["spec"], pod["metadata"]
    default_pod(pod)
    _give_priority(reader, resource, pod)
    add_tolerations(spec)
    merge_label_keys(pod)
    if spec.get("nodeName"):
        labels = topology_labels(reader.find(NODE, spec["nodeName"]))
        metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
    pod["status"] = {"phase": "Pending", "qosClass": qos_class(spec)}
    if spec.get("schedulingGates"):
        pod["status"]["conditions"] = [_gated(now)]


def _gated(now: str) -> Object:
    return {
        "type": "PodScheduled",
        "status": "False",
        "reason": "SchedulingGated",
        "message": GATED,
        "lastTransitionTime": now,
    }


def _give_priority(reader: Reader, resource: Resource, pod: Object) -> None:
    spec, name = pod["spec"], pod["metadata"]["name"]
    chosen = _priority_class(reader, resource, name, spec.get("priorityClassName") or "")
    value = chosen["value"] if chosen else 0
    if spec.get("priority") not in (None, value):
        given = spec["priority"]
        problem = (
            f"the integer value of priority ({given}) must not be provided in pod spec; "
            f"priority admission controller computed {value} from the given PriorityClass name"
        )
        raise forbidden(resource, name, problem)
    spec["priority"] = value
    spec["preemptionPolicy"] = (chosen or spec).get("preemptionPolicy") or "PreemptLowerPriority"
    if chosen:
        spec["priorityClassName"] = chosen["metadata"]["name"]


def _priority_class(reader: Reader, resource: Resource, pod_name: str, name: str) -> Object | None:
    if name:
        found = reader.find(PRIORITY_CLASS, name)
        if found is None:
            raise forbidden(resource, pod_name, f"no PriorityClass with name {name} was found")
        return found.object
    defaults = [it.object for it in reader.all(PRIORITY_CLASS) if it.object.get("globalDefault")]
    return min(defaults, key=lambda one: int(one["value"]), default=None)


def _leave(obj: Object) -> None:
    """Take the object as it comes."""


def _default_spec(obj: Object) -> None:
    obj.setdefault("spec", {})


def _default_namespace(namespace: Object) -> None:
    metadata = namespace["metadata"]
    metadata["labels"] = {**(metadata.get("labels") or {}), "kubernetes.io/metadata.name": metadata["name"]}
    if not metadata.get("deletionTimestamp"):
        namespace.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    namespace.setdefault("status", {}).setdefault("phase", "Active")


def _default_node(node: Object) -> None:
    node.setdefault("spec", {})
    status = node.setdefault("status", {})
    if status.get("capacity") and not status.get("allocatable"):
        status["allocatable"] = dict(status["capacity"])
    if status.get("allocatable") and not status.get("capacity"):
        status["capacity"] = dict(status["allocatable"])


def _default_workload(workload: Object) -> None:
    spec = workload.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    default_template_spec(spec.setdefault("template", {}).setdefault("spec", {}))


def _default_deployment(deployment: Object) -> None:
    _default_workload(deployment)
    spec = deployment["spec"]
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    strategy = spec.setdefault("strategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxSurge", "25%")
        rolling.setdefault("maxUnavailable", "25%")


def _default_service(service: Object) -> None:
    spec = service.setdefault("spec", {})
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))


def _default_priority_class(chosen: Object) -> None:
    chosen.setdefault("preemptionPolicy", "PreemptLowerPriority")


_DEFAULTS = {
    "Pod": _default_spec,
    "PodDisruptionBudget": _default_spec,
    "Namespace": _default_namespace,
    "Node": _default_node,
    "Deployment": _default_deployment,
    "ReplicaSet": _default_workload,
    "StatefulSet": _default_workload,
    "Service": _default_service,
    "PriorityClass": _default_priority_class,
}
