"""The namespace controller: empties a namespace that is being deleted, then lets it go."""

from roost.apiserver.resources import NAMESPACE, RESOURCES, Resource
from roost.apiserver.standins.standin import Standin
from roost.apiserver.store import Selection, Store, Stored
from roost.apiserver.stored import Change

_INSIDE = tuple(resource for resource in RESOURCES if resource.namespaced)


class Namespaces(Standin):
    """Ends namespaces."""

    reads: tuple[Resource, ...] = (NAMESPACE, *_INSIDE)

    def __init__(self) -> None:
        self._ending: list[str] = []

    def is_woken_by(self, change: Change) -> bool:
        """Tell whether a namespace has changed, or something in one that ends."""
        return change.item.resource.kind == "Namespace" or change.item.namespace in self._ending

    def reconcile(self, store: Store, now: float) -> float | None:
        """Delete what is in namespaces on their way out, and release those that are empty."""
        ending = [namespace for namespace in store.all(NAMESPACE) if "deletionTimestamp" in namespace.metadata]
        self._ending = [namespace.name for namespace in ending]
        for namespace in ending:
            _empty(store, namespace)
        return None


def _empty(store: Store, namespace: Stored) -> None:
    left = 0
    for resource in _INSIDE:
        selection = Selection(resource, namespace.name)
        for item in store.list(selection).items:
            if "deletionTimestamp" not in item.metadata:
                store.delete(resource, item.name, item.namespace)
        left += len(store.list(selection).items)
    if not left:
        spec = {**(namespace.object.get("spec") or {}), "finalizers": []}
        store.replace(namespace, {**namespace.object, "spec": spec})
