"""Services, ReplicationControllers, ReplicaSets and StatefulSets: what they say of a pod that does not say it itself.

Pods that a Service selects or a controller owns belong together. The selector for them is worked out as kube-scheduler
does (its helper.DefaultSelector), once for pods with equal labels and owner, until one of these objects changes.
"""

from collections.abc import Hashable, Iterator, Mapping

from roost.api.controllers import PodGrouping, ReplicaSet, ReplicationController, Service, StatefulSet
from roost.api.pod import Pod
from roost.api.selectors import LabelSelector, Requirement
from roost.framework.pod_info import PodInfo

Label = tuple[str, str]
_OWNERS: Mapping[tuple[str, str], type[PodGrouping]] = {
    ("v1", "ReplicationController"): ReplicationController,
    ("apps/v1", "ReplicaSet"): ReplicaSet,
    ("apps/v1", "StatefulSet"): StatefulSet,
}
_KEPT = 65_536


class Controllers:
    """The objects by kind, namespace and name; Services also by one of the labels that they select."""

    def __init__(self) -> None:
        self._objects: dict[tuple[type[PodGrouping], str, str], PodGrouping] = {}
        self._services: dict[tuple[str, Label], dict[str, Mapping[str, str]]] = {}
        self._selectors: dict[Hashable, LabelSelector | None] = {}

    def set(self, grouping: PodGrouping) -> bool:
        """Add or update an object; tell whether that alters what it selects."""
        key = _key(grouping)
        old = self._objects.get(key)
        if old is not None and old.spec == grouping.spec:
            return False
        if isinstance(old, Service):
            self._leave_out(old)
        self._objects[key] = grouping
        if isinstance(grouping, Service) and (place := _place(grouping)) is not None:
            self._services.setdefault(place, {})[grouping.name] = grouping.spec.selector or {}
        self._selectors.clear()
        return True

    def remove(self, grouping: PodGrouping) -> bool:
        """Forget an object; tell whether it was known."""
        old = self._objects.pop(_key(grouping), None)
        if isinstance(old, Service):
            self._leave_out(old)
        self._selectors.clear()
        return old is not None

    def default_selector(self, pod: PodInfo) -> LabelSelector | None:
        """Return what selects a pod and those that belong to it; None if nothing is known to."""
        if not self._objects:
            return None
        key = (pod.part("namespace"), pod.part("labels"), pod.part("owner"))
        if key not in self._selectors:
            if len(self._selectors) >= _KEPT:
                self._selectors.clear()
            self._selectors[key] = self._merged(pod.pod)
        return self._selectors[key]

    def _merged(self, pod: Pod) -> LabelSelector | None:
        labels: dict[str, str] = {}
        for selected in self._selecting(pod):
            labels |= selected
        expressions: tuple[Requirement, ...] = ()
        owner = self._owner(pod)
        if isinstance(owner, ReplicationController):
            labels |= owner.spec.selector or {}
        elif isinstance(owner, ReplicaSet | StatefulSet) and owner.spec.selector is not None:
            expressions = _requirements(owner.spec.selector, labels)
            labels = (owner.spec.selector.match_labels or {}) | labels
        if not labels and not expressions:
            return None
        return LabelSelector(match_labels=dict(sorted(labels.items())), match_expressions=expressions or None)

    def _selecting(self, pod: Pod) -> Iterator[Mapping[str, str]]:
        for label in pod.labels.items():
            for selector in self._services.get((pod.namespace, label), {}).values():
                if selector.items() <= pod.labels.items():
                    yield selector

    def _owner(self, pod: Pod) -> PodGrouping | None:
        for owner in pod.metadata.owner_references or ():
            if owner.controller:
                kind = _OWNERS.get((owner.api_version, owner.kind))
                return None if kind is None else self._objects.get((kind, pod.namespace, owner.name))
        return None

    def _leave_out(self, service: Service) -> None:
        place = _place(service)
        if place is not None:
            del self._services[place][service.name]
            if not self._services[place]:
                del self._services[place]


def _key(grouping: PodGrouping) -> tuple[type[PodGrouping], str, str]:
    return type(grouping), grouping.metadata.namespace, grouping.name


def _place(service: Service) -> tuple[str, Label] | None:
    """Return where a Service is filed; one without labels in its selector adds nothing to any pod's."""
    labels = service.spec.selector
    return (service.metadata.namespace, min(labels.items())) if labels else None


def _requirements(selector: LabelSelector, labels: Mapping[str, str]) -> tuple[Requirement, ...]:
    """Return what a selector asks for beyond its labels, and those of its labels that others want with other values."""
    asked = selector.match_labels or {}
    contradicting = [
        Requirement(key=key, operator="In", values=(value,))
        for key, value in asked.items()
        if labels.get(key, value) != value
    ]
    return (*contradicting, *(selector.match_expressions or ()))
