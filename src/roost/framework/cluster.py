"""The `Cluster` that effects act on: the client of a real API server and the embedded cluster both fit it."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct

from roost.api.kinds import Kind
from roost.api.meta import Value

T = TypeVar("T", bound=Value)


class Malformed(Struct, frozen=True):
    """An object that could not be decoded: its key (as far as it could be read) and one sentence why."""

    key: str
    problem: str


class Listing(Struct, Generic[T], frozen=True):
    """All objects of a kind at one resourceVersion."""

    items: list[T]
    resource_version: str
    malformed: list[Malformed] = []


class WatchEvent(Struct, Generic[T], frozen=True):
    """One change: ADDED, MODIFIED, DELETED with its object, BOOKMARK, or MALFORMED with neither."""

    type: str
    object: T | None
    resource_version: str
    malformed: Malformed | None = None


Batches = AsyncGenerator[list[WatchEvent[T]], None]
"""What a watch yields, and may be closed; spelled here because inside `Cluster`, `list` is a method."""


class Cluster(Protocol):
    """What a scheduler needs of a Kubernetes API; every method raises errors of `roost.errors.ApiError`."""

    async def list(
        self, kind: Kind[T], *, namespace: str = "", field_selector: str = "", label_selector: str = ""
    ) -> Listing[T]:
        """Return all objects of the kind, page by page behind the scenes."""
        ...

    def watch(
        self,
        kind: Kind[T],
        *,
        resource_version: str,
        namespace: str = "",
        field_selector: str = "",
        label_selector: str = "",
    ) -> Batches[T]:
        """Yield changes since a resourceVersion, as many at a time as have arrived; ends when the server ends it."""
        ...

    async def get(self, kind: Kind[T], name: str, namespace: str = "") -> T:
        """Return one object."""
        ...

    async def create(self, kind: Kind[T], body: bytes, namespace: str = "") -> T:
        """Create an object from its JSON; return it as stored."""
        ...

    async def post(self, kind: Kind[T], body: bytes, namespace: str = "") -> None:
        """Create an object from its JSON and do not read the answer's body (events)."""
        ...

    async def update(self, kind: Kind[T], name: str, body: bytes, namespace: str = "") -> T:
        """Replace an object; a stale resourceVersion in the body raises Conflict."""
        ...

    async def patch(
        self, kind: Kind[T], name: str, patch: Mapping[str, Any], namespace: str = "", *, subresource: str = ""
    ) -> T:
        """Apply a strategic merge patch to an object or its subresource; return it as stored."""
        ...

    async def delete(
        self, kind: Kind[T], name: str, namespace: str = "", *, uid: str = "", resource_version: str = ""
    ) -> None:
        """Delete an object if it still has this uid and resourceVersion (where given)."""
        ...

    async def bind(self, namespace: str, name: str, uid: str, node_name: str) -> None:
        """Bind a pod to a node; raises Conflict if it is bound or another uid, OutcomeUnknown if no answer came."""
        ...

    async def evict(self, namespace: str, name: str, uid: str = "", *, grace_seconds: int | None = None) -> None:
        """Ask for a pod's eviction, respecting its disruption budgets; `grace_seconds` in place of the pod's own."""
        ...
