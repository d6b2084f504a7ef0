"""The verbs on objects and collections: reads a request, asks the store, renders the answer."""

from roost.apiserver.apply import apply
from roost.apiserver.catalogue import Catalogue, Target
from roost.apiserver.negotiation import accepted_shape
from roost.apiserver.patching import is_apply, read_patch
from roost.apiserver.queries import WatchQuery, check_list, deletes_dry, read_deletion, read_selection, read_watch
from roost.apiserver.render import Shape, render, render_list
from roost.apiserver.requests import Request, Response, as_json
from roost.apiserver.status import not_allowed, success
from roost.apiserver.store import Object, Selection, Store, Stored
from roost.apiserver.table import check_include


class Api:
    """What answers share: the store, and what is served of it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.catalogue = Catalogue()

    def shape(self, request: Request) -> Shape:
        """Return the shape that a request asks for; refuses (406) one there is not."""
        include = request.query.get("includeObject", "")
        check_include(include)
        return Shape(accepted_shape(request.accept), include, self.store.clock())


class Watching:
    """The answer that does not end by itself: a watch, and the shape of its events."""

    def __init__(self, query: WatchQuery, shape: Shape) -> None:
        self.query = query
        self.shape = shape


def on_collection(api: Api, target: Target, request: Request, body: Object | None) -> Response | Watching:
    """Answer a request for all objects of a resource, or in a namespace."""
    match request.method:
        case "GET" if request.flag("watch"):
            return Watching(read_watch(target, request), api.shape(request))
        case "GET":
            return _list(api, target, request)
        case "POST" if body is not None and bool(target.namespace) == target.resource.namespaced:
            item = api.store.create(target.resource, body, target.namespace, dry_run=request.is_dry_run)
            return render(item, api.shape(request), 201)
        case "DELETE":
            return _delete_all(api, target, request)
        case _:
            raise not_allowed()


def on_object(api: Api, target: Target, request: Request, body: Object | None) -> Response:
    """Answer a request for one object."""
    shape = api.shape(request)
    match request.method:
        case "GET":
            return render(api.store.get(target.resource, target.name, target.namespace), shape)
        case "PUT":
            return _update(api, target, request, shape)
        case "PATCH" if is_apply(request):
            item, is_new = apply(api.store, target, request, body or {})
            return render(item, shape, 201 if is_new else 200)
        case "PATCH":
            return render(patch(api, target, request), shape)
        case "DELETE":
            return _delete(api, target, request, shape)
        case _:
            raise not_allowed()


def patch(api: Api, target: Target, request: Request) -> Stored:
    """Change an object, or a part of it that is written apart."""
    change = read_patch(target, request, is_known=api.catalogue.is_known(target.resource))
    return api.store.modify(
        target.resource,
        target.name,
        change,
        target.namespace,
        subresource=target.subresource,
        dry_run=request.is_dry_run,
    )


def _list(api: Api, target: Target, request: Request) -> Response:
    check_list(request)
    listed = api.store.list(
        read_selection(target, request),
        limit=request.number("limit"),
        continue_token=request.query.get("continue", ""),
        resource_version=request.query.get("resourceVersion", ""),
        match=request.query.get("resourceVersionMatch", ""),
    )
    return render_list(target.resource, listed, api.shape(request))


def _update(api: Api, target: Target, request: Request, shape: Shape) -> Response:
    before = api.store.find(target.resource, target.name, target.namespace)
    item = api.store.update(
        target.resource, request.object(), target.name, target.namespace, dry_run=request.is_dry_run
    )
    return render(item, shape, 200 if before else 201)


def _delete(api: Api, target: Target, request: Request, shape: Shape) -> Response:
    options, dry = read_deletion(request), deletes_dry(request)
    item = api.store.delete(target.resource, target.name, target.namespace, options, dry_run=dry)
    if target.resource.kind == "Pod" or "deletionTimestamp" in item.metadata:
        return render(item, shape)
    resource = target.resource
    details: Object = {"name": item.name, "group": resource.group, "kind": resource.plural, "uid": item.metadata["uid"]}
    return as_json(success(200, {name: value for name, value in details.items() if value}))


def _delete_all(api: Api, target: Target, request: Request) -> Response:
    selection: Selection = read_selection(target, request)
    deleted = api.store.delete_collection(selection, read_deletion(request), dry_run=deletes_dry(request))
    body = {
        "kind": f"{target.resource.kind}List",
        "apiVersion": target.resource.api_version,
        "metadata": {"resourceVersion": str(api.store.version)},
        "items": [item.object for item in deleted],
    }
    return as_json(body)
