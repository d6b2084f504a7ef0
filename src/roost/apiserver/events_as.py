"""Events are one store with two faces: core/v1, which kubectl describe reads, and events.k8s.io/v1."""

from typing import Any

from roost.apiserver.resources import Resource

_NEW_NAMES = {
    "involvedObject": "regarding",
    "message": "note",
    "reportingComponent": "reportingController",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
}
_CORE_NAMES = {new: core for core, new in _NEW_NAMES.items()}


def event_as(resource: Resource, event: dict[str, Any]) -> dict[str, Any]:
    """Return an event as one of the two resources spells it; one that is spelled so already stays as it is."""
    names = _NEW_NAMES if resource.group else _CORE_NAMES
    renamed = {names.get(name, name): value for name, value in event.items()}
    return {**renamed, "apiVersion": resource.api_version}
