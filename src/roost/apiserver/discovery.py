"""Discovery: which groups, versions, resources and verbs there are, plain and aggregated."""

from collections.abc import Iterable, Iterator

from roost.apiserver.metrics_api import METRICS
from roost.apiserver.resources import SCALE, Resource
from roost.apiserver.stored import Object

AGGREGATED = ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2")
AGGREGATED_TYPE = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
VERSION = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.2+roost",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "none",
    "compiler": "none",
    "platform": "linux/amd64",
}
_SUBRESOURCE_KINDS = {SCALE: ("autoscaling", "v1", "Scale"), "binding": ("", "v1", "Binding")}
_SUBRESOURCE_KINDS["eviction"] = ("policy", "v1", "Eviction")
_SUBRESOURCE_VERBS = {"binding": ("create",), "eviction": ("create",), "finalize": ("update",)}
_REVIEWS = (
    Resource(
        group="authorization.k8s.io",
        plural="selfsubjectaccessreviews",
        kind="SelfSubjectAccessReview",
        namespaced=False,
    ),
    Resource(group="authorization.k8s.io", plural="subjectaccessreviews", kind="SubjectAccessReview", namespaced=False),
    Resource(
        group="authorization.k8s.io",
        plural="selfsubjectrulesreviews",
        kind="SelfSubjectRulesReview",
        namespaced=False,
    ),
    Resource(group="authentication.k8s.io", plural="selfsubjectreviews", kind="SelfSubjectReview", namespaced=False),
    Resource(group="authentication.k8s.io", plural="tokenreviews", kind="TokenReview", namespaced=False),
)
REVIEWS = {resource.key: resource for resource in _REVIEWS}
"""What can only be created, and is answered at once."""


def aggregated(resources: Iterable[Resource], *, core: bool) -> Object:
    """Return everything about the core group or about all other groups at once."""
    items = [
        {"metadata": {"name": group} if group else {}, "versions": [_aggregated_version(*versions[0])]}
        for group, versions in _groups(resources).items()
        if (not group) is core
    ]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def core_versions(server: str) -> Object:
    """Return what /api answers."""
    address = {"clientCIDR": "0.0.0.0/0", "serverAddress": server}
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [address]}


def group_list(resources: Iterable[Resource]) -> Object:
    """Return what /apis answers."""
    groups = [_group(name, versions[0][0]) for name, versions in _groups(resources).items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(resources: Iterable[Resource], name: str) -> Object | None:
    """Return what /apis/GROUP answers; None if there is no such group."""
    versions = _groups(resources).get(name)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions[0][0])} if versions and name else None


def resource_list(resources: Iterable[Resource], name: str, version: str) -> Object | None:
    """Return what /apis/GROUP/VERSION answers; None if there is no such version."""
    served = [one for one_version, found in _groups(resources).get(name, ()) for one in found if one_version == version]
    if not served:
        return None
    group_version = f"{name}/{version}" if name else version
    entries = [entry for one in sorted(served, key=lambda one: one.plural) for entry in _entries(one)]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": entries}


def _groups(resources: Iterable[Resource]) -> dict[str, list[tuple[str, list[Resource]]]]:
    """Sort resources into groups, and these into versions."""
    groups: dict[str, dict[str, list[Resource]]] = {}
    for resource in (*resources, *_REVIEWS, *METRICS.values()):
        groups.setdefault(resource.group, {}).setdefault(resource.version, []).append(resource)
    return {name: list(versions.items()) for name, versions in groups.items()}


def _group(name: str, version: str) -> Object:
    entry = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [entry], "preferredVersion": entry}


def _verbs(resource: Resource) -> tuple[str, ...]:
    if resource.key in METRICS:
        return ("get", "list")
    return ("create",) if resource.key in REVIEWS else VERBS


def _entries(resource: Resource) -> Iterator[Object]:
    named: Object = {"name": resource.plural, "singularName": resource.singular, "namespaced": resource.namespaced}
    yield {**named, "kind": resource.kind, "verbs": _verbs(resource), **_names(resource)}
    for name in resource.subresources:
        group, version, kind = _SUBRESOURCE_KINDS.get(name, ("", "", resource.kind))
        part: Object = {"name": f"{resource.plural}/{name}", "singularName": "", "namespaced": resource.namespaced}
        own = {"group": group, "version": version} if group else {}
        yield {**part, **own, "kind": kind, "verbs": _SUBRESOURCE_VERBS.get(name, ("get", "patch", "update"))}


def _names(resource: Resource) -> Object:
    names = {"shortNames": resource.short_names, "categories": resource.categories}
    return {name: value for name, value in names.items() if value}


def _aggregated_version(version: str, resources: list[Resource]) -> Object:
    entries = [_aggregated(resource) for resource in sorted(resources, key=lambda one: one.plural)]
    return {"version": version, "resources": entries, "freshness": "Current"}


def _aggregated(resource: Resource) -> Object:
    entry: Object = {
        "resource": resource.plural,
        "responseKind": _kind(resource.group, resource.version, resource.kind),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": _verbs(resource),
        **_names(resource),
    }
    if resource.subresources:
        entry["subresources"] = [_aggregated_subresource(resource, name) for name in resource.subresources]
    return entry


def _aggregated_subresource(resource: Resource, name: str) -> Object:
    own = (resource.group, resource.version, resource.kind)
    kind = _kind(*_SUBRESOURCE_KINDS.get(name, own))
    verbs = _SUBRESOURCE_VERBS.get(name, ("get", "patch", "update"))
    return {"subresource": name, "responseKind": kind, "verbs": verbs}


def _kind(group: str, version: str, kind: str) -> Object:
    return {"group": group, "version": version, "kind": kind}
