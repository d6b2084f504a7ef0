"""Validation: what kube-apiserver would refuse of an object, as far as a typing mistake is likely to meet it."""

import re
from collections.abc import Iterator

from roost.api.labels import is_label_value
from roost.api.quantity import billionths
from roost.apiserver.refusals import Cause, Invalid, bad_request, forbidden_field, invalid, required
from roost.apiserver.resources import Resource
from roost.apiserver.stored import Object, fresh
from roost.errors import InvalidObject

# The same languages as in the texts below, in a form that needs no going back.
_LABEL = r"[a-z0-9]+(?:-+[a-z0-9]+)*"
_SUBDOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_DNS_LABEL = re.compile(_LABEL)
_LABEL_KEY = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*/)?[A-Za-z0-9]+(?:[-_.]+[A-Za-z0-9]+)*")
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_LABEL_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_LABEL_KEY_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_QUANTITY_RULE = r"quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_POD_UPDATE_RULE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_FREE_NAMES = "rbac.authorization.k8s.io"


def validate(resource: Resource, obj: Object) -> None:
    """Refuse (422) an object with fields that cannot be, naming all of them."""
    metadata = obj["metadata"]
    causes = [*_metadata(resource, metadata), *_content(resource.kind, obj)]
    if causes:
        raise Invalid(resource, metadata["name"], causes)


def validate_pod_update(resource: Resource, after: Object, before: Object) -> None:
    """Refuse (422) a change of what is fixed once a pod exists."""
    name = after["metadata"]["name"]
    new, old = after["spec"], before["spec"]
    added = [name for name in _gates(new) if name not in _gates(old)]
    if added:
        detail = f"only deletion is allowed, but found new scheduling gate '{added[0]}'"
        raise Invalid(resource, name, [forbidden_field("spec.schedulingGates", detail)])
    if _fixed(new, old) != _fixed(old, old):
        raise Invalid(resource, name, [forbidden_field("spec", _POD_UPDATE_RULE)])


def _gates(spec: Object) -> list[str]:
    return [gate.get("name", "") for gate in spec.get("schedulingGates") or ()]


def _metadata(resource: Resource, metadata: Object) -> Iterator[Cause]:
    name = metadata["name"]
    rule, text = (_DNS_LABEL, _LABEL_RULE) if resource.kind == "Namespace" else (_SUBDOMAIN, _SUBDOMAIN_RULE)
    if resource.group != _FREE_NAMES and (len(name) > 253 or not rule.fullmatch(name)):
        yield invalid("metadata.name", name, text)
    yield from _labels("metadata.labels", metadata.get("labels") or {})


def _labels(field: str, labels: Object) -> Iterator[Cause]:
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key):
            yield invalid(field, key, _LABEL_KEY_RULE)
        if not isinstance(value, str) or not is_label_value(value):
            yield invalid(field, value, _LABEL_VALUE_RULE)


def _content(kind: str, obj: Object) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    if kind == "Pod":
        yield from _pod_spec("spec", spec)
    elif kind in ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"):
        yield from _workload(spec)


def _workload(spec: Object) -> Iterator[Cause]:
    template = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    selector = spec.get("selector")
    if not selector:
        yield required("spec.selector")
    elif any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        yield invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    yield from _pod_spec("spec.template.spec", template.get("spec") or {})


def _pod_spec(field: str, spec: Object) -> Iterator[Cause]:
    containers = spec.get("containers") or []
    if not containers:
        yield required(f"{field}.containers")
    seen: set[str] = set()
    for place in ("initContainers", "containers"):
        for i, container in enumerate(spec.get(place) or ()):
            yield from _container(f"{field}.{place}[{i}]", container, seen)
    if spec.get("nodeName") and spec.get("schedulingGates"):
        yield forbidden_field(f"{field}.nodeName", "cannot be set until all schedulingGates have been cleared")


def _container(field: str, container: Object, seen: set[str]) -> Iterator[Cause]:
    name = container.get("name")
    if not name:
        yield required(f"{field}.name")
    elif name in seen:
        yield Cause("FieldValueDuplicate", f'Duplicate value: "{name}"', f"{field}.name")
    elif not _DNS_LABEL.fullmatch(name) or len(name) > 63:
        yield invalid(f"{field}.name", name, _LABEL_RULE)
    seen.add(name or "")
    if not container.get("image"):
        yield required(f"{field}.image")
    yield from _resources(f"{field}.resources", container.get("resources") or {})


def _resources(field: str, resources: Object) -> Iterator[Cause]:
    limits = resources.get("limits") or {}
    for place in ("limits", "requests"):
        for name, text in (resources.get(place) or {}).items():
            if _amount(text) < 0:
                yield invalid(f"{field}.{place}[{name}]", text, "must be greater than or equal to 0")
    for name, text in (resources.get("requests") or {}).items():
        if name in limits and _amount(text) > _amount(limits[name]):
            yield invalid(f"{field}.requests", text, f"must be less than or equal to {name} limit of {limits[name]}")


def _amount(text: str | int | float) -> int:
    try:
        return billionths(text)
    except InvalidObject as error:
        raise bad_request(_QUANTITY_RULE) from error


def _fixed(spec: Object, old: Object) -> Object:
    """Return the part of a pod's spec that may not change, with what may change taken from the old one."""
    fixed = fresh(spec)
    for name in ("schedulingGates", "activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds"):
        fixed.pop(name, None)
    if old.get("schedulingGates"):
        fixed.pop("nodeSelector", None)
        fixed.pop("affinity", None)
    for container in (*(fixed.get("containers") or ()), *(fixed.get("initContainers") or ())):
        container.pop("image", None)
    return {name: value for name, value in fixed.items() if value not in (None, "", [], {}, False)}
