"""The scale subresource: how many replicas a workload has and wants, whatever its kind."""

import msgspec

from roost.api.selectors import LabelSelector
from roost.apiserver.refusals import Invalid, conflict, invalid
from roost.apiserver.resources import Resource
from roost.apiserver.store import Object, Store, Stored

_OPERATORS = {"In": "in", "NotIn": "notin"}


def read_scale(store: Store, resource: Resource, name: str, namespace: str) -> Object:
    """Return a workload's autoscaling/v1 Scale."""
    return scale_of(store.get(resource, name, namespace))


def write_scale(
    store: Store, resource: Resource, name: str, namespace: str, scale: Object, *, dry_run: bool = False
) -> Object:
    """Set a workload's replicas as a Scale says; return its Scale. Raises Conflict if the Scale is out of date."""
    version = (scale.get("metadata") or {}).get("resourceVersion")
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or replicas < 0:
        raise Invalid(resource, name, [invalid("spec.replicas", replicas, "must be greater than or equal to 0")])
    if version and version != str(store.get(resource, name, namespace).version):
        raise conflict(resource.qualified, name)

    def resize(workload: Object) -> None:
        workload["spec"]["replicas"] = replicas

    return scale_of(store.modify(resource, name, resize, namespace, dry_run=dry_run))


def scale_of(item: Stored) -> Object:
    """Return the Scale of a workload."""
    metadata = item.metadata
    spec, status = item.object.get("spec") or {}, item.object.get("status") or {}
    names = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: metadata[name] for name in names if name in metadata},
        "spec": {"replicas": spec.get("replicas", 0)},
        "status": {"replicas": status.get("replicas", 0), "selector": selector_text(spec.get("selector") or {})},
    }


def selector_text(selector: Object) -> str:
    """Spell a selector as a query does."""
    read = msgspec.convert(selector, LabelSelector)
    terms = [f"{key}={value}" for key, value in sorted((read.match_labels or {}).items())]
    for requirement in read.match_expressions or ():
        values = ",".join(sorted(requirement.values or ()))
        match requirement.operator:
            case "Exists":
                terms.append(requirement.key)
            case "DoesNotExist":
                terms.append(f"!{requirement.key}")
            case operator:
                terms.append(f"{requirement.key} {_OPERATORS.get(operator, 'in')} ({values})")
    return ",".join(terms)
