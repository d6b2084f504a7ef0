"""Watches that note when each pod was bound and when its Scheduled event came, at little cost to what is measured.

A field selector makes the server send only what counts, and only its metadata. Both watches see all namespaces; whoever
waits says which pods count.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import aclosing
from types import TracebackType
from typing import Self

import msgspec
from msgspec import Struct

from roost.client.transport import Transport
from roost.errors import Gone, RoostError, Unreachable

PARTIAL = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
SECONDS = 3600
_AGAIN = 0.5
_SEEN = ("ADDED", "MODIFIED")


class _Metadata(Struct, frozen=True, gc=False, rename="camel"):
    name: str = ""
    namespace: str = ""
    resource_version: str = ""


class _Object(Struct, frozen=True, gc=False):
    metadata: _Metadata = _Metadata()
    code: int = 0
    message: str = ""


class _Change(Struct, frozen=True, gc=False):
    type: str
    object: _Object


class _List(Struct, frozen=True):
    metadata: _Metadata = _Metadata()


_decoder = msgspec.json.Decoder(_Change)


class Watcher:
    """Notes when each object was first seen, on the monotonic clock, by the `namespace/name` of its pod.

    Use it with `async with`: it watches from the moment it is entered. It follows on when the watch ends; if changes
    were missed for good (410), it raises, since then times would be wrong.
    """

    def __init__(
        self, streams: Transport, lists: Transport, path: str, pod_name: Callable[[str], str] = lambda name: name
    ) -> None:
        self.times: dict[str, float] = {}
        self._streams, self._lists = streams, lists
        self._path = path
        self._pod_name = pod_name
        self._missing: set[str] = set()
        self._complete = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        answer = await self._lists.request("GET", f"{self._path}&limit=1")
        version = msgspec.json.decode(answer.body, type=_List).metadata.resource_version
        self._task = asyncio.create_task(self._watch(version), name=f"watch {self._path}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def expect(self, keys: Iterable[str]) -> int:
        """Wait for these from now on; return how many of them have not been seen yet."""
        self._missing = {key for key in keys if key not in self.times}
        if self._missing:
            self._complete.clear()
        else:
            self._complete.set()
        return len(self._missing)

    @property
    def missing(self) -> int:
        """How many of the expected have not been seen yet."""
        return len(self._missing)

    async def wait(self, seconds: float) -> bool:
        """Return True as soon as all expected were seen, False after so many seconds; raises if the watch failed."""
        if self._task is not None and self._task.done():
            self._task.result()
        try:
            async with asyncio.timeout(seconds):
                await self._complete.wait()
        except TimeoutError:
            return False
        return True

    async def _watch(self, version: str) -> None:
        while True:
            query = f"&watch=1&allowWatchBookmarks=true&resourceVersion={version}&timeoutSeconds={SECONDS}"
            try:
                async with aclosing(self._streams.stream(self._path + query, SECONDS * 1.1)) as chunks:
                    rest = b""
                    async for chunk in chunks:
                        now = time.monotonic()
                        *lines, rest = (rest + chunk).split(b"\n")
                        version = self._take(lines, now) or version
            except Unreachable:
                await asyncio.sleep(_AGAIN)
            except Gone as gone:
                raise RoostError(
                    f"the watch of {self._path} fell behind, so its times would be wrong: {gone}"
                ) from gone

    def _take(self, lines: list[bytes], now: float) -> str:
        version = ""
        for line in lines:
            change = _decoder.decode(line)
            metadata = change.object.metadata
            if change.type == "ERROR":
                raise RoostError(f"the watch of {self._path} failed: {change.object.message}")
            version = metadata.resource_version
            if change.type in _SEEN:
                self._note(f"{metadata.namespace}/{self._pod_name(metadata.name)}", now)
        return version

    def _note(self, key: str, now: float) -> None:
        if key in self.times:
            return
        self.times[key] = now
        self._missing.discard(key)
        if not self._missing:
            self._complete.set()


def binds(streams: Transport, lists: Transport) -> Watcher:
    """Return a watcher of pods that have a node."""
    return Watcher(streams, lists, "/api/v1/pods?fieldSelector=spec.nodeName!%3D")


def scheduled_events(streams: Transport, lists: Transport) -> Watcher:
    """Return a watcher of Scheduled events, whose names begin with that of their pod."""
    path = "/api/v1/events?fieldSelector=reason%3DScheduled"
    return Watcher(streams, lists, path, lambda name: name.rpartition(".")[0])
