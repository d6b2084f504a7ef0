"""Requests and streams to one API server: credentials, one careful retry, and every failure as one of our errors.

A request is sent again only where that cannot do harm: after a 401 with a renewed credential; when nothing had been
written; and a GET that met a connection the server had just closed. A write that was sent and not answered raises
OutcomeUnknown. There is no waiting here: who gets TooManyRequests decides how long to be patient.
"""

import time
from collections.abc import AsyncGenerator, Callable

from roost.client.answer import Answer, error_for
from roost.client.connection import Broken, Connection
from roost.client.credentials import Credential, Credentials
from roost.client.dial import CONNECT_TIMEOUT, Dialer
from roost.client.pool import Pool
from roost.client.request import JSON, Heads
from roost.client.stream import Stream
from roost.client.target import ConnectionInfo, parse_address
from roost.errors import ApiError, OutcomeUnknown, Unreachable

REQUEST_TIMEOUT = 30.0
CONNECTIONS = 128
"""At most so many requests under way: the more an API server has at hand, the more etcd commits at once.

Bindings and events cost a kube-apiserver and its etcd together 20 % less CPU with 128 than with 64 and 16 (measured).
API Priority and Fairness lets a service account have 245 by default, a server without it all writers together 200.
"""

_REFUSED = 300
_UNAUTHORIZED = 401


class Transport:
    """Sends requests over a pool of connections, and opens streams on connections of their own."""

    def __init__(
        self,
        info: ConnectionInfo,
        *,
        connections: int = CONNECTIONS,
        timeout: float = REQUEST_TIMEOUT,
        connect_timeout: float = CONNECT_TIMEOUT,
        accept: str = JSON,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._info = info
        self._timeout = timeout
        self._address = parse_address(info.server)
        self._credentials = Credentials(info.login, clock)
        self._dialer = Dialer(info, connect_timeout)
        self._pool = Pool(connections)
        self._shown = Credential()
        self._accept = accept
        self._heads = Heads(self._address, accept=accept)

    async def request(self, method: str, path: str, body: bytes = b"", content_type: str = JSON) -> Answer:
        """Send a request and return its answer if it is a success; raises what `roost.errors` has for it."""
        if self._credentials.stale:
            await self._credentials.refresh()
        heads, shown = self._login()
        answer = await self._exchange(method, path, heads.build(method, path, body, content_type))
        if answer.status == _UNAUTHORIZED and await self._credentials.replace(shown):
            heads, _ = self._login()
            answer = await self._exchange(method, path, heads.build(method, path, body, content_type))
        if answer.status >= _REFUSED:
            raise self._refused(answer, method, path)
        return answer

    async def stream(self, path: str, idle: float) -> AsyncGenerator[bytes, None]:
        """Yield the body of a GET as it arrives; raises Unreachable if it is cut, or silent for so many seconds."""
        connection = await self._open_stream(path, idle)
        try:
            while data := await connection.read():
                yield data
        except Broken as broken:
            raise self._broken(broken, "GET", path) from broken
        finally:
            connection.abort()

    async def close(self) -> None:
        """Close every connection; requests under way end with an error."""
        await self._dialer.close()

    def _login(self) -> tuple[Heads, Credential]:
        if self._credentials.current is not self._shown:
            self._shown = self._credentials.current
            self._heads = Heads(self._address, self._shown.authorization, self._accept)
        return self._heads, self._shown

    async def _exchange(self, method: str, path: str, request: bytes) -> Answer:
        try:
            return await self._once(request)
        except Broken as broken:
            if not broken.unsent and not (broken.stale and method == "GET"):
                raise self._broken(broken, method, path) from broken
        try:
            return await self._once(request, fresh=True)
        except Broken as broken:
            raise self._broken(broken, method, path) from broken

    async def _once(self, request: bytes, *, fresh: bool = False) -> Answer:
        connection = None if fresh else self._pool.idle()
        if connection is None:
            connection = await self._pool.take(self._dial, fresh=fresh)
        try:
            answer = await connection.ask(request, self._timeout)
        except BaseException:
            connection.abort()
            raise
        self._keep(connection, answer)
        return answer

    async def _open_stream(self, path: str, idle: float) -> Stream:
        if self._credentials.stale:
            await self._credentials.refresh()
        heads, shown = self._login()
        connection, answer = await self._ask_stream(heads, path, idle)
        if answer.status == _UNAUTHORIZED and await self._credentials.replace(shown):
            heads, _ = self._login()
            connection, answer = await self._ask_stream(heads, path, idle)
        if answer.status >= _REFUSED:
            raise self._refused(answer, "GET", path)
        return connection

    async def _ask_stream(self, heads: Heads, path: str, idle: float) -> tuple[Stream, Answer]:
        connection = await self._dialer.dial(Stream, self._shown.certificate)
        try:
            answer = await connection.open(heads.build("GET", path), self._timeout, idle)
        except Broken as broken:
            raise self._broken(broken, "GET", path) from broken
        except BaseException:
            connection.abort()
            raise
        if answer.status >= _REFUSED:
            connection.abort()
        if answer.status == _UNAUTHORIZED:
            self._dialer.forget_context()
        return connection, answer

    async def _dial(self) -> Connection:
        return await self._dialer.dial(Connection, self._shown.certificate)

    def _keep(self, connection: Connection, answer: Answer) -> None:
        """Lend the connection again, unless its certificate may be what was refused: the next may show a newer one."""
        if answer.status == _UNAUTHORIZED:
            self._dialer.forget_context()
            connection.abort()
        else:
            self._pool.give_back(connection)

    def _refused(self, answer: Answer, method: str, path: str) -> ApiError:
        return error_for(answer, method, _bare(path), self._info.server, self._info.origin)

    def _broken(self, broken: Broken, method: str, path: str) -> Unreachable:
        asked = f"{method} {self._info.server}{_bare(path)}"
        if method == "GET" or broken.unsent:
            return Unreachable(f"{asked}: {broken}")
        return OutcomeUnknown(
            f"{asked}: {broken}; it may or may not have happened: read the object before asking again"
        )


def _bare(path: str) -> str:
    """Return the path without its query: a message is to stay the same when the same thing fails again."""
    return path.partition("?")[0]
