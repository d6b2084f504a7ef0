"""A real Kubernetes API server as the `Cluster` that schedulers act on: each method is a path, a body and a reading."""

import asyncio
import random
from collections.abc import Callable, Mapping
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec
from msgspec import Struct

from roost.api.kinds import POD, Kind
from roost.api.meta import Value
from roost.client.answer import Answer
from roost.client.listing import Page, open_page, read_items, read_object
from roost.client.request import (
    PAGE_SIZE,
    STRATEGIC_MERGE,
    binding,
    delete_options,
    eviction,
    group_path,
    list_query,
    object_path,
    watch_query,
)
from roost.client.target import ConnectionInfo
from roost.client.transport import CONNECTIONS, Transport
from roost.client.watch import WatchDecoder
from roost.errors import ApiError, Gone, NotFound
from roost.framework.cluster import Batches, Listing

T = TypeVar("T", bound=Value)
WATCH_SECONDS = 300
GRACE_SECONDS = 30


class _Resource(Struct, frozen=True):
    name: str


class _Resources(Struct, frozen=True):
    resources: list[_Resource] | None = None


class _Version(Struct, frozen=True, rename="camel"):
    git_version: str = ""


def connect(info: ConnectionInfo, *, connections: int = CONNECTIONS) -> "KubeCluster":
    """Return the cluster at the end of a connection; nothing is opened before the first request."""
    return KubeCluster(Transport(info, connections=connections))


class KubeCluster:
    """Fits `roost.framework.cluster.Cluster`; use it with `async with`, or call `close`."""

    def __init__(
        self, transport: Transport, *, page_size: int = PAGE_SIZE, dice: Callable[[], float] = random.random
    ) -> None:
        self._transport = transport
        self._page_size = page_size
        self._dice = dice

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; watches and requests under way end with an error."""
        await self._transport.close()

    async def version(self) -> str:
        """Return the server's version, such as v1.36.2."""
        answer = await self._transport.request("GET", "/version")
        return _read(answer.body, _Version, "/version").git_version

    async def discover(self, api_version: str) -> set[str]:
        """Return the plural names that are served under an apiVersion; none if it is not served at all."""
        path = group_path(api_version)
        try:
            answer = await self._transport.request("GET", path)
        except NotFound:
            return set()
        found = _read(answer.body, _Resources, path).resources or ()
        return {resource.name for resource in found if "/" not in resource.name}

    async def get(self, kind: Kind[T], name: str, namespace: str = "") -> T:
        """Return one object."""
        return read_object((await self._transport.request("GET", object_path(kind, namespace, name))).body, kind)

    async def create(self, kind: Kind[T], body: bytes, namespace: str = "") -> T:
        """Create an object from its JSON; return it as stored."""
        return read_object((await self._transport.request("POST", object_path(kind, namespace), body)).body, kind)

    async def post(self, kind: Kind[T], body: bytes, namespace: str = "") -> None:
        """Create an object from its JSON and do not read the answer's body (events)."""
        await self._transport.request("POST", object_path(kind, namespace), body)

    async def update(self, kind: Kind[T], name: str, body: bytes, namespace: str = "") -> T:
        """Replace an object; a stale resourceVersion in the body raises Conflict."""
        return read_object((await self._transport.request("PUT", object_path(kind, namespace, name), body)).body, kind)

    async def patch(
        self, kind: Kind[T], name: str, patch: Mapping[str, Any], namespace: str = "", *, subresource: str = ""
    ) -> T:
        """Apply a strategic merge patch to an object or its subresource; return it as stored."""
        path = object_path(kind, namespace, name, subresource)
        answer = await self._transport.request("PATCH", path, msgspec.json.encode(patch), STRATEGIC_MERGE)
        return read_object(answer.body, kind)

    async def delete(
        self, kind: Kind[T], name: str, namespace: str = "", *, uid: str = "", resource_version: str = ""
    ) -> None:
        """Delete an object if it still has this uid and resourceVersion (where given)."""
        path = object_path(kind, namespace, name)
        await self._transport.request("DELETE", path, delete_options(uid, resource_version))

    async def bind(self, namespace: str, name: str, uid: str, node_name: str) -> None:
        """Bind a pod to a node; raises Conflict if it is bound or another uid, OutcomeUnknown if no answer came."""
        body = binding(namespace, name, uid, node_name)
        await self._transport.request("POST", object_path(POD, namespace, name, "binding"), body)

    async def evict(self, namespace: str, name: str, uid: str = "", *, grace_seconds: int | None = None) -> None:
        """Ask for a pod's eviction, respecting its disruption budgets; `grace_seconds` in place of the pod's own."""
        body = eviction(namespace, name, uid, grace_seconds)
        await self._transport.request("POST", object_path(POD, namespace, name, "eviction"), body)

    async def watch(
        self,
        kind: Kind[T],
        *,
        resource_version: str,
        namespace: str = "",
        field_selector: str = "",
        label_selector: str = "",
    ) -> Batches[T]:
        """Yield changes since a resourceVersion, as many at a time as have arrived; ends when the server ends it."""
        seconds = WATCH_SECONDS + int(self._dice() * WATCH_SECONDS)
        query = watch_query(resource_version, field_selector, label_selector, seconds=seconds)
        decoder = WatchDecoder(kind)
        path = object_path(kind, namespace) + query
        async with aclosing(self._transport.stream(path, seconds + GRACE_SECONDS)) as chunks:
            async for data in chunks:
                if events := decoder.feed(data):
                    yield events

    async def list(
        self, kind: Kind[T], *, namespace: str = "", field_selector: str = "", label_selector: str = ""
    ) -> Listing[T]:
        """Return all objects of the kind, page by page behind the scenes; all at once if the pages expire."""
        try:
            return await self._list(kind, namespace, field_selector, label_selector, self._page_size)
        except Gone:
            return await self._list(kind, namespace, field_selector, label_selector, 0)

    async def _list(
        self, kind: Kind[T], namespace: str, field_selector: str, label_selector: str, limit: int
    ) -> Listing[T]:
        def ask(token: str) -> asyncio.Task[Answer]:
            query = list_query(field_selector, label_selector, limit=limit, continue_token=token)
            return asyncio.create_task(self._transport.request("GET", object_path(kind, namespace) + query))

        pages: list[Page[T]] = []
        asked: asyncio.Task[Answer] | None = ask("")
        try:
            while asked is not None:
                opened = open_page((await asked).body, kind)
                token = opened.metadata.continue_token
                asked = ask(token) if token else None
                await asyncio.sleep(0)  # it goes out now, and is answered while this page is read
                pages.append(read_items(opened, kind))
        finally:
            if asked is not None:
                asked.cancel()
        return Listing(
            [item for page in pages for item in page.items],
            pages[-1].metadata.resource_version,
            [problem for page in pages for problem in page.malformed],
        )


S = TypeVar("S", bound=Struct)


def _read(body: bytes, type_: type[S], path: str) -> S:
    try:
        return msgspec.json.decode(body, type=type_)
    except ValueError as error:
        raise ApiError(f"the answer to GET {path} cannot be read: {error}; is this a Kubernetes API server?") from error
