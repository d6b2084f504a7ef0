"""The embedded cluster as the `Cluster` that schedulers act on, without a socket between them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec

from roost.api.full import FullObject
from roost.api.kinds import Kind
from roost.api.meta import Value
from roost.apiserver.bindings import bind, binding_to
from roost.apiserver.deletion import DeleteOptions
from roost.apiserver.evictions import evict
from roost.apiserver.patch import strategic_merge
from roost.apiserver.refusals import bad_request
from roost.apiserver.resources import RESOURCES, resource_of
from roost.apiserver.store import Event, Object, Store, Stored, Subscription, select
from roost.errors import ApiError
from roost.framework.cluster import Batches, Listing, Malformed, WatchEvent

T = TypeVar("T", bound=Value)
INBOX_SIZE = 10_000
"""Events that may wait for a slow watcher before its watch is ended; it goes on from where it was."""

OnRequest = Callable[[str, str], Awaitable[None]]
"""Is told of each request, a verb and a plural name, before it takes effect; may wait, or refuse by raising."""


class InProcessCluster:
    """Fits `roost.framework.cluster.Cluster`. Tests set `on_request` for latency and faults."""

    def __init__(self, store: Store, *, on_request: OnRequest | None = None, inbox_size: int = INBOX_SIZE) -> None:
        self.store = store
        self.on_request = on_request
        self._inbox_size = inbox_size
        self._inboxes: set[_Inbox] = set()

    def interrupt_watches(self) -> None:
        """End the watches of this client, as a load balancer may at any time."""
        for inbox in self._inboxes:
            inbox.end()

    def expire_watch_log(self) -> None:
        """Forget the past: watches must list again, as after an hour without a connection."""
        self.store.forget_log()

    async def discover(self, api_version: str) -> set[str]:
        """Return the plural names that are served under an apiVersion."""
        return {resource.plural for resource in RESOURCES if resource.api_version == api_version}

    async def get(self, kind: Kind[T], name: str, namespace: str = "") -> T:
        """Return one object."""
        await self._ask("get", kind)
        return _read(kind, self.store.get(resource_of(kind), name, namespace))

    async def create(self, kind: Kind[T], body: bytes, namespace: str = "") -> T:
        """Create an object from its JSON; return it as stored."""
        await self._ask("create", kind)
        return _read(kind, self.store.create(resource_of(kind), _object(body), namespace))

    async def post(self, kind: Kind[T], body: bytes, namespace: str = "") -> None:
        """Create an object from its JSON and do not read the answer's body (events)."""
        await self._ask("create", kind)
        self.store.create(resource_of(kind), _object(body), namespace)

    async def update(self, kind: Kind[T], name: str, body: bytes, namespace: str = "") -> T:
        """Replace an object; a stale resourceVersion in the body raises Conflict."""
        await self._ask("update", kind)
        return _read(kind, self.store.update(resource_of(kind), _object(body), name, namespace))

    async def patch(
        self, kind: Kind[T], name: str, patch: Mapping[str, Any], namespace: str = "", *, subresource: str = ""
    ) -> T:
        """Apply a strategic merge patch to an object or its subresource; return it as stored."""
        await self._ask("patch", kind)
        resource = resource_of(kind)

        def apply(obj: Object) -> Object:
            return strategic_merge(obj, dict(patch), resource.kind)

        return _read(kind, self.store.modify(resource, name, apply, namespace, subresource=subresource))

    async def delete(
        self, kind: Kind[T], name: str, namespace: str = "", *, uid: str = "", resource_version: str = ""
    ) -> None:
        """Delete an object if it still has this uid and resourceVersion (where given)."""
        await self._ask("delete", kind)
        self.store.delete(resource_of(kind), name, namespace, DeleteOptions(uid=uid, resource_version=resource_version))

    async def bind(self, namespace: str, name: str, uid: str, node_name: str) -> None:
        """Bind a pod to a node; raises Conflict if it is bound or another uid."""
        await self._request("bind", "pods")
        bind(self.store, namespace, name, binding_to(node_name, name=name, namespace=namespace, uid=uid))

    async def evict(self, namespace: str, name: str, uid: str = "", *, grace_seconds: int | None = None) -> None:
        """Ask for a pod's eviction, respecting its disruption budgets; `grace_seconds` in place of the pod's own."""
        await self._request("evict", "pods")
        options = {"preconditions": {"uid": uid}, "gracePeriodSeconds": grace_seconds}
        evict(self.store, namespace, name, {"deleteOptions": options})

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
        await self._ask("watch", kind)
        inbox = _Inbox(self._inbox_size)
        selection = select(resource_of(kind), namespace, label_selector, field_selector)
        inbox.subscription = self.store.subscribe(selection, inbox.put, since=resource_version, ended=inbox.end)
        self._inboxes.add(inbox)
        try:
            while events := await inbox.take():
                yield [_event(kind, event) for event in events]
        finally:
            self._inboxes.discard(inbox)
            inbox.end()

    async def list(
        self, kind: Kind[T], *, namespace: str = "", field_selector: str = "", label_selector: str = ""
    ) -> Listing[T]:
        """Return all objects of the kind."""
        await self._ask("list", kind)
        listed = self.store.list(select(resource_of(kind), namespace, label_selector, field_selector))
        values = [_decode(kind, item) for item in listed.items]
        return Listing(
            [value for value in values if not isinstance(value, Malformed)],
            str(listed.resource_version),
            [value for value in values if isinstance(value, Malformed)],
        )

    async def _ask(self, verb: str, kind: Kind[Any]) -> None:
        await self._request(verb, kind.plural)

    async def _request(self, verb: str, plural: str) -> None:
        if self.on_request is None:
            await asyncio.sleep(0)
        else:
            await self.on_request(verb, plural)


class _Inbox:
    """Events on their way to one watcher, who takes as many as there are."""

    def __init__(self, size: int) -> None:
        self.subscription: Subscription | None = None
        self._size = size
        self._events: list[Event] = []
        self._news = asyncio.Event()
        self._has_ended = False

    def put(self, event: Event) -> None:
        """Add an event; ends the watch instead if too many wait already."""
        if len(self._events) >= self._size:
            self.end()
        if not self._has_ended:
            self._events.append(event)
            self._news.set()

    async def take(self) -> list[Event]:
        """Return what has arrived, after waiting for it; nothing if the watch has ended."""
        while not self._events and not self._has_ended:
            self._news.clear()
            await self._news.wait()
        events, self._events = self._events, []
        return events

    def end(self) -> None:
        """Take no more events."""
        self._has_ended = True
        self._news.set()
        if self.subscription is not None:
            self.subscription.close()


def _object(body: bytes) -> Object:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except ValueError as error:
        raise bad_request(f"the body cannot be read: {error}") from error


def _read(kind: Kind[T], item: Stored) -> T:
    value = _decode(kind, item)
    if isinstance(value, Malformed):
        raise ApiError(value.problem, status=500, reason="InternalError")
    return value


def _decode(kind: Kind[T], item: Stored) -> T | Malformed:
    try:
        if issubclass(kind.type, FullObject):
            return msgspec.json.decode(msgspec.json.encode(item.object), type=kind.type)
        return msgspec.convert(item.object, kind.type)
    except msgspec.ValidationError as error:
        key = f"{item.namespace}/{item.name}" if item.namespace else item.name
        return Malformed(key, f"{kind.name} {key} cannot be read: {error}")


def _event(kind: Kind[T], event: Event) -> WatchEvent[T]:
    version = str(event.item.version)
    value = _decode(kind, event.item)
    if isinstance(value, Malformed):
        return WatchEvent("MALFORMED", None, version, value)
    return WatchEvent(event.type, value, version)
