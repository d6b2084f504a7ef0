"""Server-side tables: what `kubectl get` asks for instead of the objects."""

from collections.abc import Sequence

import msgspec

from roost.apiserver.refusals import bad_request
from roost.apiserver.resources import Resource
from roost.apiserver.stored import BOOKMARK, Event, Object, Stored
from roost.apiserver.table_columns import Column, columns_for

META_VERSION = "meta.k8s.io/v1"
INCLUDES = ("", "Metadata", "Object", "None")
_ENDED = {
    "Succeeded": ("Succeeded", "The pod has completed successfully."),
    "Failed": ("Failed", "The pod failed."),
}


def table(
    resource: Resource, items: Sequence[Stored], metadata: Object, now: float, include: str = "", *, headed: bool = True
) -> Object:
    """Return a Table of objects at a time; `include` says what of each object comes along with its row.

    In a watch, only the first table has its columns (`headed`).
    """
    columns = columns_for(resource)
    return {
        "kind": "Table",
        "apiVersion": META_VERSION,
        "metadata": metadata,
        "columnDefinitions": [_definition(column) for column in columns.columns] if headed else None,
        "rows": [_row(item, columns.cells(item.object, now), include) for item in items],
    }


def table_event(event: Event, now: float, include: str = "", *, headed: bool = True) -> Object:
    """Return an event of a watch with its object as a table; of a bookmark only the metadata tell anything."""
    item = event.item
    if event.type == BOOKMARK:
        return {"type": event.type, "object": table(item.resource, (), item.metadata, now, include, headed=headed)}
    metadata = {"resourceVersion": str(item.version)}
    return {"type": event.type, "object": table(item.resource, [item], metadata, now, include, headed=headed)}


def partial_metadata(item: Stored) -> Object:
    """Return an object's metadata alone, as a PartialObjectMetadata."""
    return {"kind": "PartialObjectMetadata", "apiVersion": META_VERSION, "metadata": item.metadata}


def check_include(include: str) -> None:
    """Refuse (400) an includeObject that means nothing."""
    if include not in INCLUDES:
        raise bad_request(f'unrecognized includeObject value: "{include}"')


def _definition(column: Column) -> Object:
    format_ = "name" if column.name == "Name" else ""
    priority = 1 if column.is_wide else 0
    return {"name": column.name, "type": column.type, "format": format_, "description": "", "priority": priority}


def _row(item: Stored, cells: list[object], include: str) -> Object:
    row: Object = {"cells": cells}
    phase = (item.object.get("status") or {}).get("phase") if item.resource.kind == "Pod" else None
    if phase in _ENDED:
        reason, message = _ENDED[phase]
        row["conditions"] = [{"type": "Completed", "status": "True", "reason": reason, "message": message}]
    if include == "Object":
        row["object"] = msgspec.Raw(item.bytes)
    elif include != "None":
        row["object"] = partial_metadata(item)
    return row
