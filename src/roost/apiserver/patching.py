"""PATCH requests: the kind of patch follows from the content type."""

from collections.abc import Callable
from typing import Any

from roost.apiserver.catalogue import Target
from roost.apiserver.negotiation import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, media_type
from roost.apiserver.patch import json_patch, merge_patch, strategic_merge
from roost.apiserver.refusals import bad_request
from roost.apiserver.requests import Request
from roost.apiserver.status import refusal
from roost.apiserver.stored import Object

_ACCEPTED = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)


def is_apply(request: Request) -> bool:
    """Tell whether a request is a server-side apply."""
    return request.method == "PATCH" and media_type(request.content_type) == APPLY_PATCH


def read_patch(target: Target, request: Request, *, is_known: bool) -> Callable[[Object], Object]:
    """Return what a patch does to an object; refuses (415) what is no patch, or no patch for this kind."""
    media = media_type(request.content_type)
    if media not in _ACCEPTED or (media == STRATEGIC_PATCH and not is_known):
        accepted = [one for one in _ACCEPTED if is_known or one != STRATEGIC_PATCH]
        text = f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}"
        raise refusal(415, text)
    patch = request.json()
    if media == JSON_PATCH:
        return lambda obj: json_patch(obj, patch)
    if not isinstance(patch, dict):
        raise bad_request("the patch is no object")
    if media == MERGE_PATCH:
        return lambda obj: _merged(obj, patch)
    return lambda obj: strategic_merge(obj, patch, target.resource.kind)


def _merged(obj: Object, patch: Any) -> Object:
    merged: Object = merge_patch(obj, patch)
    return merged
