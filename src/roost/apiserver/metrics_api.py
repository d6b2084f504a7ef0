"""The metrics API (`metrics.k8s.io`), as metrics-server adds it to a cluster: what nodes and pods use now.

For `kubectl top` and for whatever reads usage from there. Nothing of it is stored: it is worked out when asked for.
"""

from collections import defaultdict

from roost.apiserver.catalogue import Place
from roost.apiserver.queries import check_list
from roost.apiserver.refusals import not_found
from roost.apiserver.requests import Request, Response, as_json
from roost.apiserver.resources import NODE, POD, Resource
from roost.apiserver.selection import select
from roost.apiserver.status import no_such_resource, not_allowed
from roost.apiserver.store import Store
from roost.apiserver.stored import Object, Objects, Stored
from roost.apiserver.timestamps import rfc3339
from roost.apiserver.usage_model import SCRAPE_SECONDS, Used, container_usage, node_usage, pod_usage, scraped_at

GROUP, VERSION = "metrics.k8s.io", "v1beta1"
NODE_METRICS = Resource(group=GROUP, version=VERSION, plural="nodes", kind="NodeMetrics", namespaced=False)
POD_METRICS = Resource(group=GROUP, version=VERSION, plural="pods", kind="PodMetrics")
METRICS = {resource.key: resource for resource in (NODE_METRICS, POD_METRICS)}
"""What can only be read, and is worked out when it is asked for."""

_MEASURED = {NODE_METRICS.key: NODE, POD_METRICS.key: POD}


def on_metrics(store: Store, place: Place, request: Request) -> Response:
    """Answer a request for metrics of one node or pod, or of many; refuses (404, 405) all else."""
    resource = METRICS.get((place.group, place.plural))
    if resource is None or place.version != VERSION or place.subresource or _is_misplaced(resource, place):
        raise no_such_resource()
    if request.method != "GET" or request.flag("watch"):
        raise not_allowed()
    if place.name:
        item = store.find(_MEASURED[resource.key], place.name, place.namespace)
        found = _metrics(store, resource, [item]) if item is not None else []
        if not found:
            raise not_found(resource, place.name)
        return as_json({**_type(resource), **found[0]})
    check_list(request)
    items = _metrics(store, resource, _selected(store, resource, place, request))
    return as_json({**_type(resource, "List"), "metadata": {}, "items": items})


def _is_misplaced(resource: Resource, place: Place) -> bool:
    """Tell whether a namespace is there where none may be, or lacks where one must be."""
    if resource.namespaced:
        return bool(place.name) and not place.namespace
    return bool(place.namespace)


def _selected(store: Store, resource: Resource, place: Place, request: Request) -> Objects:
    query = request.query
    measured = _MEASURED[resource.key]
    selection = select(measured, place.namespace, query.get("labelSelector", ""), query.get("fieldSelector", ""))
    return store.list(selection).items


def _metrics(store: Store, resource: Resource, items: Objects) -> list[Object]:
    at = scraped_at(store.clock())
    if resource is POD_METRICS:
        return [_pod(item, at) for item in items if pod_usage(item.object, at).nano_cores]
    used: dict[str, Used] = defaultdict(Used)
    for pod in store.all(POD):
        used[pod.object["spec"].get("nodeName", "")] += pod_usage(pod.object, at)
    return [{**_measured(item, at), "usage": _usage(node_usage(item.object, used[item.name]))} for item in items]


def _pod(pod: Stored, at: int) -> Object:
    containers = [
        {"name": one["name"], "usage": _usage(container_usage(pod.metadata["uid"], one, at))}
        for one in pod.object["spec"]["containers"]
    ]
    return {**_measured(pod, at), "containers": containers}


def _measured(item: Stored, at: int) -> Object:
    kept: Object = {name: item.metadata[name] for name in ("name", "namespace", "labels") if name in item.metadata}
    metadata = {**kept, "creationTimestamp": rfc3339(at)}
    return {"metadata": metadata, "timestamp": rfc3339(at), "window": f"{SCRAPE_SECONDS}s"}


def _usage(used: Used) -> Object:
    return {"cpu": f"{used.nano_cores}n", "memory": f"{used.bytes // 1024}Ki"}


def _type(resource: Resource, suffix: str = "") -> Object:
    return {"kind": f"{resource.kind}{suffix}", "apiVersion": resource.api_version}
