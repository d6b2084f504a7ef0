"""Selections: which objects of a resource a list or a watch is about, by namespace, labels and fields."""

from roost.api.field_selectors import FieldRequirement, parse_field_selector
from roost.api.labels import parse_label_selector, requirement_matches
from roost.api.selectors import Requirement
from roost.apiserver.refusals import bad_request
from roost.apiserver.resources import Resource
from roost.apiserver.stored import Object, Stored
from roost.errors import InvalidObject

_COMMON = ("metadata.name", "metadata.namespace")
_REFERENCE = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_CORE_REFERENCE = tuple(f"involvedObject.{name}" for name in _REFERENCE)
_NEW_REFERENCE = tuple(f"regarding.{name}" for name in _REFERENCE)
_FALSE_IF_ABSENT = ("spec.unschedulable", "spec.hostNetwork")

_FIELDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "pods"): (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    ("", "nodes"): ("spec.unschedulable",),
    ("", "namespaces"): ("status.phase",),
    ("", "secrets"): ("type",),
    ("", "services"): ("spec.clusterIP", "spec.type"),
    ("", "events"): (*_CORE_REFERENCE, "reason", "reportingComponent", "source", "type"),
    ("events.k8s.io", "events"): (*_NEW_REFERENCE, "reason", "reportingController", "type"),
    ("batch", "jobs"): ("status.successful",),
    ("resource.k8s.io", "resourceslices"): ("spec.driver", "spec.nodeName"),
}


class Selection:
    """Tells whether an object of one resource is asked for."""

    __slots__ = ("fields", "labels", "namespace", "resource", "selects_all")

    def __init__(
        self,
        resource: Resource,
        namespace: str = "",
        labels: tuple[Requirement, ...] = (),
        fields: tuple[FieldRequirement, ...] = (),
    ) -> None:
        self.resource = resource
        self.namespace = namespace
        self.labels = labels
        self.fields = [(_path(resource, path), operator == "=", value) for path, operator, value in fields]
        self.selects_all = not (namespace or labels or fields)

    def matches(self, item: Stored) -> bool:
        """Tell whether an object is selected, as it is stored."""
        if self.selects_all:
            return True
        if self.namespace and item.namespace != self.namespace:
            return False
        for path, equal, value in self.fields:
            if (_field(item.object, path) == value) is not equal:
                return False
        return not self.labels or self._matches_labels(item)

    def _matches_labels(self, item: Stored) -> bool:
        labels = item.metadata.get("labels") or {}
        return all(requirement_matches(requirement, labels) for requirement in self.labels)


def select(resource: Resource, namespace: str = "", label_selector: str = "", field_selector: str = "") -> Selection:
    """Read what a request selects; refuses (400) selectors that make no sense or name other fields."""
    try:
        labels = parse_label_selector(label_selector)
        fields = parse_field_selector(field_selector)
    except InvalidObject as error:
        raise bad_request(str(error)) from error
    for path, _, _ in fields:
        _check(resource, path)
    return Selection(resource, namespace, labels, fields)


def field_labels(resource: Resource) -> tuple[str, ...]:
    """Return the fields that a resource can be selected by."""
    common = _COMMON if resource.namespaced else _COMMON[:1]
    return (*common, *_FIELDS.get(resource.key, ()))


def _check(resource: Resource, path: str) -> None:
    if path in field_labels(resource) or path in _COMMON:
        return
    if resource.key in _FIELDS:
        raise bad_request(f"field label not supported: {path}")
    raise bad_request(f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"')


def _path(resource: Resource, path: str) -> tuple[str, ...]:
    """Return where the field is in the stored object; events are stored as core/v1 has them."""
    if resource.group == "events.k8s.io":
        path = path.replace("regarding.", "involvedObject.").replace("reportingController", "reportingComponent")
    return tuple(path.split("."))


def _field(obj: Object, path: tuple[str, ...]) -> str:
    value: object = obj
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    if path == ("source",):
        return _source(obj)
    if value is None:
        return "false" if ".".join(path) in _FALSE_IF_ABSENT else ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _source(event: Object) -> str:
    return str((event.get("source") or {}).get("component") or event.get("reportingComponent") or "")
