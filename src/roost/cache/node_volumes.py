"""Volumes on nodes: which claims, disks and volumes the pods of each slot use, and what the drivers there say.

    pod ─► claims ─► (by what is known of storage) volumes of CSI drivers ─► how many of each driver per slot
        └► disks

Few pods have volumes, so what is kept of them is sparse; counts and limits per driver are columns. When a claim, a
volume or a class changes, the claims in use that it concerns are counted anew.
"""

from collections.abc import Hashable, Iterable

import numpy as np

from roost.api.meta import KubernetesObject
from roost.api.storage import CSINode, PersistentVolume, PersistentVolumeClaim, StorageClass, VolumeAttachment
from roost.cache.storage import StorageObjects
from roost.framework.csi_migration import DRIVERS, VolumeId
from roost.framework.node_volumes import NO_LIMIT, Bool, Disk, Int32, disks_of
from roost.framework.pod_volumes import PodVolumes
from roost.framework.storage import volume_id

Sparse = dict[Hashable, dict[int, int]]


class PlacedVolumes:
    """What pods in slots use; `is_used` and the columns are those of `NodeVolumes`."""

    def __init__(self, storage: StorageObjects, capacity: int) -> None:
        self._storage = storage
        self._capacity = capacity
        self._slots: dict[str, int] = {}
        self._disks: Sparse = {}
        self._mentioned: Sparse = {}
        self._claims: Sparse = {}
        self._behind: dict[str, VolumeId | None] = {}
        self._pods: Sparse = {}
        self._attached: dict[int, set[VolumeId]] = {}
        self._counts: dict[str, Int32] = {}
        self._limits: dict[str, Int32] = {}
        self._migrated: dict[str, set[int]] = {plugin: set() for plugin in DRIVERS}
        self._size = 0

    # ---- what plugins read

    def show(self, size: int) -> None:
        """Let columns have so many rows."""
        self._size = size

    def disk_users(self, disk: Disk) -> Int32:
        """Return how many volumes of pods in each slot are this disk."""
        return self._column(self._disks.get(disk, {}))

    def is_used(self, claim: str) -> bool:
        """Tell whether a pod on any node uses a claim that was not made for it."""
        return claim in self._mentioned

    def further_mentions(self, names: frozenset[str]) -> Int32 | None:
        """Return None: this is the cluster as it is."""
        return None

    def pods_with(self, volume: VolumeId) -> Int32:
        """Return how many volumes of pods in each slot are this volume."""
        return self._column(self._pods.get(volume, {}))

    def attached(self, volume: VolumeId) -> Bool:
        """Return which nodes a volume is attached to."""
        return self._marked(slot for slot, volumes in self._attached.items() if volume in volumes)

    def count(self, driver: str) -> Int32:
        """Return how many volumes of a driver the pods of each node use or are attached to it."""
        counts = self._counts.get(driver)
        return np.zeros(self._size, dtype=np.int32) if counts is None else counts[: self._size]

    def limit(self, driver: str) -> Int32 | None:
        """Return how many volumes of a driver can be attached to each node; None if none is limited."""
        limits = self._limits.get(driver)
        return None if limits is None else limits[: self._size]

    def migrated(self, plugin: str) -> Bool:
        """Return on which nodes a CSI driver has taken over the volumes of a plugin."""
        return self._marked(self._migrated.get(plugin, ()))

    def _column(self, counts: dict[int, int]) -> Int32:
        column = np.zeros(self._size, dtype=np.int32)
        if counts:
            column[list(counts)] = list(counts.values())
        return column

    def _marked(self, slots: Iterable[int]) -> Bool:
        marked = np.zeros(self._size, dtype=np.bool_)
        marked[list(slots)] = True
        return marked

    # ---- nodes and pods

    def grow(self, capacity: int) -> None:
        """Make room for more slots."""
        self._capacity = capacity
        for columns, fill in ((self._counts, 0), (self._limits, NO_LIMIT)):
            for driver, old in columns.items():
                columns[driver] = np.full(capacity, fill, dtype=np.int32)
                columns[driver][: len(old)] = old

    def add_node(self, slot: int, name: str) -> None:
        """Take over what is known of a new node."""
        self._slots[name] = slot
        self._limit(slot, name)
        self._attach(slot, name)

    def remove_node(self, slot: int, name: str) -> None:
        """Forget a node whose pods have been taken off."""
        del self._slots[name]
        self._attached.pop(slot, None)
        for slots in self._migrated.values():
            slots.discard(slot)
        for columns, fill in ((self._counts, 0), (self._limits, NO_LIMIT)):
            for column in columns.values():
                column[slot] = fill

    def add(self, slot: int, volumes: PodVolumes, times: int) -> bool:
        """Count the volumes of a pod on a node, or with -1 no longer; tell whether a claim came into or out of use."""
        used = len(self._mentioned)
        for disk in disks_of(volumes):
            _add(self._disks, disk, slot, times)
        for claim in volumes.claims:
            if claim.owner is None:
                _add(self._mentioned, claim.key, slot, times)
            self._use_claim(claim.key, slot, times)
        for volume in volumes.migrated:
            self._use(volume, slot, times)
        return len(self._mentioned) != used

    # ---- storage

    def change(self, obj: KubernetesObject, old: KubernetesObject | None) -> None:
        """Take notice that the storage has another version of an object, or none any more."""
        match obj:
            case PersistentVolumeClaim():
                self._recount([obj.key])
            case PersistentVolume():
                self._recount(self._storage.claims_on(obj.name))
                self._reattach(self._storage.attachments_of(obj.name))
            case StorageClass():
                self._recount(list(self._behind))
            case CSINode():
                if obj.name in self._slots:
                    self._limit(self._slots[obj.name], obj.name)
            case VolumeAttachment():
                self._reattach(each for each in (obj, old) if isinstance(each, VolumeAttachment))

    def _reattach(self, attachments: Iterable[VolumeAttachment]) -> None:
        for name in {attachment.spec.node_name for attachment in attachments} & self._slots.keys():
            self._attach(self._slots[name], name)

    def _recount(self, claims: Iterable[str]) -> None:
        for claim in claims:
            users = dict(self._claims.get(claim, {}))
            for slot, times in users.items():
                self._use_claim(claim, slot, -times)
            for slot, times in users.items():
                self._use_claim(claim, slot, times)

    def _limit(self, slot: int, name: str) -> None:
        csi_node = self._storage.csi_node(name)
        for limits in self._limits.values():
            limits[slot] = NO_LIMIT
        for plugin, slots in self._migrated.items():
            migrated = csi_node is not None and plugin in csi_node.migrated
            (slots.add if migrated else slots.discard)(slot)
        for driver, count in ({} if csi_node is None else csi_node.limits).items():
            if driver not in self._limits:
                self._limits[driver] = np.full(self._capacity, NO_LIMIT, dtype=np.int32)
            self._limits[driver][slot] = count

    def _attach(self, slot: int, name: str) -> None:
        before, after = self._attached.get(slot, set()), set()
        for attachment in self._storage.attachments_to(name):
            volume = self._storage.volume(attachment.spec.source.persistent_volume_name or "")
            if volume is not None and volume.spec.csi is not None and attachment.spec.attacher:
                after.add(VolumeId(attachment.spec.attacher, volume.spec.csi.volume_handle))
        self._attached[slot] = after
        for changed in before ^ after:
            if slot not in self._pods.get(changed, {}):
                self._count(changed.driver, slot, 1 if changed in after else -1)

    # ---- counting

    def _use_claim(self, claim: str, slot: int, times: int) -> None:
        if claim not in self._behind:
            known = self._storage.claim(claim)
            self._behind[claim] = None if known is None else volume_id(self._storage, known)
        volume = self._behind[claim]
        if volume is not None:
            self._use(volume, slot, times)
        _add(self._claims, claim, slot, times)
        if claim not in self._claims:
            del self._behind[claim]

    def _use(self, volume: VolumeId, slot: int, times: int) -> None:
        used = slot in self._pods.get(volume, {})
        _add(self._pods, volume, slot, times)
        uses = slot in self._pods.get(volume, {})
        if used != uses and volume not in self._attached.get(slot, ()):
            self._count(volume.driver, slot, 1 if uses else -1)

    def _count(self, driver: str, slot: int, more: int) -> None:
        if driver not in self._counts:
            self._counts[driver] = np.zeros(self._capacity, dtype=np.int32)
        self._counts[driver][slot] += more


def _add(uses: Sparse, use: Hashable, slot: int, times: int) -> None:
    slots = uses.setdefault(use, {})
    slots[slot] = slots.get(slot, 0) + times
    if not slots[slot]:
        del slots[slot]
    if not slots:
        del uses[use]
