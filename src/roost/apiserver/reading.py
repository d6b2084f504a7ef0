"""The reading half of the store: objects, lists of them, and watches of their changes."""

from collections.abc import Callable

from roost.apiserver.collection import Collection, Subscription
from roost.apiserver.listing import Listed, list_page
from roost.apiserver.refusals import bad_request, not_found, not_yet
from roost.apiserver.resources import Resource
from roost.apiserver.selection import Selection
from roost.apiserver.stored import ADDED, Change, Event, Objects, Stored, bookmark


class ReadableStore:
    """Objects by resource, namespace and name, as they are and as they were."""

    def __init__(self, log_size: int) -> None:
        self.version = 1
        """The resourceVersion of the last write."""
        self._log_size = log_size
        self._collections: dict[tuple[str, str], Collection] = {}
        self._listeners: list[Callable[[Change], None]] = []

    def find(self, resource: Resource, name: str, namespace: str = "") -> Stored | None:
        """Return an object, or None."""
        item = self._collection(resource).items.get((namespace if resource.namespaced else "", name))
        return item.seen_as(resource) if item is not None else None

    def get(self, resource: Resource, name: str, namespace: str = "") -> Stored:
        """Return an object; raises NotFound."""
        item = self.find(resource, name, namespace)
        if item is None:
            raise not_found(resource, name)
        return item

    def list(
        self,
        selection: Selection,
        *,
        limit: int = 0,
        continue_token: str = "",
        resource_version: str = "",
        match: str = "",
    ) -> Listed:
        """Return objects by namespace and name, `limit` at a time.

        `resource_version` and `match` are resourceVersion and resourceVersionMatch: Exact shows the past, all else the
        present, which must be at least that new.
        """
        version = read_version(resource_version)
        if version > self.version:
            raise not_yet(version, self.version)
        asked = version if match == "Exact" else 0
        return list_page(self._collection(selection.resource), selection, self.version, asked, limit, continue_token)

    def all(self, resource: Resource, namespace: str = "") -> Objects:
        """Return the objects of a resource as they are now."""
        return self.list(Selection(resource, namespace)).items

    # ---- watching

    def subscribe(
        self,
        selection: Selection,
        deliver: Callable[[Event], None],
        *,
        since: str = "",
        initial_events: bool | None = None,
        ended: Callable[[], None] | None = None,
    ) -> Subscription:
        """Call `deliver` for every change that the selection sees, in order and at once; it must not write.

        `since` is the resourceVersion to go on from; without one (or "0") all present objects come first as ADDED,
        unless `initial_events` (sendInitialEvents) is False. If it is True they come in any case, and after them the
        bookmark that says so. `ended` is called when the store ends the watch.
        Raises Gone if the log does not reach back that far.
        """
        collection = self._collection(selection.resource)
        version = read_version(since)
        subscription = Subscription(selection, deliver, ended)
        if initial_events or (initial_events is None and not version):
            self._send_all(subscription, marked=bool(initial_events))
        else:
            for change in collection.since(version) if version else ():
                subscription.tell(change)
        collection.subscribe(subscription)
        return subscription

    def bookmark(self, resource: Resource) -> Event:
        """Return the event that tells a watch of a resource how far it has come."""
        return bookmark(resource, self.version)

    def listen(self, on_change: Callable[[Change], None]) -> Callable[[], None]:
        """Call back after every change of anything; return what stops that. The callback must not write."""
        self._listeners.append(on_change)
        return lambda: self._listeners.remove(on_change)

    def end_watches(self) -> None:
        """End all watches, as a restarting API server does."""
        for collection in self._collections.values():
            collection.end_watches()

    def forget_log(self) -> None:
        """Forget the past: watches and pages from before now are refused with Gone."""
        for collection in self._collections.values():
            collection.forget(self.version)

    # ---- inside

    def _collection(self, resource: Resource) -> Collection:
        collection = self._collections.get(resource.table)
        if collection is None:
            collection = self._collections[resource.table] = Collection(self._log_size)
        return collection

    def _send_all(self, subscription: Subscription, *, marked: bool) -> None:
        resource = subscription.selection.resource
        for item in self.list(subscription.selection).items:
            subscription.send(Event(ADDED, item))
        if marked:
            subscription.send(bookmark(resource, self.version, ends_initial=True))


def read_version(text: str) -> int:
    """Return a resourceVersion as a number; none is 0. Refuses (400) what is no version."""
    if not text:
        return 0
    if not text.isascii() or not text.isdigit():
        raise bad_request(f'Invalid value: "{text}": resourceVersion must be a number')
    return int(text)
