"""Keep-alive connections for requests that end: at most so many at a time, the one used last is used next.

A slot is a connection that is open or being opened; it is free again when its connection is lost. Who finds none waits
in line, and gets either a connection that somebody gives back or, as None, the slot of one that was lost.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from roost.client.connection import Connection

IDLE_LIFE = 60.0
"""A connection idle for longer is not used again: an API server closes those that are idle for 90 s."""

Dial = Callable[[], Coroutine[Any, Any, Connection]]


class Pool:
    """Lends connections, one to a request."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._idle: list[tuple[Connection, float]] = []
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()

    def idle(self) -> Connection | None:
        """Lend an idle connection, if there is one."""
        return self._last_used() if self._idle else None

    async def take(self, dial: Dial, *, fresh: bool = False) -> Connection:
        """Lend a connection: an idle one (unless a fresh one is wanted), a new one, or the next to come free."""
        connection = self._last_used(fresh=fresh)
        if connection is not None:
            return connection
        if self._free:
            self._free -= 1
        else:
            connection = await self._turn()
        return connection or await self._open(dial)

    def give_back(self, connection: Connection) -> None:
        """Take a connection back, for whoever waits or for later."""
        if connection.reusable:
            self._pass_on(connection)
        else:
            connection.abort()

    def _last_used(self, *, fresh: bool = False) -> Connection | None:
        now = asyncio.get_running_loop().time()
        while self._idle:
            connection, since = self._idle.pop()
            if connection.reusable and now - since < IDLE_LIFE and not fresh:
                return connection
            connection.abort()
        return None

    async def _turn(self) -> Connection | None:
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._pass_on(waiter.result())
            raise

    async def _open(self, dial: Dial) -> Connection:
        try:
            connection = await dial()
        except BaseException:
            self._pass_on(None)
            raise
        connection.when_lost(self._lost)
        return connection

    def _lost(self, connection: Connection) -> None:
        self._idle = [(idle, since) for idle, since in self._idle if idle is not connection]
        self._pass_on(None)

    def _pass_on(self, connection: Connection | None) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        if connection is None:
            self._free += 1
        else:
            self._idle.append((connection, asyncio.get_running_loop().time()))
