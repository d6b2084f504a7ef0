"""One watch over HTTP: events gather while the reader is busy, and go out together; a reader far behind is let go."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from roost.apiserver.collection import Subscription
from roost.apiserver.reading import read_version
from roost.apiserver.refusals import expired
from roost.apiserver.render import render_event
from roost.apiserver.status import failure
from roost.apiserver.store import Event, Store
from roost.apiserver.verbs import Watching
from roost.errors import ApiError

Send = Callable[[bytes], Awaitable[None]]
"""Sends bytes; waits while the reader does not read."""

SECONDS = 1800
"""How long a watch lasts that does not say."""

BOOKMARK_SECONDS = 60.0
MOST_WAITING = 100_000
"""Events that may wait for a reader."""


class WatchStream:
    """Sends what a watch sees until its time is over, its reader is gone or far behind, or the store ends it."""

    def __init__(self, store: Store, watching: Watching, send: Send) -> None:
        self._store = store
        self._query = watching.query
        self._shape = watching.shape
        self._send = send
        self._waiting: list[Event] = []
        self._news = asyncio.Event()
        self._is_open = True
        self._has_header = False

    async def run(self) -> None:
        """Send events until the end; a watch that cannot begin sends the reason as its only event."""
        try:
            subscription = self._subscribe()
        except ApiError as error:
            await self._send(msgspec.json.encode({"type": "ERROR", "object": failure(error)}) + b"\n")
            return
        try:
            await self._stream()
        finally:
            subscription.close()

    def end(self) -> None:
        """Let the stream end once what waits is sent."""
        self._is_open = False
        self._news.set()

    def _subscribe(self) -> Subscription:
        query = self._query
        if read_version(query.since) > self._store.version:
            # What a client remembers of an earlier life of the server: it must list again.
            raise expired(read_version(query.since), self._store.version)
        return self._store.subscribe(
            query.selection, self._put, since=query.since, initial_events=query.initial_events, ended=self.end
        )

    def _put(self, event: Event) -> None:
        if self._news.is_set() and len(self._waiting) >= MOST_WAITING and self._has_header:
            self.end()
        if self._is_open:
            self._waiting.append(event)
            self._news.set()

    async def _stream(self) -> None:
        timer = asyncio.get_running_loop().time
        end = timer() + (self._query.seconds or SECONDS)
        while self._is_open and (left := end - timer()) > 0:
            if not await self._has_news(min(left, BOOKMARK_SECONDS)) and self._query.has_bookmarks:
                self._waiting.append(self._store.bookmark(self._query.selection.resource))
            await self._flush()
        await self._flush()

    async def _has_news(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return False
        self._news.clear()
        return True

    async def _flush(self) -> None:
        events, self._waiting = self._waiting, []
        if not events:
            return
        shape = self._shape if not self._shape.name else msgspec.structs.replace(self._shape, now=self._store.clock())
        first, *rest = events
        lines = [render_event(first, shape, headed=not self._has_header)]
        self._has_header = True
        await self._send(b"".join([*lines, *(render_event(event, shape, headed=False) for event in rest)]))
