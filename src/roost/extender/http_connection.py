"""One connection to the server: it reads requests, asks the handler, and writes the answers in order.

    reading ── whole request ──> answering ── written ──> reading, or closed if either side wants that
       └── refused or too slow ──> the server's own answer ──> ending ── the client hangs up, or some seconds ──> closed

One request at a time: what a client sends while one is answered stays in the socket, but for one buffer of it. A big
answer is written slice by slice, each when the one before has left. Before the server closes on a client that may be
sending still, it reads on for a while and throws that away: otherwise the system would reset the connection, and the
client would not see why it was refused.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from enum import Enum, auto
from http import HTTPStatus
from typing import cast

from msgspec import Struct

from roost.extender.http_bodies import Refused
from roost.extender.http_deadline import Deadline
from roost.extender.http_messages import Answer, Handler, Request, batches, encode, refusal
from roost.extender.http_requests import Incoming, RequestReader

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_STOPPING = "this server is being stopped; ask again"
_ENDING_SECONDS = 15.0
_ENDING_SILENCE = 2.0

log = logging.getLogger("roost.extender")


class Limits(Struct, frozen=True):
    """Bytes of a body; seconds for a head, for a body or an answer that is not taken, and between requests."""

    body_bytes: int
    header_seconds: float
    body_seconds: float
    idle_seconds: float


class Service:
    """What the connections of one server share; `on_change` is called when one of them is gone."""

    def __init__(self, handler: Handler, limits: Limits, scratch: memoryview) -> None:
        self.handler = handler
        self.limits = limits
        self.scratch = scratch
        self.is_closing = False
        self.connections: set[Connection] = set()
        self.on_change: Callable[[], None] | None = None

    def forget(self, connection: "Connection") -> None:
        """Know that a connection is closed and its handler done."""
        self.connections.discard(connection)
        if self.on_change is not None:
            self.on_change()


class _State(Enum):
    READING = auto()
    ANSWERING = auto()
    ENDING = auto()


class Connection(asyncio.BufferedProtocol):
    """A connection from its opening to its end, in one of the three states above."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._loop = asyncio.get_running_loop()
        self._reader = RequestReader(service.scratch, service.limits.body_bytes)
        self._deadline = Deadline(self._too_late)
        self._transport: asyncio.Transport
        self._state = _State.READING
        self._waits_for = ""
        self._task: asyncio.Task[None] | None = None
        self._may_write: asyncio.Future[None] | None = None
        self._is_reading = True
        self._has_written = False
        self._heard_end = False
        self._lost = False
        self._ends_at = 0.0

    # What the server asks for.

    @property
    def is_open(self) -> bool:
        """Whether the client is still there; the handler may be at work even if not."""
        return not self._lost

    def finish(self) -> None:
        """Close once the request that is being answered is; refuse one that has not arrived in full."""
        if self._state is not _State.READING:
            return
        if self._reader.phase == "idle":
            self._close()
        else:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, _STOPPING)

    def cut_off(self) -> None:
        """Do not wait any longer for the handler, nor for the client to take the answer."""
        if self._task is not None:
            self._task.cancel()

    def abort(self) -> None:
        """Hang up at once."""
        if not self._lost:
            self._transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a request."""
        self._transport = cast(asyncio.Transport, transport)
        self._service.connections.add(self)
        if self._service.is_closing:
            self._close()
        else:
            self._wait()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Lend the room of a body on its way, or the buffer that all share."""
        return self._service.scratch if self._state is _State.ENDING else self._reader.buffer()

    def buffer_updated(self, nbytes: int) -> None:
        """Read on with what has arrived."""
        if self._state is _State.ENDING:
            self._throw_away()
            return
        self._reader.received(nbytes)
        if self._state is _State.ANSWERING:
            self._read(False)
        else:
            self._read_on()

    def eof_received(self) -> bool:
        """Answer a client that has said all it wants to, if there is something to answer; TLS cannot."""
        self._heard_end = True
        return self._state is _State.ANSWERING and self._transport.can_write_eof()

    def pause_writing(self) -> None:
        """Write no more until the client takes what is written."""
        self._may_write = self._loop.create_future()

    def resume_writing(self) -> None:
        """Write on."""
        if self._may_write is not None and not self._may_write.done():
            self._may_write.set_result(None)
        self._may_write = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting; a handler at work is left to finish, since it may be doing something."""
        self._lost = True
        self._deadline.stop()
        self.resume_writing()
        if self._task is None:
            self._service.forget(self)

    # Reading.

    def _read_on(self) -> None:
        try:
            incoming = self._reader.next()
        except Refused as refused:
            self._refuse(refused.status, refused.sentence)
            return
        if incoming is None:
            self._wait()
            return
        self._state = _State.ANSWERING
        self._waits_for = ""
        self._deadline.clear()
        self._task = self._loop.create_task(self._answer(incoming))

    def _wait(self) -> None:
        if self._heard_end:
            self._close()
            return
        if self._reader.wants_continue:
            self._reader.wants_continue = False
            self._transport.write(_CONTINUE)
        phase = self._reader.phase
        if phase != self._waits_for:
            self._waits_for = phase
            limits = self._service.limits
            seconds = {"idle": limits.idle_seconds, "head": limits.header_seconds, "body": limits.body_seconds}
            self._deadline.set(seconds[phase])

    def _too_late(self) -> None:
        if self._state is not _State.READING:
            self.abort()
        elif self._waits_for == "idle":
            self._close()
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, f"the {self._waits_for} of the request did not arrive in time")

    def _read(self, wanted: bool) -> None:
        if wanted == self._is_reading or self._heard_end or self._transport.is_closing():
            return
        self._is_reading = wanted
        if wanted:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    # Answering.

    async def _answer(self, incoming: Incoming) -> None:
        request, began = incoming.request, time.perf_counter()
        method, path, size = request.method, request.path, len(request.body)
        wants_more, keep_alive = incoming.keep_alive, False
        del incoming
        try:
            answer = await self._ask(request, wants_more)
            del request  # and with it the body, before the client has taken the answer
            await self._write(answer)
            keep_alive = answer.keep_alive
        except asyncio.CancelledError:
            answer = self._break_off(method == "HEAD")
        finally:
            self._answered(keep_alive)
        seconds = time.perf_counter() - began
        log.debug("%s %r: %d, %d bytes in, %d out, %.4f s", method, path, answer.status, size, answer.size, seconds)

    async def _ask(self, request: Request, wants_more: bool) -> Answer:
        head_only = request.method == "HEAD"
        try:
            response = await self._service.handler(request)
            return encode(response, keep_alive=wants_more and not self._service.is_closing, head_only=head_only)
        except Exception:
            log.exception("%s %r: the handler failed", request.method, request.path)
            failed = refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "this request could not be answered; the log says why")
            return encode(failed, keep_alive=wants_more and not self._service.is_closing, head_only=head_only)

    async def _write(self, answer: Answer) -> None:
        for batch in batches(answer):
            while self._may_write is not None:
                self._deadline.set(self._service.limits.body_seconds)
                await self._may_write
            self._deadline.clear()
            if self._transport.is_closing():
                return
            self._transport.write(batch)
            self._has_written = True

    def _break_off(self, head_only: bool) -> Answer:
        stopping = refusal(HTTPStatus.SERVICE_UNAVAILABLE, _STOPPING)
        answer = encode(stopping, keep_alive=False, head_only=head_only)
        if self._has_written:
            self.abort()
        else:
            self._write_small(answer)
        return answer

    def _answered(self, keep_alive: bool) -> None:
        self._task = None
        self._has_written = False
        if self._lost:
            self._service.forget(self)
        elif self._transport.is_closing() or not keep_alive or self._service.is_closing:
            self._end(is_sending=self._reader.phase != "idle")
        else:
            self._state = _State.READING
            self._read(True)
            self._read_on()

    # Ending.

    def _refuse(self, status: int, sentence: str) -> None:
        log.debug("refused: %d, %s", status, sentence)
        self._write_small(encode(refusal(status, sentence), keep_alive=False, head_only=self._reader.is_head))
        self._end(is_sending=True)

    def _write_small(self, answer: Answer) -> None:
        if not self._transport.is_closing():
            self._transport.writelines([*batches(answer)])

    def _end(self, *, is_sending: bool) -> None:
        if self._heard_end or not is_sending or self._transport.is_closing():
            self._close()
            return
        self._state = _State.ENDING
        self._ends_at = self._loop.time() + _ENDING_SECONDS
        self._deadline.set(_ENDING_SILENCE)
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._read(True)

    def _throw_away(self) -> None:
        if not self._transport.is_closing():
            self._deadline.set(min(_ENDING_SILENCE, self._ends_at - self._loop.time()))

    def _close(self) -> None:
        """Close once the client has taken what is written, if it does."""
        self._state = _State.ENDING
        self._deadline.set(self._service.limits.body_seconds)
        self._transport.close()
