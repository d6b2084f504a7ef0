"""One HTTP/1.1 connection: a request goes out in one write, its answer comes back through httptools' parser.

    idle ── ask ──> asked ── whole answer ──> idle (or lost, if either side will not keep it alive)
                      └── cut, nonsense or too late ──> lost: `Broken`

One request at a time: when the connection breaks, the outcome of one request is unknown, not of many. One timer serves
all requests of a connection: it looks at the deadline when it fires, instead of being set and cancelled for each.
Bytes are read into a buffer that is there: a TLS layer that makes a new one of its own size for each read costs as much
as all the rest (measured: 40 instead of 25 µs a request under uvloop).
"""

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from roost.client.answer import Answer

OK = 200
_KEEPALIVE = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))


class Broken(Exception):
    """The exchange ended without an answer; never leaves this room.

    `unsent`: nothing was written. `stale`: the other side hung up on a connection that had served before, without a
    byte of answer, as servers do with idle ones.
    """

    def __init__(self, why: str, *, unsent: bool = False, stale: bool = False) -> None:
        super().__init__(why)
        self.unsent = unsent
        self.stale = stale


class Connection(asyncio.BufferedProtocol):
    """A connection of the pool; `buffer` is what it reads into, and may be shared by all of one loop."""

    def __init__(self, buffer: memoryview) -> None:
        self._buffer = buffer
        self.used = False
        self.lost = False
        self._when_lost: list[Callable[[Connection], None]] = []
        self._loop = asyncio.get_running_loop()
        self._parser = HttpResponseParser(self)
        self._transport: asyncio.Transport
        self._waiter: asyncio.Future[Answer] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._reset(0.0)
        self._ended = True

    def _reset(self, timeout: float) -> None:
        self._timeout = timeout
        self._chunks: list[bytes] = []
        self._status = 0
        self._retry_after = ""
        self._framed = False
        self._keep_alive = True
        self._heard = False
        self._ended = False

    # What the pool and the transport ask for.

    @property
    def reusable(self) -> bool:
        """Whether another request may go out here."""
        return self._ended and self._keep_alive and not self.lost and not self._transport.is_closing()

    def ask(self, request: bytes, timeout: float) -> asyncio.Future[Answer]:
        """Write a request; the future is its answer, or `Broken`."""
        if not self.reusable:
            raise Broken("the connection was closed", unsent=True)
        self._reset(timeout)
        self._waiter = waiter = self._loop.create_future()
        self._set_deadline()
        self._transport.write(request)
        return waiter

    def when_lost(self, callback: "Callable[[Connection], None]") -> None:
        """Call back when the connection is lost, or now if it is."""
        if self.lost:
            callback(self)
        else:
            self._when_lost.append(callback)

    def abort(self) -> None:
        """Hang up at once."""
        self._cut("the connection was closed on this side")
        if not self.lost:
            self._transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, and let the system notice when the other side has vanished."""
        self._transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE:
            if hasattr(socket, option):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Lend the buffer to the event loop, which fills it and calls `buffer_updated` at once."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Feed the parser, which calls the `on_` methods below."""
        self._heard = True
        try:
            self._parser.feed_data(self._buffer[:nbytes])
        except (HttpParserError, HttpParserUpgrade) as error:
            self._cut(f"the answer is not HTTP/1.1: {error}")
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """End what is going on: well, if the body had no length and ended here, else as broken."""
        self.lost = True
        if not self._ended and self._status and not self._framed and exc is None:
            self._finish()
        self._cut(f"the server hung up{f' ({exc})' if exc else ''}", stale=self.used and not self._heard)
        if self._timer is not None:
            self._timer.cancel()
        for callback in self._when_lost:
            callback(self)

    # What the parser calls.

    def on_message_begin(self) -> None:
        """Refuse what nobody asked for."""
        if self._ended:
            self._keep_alive = False
            self._transport.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the few headers that matter."""
        name = name.lower()
        if name in (b"content-length", b"transfer-encoding"):
            self._framed = True
        elif name == b"retry-after":
            self._retry_after = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Keep what the head says."""
        self._status = self._parser.get_status_code()
        self._keep_alive = self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        """Collect the body."""
        self._chunks.append(body)

    def on_message_complete(self) -> None:
        """Hand out the answer, unless it was an interim one (1xx)."""
        if self._ended:
            return
        if self._status < OK:
            self._framed = False
            return
        self._finish()

    # How an exchange ends.

    def _finish(self) -> None:
        self._ended = True
        self.used = True
        self._answer(Answer(self._status, b"".join(self._chunks), self._retry_after))

    def _cut(self, why: str, *, stale: bool = False) -> None:
        self._keep_alive = False
        if self._ended:
            return
        self._ended = True
        self._break(Broken(why, stale=stale))

    def _break(self, broken: Broken) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(broken)

    def _answer(self, answer: Answer) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(answer)

    # The one timer.

    def _set_deadline(self) -> None:
        self._deadline = self._loop.time() + self._timeout
        if self._timer is not None and self._timer.when() > self._deadline:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._loop.call_at(self._deadline, self._look_at_clock)

    def _look_at_clock(self) -> None:
        self._timer = None
        if self._ended:
            return
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._look_at_clock)
            return
        self._cut(f"no answer within {self._timeout:g} s")
        self._transport.abort()
