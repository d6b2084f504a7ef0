"""Volumes, claims and what goes with them, as written and as assumed.

          assume                       set (the watch shows a newer one)
(written) ───────► assumed over it ──────────────────────────────────────► (written)
                        │ restore (the decision was undone)                    ▲
                        └──────────────────────────────────────────────────────┘
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from msgspec.structs import replace

from roost.api.meta import KubernetesObject
from roost.api.quantity import billionths
from roost.api.storage import (
    CSIDriver,
    CSINode,
    CSIStorageCapacity,
    PersistentVolume,
    PersistentVolumeClaim,
    StorageClass,
    VolumeAttachment,
)
from roost.cache.shelves import Shelves
from roost.framework.storage import Shelf, VolumePlan

O = TypeVar("O", bound=KubernetesObject)  # noqa: E741
Place = tuple[type[KubernetesObject], str]
Group = tuple[str, str]
"""What objects are looked up by besides their names: a word for it, and its value."""


class StorageObjects:
    """Objects of storage by kind and name (`namespace/name` where they have a namespace)."""

    def __init__(self) -> None:
        self._written: dict[Place, Any] = {}
        self._assumed: dict[Place, Any] = {}
        self._shelves = Shelves()
        self._groups: dict[Group, dict[str, Any]] = {}

    # ---- what plugins read

    def volume(self, name: str) -> PersistentVolume | None:
        """Return a volume as assumed, else as written."""
        return self._get(PersistentVolume, name)

    def claim(self, key: str) -> PersistentVolumeClaim | None:
        """Return a claim as assumed, else as written."""
        return self._get(PersistentVolumeClaim, key)

    def storage_class(self, name: str) -> StorageClass | None:
        """Return a storage class."""
        return self._get(StorageClass, name)

    def csi_driver(self, name: str) -> CSIDriver | None:
        """Return a CSI driver."""
        return self._get(CSIDriver, name)

    def shelves_of_class(self, name: str) -> Iterable[Shelf]:
        """Return the free volumes of a storage class."""
        return self._shelves.of_class(name)

    def volumes_kept_for(self, claim: str) -> Sequence[PersistentVolume]:
        """Return the volumes that name a claim, by name."""
        named = (self.volume(name) for name in self._shelves.kept_for(claim))
        return [volume for volume in named if volume is not None]

    def capacities_of_class(self, name: str) -> Iterable[CSIStorageCapacity]:
        """Return what is known of the room for volumes of a storage class."""
        return self._groups.get(("capacities of class", name), {}).values()

    def written_volume(self, name: str) -> PersistentVolume | None:
        """Return a volume as the API server has it."""
        found: PersistentVolume | None = self._written.get((PersistentVolume, name))
        return found

    def written_claim(self, key: str) -> PersistentVolumeClaim | None:
        """Return a claim as the API server has it."""
        found: PersistentVolumeClaim | None = self._written.get((PersistentVolumeClaim, key))
        return found

    # ---- what the columns are made from

    def csi_node(self, name: str) -> CSINode | None:
        """Return what CSI drivers say of a node."""
        return self._get(CSINode, name)

    def claims_on(self, volume: str) -> Iterable[str]:
        """Return the claims that name a volume."""
        return tuple(self._groups.get(("claims on volume", volume), ()))

    def attachments_to(self, node: str) -> Iterable[VolumeAttachment]:
        """Return what is attached to a node."""
        return self._groups.get(("attachments to node", node), {}).values()

    def attachments_of(self, volume: str) -> Iterable[VolumeAttachment]:
        """Return where a volume is attached."""
        return self._groups.get(("attachments of volume", volume), {}).values()

    # ---- what the cache writes

    def set(self, obj: KubernetesObject) -> KubernetesObject | None:
        """Take over an object as written; return what was there before, the object itself if nothing matters changed.

        Raises InvalidObject if its quantities cannot be read.
        """
        place = _place(obj)
        _check(obj)
        old = self._written.get(place)
        self._written[place] = obj
        self._regroup(place[1], old, obj)
        assumed, version = self._assumed.get(place), obj.metadata.resource_version
        if assumed is not None and version and assumed.metadata.resource_version == version:
            return obj  # listed anew: not news
        self._assumed.pop(place, None)
        self._shelve(place)
        return obj if assumed is None and old is not None and _same(old, obj) else old

    def remove(self, obj: KubernetesObject) -> KubernetesObject | None:
        """Forget an object; return what was known of it."""
        place = _place(obj)
        old: KubernetesObject | None = self._written.pop(place, None)
        self._assumed.pop(place, None)
        self._regroup(place[1], old, None)
        self._shelve(place)
        return old

    def assume(self, plan: VolumePlan) -> None:
        """Take what a decision will write for written."""
        for obj in _assumed_by(plan):
            self._assumed[_place(obj)] = obj
            self._shelve(_place(obj))

    def restore(self, plan: VolumePlan) -> None:
        """Undo `assume`, as far as nothing newer was seen."""
        for obj in _assumed_by(plan):
            if self._assumed.get(_place(obj)) is obj:
                del self._assumed[_place(obj)]
                self._shelve(_place(obj))

    def _get(self, kind: type[O], key: str) -> O | None:
        found: O | None = self._assumed.get((kind, key)) if self._assumed else None
        return self._written.get((kind, key)) if found is None else found

    def _shelve(self, place: Place) -> None:
        kind, name = place
        if kind is PersistentVolume:
            self._shelves.put(name, self.volume(name))

    def _regroup(self, key: str, old: KubernetesObject | None, new: KubernetesObject | None) -> None:
        for group in () if old is None else _groups(old):
            del self._groups[group][key]
            if not self._groups[group]:
                del self._groups[group]
        for group in () if new is None else _groups(new):
            self._groups.setdefault(group, {})[key] = new


def _place(obj: KubernetesObject) -> Place:
    metadata = obj.metadata
    return type(obj), f"{metadata.namespace}/{metadata.name}" if metadata.namespace else metadata.name


def _groups(obj: KubernetesObject) -> Sequence[Group]:
    match obj:
        case PersistentVolumeClaim():
            return [("claims on volume", obj.spec.volume_name)]
        case CSIStorageCapacity():
            return [("capacities of class", obj.storage_class_name)]
        case VolumeAttachment():
            volume = obj.spec.source.persistent_volume_name or ""
            return [("attachments to node", obj.spec.node_name), ("attachments of volume", volume)]
    return ()


def _check(obj: KubernetesObject) -> None:
    if isinstance(obj, PersistentVolume):
        billionths(obj.storage)
    elif isinstance(obj, PersistentVolumeClaim):
        billionths(obj.storage or 0)
    elif isinstance(obj, CSIStorageCapacity):
        billionths(obj.largest_volume or 0)


def _same(old: KubernetesObject, new: KubernetesObject) -> bool:
    """Tell whether two versions of an object are alike for plugins."""
    was, is_ = old.metadata, new.metadata
    if (was.uid, was.labels, was.annotations, was.owner_references) != (
        is_.uid,
        is_.labels,
        is_.annotations,
        is_.owner_references,
    ):
        return False
    return was.deletion_timestamp == is_.deletion_timestamp and replace(old, metadata=is_) == new


def _assumed_by(plan: VolumePlan) -> Iterable[KubernetesObject]:
    return [*(binding.volume for binding in plan.bindings), *plan.provisions]
