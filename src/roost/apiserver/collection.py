"""The objects of one resource, who watches them, and as much of their past as is kept."""

from collections import deque
from collections.abc import Callable, Iterator

from roost.apiserver.refusals import expired
from roost.apiserver.selection import Selection
from roost.apiserver.stored import ADDED, DELETED, MODIFIED, Change, Event, Stored

Name = tuple[str, str]
"""Namespace and name."""


class Subscription:
    """A watch: is told of every event it selects, in order, until either side ends it."""

    def __init__(
        self, selection: Selection, deliver: Callable[[Event], None], ended: Callable[[], None] | None = None
    ) -> None:
        self.selection = selection
        self.is_open = True
        self._deliver = deliver
        self._ended = ended

    def tell(self, change: Change) -> None:
        """Deliver a change as this watch sees it, if it does."""
        event = event_for(self.selection, change)
        if event is not None:
            self._deliver(event)

    def send(self, event: Event) -> None:
        """Deliver an event that is no change, such as a bookmark."""
        self._deliver(event)

    def close(self) -> None:
        """Stop listening."""
        self.is_open = False

    def end(self) -> None:
        """End the watch from the side of the store, and say so."""
        if self.is_open:
            self.is_open = False
            if self._ended is not None:
                self._ended()


class Collection:
    """What is stored of one resource: the present, and the last changes up to a limit."""

    def __init__(self, log_size: int) -> None:
        self.items: dict[Name, Stored] = {}
        self.forgotten = 0
        """The version of the last change that the log no longer holds."""
        self._log: deque[Change] = deque()
        self._log_size = log_size
        self._order: list[Name] | None = None
        self._subscriptions: list[Subscription] = []

    def apply(self, change: Change) -> None:
        """Make a change, remember it and tell those who watch."""
        name = (change.item.namespace, change.item.name)
        if change.type == DELETED:
            del self.items[name]
        else:
            self.items[name] = change.item
        if change.type != MODIFIED:
            self._order = None
        self._remember(change)
        self._tell(change)

    def in_order(self, version: int) -> Iterator[Stored]:
        """Return all objects as they were at a version, by namespace and name; raises Gone."""
        changes = self.since(version)
        if not changes:
            return (self.items[name] for name in self._names())
        then = dict(self.items)
        for change in reversed(changes):
            _undo(then, change)
        return (then[name] for name in sorted(then))

    def since(self, version: int) -> list[Change]:
        """Return the changes after a version, oldest first; raises Gone if some of them are forgotten."""
        if version < self.forgotten:
            raise expired(version, self.forgotten)
        changes = []
        for change in reversed(self._log):
            if change.version <= version:
                break
            changes.append(change)
        return changes[::-1]

    def subscribe(self, subscription: Subscription) -> None:
        """Tell a watch of all changes from now on."""
        self._subscriptions.append(subscription)

    def end_watches(self) -> None:
        """End all watches."""
        subscriptions, self._subscriptions = self._subscriptions, []
        for subscription in subscriptions:
            subscription.end()

    def forget(self, version: int) -> None:
        """Forget all changes up to a version."""
        self._log.clear()
        self.forgotten = version

    @property
    def watches(self) -> list[Subscription]:
        """The watches that are open."""
        return [subscription for subscription in self._subscriptions if subscription.is_open]

    def _names(self) -> list[Name]:
        if self._order is None:
            self._order = sorted(self.items)
        return self._order

    def _remember(self, change: Change) -> None:
        self._log.append(change)
        if len(self._log) > self._log_size:
            self.forgotten = self._log.popleft().version

    def _tell(self, change: Change) -> None:
        ended = False
        for subscription in self._subscriptions:
            if subscription.is_open:
                subscription.tell(change)
            else:
                ended = True
        if ended:
            self._subscriptions = self.watches


def event_for(selection: Selection, change: Change) -> Event | None:
    """Return a change as a watch with this selection sees it: what it stops to select is gone for it."""
    is_selected = change.type != DELETED and selection.matches(change.item)
    was_selected = change.before is not None and selection.matches(change.before)
    if is_selected:
        return change.event(MODIFIED if was_selected else ADDED, selection.resource)
    return change.event(DELETED, selection.resource) if was_selected else None


def _undo(items: dict[Name, Stored], change: Change) -> None:
    name = (change.item.namespace, change.item.name)
    if change.before is None:
        del items[name]
    else:
        items[name] = change.before
