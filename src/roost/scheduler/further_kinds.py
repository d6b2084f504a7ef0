"""The kinds that a scheduler follows besides nodes and pods, each only where a plugin of its profiles reads it.

A line of `FURTHER_KINDS` says what plugins call it (`reads`, an epoch of the cache) and how the cache takes it over. A
kind that the server does not have is as good as empty: the server may be older than the kind.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

from msgspec import Struct

from roost.api.kinds import (
    CSI_DRIVER,
    CSI_NODE,
    CSI_STORAGE_CAPACITY,
    DEVICE_CLASS,
    NAMESPACE,
    PERSISTENT_VOLUME,
    PERSISTENT_VOLUME_CLAIM,
    POD_DISRUPTION_BUDGET,
    REPLICA_SET,
    REPLICATION_CONTROLLER,
    SERVICE,
    STATEFUL_SET,
    STORAGE_CLASS,
    VOLUME_ATTACHMENT,
    Kind,
)
from roost.api.meta import Value
from roost.cache.cache import Cache, Change
from roost.errors import InvalidObject
from roost.framework.cluster import Listing, Malformed, WatchEvent
from roost.framework.profile import Profile

T = TypeVar("T", bound=Value)


class FurtherKind(Struct, Generic[T], frozen=True):
    """A kind, the epoch that plugins which need it read, and how the cache adds or updates and removes one of it."""

    kind: Kind[T]
    epoch: str
    set: Callable[[Cache, T], Change | None]
    remove: Callable[[Cache, T], Change | None]


FURTHER_KINDS: tuple[FurtherKind[Any], ...] = (
    FurtherKind(NAMESPACE, "namespaces", Cache.set_namespace, Cache.remove_namespace),
    FurtherKind(SERVICE, "services", Cache.set_controller, Cache.remove_controller),
    FurtherKind(REPLICATION_CONTROLLER, "services", Cache.set_controller, Cache.remove_controller),
    FurtherKind(REPLICA_SET, "services", Cache.set_controller, Cache.remove_controller),
    FurtherKind(STATEFUL_SET, "services", Cache.set_controller, Cache.remove_controller),
    FurtherKind(PERSISTENT_VOLUME, "storage", Cache.set_storage, Cache.remove_storage),
    FurtherKind(PERSISTENT_VOLUME_CLAIM, "storage", Cache.set_storage, Cache.remove_storage),
    FurtherKind(STORAGE_CLASS, "storage", Cache.set_storage, Cache.remove_storage),
    FurtherKind(CSI_NODE, "storage", Cache.set_storage, Cache.remove_storage),
    FurtherKind(CSI_DRIVER, "storage", Cache.set_storage, Cache.remove_storage),
    FurtherKind(CSI_STORAGE_CAPACITY, "storage", Cache.set_storage, Cache.remove_storage),
    FurtherKind(VOLUME_ATTACHMENT, "storage", Cache.set_storage, Cache.remove_storage),
    FurtherKind(POD_DISRUPTION_BUDGET, "budgets", Cache.set_budget, Cache.remove_budget),
    FurtherKind(DEVICE_CLASS, "device_classes", Cache.set_device_class, Cache.remove_device_class),
)


def kinds_read(profiles: Iterable[Profile]) -> Sequence[FurtherKind[Any]]:
    """Return the kinds that plugins of these profiles read."""
    read = frozenset().union(*(profile.reads for profile in profiles))
    return [further for further in FURTHER_KINDS if further.epoch in read]


class Follower(Generic[T]):
    """Takes lists and changes of one kind over into the cache; `note` gets what that changes."""

    def __init__(
        self,
        further: FurtherKind[T],
        cache: Cache,
        *,
        note: Callable[[Change | None], None],
        report: Callable[[str, Iterable[Malformed]], None],
        notify: Callable[[], None],
    ) -> None:
        self.further = further
        self.in_sync = False
        self._cache = cache
        self._note = note
        self._report = report
        self._notify = notify
        self._known: dict[str, T] = {}

    def replace(self, listing: Listing[T]) -> None:
        """Take over a list of all objects: what is not in it is gone."""
        self._report(self.further.kind.plural, listing.malformed)
        listed = {_key(obj) for obj in listing.items} | {malformed.key for malformed in listing.malformed}
        for key in self._known.keys() - listed:
            self._remove(self._known[key])
        for obj in listing.items:
            self._set(obj)
        self.in_sync = True
        self._notify()

    def change(self, events: list[WatchEvent[T]]) -> None:
        """Take over changes."""
        for event in events:
            if event.malformed is not None:
                self._report(self.further.kind.plural, [event.malformed])
            elif event.object is None:
                continue
            elif event.type == "DELETED":
                self._remove(event.object)
            else:
                self._set(event.object)
        self._notify()

    def lacking(self) -> None:
        """Take notice that the server does not have the kind."""
        self.replace(Listing([], ""))

    def _set(self, obj: T) -> None:
        try:
            self._note(self.further.set(self._cache, obj))
        except InvalidObject as error:
            self._report(self.further.kind.plural, [Malformed(_key(obj), str(error))])
            return
        self._known[_key(obj)] = obj

    def _remove(self, obj: T) -> None:
        self._known.pop(_key(obj), None)
        self._note(self.further.remove(self._cache, obj))


def _key(obj: Any) -> str:
    metadata = obj.metadata
    return f"{metadata.namespace}/{metadata.name}" if metadata.namespace else str(metadata.name)
