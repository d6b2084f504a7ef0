"""The volumes and claims of the cluster, as plugins read them (epoch "storage"), and what a decision does to them."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from msgspec import Struct

from roost.api.node import Node
from roost.api.selectors import NodeSelector
from roost.api.storage import CSIDriver, CSIStorageCapacity, PersistentVolume, PersistentVolumeClaim, StorageClass
from roost.framework.csi_migration import DRIVERS, VolumeId, migrated_id

Entry = tuple[int, str]
"""A volume by its size in billionths of a byte, and its name."""


class Shelf(Struct, frozen=True):
    """Free volumes of a class that differ in nothing but size and reach; the smallest come first.

    Those that are within reach of nodes with one of some values of a label are in `by_label`, under each value; all
    others are in `others`, under their affinity.
    """

    volume_mode: str
    attributes_class: str
    access_modes: frozenset[str]
    by_label: dict[str, dict[str, list[Entry]]]
    others: dict[NodeSelector | None, list[Entry]]


class Storage(Protocol):
    """Objects of storage by name, as they will be once what has been decided is written."""

    def volume(self, name: str) -> PersistentVolume | None:
        """Return a volume."""
        ...

    def claim(self, key: str) -> PersistentVolumeClaim | None:
        """Return a claim, by `namespace/name`."""
        ...

    def storage_class(self, name: str) -> StorageClass | None:
        """Return a storage class."""
        ...

    def csi_driver(self, name: str) -> CSIDriver | None:
        """Return a CSI driver."""
        ...

    def shelves_of_class(self, name: str) -> Iterable[Shelf]:
        """Return the free volumes of a storage class ("": of none)."""
        ...

    def volumes_kept_for(self, claim: str) -> Sequence[PersistentVolume]:
        """Return the volumes that name a claim (`namespace/name`), by name."""
        ...

    def capacities_of_class(self, name: str) -> Iterable[CSIStorageCapacity]:
        """Return what is known of the room that is left for volumes of a storage class."""
        ...

    def written_volume(self, name: str) -> PersistentVolume | None:
        """Return a volume as the API server has it."""
        ...

    def written_claim(self, key: str) -> PersistentVolumeClaim | None:
        """Return a claim as the API server has it."""
        ...


class StaticBinding(Struct, frozen=True):
    """A claim and the volume that is to be bound to it, kept for the claim already."""

    volume: PersistentVolume
    claim: PersistentVolumeClaim


class VolumePlan:
    """What is to be done about the unbound claims of a pod on its node.

    `bindings` are volumes to keep for claims, `provisions` claims that a volume is to be made for on the node. What
    has been written is noted in `versions`, by the name of the volume or the key of the claim.
    """

    __slots__ = ("bindings", "node", "provisions", "storage", "versions")

    def __init__(
        self,
        storage: Storage,
        node: Node,
        bindings: Sequence[StaticBinding],
        provisions: Sequence[PersistentVolumeClaim],
    ) -> None:
        self.storage = storage
        self.node = node
        self.bindings = bindings
        self.provisions = provisions
        self.versions: dict[str, str] | None = None


def volume_id(storage: Storage, claim: PersistentVolumeClaim) -> VolumeId | None:
    """Return the volume behind a claim as its CSI driver knows it; None if there is none that counts.

    A volume that is yet to be made counts for the driver that will make it.
    """
    volume = storage.volume(claim.spec.volume_name) if claim.spec.volume_name else None
    if volume is not None:
        csi = volume.spec.csi
        return migrated_id(volume.spec, volume.labels) if csi is None else _known(csi.driver, csi.volume_handle)
    made_by = storage.storage_class(claim.class_name) if claim.class_name else None
    if made_by is None:
        return None
    return _known(DRIVERS.get(made_by.provisioner, made_by.provisioner), f"to be made for {claim.key}")


def _known(driver: str, handle: str) -> VolumeId | None:
    return VolumeId(driver, handle) if driver and handle else None
