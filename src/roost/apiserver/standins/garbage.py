"""Garbage collection: what belongs to an owner that is gone, goes; what is to be orphaned, is let go of."""

from collections.abc import Iterator

from roost.apiserver.deletion import FOREGROUND, ORPHAN
from roost.apiserver.resources import NODE, POD, RESOURCES, Resource, resource_of_kind
from roost.apiserver.standins.standin import Standin
from roost.apiserver.store import DeleteOptions, Object, Store, Stored
from roost.apiserver.stored import ADDED, DELETED, Change, Objects

_BACKGROUND = DeleteOptions(propagation="Background")
_KINDS = tuple(resource for resource in RESOURCES if resource.plural != "events")
QUARANTINE_SECONDS = 40.0
"""How long a node has to come back before the pods on it are gone."""


class GarbageCollector(Standin):
    """Deletes dependents in the background, in the foreground, or not at all."""

    reads: tuple[Resource, ...] = _KINDS

    def is_woken_by(self, change: Change) -> bool:
        """Tell whether an owner has gone or is to go, or somebody has got an owner."""
        metadata = change.item.metadata
        if change.type == ADDED:
            return "ownerReferences" in metadata
        return change.type == DELETED or ("deletionTimestamp" in metadata and bool(metadata.get("finalizers")))

    def reconcile(self, store: Store, now: float) -> float | None:
        """Go once through everything that has an owner or waits for its dependents."""
        dependents = [item for item in _everything(store) if item.metadata.get("ownerReferences")]
        for owner in [item for item in _everything(store) if item.metadata.get("finalizers")]:
            _release(store, owner, dependents)
        for item in dependents:
            current = store.find(item.resource, item.name, item.namespace)
            if current is item and not any(_exists(store, item, one) for one in item.metadata["ownerReferences"]):
                store.delete(item.resource, item.name, item.namespace, _BACKGROUND)
        return None


class PodCollector(Standin):
    """Deletes the pods of nodes that are gone for longer than the quarantine."""

    reads = (NODE,)

    def __init__(self, quarantine_seconds: float = QUARANTINE_SECONDS) -> None:
        self._quarantine_seconds = quarantine_seconds
        self._missing_since: dict[str, float] = {}

    def reconcile(self, store: Store, now: float) -> float | None:
        """Delete what has been nowhere for long enough; return when the next quarantine ends."""
        lost = [pod for pod in store.all(POD) if _is_nowhere(store, pod)]
        names = {pod.object["spec"]["nodeName"] for pod in lost}
        self._missing_since = {name: self._missing_since.get(name, now) for name in sorted(names)}
        ends = {name: since + self._quarantine_seconds for name, since in self._missing_since.items()}
        for pod in lost:
            if now >= ends[pod.object["spec"]["nodeName"]]:
                store.delete(POD, pod.name, pod.namespace, DeleteOptions(grace_seconds=0))
        return min((end for end in ends.values() if end > now), default=None)


def _everything(store: Store) -> Iterator[Stored]:
    for resource in _KINDS:
        yield from store.all(resource)


def _exists(store: Store, item: Stored, reference: Object) -> bool:
    resource = resource_of_kind(reference["apiVersion"], reference["kind"])
    if resource is None:
        return True  # somebody else's business
    owner = store.find(resource, reference["name"], item.namespace)
    return owner is not None and owner.metadata["uid"] == reference["uid"]


def _release(store: Store, owner: Stored, dependents: Objects) -> None:
    finalizers = owner.metadata["finalizers"]
    if "deletionTimestamp" not in owner.metadata:
        return
    own = [item for item in dependents if _refers(item, owner)]
    if ORPHAN in finalizers:
        for item in own:
            _let_go(store, item, owner)
        _drop_finalizer(store, owner, ORPHAN)
    elif FOREGROUND in finalizers:
        remaining = [current for item in own if (current := _current(store, item)) is not None]
        for item in remaining:
            if "deletionTimestamp" not in item.metadata:
                store.delete(item.resource, item.name, item.namespace, DeleteOptions(propagation="Foreground"))
        if not any(_current(store, item) for item in remaining):
            _drop_finalizer(store, owner, FOREGROUND)


def _current(store: Store, item: Stored) -> Stored | None:
    found = store.find(item.resource, item.name, item.namespace)
    return found if found is not None and found.metadata["uid"] == item.metadata["uid"] else None


def _refers(item: Stored, owner: Stored) -> bool:
    return any(one["uid"] == owner.metadata["uid"] for one in item.metadata["ownerReferences"])


def _let_go(store: Store, item: Stored, owner: Stored) -> None:
    current = _current(store, item)
    if current is not None:
        uid = owner.metadata["uid"]
        kept = [one for one in current.metadata.get("ownerReferences") or () if one["uid"] != uid]
        metadata = {**current.metadata, "ownerReferences": kept}
        store.replace(current, {**current.object, "metadata": metadata})


def _drop_finalizer(store: Store, owner: Stored, finalizer: str) -> None:
    current = _current(store, owner)
    if current is not None:
        kept = [one for one in current.metadata.get("finalizers") or () if one != finalizer]
        store.replace(current, {**current.object, "metadata": {**current.metadata, "finalizers": kept}})


def _is_nowhere(store: Store, pod: Stored) -> bool:
    node_name = pod.object["spec"].get("nodeName")
    return bool(node_name) and store.find(NODE, node_name) is None
