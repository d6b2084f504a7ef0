"""From received bytes to requests, one after the other; `http_connection` fills it, and no socket is in sight.

    idle ── first byte ──> head ── its empty line ──> body ── last byte ──> `next` returns the request, and it is idle

httptools parses heads only, each with a parser of its own, strictly and as the bytes arrive: nonsense is refused at
its first byte. Where a head ends is decided here, and a parser that does not agree is a refusal. Bodies are not given
to the parser, which would copy them.
"""

from typing import Literal
from urllib.parse import unquote_to_bytes

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser, parse_url
from msgspec import Struct

from roost.extender.http_bodies import Body, ChunkedBody, FixedBody, Refused, too_large
from roost.extender.http_messages import Request

HEAD_LIMIT = 64 * 1024
_END = b"\r\n\r\n"
_CONTINUE = "100-continue"


class Incoming(Struct):
    """A whole request, and whether its sender wants to go on after it."""

    request: Request
    keep_alive: bool


class _Head:
    """What the parser says of a head."""

    def __init__(self) -> None:
        self.target = b""
        self.headers: dict[str, str] = {}
        self.complete = False

    def on_url(self, target: bytes) -> None:
        """Collect the target."""
        self.target += target

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; what comes several times is a list."""
        key, text = name.decode("latin-1").lower(), value.decode("latin-1").rstrip(" \t")
        known = self.headers.get(key)
        self.headers[key] = text if known is None else f"{known}, {text}"

    def on_headers_complete(self) -> None:
        """See the end."""
        self.complete = True


class RequestReader:
    """Reads the requests of one connection; `scratch` is a buffer that all connections of a loop share."""

    def __init__(self, scratch: memoryview, body_limit: int) -> None:
        self._scratch = scratch
        self._body_limit = body_limit
        self._received = bytearray()
        self._room: memoryview | None = None
        self._start()

    def _start(self) -> None:
        self._head = _Head()
        self._parser = HttpRequestParser(self._head)
        self._parsed = 0
        self._body: Body | None = None
        self._keep_alive = True
        self.wants_continue = False

    @property
    def phase(self) -> Literal["idle", "head", "body"]:
        """How far the request on its way has come."""
        if self._body is not None:
            return "body"
        return "head" if self._received else "idle"

    @property
    def is_head(self) -> bool:
        """Whether the request on its way is a HEAD, as far as is known."""
        return self._head.complete and self._parser.get_method() == b"HEAD"

    def buffer(self) -> memoryview:
        """Return where the next bytes go; `received` says how many there were, if there were any."""
        self._room = self._body.room() if self._body is not None else None
        return self._scratch if self._room is None else self._room

    def received(self, count: int) -> None:
        """Take so many bytes from what `buffer` returned."""
        if self._room is None or self._body is None:
            self._received += self._scratch[:count]
        else:
            self._body.filled(count)

    def next(self) -> Incoming | None:
        """Return a request once it is whole; raises Refused for one that is not to be answered by a handler."""
        if self._body is None and self._read_head():
            self._body = self._open_body()
        if self._body is None or not self._body.take(self._received):
            return None
        incoming = Incoming(self._request(self._body), self._keep_alive)
        self._start()
        self._room = None  # it is a view of the body, which is not to be kept
        return incoming

    def _read_head(self) -> bool:
        received = self._received
        while received.startswith(b"\r\n"):
            del received[:2]
        if not received or received == b"\r":
            return False
        end = received.find(_END, max(0, self._parsed - len(_END) + 1))
        stop = len(received) if end < 0 else end + len(_END)
        if stop > HEAD_LIMIT:
            raise Refused(431, "the head of the request is larger than 64 KiB")
        self._parse(bytes(received[self._parsed : stop]))
        self._parsed = stop
        if end < 0:
            return False
        del received[:stop]
        return True

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            return  # an offer to speak something else, which is not taken
        except HttpParserError as error:
            raise Refused(400, f"the request is not HTTP/1.1: {error}") from error

    def _open_body(self) -> Body:
        headers, version = self._head.headers, self._parser.get_http_version()
        if not self._head.complete:
            raise Refused(400, "the request is not HTTP/1.1: its head has no end")
        if version not in ("1.0", "1.1"):
            raise Refused(505, f"HTTP/{version} is not spoken here; use HTTP/1.1")
        if version == "1.1" and "host" not in headers:
            raise Refused(400, "the request is not HTTP/1.1: it has no Host header")
        self._keep_alive = _keeps_alive(headers, version)
        self._expect(headers, version)
        return self._chunked(version) if "transfer-encoding" in headers else self._fixed(headers)

    def _expect(self, headers: dict[str, str], version: str) -> None:
        expected = headers.get("expect", "").lower()
        if expected not in ("", _CONTINUE):
            raise Refused(417, f"nothing but {_CONTINUE} can be expected of this server")
        self.wants_continue = bool(expected) and version == "1.1"

    def _chunked(self, version: str) -> Body:
        coding = self._head.headers["transfer-encoding"]
        if coding.lower() != "chunked":
            raise Refused(501, f"the transfer encoding {coding!r} is not known here; use chunked")
        if version == "1.0":
            raise Refused(400, "the request is not HTTP/1.0: it has a Transfer-Encoding")
        return ChunkedBody(self._body_limit)

    def _fixed(self, headers: dict[str, str]) -> Body:
        length = int(headers.get("content-length") or 0)
        if length > self._body_limit:
            raise Refused(413, too_large(self._body_limit, length))
        return FixedBody(length)

    def _request(self, body: Body) -> Request:
        method = self._parser.get_method().decode("latin-1")
        return Request(method, _path(self._head.target), self._head.headers, body.content())


def _keeps_alive(headers: dict[str, str], version: str) -> bool:
    said = [word.strip() for word in headers.get("connection", "").lower().split(",")]
    return "close" not in said and (version == "1.1" or "keep-alive" in said)


def _path(target: bytes) -> str:
    if b"://" in target and not target.startswith(b"/"):
        target = _path_of_url(target)
    bare = target.partition(b"?")[0].partition(b"#")[0]
    return unquote_to_bytes(bare).decode("utf-8", "replace")


def _path_of_url(target: bytes) -> bytes:
    try:
        return parse_url(target).path or b"/"
    except HttpParserError as error:
        raise Refused(400, f"the request is not HTTP/1.1: {error}") from error
