"""The HTTP/1.1 server under the webhook server, for requests with bodies of tens of megabytes.

kube-scheduler sends all nodes in full with each question (47 MB for 5000 of them). So a body is received straight into
memory of its size, and an answer is written in parts and never copied as a whole. Everything runs in the event loop
that opened the server, asyncio's or uvloop's.
"""

import asyncio
import os
import ssl
from typing import Self

from roost.errors import ConfigError
from roost.extender.http_connection import Connection, Limits, Service
from roost.extender.http_messages import Handler, Request, Response

__all__ = ["Handler", "HttpServer", "Request", "Response"]

BODY_LIMIT = 256 << 20
_BACKLOG = 512
_SCRATCH_BYTES = 64 * 1024
_LAST_SECONDS = 1.0


class HttpServer:
    """Listens while it is entered; `port` is then the one that was taken, if 0 was asked for.

    A body over `body_limit` bytes is refused. The seconds are for a head, for a body or a stalled answer, and between
    requests.
    """

    def __init__(
        self,
        host: str,
        port: int,
        handler: Handler,
        *,
        body_limit: int = BODY_LIMIT,
        header_seconds: float = 10.0,
        body_seconds: float = 60.0,
        idle_seconds: float = 120.0,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.port = port
        self._host = host
        self._ssl_context = ssl_context
        self._limits = Limits(body_limit, header_seconds, body_seconds, idle_seconds)
        self._service = Service(handler, self._limits, memoryview(bytearray(_SCRATCH_BYTES)))
        self._listener: asyncio.Server | None = None

    @property
    def connections(self) -> int:
        """The number of connections that are open."""
        return sum(connection.is_open for connection in self._service.connections)

    async def __aenter__(self) -> Self:
        try:
            self._listener = await self._listen()
        except OSError as error:
            why = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else error.strerror
            raise ConfigError(f"cannot listen on {self._host}:{self.port}: {why}; choose another address") from error
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close(0.0)

    async def close(self, grace_seconds: float) -> None:
        """Stop listening, give requests under way so long to finish, answer the others with 503, and close."""
        if self._listener is None:
            return
        self._service.is_closing = True
        self._listener.close()
        self._listener = None
        for step, seconds in ((Connection.finish, grace_seconds), (Connection.cut_off, _LAST_SECONDS)):
            for connection in tuple(self._service.connections):
                step(connection)
            await self._all_gone(seconds)
        for connection in tuple(self._service.connections):
            connection.abort()
        await self._all_gone(_LAST_SECONDS)

    async def _all_gone(self, seconds: float) -> None:
        gone = asyncio.get_running_loop().create_future()

        def look() -> None:
            if not self._service.connections and not gone.done():
                gone.set_result(None)

        self._service.on_change = look
        look()
        await asyncio.wait([gone], timeout=seconds)

    async def _listen(self) -> asyncio.Server:
        context = self._ssl_context
        return await asyncio.get_running_loop().create_server(
            lambda: Connection(self._service),
            self._host or None,
            self.port,
            backlog=_BACKLOG,
            ssl=context,
            ssl_handshake_timeout=self._limits.header_seconds if context else None,
            ssl_shutdown_timeout=_LAST_SECONDS if context else None,
        )
