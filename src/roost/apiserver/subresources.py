"""The parts of objects that have a path of their own."""

from roost.apiserver.bindings import bind
from roost.apiserver.catalogue import Target
from roost.apiserver.evictions import evict
from roost.apiserver.patching import is_apply, read_patch
from roost.apiserver.render import render
from roost.apiserver.requests import Request, Response, as_json
from roost.apiserver.scale import read_scale, write_scale
from roost.apiserver.status import no_such_resource, not_allowed, refusal, success
from roost.apiserver.store import Object
from roost.apiserver.verbs import Api, on_object, patch
from roost.errors import ApiError

_NEED_A_KUBELET = ("log", "exec", "attach", "portforward", "proxy", "ephemeralcontainers")
_NO_KUBELET = "no containers run here: the embedded cluster has no kubelet, so it cannot {verb}"
_PHRASES = {
    "log": "read logs",
    "exec": "execute commands",
    "attach": "attach to them",
    "portforward": "forward ports",
    "proxy": "pass requests on",
    "ephemeralcontainers": "add containers to debug with",
}


def needs_kubelet(plural: str, subresource: str) -> ApiError | None:
    """Return the refusal of what only a kubelet could answer; None for all else."""
    if plural not in ("pods", "nodes") or subresource not in _NEED_A_KUBELET:
        return None
    return refusal(501, _NO_KUBELET.format(verb=_PHRASES[subresource]))


def on_subresource(api: Api, target: Target, request: Request, body: Object | None) -> Response:
    """Answer a request for a part of an object."""
    if target.subresource not in target.resource.subresources:
        raise no_such_resource()
    match target.subresource:
        case "binding" | "eviction":
            return _post(api, target, request, body)
        case "scale":
            return _scale(api, target, request)
        case _:
            return _part(api, target, request, body)


def _post(api: Api, target: Target, request: Request, body: Object | None) -> Response:
    if body is None:
        raise not_allowed()
    act = bind if target.subresource == "binding" else evict
    act(api.store, target.namespace, target.name, body, dry_run=request.is_dry_run)
    return as_json(success(201), 201)


def _scale(api: Api, target: Target, request: Request) -> Response:
    where = (api.store, target.resource, target.name, target.namespace)
    match request.method:
        case "GET":
            return as_json(read_scale(*where))
        case "PUT":
            scale = request.object()
        case "PATCH":
            scale = read_patch(Target(target.resource), request, is_known=True)(read_scale(*where))
        case _:
            raise not_allowed()
    return as_json(write_scale(*where, scale, dry_run=request.is_dry_run))


def _part(api: Api, target: Target, request: Request, body: Object | None) -> Response:
    shape = api.shape(request)
    match request.method:
        case "GET":
            return on_object(api, target, request, body)
        case "PUT":
            written = request.object()
            item = api.store.update(
                target.resource,
                written,
                target.name,
                target.namespace,
                subresource=target.subresource,
                dry_run=request.is_dry_run,
            )
            return render(item, shape)
        case "PATCH" if is_apply(request):
            return on_object(api, target, request, body)
        case "PATCH":
            return render(patch(api, target, request), shape)
        case _:
            raise not_allowed()
