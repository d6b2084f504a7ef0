"""A connection whose answer does not end: its head is handed out first, then the body as it arrives.

    asked ── head ──> streaming ── read, read, … ── end
                          └── cut, or silent for too long ──> lost: `Broken`

Who reads slowly holds the server back: beyond `HIGH_WATER` unread bytes nothing more is taken from the socket.
"""

import asyncio

from roost.client.answer import Answer
from roost.client.connection import OK, Broken, Connection

HIGH_WATER = 16 * 1024 * 1024


class Stream(Connection):
    """A connection of a watch."""

    def __init__(self, buffer: memoryview) -> None:
        super().__init__(buffer)
        self._idle = 0.0
        self._size = 0
        self._paused = False
        self._broken: Broken | None = None
        self._reader: asyncio.Future[None] | None = None

    def open(self, request: bytes, timeout: float, idle: float) -> asyncio.Future[Answer]:
        """Write a request; a success is answered by its head, and `read` waits up to `idle` seconds for more."""
        self._idle = idle
        return self.ask(request, timeout)

    async def read(self) -> bytes:
        """Return what has arrived of the body, at least a byte; nothing once it has ended. Raises `Broken`."""
        while not self._chunks:
            if self._broken is not None:
                raise self._broken
            if self._ended:
                return b""
            self._reader = self._loop.create_future()
            await self._reader
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._size = 0
        if self._paused and not self.lost:
            self._paused = False
            self._transport.resume_reading()
        return data

    def buffer_updated(self, nbytes: int) -> None:
        """Feed the parser, and let the reader know."""
        super().buffer_updated(nbytes)
        self._set_deadline()
        if self._size > HIGH_WATER and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        if self._chunks:
            self._wake()

    def on_headers_complete(self) -> None:
        """Hand out the head."""
        super().on_headers_complete()
        if self._status == OK:
            self._timeout = self._idle
            self._answer(Answer(OK))

    def on_body(self, body: bytes) -> None:
        """Collect what is to be read."""
        self._chunks.append(body)
        self._size += len(body)

    def _finish(self) -> None:
        if self._status == OK:
            self._ended = True
            self._wake()
        else:
            super()._finish()

    def _break(self, broken: Broken) -> None:
        self._broken = broken
        super()._break(broken)
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
