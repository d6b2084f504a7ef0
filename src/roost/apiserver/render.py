"""Objects, lists and events as answers, in the shape that was asked for."""

import msgspec
from msgspec import Raw, Struct

from roost.apiserver.listing import Listed
from roost.apiserver.negotiation import PARTIAL, TABLE
from roost.apiserver.requests import Response, as_json
from roost.apiserver.resources import Resource
from roost.apiserver.stored import BOOKMARK, Event, Object, Stored
from roost.apiserver.table import META_VERSION, partial_metadata, table, table_event


class Shape(Struct, frozen=True):
    """How objects are to be answered: plain, as tables or as metadata; what comes with a row; and the time."""

    name: str
    include: str
    now: float


def render(item: Stored, shape: Shape, status: int = 200) -> Response:
    """Return the answer that is one object."""
    if shape.name == TABLE:
        metadata = {"resourceVersion": str(item.version)}
        return as_json(table(item.resource, [item], metadata, shape.now, shape.include), status)
    if shape.name == PARTIAL:
        return as_json(partial_metadata(item), status)
    return Response(status, item.bytes)


def render_list(resource: Resource, listed: Listed, shape: Shape) -> Response:
    """Return the answer that is a list."""
    metadata = _list_metadata(listed)
    if shape.name == TABLE:
        return as_json(table(resource, listed.items, metadata, shape.now, shape.include))
    if shape.name == PARTIAL:
        kind, version = f"{PARTIAL}List", META_VERSION
        items: list[object] = [partial_metadata(item) for item in listed.items]
    else:
        kind, version = f"{resource.kind}List", resource.api_version
        items = [Raw(item.bytes) for item in listed.items]
    return as_json({"kind": kind, "apiVersion": version, "metadata": metadata, "items": items})


def render_event(event: Event, shape: Shape, *, headed: bool) -> bytes:
    """Return an event as a line of a watch; of tables, the first has the columns (`headed`)."""
    if not shape.name:
        return event.line
    if shape.name == TABLE:
        value = table_event(event, shape.now, shape.include, headed=headed)
    else:
        partial = partial_metadata(event.item)
        value = {"type": event.type, "object": event.item.object if event.type == BOOKMARK else partial}
    return msgspec.json.encode(value) + b"\n"


def _list_metadata(listed: Listed) -> Object:
    metadata: Object = {"resourceVersion": str(listed.resource_version)}
    if listed.continue_token:
        metadata["continue"] = listed.continue_token
    if listed.remaining is not None:
        metadata["remainingItemCount"] = listed.remaining
    return metadata
