"""The wire to a scheduler extender: each verb is a POST of JSON to URL/verb, and anything but a 200 is a failure.

The connections are those of the API client: kept alive, one request at a time on each. A question is asked again where
the other side hung up on a connection that had been idle; a request to bind only if nothing of it was written.
"""

import asyncio
from urllib.parse import quote

from roost.client import tls
from roost.client.answer import Answer
from roost.client.connection import Broken, Connection
from roost.client.credentials import obtain
from roost.client.dial import Dialer
from roost.client.pool import Pool
from roost.client.request import Heads
from roost.client.target import ConnectionInfo, parse_address
from roost.errors import ConfigError, ExtenderError, Unreachable
from roost.framework.extenders import Extender

CONNECTIONS = 64
"""At most so many requests at a time: as many as bindings are written at a time."""

_OK = 200
_WORDS = 200


class HttpWebhook:
    """Fits `roost.framework.extenders.Webhook`; nothing is opened before the first request."""

    def __init__(
        self, extender: Extender, info: ConnectionInfo, timeout: float, *, connections: int = CONNECTIONS
    ) -> None:
        """Check the address and the certificates; raises ConfigError."""
        self.extender = extender
        self._info = info
        self._timeout = timeout
        self._address = parse_address(info.server)
        if self._address.secure:
            tls.context(info.tls)
        self._dialer = Dialer(info, timeout)
        self._pool = Pool(connections)
        self._heads = Heads(self._address, obtain(info.login, 0.0).authorization)

    async def post(self, verb: str, body: bytes, *, again: bool) -> bytes:
        """Return what a verb answers; raises ExtenderError. With `again`, asking twice does no harm."""
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._exchange(self._heads.build("POST", f"/{quote(verb)}", body), again)
        except TimeoutError:
            raise self._failed(verb, f"no answer within {self._timeout:g} s") from None
        except Broken as broken:
            raise self._failed(verb, str(broken)) from broken
        except (Unreachable, ConfigError) as error:
            raise self._failed(verb, self._why(error)) from error
        if answer.status != _OK:
            raise self._failed(verb, f"answered {answer.status}{_said(answer)}")
        return answer.body

    async def close(self) -> None:
        """Close every connection; requests under way end with an error."""
        await self._dialer.close()

    async def _exchange(self, request: bytes, again: bool) -> Answer:
        try:
            return await self._once(request)
        except Broken as broken:
            if not broken.unsent and not (broken.stale and again):
                raise
        return await self._once(request, fresh=True)

    async def _once(self, request: bytes, *, fresh: bool = False) -> Answer:
        connection = await self._pool.take(self._dial, fresh=fresh)
        try:
            answer = await connection.ask(request, self._timeout)
        except BaseException:
            connection.abort()
            raise
        self._pool.give_back(connection)
        return answer

    async def _dial(self) -> Connection:
        return await self._dialer.dial(Connection)

    def _why(self, error: Exception) -> str:
        cause = error.__cause__
        return tls.reason(cause, self._info) if isinstance(cause, OSError) else str(error)

    def _failed(self, verb: str, problem: str) -> ExtenderError:
        return ExtenderError(f"{self.extender.name(verb)}: {problem}")


def _said(answer: Answer) -> str:
    """Return the first words of what came with a status."""
    text = " ".join(answer.body[: 2 * _WORDS].decode("utf-8", "replace").split())
    return f": {text[:_WORDS]}" if text else ""
