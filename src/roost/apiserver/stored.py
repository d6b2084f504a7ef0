"""Objects as they are kept, and changes as watches see them; each is spelled as JSON once, however many ask."""

from typing import Any

import msgspec

from roost.apiserver.events_as import event_as
from roost.apiserver.resources import Resource

Object = dict[str, Any]
"""An object as JSON has it."""

ADDED, MODIFIED, DELETED, BOOKMARK = "ADDED", "MODIFIED", "DELETED", "BOOKMARK"
INITIAL_EVENTS_END = "k8s.io/initial-events-end"


def fresh(value: Object) -> Object:
    """Return a copy that shares nothing."""
    copy: Object = msgspec.json.decode(msgspec.json.encode(value))
    return copy


def without_nulls(value: Object) -> Object:
    """Return a copy that shares nothing and in which a field that is null is a field that is absent, as in Go."""
    data = msgspec.json.encode(value)
    copy: Object = msgspec.json.decode(data)
    return _pruned(copy) if b":null" in data else copy


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _pruned(part) for key, part in value.items() if part is not None}
    return [_pruned(part) for part in value] if isinstance(value, list) else value


class Stored:
    """An object at one resourceVersion. It never changes, and nobody may change `object`: take a `copy`."""

    __slots__ = ("_bytes", "_other", "name", "namespace", "object", "resource", "version")

    def __init__(self, resource: Resource, obj: Object, version: int) -> None:
        metadata = obj["metadata"]
        self.resource = resource
        self.object = obj
        self.version = version
        self.name: str = metadata.get("name", "")
        self.namespace: str = metadata.get("namespace", "")
        self._bytes: bytes | None = None
        self._other: Stored | None = None

    @property
    def bytes(self) -> bytes:
        """The object's JSON."""
        if self._bytes is None:
            self._bytes = msgspec.json.encode(self.object)
        return self._bytes

    @property
    def metadata(self) -> Object:
        """The object's metadata, to be read."""
        metadata: Object = self.object["metadata"]
        return metadata

    def copy(self) -> Object:
        """Return the object as a dict that the caller may change."""
        copy: Object = msgspec.json.decode(self.bytes)
        return copy

    def seen_as(self, resource: Resource) -> "Stored":
        """Return the object as another resource shows it: events have two faces."""
        if resource.group == self.resource.group:
            return self
        if self._other is None:
            self._other = Stored(resource, event_as(resource, self.object), self.version)
        return self._other


Objects = list[Stored]
"""Stored objects; spelled here because inside the store, `list` is a method."""


class Event:
    """One event of a watch: its type, its object, and both as a line of JSON."""

    __slots__ = ("_line", "item", "type")

    def __init__(self, type_: str, item: Stored) -> None:
        self.type = type_
        self.item = item
        self._line: bytes | None = None

    @property
    def line(self) -> bytes:
        """The event as a watch sends it, with its newline."""
        if self._line is None:
            self._line = b'{"type":"%b","object":%b}\n' % (self.type.encode(), self.item.bytes)
        return self._line


class Change:
    """A write: what the object was and what it is; of a deletion, its last state with the deletion's version."""

    __slots__ = ("_seen", "before", "item", "type")

    def __init__(self, type_: str, item: Stored, before: Stored | None) -> None:
        self.type = type_
        self.item = item
        self.before = before
        self._seen: dict[tuple[str, str], Event] = {}

    @property
    def version(self) -> int:
        """The resourceVersion of the write."""
        return self.item.version

    def event(self, type_: str, resource: Resource) -> Event:
        """Return the change as watches of a resource see it; all who see the same share it."""
        key = (type_, resource.group)
        event = self._seen.get(key)
        if event is None:
            item = self._left() if type_ == DELETED and self.type != DELETED else self.item
            event = self._seen[key] = Event(type_, item.seen_as(resource))
        return event

    def _left(self) -> Stored:
        """Return what a watch hears of an object that it no longer selects: as it was, with the new version."""
        assert self.before is not None
        return with_version(self.before, self.version)


def with_version(item: Stored, version: int) -> Stored:
    """Return an object unchanged but for its resourceVersion."""
    metadata = {**item.metadata, "resourceVersion": str(version)}
    return Stored(item.resource, {**item.object, "metadata": metadata}, version)


def bookmark(resource: Resource, version: int, *, ends_initial: bool = False) -> Event:
    """Return the event that tells a watch how far it has come."""
    metadata: Object = {"creationTimestamp": None, "resourceVersion": str(version)}
    if ends_initial:
        metadata["annotations"] = {INITIAL_EVENTS_END: "true"}
    obj = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
    return Event(BOOKMARK, Stored(resource, obj, version))
