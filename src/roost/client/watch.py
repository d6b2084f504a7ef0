"""Read a watch: bytes in, events out, wherever the network cut them.

A line is decoded whole and typed in one pass. Only one that does not fit is read loosely: a bookmark or an error of the
server, which look different, or an object that cannot be read, which is reported and the others go on.
"""

from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Raw, Struct
from msgspec.json import Decoder

from roost.api.kinds import Kind
from roost.api.meta import Value
from roost.api.sharing import sharer
from roost.client.answer import error_of_status, read_status
from roost.client.listing import UNREADABLE, loose_meta, malformed
from roost.framework.cluster import WatchEvent

T = TypeVar("T", bound=Value)
BOOKMARK, DELETED, ERROR, MALFORMED = "BOOKMARK", "DELETED", "ERROR", "MALFORMED"
_CHANGES = ("MODIFIED", "ADDED", "DELETED")


class _Loose(Struct, frozen=True):
    type: str = ""
    object: Raw = Raw(b"{}")


class WatchDecoder(Generic[T]):
    """Turns the bytes of one watch into events; lines may be of any length and cut anywhere."""

    def __init__(self, kind: Kind[T]) -> None:
        envelope = msgspec.defstruct("Envelope", [("type", str), ("object", kind.type)], frozen=True, gc=False)
        self._decoder: Decoder[Any] = Decoder(envelope)
        self._kind = kind
        self._share = sharer(kind.type)
        self._rest: list[bytes] = []

    def feed(self, data: bytes) -> list[WatchEvent[T]]:
        """Return the events that are complete now; raises Gone or ApiError if the server ends the watch with one."""
        first, *lines = data.split(b"\n")
        if not lines:
            self._rest.append(first)
            return []
        if self._rest:
            first = b"".join((*self._rest, first))
        last = lines.pop()
        self._rest = [last] if last else []
        return [self._event(line) for line in (first, *lines) if line and not line.isspace()]

    def _event(self, line: bytes) -> WatchEvent[T]:
        try:
            change = self._decoder.decode(line)
        except UNREADABLE as error:
            return self._odd(line, error)
        if change.type in _CHANGES:
            if self._share is not None and change.type != DELETED:
                self._share(change.object)
            return WatchEvent(change.type, change.object, change.object.metadata.resource_version)
        return self._odd(line, None)

    def _odd(self, line: bytes, error: Exception | None) -> WatchEvent[T]:
        try:
            loose = msgspec.json.decode(line, type=_Loose)
        except UNREADABLE:
            loose = _Loose()
        if loose.type == ERROR:
            raise error_of_status(read_status(bytes(loose.object)))
        version = loose_meta(loose.object).resource_version
        if loose.type == BOOKMARK:
            return WatchEvent(BOOKMARK, None, version)
        reason = error or ValueError(f"an event of the unknown type {loose.type!r}")
        return WatchEvent(MALFORMED, None, version, malformed(loose.object, self._kind, reason, "$.object"))
