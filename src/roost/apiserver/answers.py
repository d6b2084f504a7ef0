"""One request, one answer: routes to discovery, reviews, objects and their parts, and turns errors into Status."""

import logging
from http import HTTPStatus

from roost.apiserver import discovery, openapi
from roost.apiserver.catalogue import Place, read_path
from roost.apiserver.metrics_api import GROUP as METRICS_GROUP
from roost.apiserver.metrics_api import on_metrics
from roost.apiserver.negotiation import accepts
from roost.apiserver.patching import is_apply
from roost.apiserver.requests import Request, Response, as_json, as_text
from roost.apiserver.reviews import review
from roost.apiserver.status import failure, refusal
from roost.apiserver.stored import Object
from roost.apiserver.subresources import needs_kubelet, on_subresource
from roost.apiserver.verbs import Api, Watching, on_collection, on_object
from roost.errors import ApiError

_LOG = logging.getLogger(__name__)
_HEALTH = ("/healthz", "/livez", "/readyz")
_NOT_FOUND = as_text("404 page not found\n", HTTPStatus.NOT_FOUND)


def answer(api: Api, request: Request) -> Response | Watching:
    """Answer a request; whatever goes wrong, the answer says so."""
    try:
        return _about_server(api, request) or _about_objects(api, request)
    except ApiError as error:
        return refused(error)
    except Exception as error:  # noqa: BLE001 - the server goes on; whoever asked and the log learn of the mistake
        _LOG.exception("%s %s", request.method, request.path)
        return refused(refusal(500, f"Internal error occurred: {type(error).__name__}: {error}"))


def refused(error: ApiError) -> Response:
    """Return the answer that an error is."""
    return Response(error.status or 500, as_json(failure(error)).body, retry_after=int(error.retry_after or 0))


def _about_server(api: Api, request: Request) -> Response | None:
    """Answer what is about the server itself; None if the path is not."""
    path, resources = request.path.rstrip("/"), api.catalogue.resources
    match path.split("/"):
        case [""]:
            return as_json({"paths": ["/api", "/api/v1", "/apis", *_HEALTH, "/openapi/v3", "/version"]})
        case ["", "version"]:
            return as_json(discovery.VERSION)
        case ["", "api" | "apis" as root] if accepts(request.accept, *discovery.AGGREGATED):
            body = discovery.aggregated(resources, core=root == "api")
            return as_json(body, content_type=discovery.AGGREGATED_TYPE)
        case ["", "api"]:
            return as_json(discovery.core_versions(""))
        case ["", "apis"]:
            return as_json(discovery.group_list(resources))
        case ["", "apis", group]:
            return _found(discovery.group(resources, group))
        case ["", "api", version]:
            return _found(discovery.resource_list(resources, "", version))
        case ["", "apis", group, version]:
            return _found(discovery.resource_list(resources, group, version))
        case ["", "openapi", "v2"] if openapi.OLD_TYPE in request.accept:
            return Response(HTTPStatus.OK, b"", openapi.OLD_ANSWER_TYPE)
        case ["", "openapi", "v3"]:
            return as_json(openapi.index(resources))
        case ["", "openapi", "v3", *root]:
            return _found(openapi.document(resources, "/".join(root)))
        case ["", "healthz" | "livez" | "readyz", *_]:
            return as_text("ok")
        case _:
            return None


def _found(body: Object | None) -> Response:
    return _NOT_FOUND if body is None else as_json(body)


def _about_objects(api: Api, request: Request) -> Response | Watching:
    place = read_path(request.path)
    if place is None:
        return _NOT_FOUND
    if refusal_ := needs_kubelet(place.plural, place.subresource):
        raise refusal_
    if place.group == METRICS_GROUP:
        return on_metrics(api.store, place, request)
    reviewed = discovery.REVIEWS.get((place.group, place.plural))
    if reviewed is not None and request.method == "POST":
        return as_json(review(reviewed, request), 201)
    return _routed(api, place, request)


def _routed(api: Api, place: Place, request: Request) -> Response | Watching:
    body = _body(request)
    target = api.catalogue.target(place, body)
    if target.subresource:
        return on_subresource(api, target, request, body)
    if target.name:
        return on_object(api, target, request, body)
    return on_collection(api, target, request, body)


def _body(request: Request) -> Object | None:
    """Return the object that a request brings to be made; None if it makes none."""
    if request.method == "POST" or is_apply(request):
        return request.object()
    return None
