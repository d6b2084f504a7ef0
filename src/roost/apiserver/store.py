"""The store: objects by resource, namespace and name; every write has a resourceVersion, and watches hear of it.

It is sync and pure: time, uids and suffixes come from callables it is given. What it returns is never changed
afterwards and must not be changed by the caller either (`Stored.copy`); what it is given it copies.
"""

from collections.abc import Callable

from roost.apiserver import admission, deletion, writes
from roost.apiserver.collection import Subscription
from roost.apiserver.deletion import DeleteOptions
from roost.apiserver.events_as import event_as
from roost.apiserver.identity import Identity
from roost.apiserver.listing import Listed
from roost.apiserver.reading import ReadableStore, read_version
from roost.apiserver.refusals import already_exists, conflict, not_found
from roost.apiserver.resources import EVENT, NAMESPACE, Resource
from roost.apiserver.selection import Selection, select
from roost.apiserver.stored import (
    ADDED,
    DELETED,
    MODIFIED,
    Change,
    Event,
    Object,
    Objects,
    Stored,
    with_version,
    without_nulls,
)
from roost.apiserver.timestamps import rfc3339

LOG_SIZE = 10_000
NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")

__all__ = [
    "DeleteOptions",
    "Event",
    "Listed",
    "Object",
    "Selection",
    "Store",
    "Stored",
    "Subscription",
    "read_version",
    "select",
]


class Store(ReadableStore):
    """A Kubernetes API's objects. All methods raise errors of `roost.errors.ApiError`, in kube-apiserver's words.

    `clock` tells the seconds since 1970. Each resource keeps its last `log_size` changes for watches and lists that ask
    for the past.
    """

    def __init__(
        self, clock: Callable[[], float], identity: Identity | None = None, *, log_size: int = LOG_SIZE
    ) -> None:
        super().__init__(log_size)
        self.clock = clock
        self.identity = identity or Identity()
        for obj in admission.initial_objects(NAMESPACES):
            self.create(*obj)

    # ---- writing

    def create(self, resource: Resource, obj: Object, namespace: str = "", *, dry_run: bool = False) -> Stored:
        """Store a new object, after admission; return it as stored.

        Raises Conflict (AlreadyExists), NotFound (no such namespace), Forbidden or Invalid.
        """
        kept = _kept_as(resource)
        obj = self._canonical(resource, obj)
        writes.prepare_new(kept, obj, namespace)
        self._give_name(kept, obj)
        self._check_new(kept, obj)
        admission.admit_new(self, kept, obj, rfc3339(self.clock()))
        writes.stamp_new(kept, obj, self.identity.uid(), rfc3339(self.clock()))
        return self._commit(kept, ADDED, obj, None, dry_run).seen_as(resource)

    def update(
        self,
        resource: Resource,
        obj: Object,
        name: str,
        namespace: str = "",
        *,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Stored:
        """Replace an object, or with `subresource="status"` its status; return it as stored, unchanged if it is equal.

        Raises Conflict if the object's resourceVersion or uid is another than the body's (where it has one).
        """
        before = self.find(_kept_as(resource), name, namespace)
        if before is None and resource.creates_on_update and not subresource:
            return self.create(resource, obj, namespace, dry_run=dry_run)
        if before is None:
            raise not_found(resource, name)
        after = writes.merge_update(before, self._canonical(resource, obj), subresource)
        admission.admit_update(before.resource, after, before.object, subresource)
        writes.count_generation(before.resource, after, before.object)
        return self.replace(before, after, dry_run=dry_run).seen_as(resource)

    def modify(
        self,
        resource: Resource,
        name: str,
        change: Callable[[Object], Object | None],
        namespace: str = "",
        *,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Stored:
        """Update an object by a function of a copy of it: it may change the copy, or return another."""
        copy = self.get(resource, name, namespace).copy()
        return self.update(resource, change(copy) or copy, name, namespace, subresource=subresource, dry_run=dry_run)

    def replace(self, before: Stored, after: Object, *, dry_run: bool = False) -> Stored:
        """Store the next state of an object without the rules of `update`; it must be the latest that is replaced.

        One that is being deleted, and that nobody holds any more, goes.
        """
        if self.find(before.resource, before.name, before.namespace) is not before:
            raise conflict(before.resource.qualified, before.name)
        if writes.is_equal(before.object, after):
            return before
        kind = DELETED if deletion.is_complete(after) else MODIFIED
        return self._commit(before.resource, kind, after, before, dry_run)

    def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        options: DeleteOptions = deletion.NOW,
        *,
        dry_run: bool = False,
    ) -> Stored:
        """Delete an object; return its last state, which is still stored if it has finalizers or grace.

        Raises Conflict if its uid or resourceVersion is not the one in the options.
        """
        before = self.get(_kept_as(resource), name, namespace)
        deletion.check_preconditions(before, options)
        after = deletion.begin(before, options, self.clock())
        if after is None:
            return self._remove(before, dry_run).seen_as(resource)
        return self.replace(before, after, dry_run=dry_run).seen_as(resource)

    def delete_collection(
        self, selection: Selection, options: DeleteOptions = deletion.NOW, *, dry_run: bool = False
    ) -> Objects:
        """Delete all objects of a selection; return their last states."""
        found = self.list(selection).items
        return [self.delete(selection.resource, it.name, it.namespace, options, dry_run=dry_run) for it in found]

    # ---- inside

    def _canonical(self, resource: Resource, obj: Object) -> Object:
        copy = without_nulls(obj)
        return copy if _kept_as(resource) is resource else event_as(EVENT, copy)

    def _give_name(self, resource: Resource, obj: Object) -> None:
        """Make a name from generateName, until one is free."""
        metadata = obj["metadata"]
        while not metadata.get("name") or (
            "generateName" in metadata and self.find(resource, metadata["name"], metadata.get("namespace", ""))
        ):
            metadata["name"] = writes.generated_name(resource, metadata, self.identity.suffix())

    def _check_new(self, resource: Resource, obj: Object) -> None:
        metadata = obj["metadata"]
        name, namespace = metadata["name"], metadata.get("namespace", "")
        taken = self.find(resource, name, namespace)
        if resource.namespaced:
            admission.check_namespace(resource, name, self.find(NAMESPACE, namespace), namespace)
        if taken is not None:
            raise already_exists(resource, name, is_leaving="deletionTimestamp" in taken.metadata)

    def _remove(self, before: Stored, dry_run: bool) -> Stored:
        return self._commit(before.resource, DELETED, before.object, before, dry_run)

    def _commit(self, resource: Resource, type_: str, obj: Object, before: Stored | None, dry_run: bool) -> Stored:
        if dry_run:
            return Stored(_kept_as(resource), obj, self.version)
        self.version += 1
        item = with_version(Stored(_kept_as(resource), obj, self.version), self.version)
        change = Change(type_, item, before)
        self._collection(resource).apply(change)
        for listener in self._listeners:
            listener(change)
        return item


def _kept_as(resource: Resource) -> Resource:
    return EVENT if resource.plural == "events" and resource.table == EVENT.key else resource
