"""Open connections to the API server, and know all that are open, so that closing leaves none behind."""

import asyncio
import ssl
from collections.abc import Callable
from typing import TypeVar

from msgspec.structs import replace

from roost.client import tls
from roost.client.connection import Connection
from roost.client.target import ConnectionInfo, Pem, Tls, parse_address
from roost.errors import ConfigError, Unreachable

C = TypeVar("C", bound=Connection)
CONNECT_TIMEOUT = 10.0
CONTEXT_LIFE = 300.0
BUFFER_SIZE = 64 * 1024


class Dialer:
    """Opens connections to one server.

    Certificates in files rotate: they are read again every few minutes and after they were refused. A file that is in
    the middle of its rotation leaves the last certificates in use.
    """

    def __init__(self, info: ConnectionInfo, connect_timeout: float = CONNECT_TIMEOUT) -> None:
        self._info = info
        self._address = parse_address(info.server)
        self._connect_timeout = connect_timeout
        self._buffer = memoryview(bytearray(BUFFER_SIZE))
        self._open: set[Connection] = set()
        self._closed: asyncio.Future[None] | None = None
        self._context: ssl.SSLContext | None = None
        self._context_for: tuple[Pem, Pem] | None = None
        self._context_until = -1.0

    async def dial(self, make: Callable[[memoryview], C], certificate: tuple[Pem, Pem] | None = None) -> C:
        """Open a connection, showing the certificate of the login if it has one; raises Unreachable saying why not."""
        loop = asyncio.get_running_loop()
        self._refuse_if_closed()
        address, context = self._address, self._tls_context(certificate, loop.time())
        try:
            async with asyncio.timeout(self._connect_timeout):
                _, connection = await loop.create_connection(
                    lambda: make(self._buffer),
                    address.host,
                    address.port,
                    ssl=context,
                    server_hostname=(self._info.tls.server_name or address.host) if context else None,
                )
        except OSError as error:
            if isinstance(error, ssl.SSLError):
                self.forget_context()
            raise tls.unreachable(error, self._info) from error
        except UnicodeError as error:
            raise ConfigError(f"{address.host!r} in server {self._info.server} is not a host name") from error
        return self._keep(connection)

    def forget_context(self) -> None:
        """Read the certificates again before the next connection: the server did not like the ones shown."""
        self._context_until = -1.0

    async def close(self) -> None:
        """Hang up everywhere, and return when all is closed."""
        if self._closed is None:
            self._closed = asyncio.get_running_loop().create_future()
        for connection in tuple(self._open):
            connection.abort()
        self._settle()
        await asyncio.shield(self._closed)

    def _keep(self, connection: C) -> C:
        self._open.add(connection)
        connection.when_lost(self._forget)
        if self._closed is not None:
            connection.abort()
        self._refuse_if_closed()
        return connection

    def _forget(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._settle()

    def _settle(self) -> None:
        if self._closed is not None and not self._open and not self._closed.done():
            self._closed.set_result(None)

    def _refuse_if_closed(self) -> None:
        if self._closed is not None:
            raise Unreachable(f"the connection to {self._info.server} was closed on this side")

    def _tls_context(self, certificate: tuple[Pem, Pem] | None, now: float) -> ssl.SSLContext | None:
        if not self._address.secure:
            return None
        if certificate != self._context_for or now > self._context_until:
            self._renew_context(self._options(certificate), now)
            self._context_for = certificate
        return self._context

    def _renew_context(self, options: Tls, now: float) -> None:
        try:
            self._context = tls.context(options)
        except ConfigError:
            if self._context is None:
                raise
        self._context_until = now + CONTEXT_LIFE if _in_files(options) else float("inf")

    def _options(self, certificate: tuple[Pem, Pem] | None) -> Tls:
        if certificate is None:
            return self._info.tls
        return replace(self._info.tls, certificate=certificate[0], key=certificate[1])


def _in_files(options: Tls) -> bool:
    return any(pem is not None and pem.path for pem in (options.authority, options.certificate, options.key))
