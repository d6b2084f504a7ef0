"""Answers /healthz, /livez, /readyz and /metrics: what a kubelet and Prometheus ask of a scheduler, and no more."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus

from roost.errors import ConfigError
from roost.telemetry.families import CONTENT_TYPE

HEADER_LIMIT = 8192
REQUEST_SECONDS = 5.0

logger = logging.getLogger("roost.telemetry")


class HealthServer:
    """An HTTP server for GET and HEAD of four paths; `is_ready` tells what /readyz answers."""

    def __init__(self, address: str, *, is_ready: Callable[[], bool], metrics: Callable[[], bytes]) -> None:
        self._host, self._port = parse_address(address)
        self._is_ready = is_ready
        self._metrics = metrics
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port listened on."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server is not None else self._port

    async def __aenter__(self) -> "HealthServer":
        """Start to listen; raises ConfigError if the address cannot be had."""
        try:
            self._server = await asyncio.start_server(self._serve, self._host or None, self._port, limit=HEADER_LIMIT)
        except OSError as error:
            raise ConfigError(f"cannot listen on {self._host}:{self._port}: {error.strerror or error}") from error
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(REQUEST_SECONDS):
                writer.write(await self._reply(reader))
                await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def _reply(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return response(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        except asyncio.IncompleteReadError:
            return response(HTTPStatus.BAD_REQUEST)
        method, _, rest = head.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0].decode("latin-1")
        if method not in (b"GET", b"HEAD"):
            return response(HTTPStatus.METHOD_NOT_ALLOWED)
        return self._answer(path, head_only=method == b"HEAD")

    def _answer(self, path: str, *, head_only: bool) -> bytes:
        if path in ("/healthz", "/livez"):
            return response(HTTPStatus.OK, b"ok", head_only=head_only)
        if path == "/readyz":
            ready = self._is_ready()
            status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
            return response(status, b"ok" if ready else b"not in sync yet", head_only=head_only)
        if path == "/metrics":
            return response(HTTPStatus.OK, self._metrics(), content_type=CONTENT_TYPE, head_only=head_only)
        return response(HTTPStatus.NOT_FOUND, head_only=head_only)


def response(
    status: HTTPStatus,
    body: bytes | None = None,
    *,
    content_type: str = "text/plain; charset=utf-8",
    head_only: bool = False,
) -> bytes:
    """Return an HTTP response after which the connection is closed."""
    content = status.phrase.encode() if body is None else body
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (b"" if head_only else content)


def parse_address(address: str) -> tuple[str, int]:
    """Return host and port of an address such as 127.0.0.1:10259, [::1]:10259 or :10259; raises ConfigError."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"address {address!r}: write a host and a port such as 127.0.0.1:10259, or :10259")
    return host.removeprefix("[").removesuffix("]"), int(port)
