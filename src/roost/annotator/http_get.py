"""GET of JSON from a server that is no Kubernetes API: one connection for each question, since they are rare."""

import time
from collections.abc import Callable
from urllib.parse import urlencode

from roost.client import tls
from roost.client.answer import Answer
from roost.client.connection import Broken, Connection
from roost.client.credentials import Credentials
from roost.client.dial import Dialer
from roost.client.request import Heads
from roost.client.target import ConnectionInfo, parse_address
from roost.errors import SourceError, Unreachable

TIMEOUT = 30.0
_OK = 200
_WORDS = 300


class HttpGet:
    """Asks one server; `info` says where it is, how to trust it and how to log in."""

    def __init__(
        self, info: ConnectionInfo, *, timeout: float = TIMEOUT, clock: Callable[[], float] = time.time
    ) -> None:
        """Check the address and the certificates; raises ConfigError."""
        self._info = info
        self._timeout = timeout
        self._address = parse_address(info.server)
        if self._address.secure:
            tls.context(info.tls)
        self._dialer = Dialer(info)
        self._credentials = Credentials(info.login, clock)

    async def get(self, path: str, query: dict[str, str]) -> Answer:
        """Return an answer that is a success; raises SourceError with what the server said, or why it did not."""
        heads = await self._heads()
        answer = await self._ask(heads, path, query)
        if answer.status != _OK:
            raise SourceError(f"{self._info.server}{path} answered {answer.status}{_said(answer)}")
        return answer

    async def close(self) -> None:
        """Close what is open."""
        await self._dialer.close()

    async def _heads(self) -> Heads:
        if self._credentials.stale:
            await self._credentials.refresh()
        return Heads(self._address, self._credentials.current.authorization)

    async def _ask(self, heads: Heads, path: str, query: dict[str, str]) -> Answer:
        try:
            connection = await self._dialer.dial(Connection)
        except Unreachable as error:
            cause = error.__cause__
            why = tls.reason(cause, self._info) if isinstance(cause, OSError) else str(error)
            raise SourceError(f"cannot reach {self._info.server}: {why}") from error
        try:
            return await connection.ask(heads.build("GET", f"{path}?{urlencode(query)}"), self._timeout)
        except Broken as broken:
            raise SourceError(f"{self._info.server}{path}: {broken}") from broken
        finally:
            connection.abort()


def _said(answer: Answer) -> str:
    """Return the first words of what came with a status."""
    text = " ".join(answer.body[: 2 * _WORDS].decode("utf-8", "replace").split())
    return f": {text[:_WORDS]}" if text else ""
