"""Request bodies as they arrive: of a length known beforehand, or in chunks. No sockets here.

Both take what is theirs off the front of what was received, and leave the rest, which is the next request. A body of
known length also lends its room, so that the event loop reads into it without a copy in between.

    chunked:  size line ──> data ──> its line end ──> size line … ──> size 0 ──> trailer lines ──> an empty line: ended
"""

import re
from typing import Protocol

import numpy as np

from roost.extender.http_messages import Bytes

_LINE_LIMIT = 4096
_TRAILER_LIMIT = 64 * 1024
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;[\t -~\x80-\xff]*)?")


class Refused(Exception):
    """A request that is answered by the server itself, after which the connection ends."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


class Body(Protocol):
    """A body on its way."""

    def take(self, received: bytearray) -> bool:
        """Take what belongs to the body off the front; return whether the body is whole. Raises Refused."""

    def room(self) -> memoryview | None:
        """Return where the event loop may put the bytes that come next, if that is known."""

    def filled(self, count: int) -> None:
        """Know that so many bytes were put there."""

    def content(self) -> memoryview:
        """Return the whole body."""


class FixedBody:
    """A body of a known length, in memory that is neither cleared nor touched before the bytes arrive.

    NumPy asks for large pages: receiving 47 MB costs 3 ms of page faults instead of 20.
    """

    def __init__(self, length: int) -> None:
        self._view = np.empty(length, np.uint8).data
        self._filled = 0

    def take(self, received: bytearray) -> bool:
        """Move bytes from `received` until there are none, or the body is whole."""
        if received and self._filled < len(self._view):
            start, count = self._filled, min(len(received), len(self._view) - self._filled)
            self._view[start : start + count] = received[:count]
            del received[:count]
            self._filled += count
        return self._filled == len(self._view)

    def room(self) -> memoryview | None:
        """Return the part that is not filled."""
        return self._view[self._filled :]

    def filled(self, count: int) -> None:
        """Count bytes that were put into the room."""
        self._filled += count

    def content(self) -> memoryview:
        """Return the whole body."""
        return self._view


class ChunkedBody:
    """A body in chunks, in a buffer that grows up to `limit` bytes; extensions and trailers are read over."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._body = bytearray()
        self._left = 0
        self._trailer = 0
        self._ended = False
        self._step = self._size_line

    def take(self, received: bytearray) -> bool:
        """Decode what there is; raises Refused for nonsense (400) and for more than the limit (413)."""
        at = 0
        while not self._ended and (taken := self._step(received, at)):
            at += taken
        del received[:at]
        return self._ended

    def room(self) -> memoryview | None:
        """Return nothing: chunks have to be decoded."""
        return None

    def filled(self, count: int) -> None:
        """Never called: there is no room."""
        raise AssertionError(f"{count} bytes were put into a chunked body")

    def content(self) -> memoryview:
        """Return the whole body."""
        return memoryview(self._body)

    # Each step returns how many bytes it took from `at` on; none if it needs more.

    def _size_line(self, received: bytearray, at: int) -> int:
        line = _line(received, at)
        if line is None:
            return 0
        match = _CHUNK_SIZE.fullmatch(line)
        if match is None:
            raise Refused(400, "the request is not HTTP/1.1: a chunk does not begin with its size")
        self._left = int(match[1], 16)
        if len(self._body) + self._left > self._limit:
            raise Refused(413, too_large(self._limit))
        self._step = self._data if self._left else self._trailer_line
        return len(line) + 2

    def _data(self, received: bytearray, at: int) -> int:
        count = min(self._left, len(received) - at)
        self._body += received[at : at + count]
        self._left -= count
        if not self._left:
            self._step = self._data_end
        return count

    def _data_end(self, received: bytearray, at: int) -> int:
        if len(received) - at < 2:
            return 0
        if received[at : at + 2] != b"\r\n":
            raise Refused(400, "the request is not HTTP/1.1: a chunk is longer than its size says")
        self._step = self._size_line
        return 2

    def _trailer_line(self, received: bytearray, at: int) -> int:
        line = _line(received, at)
        if line is None:
            return 0
        self._trailer += len(line)
        if self._trailer > _TRAILER_LIMIT:
            raise Refused(431, "the trailer of the request is larger than 64 KiB")
        self._ended = not line
        return len(line) + 2


def too_large(limit: int, size: int | None = None) -> str:
    """Return the sentence about a body over the limit."""
    what = "the body of the request is" if size is None else f"the body of the request has {size} bytes, which is"
    return f"{what} larger than the {limit} bytes that this server accepts"


def _line(received: bytearray, at: int) -> Bytes | None:
    end = received.find(b"\r\n", at, at + _LINE_LIMIT)
    if end >= 0:
        line = received[at:end]
        if b"\r" in line or b"\n" in line:
            raise Refused(400, "the request is not HTTP/1.1: a line between chunks does not end in CR LF")
        return line
    if len(received) - at >= _LINE_LIMIT:
        raise Refused(400, f"the request is not HTTP/1.1: a line between chunks is longer than {_LINE_LIMIT} bytes")
    return None
