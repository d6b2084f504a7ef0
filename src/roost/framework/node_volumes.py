"""Which volumes the pods of each row use, and what drivers say of the node: as columns, also in a what-if."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from roost.framework.changes import Changes
from roost.framework.csi_migration import VolumeId
from roost.framework.pod_info import PodInfo
from roost.framework.pod_volumes import PodVolumes
from roost.framework.storage import Storage, volume_id

Bool = NDArray[np.bool_]
Int32 = NDArray[np.int32]

NO_LIMIT = np.iinfo(np.int32).max
Disk = tuple[tuple[str, ...], bool]
"""A disk by one of its names, with True for only those who write to it."""


class NodeVolumes(Protocol):
    """Columns with one entry per row; they are not to be written to, and are right until the next event."""

    def disk_users(self, disk: Disk) -> Int32:
        """Return how many volumes of pods of each row are this disk (reads "usage")."""
        ...

    def is_used(self, claim: str) -> bool:
        """Tell whether a pod on any node of the cluster as it is uses a claim that was not made for it.

        The claim goes by `namespace/name`; reads "claims_in_use".
        """
        ...

    def further_mentions(self, names: frozenset[str]) -> Int32 | None:
        """Return how many more volumes of pods than in the cluster as it is name one of these claims; None if none."""
        ...

    def pods_with(self, volume: VolumeId) -> Int32:
        """Return how many volumes of pods of each row are this volume of a CSI driver (reads "usage", "storage")."""
        ...

    def attached(self, volume: VolumeId) -> Bool:
        """Return which rows a volume is attached to, used or not (reads "storage")."""
        ...

    def count(self, driver: str) -> Int32:
        """Return how many volumes of a driver each row's pods use or are attached to it (reads "usage", "storage")."""
        ...

    def limit(self, driver: str) -> Int32 | None:
        """Return how many volumes of a driver can be attached, `NO_LIMIT` where it is not limited; None if nowhere."""
        ...

    def migrated(self, plugin: str) -> Bool:
        """Return on which rows a CSI driver has taken over the volumes of a plugin of old (reads "storage")."""
        ...


def disks_of(volumes: PodVolumes) -> Iterator[Disk]:
    """Yield the disks that a pod uses, by all their names, as often as it does."""
    for disk in volumes.disks:
        for name in disk.names:
            yield name, False
            if disk.writes:
                yield name, True


def volumes_of(storage: Storage, volumes: PodVolumes) -> list[VolumeId]:
    """Return the volumes of CSI drivers that a pod uses, as often as it does."""
    claims = [storage.claim(use.key) for use in volumes.claims]
    behind = [None if claim is None else volume_id(storage, claim) for claim in claims]
    return [*(volume for volume in behind if volume is not None), *volumes.migrated]


class ChangedNodeVolumes:
    """The columns of chosen slots with pods put there or taken away."""

    def __init__(self, base: NodeVolumes, storage: Storage, slots: NDArray[np.intp], changes: Changes) -> None:
        self._base = base
        self._storage = storage
        self._slots = slots
        self._changes = changes

    def disk_users(self, disk: Disk) -> Int32:
        """Return how many volumes of pods of each row are this disk."""
        users: Int32 = self._base.disk_users(disk)[self._slots]
        for pod, rows, counts in self._changed():
            times = sum(other == disk for other in disks_of(pod.volumes))
            np.add.at(users, rows, (times * counts).astype(np.int32))
        return users

    def is_used(self, claim: str) -> bool:
        """Tell whether a pod on any node of the cluster as it is uses a claim."""
        return self._base.is_used(claim)

    def further_mentions(self, names: frozenset[str]) -> Int32 | None:
        """Return how many more volumes of pods than in the cluster as it is name one of these claims."""
        mentions = np.zeros(len(self._slots), dtype=np.int32)
        for pod, rows, counts in self._changed():
            np.add.at(mentions, rows, (pod.volumes.mentions(names) * counts).astype(np.int32))
        return mentions

    def pods_with(self, volume: VolumeId) -> Int32:
        """Return how many volumes of pods of each row are this volume."""
        pods: Int32 = self._base.pods_with(volume)[self._slots]
        for pod, rows, counts in self._changed():
            times = volumes_of(self._storage, pod.volumes).count(volume)
            np.add.at(pods, rows, (times * counts).astype(np.int32))
        return pods

    def attached(self, volume: VolumeId) -> Bool:
        """Return which rows a volume is attached to."""
        attached: Bool = self._base.attached(volume)[self._slots]
        return attached

    def count(self, driver: str) -> Int32:
        """Return how many volumes of a driver each row's pods use or are attached to it."""
        count: Int32 = self._base.count(driver)[self._slots]
        touched = {v for pod, _, _ in self._changed() for v in volumes_of(self._storage, pod.volumes)}
        for volume in touched:
            if volume.driver == driver:
                attached, before = self.attached(volume), self._base.pods_with(volume)[self._slots] > 0
                after = self.pods_with(volume) > 0
                count += (after | attached).astype(np.int32) - (before | attached).astype(np.int32)
        return count

    def limit(self, driver: str) -> Int32 | None:
        """Return how many volumes of a driver can be attached."""
        limit = self._base.limit(driver)
        return None if limit is None else limit[self._slots]

    def migrated(self, plugin: str) -> Bool:
        """Return on which rows a CSI driver has taken over the volumes of a plugin of old."""
        migrated: Bool = self._base.migrated(plugin)[self._slots]
        return migrated

    def _changed(self) -> Iterator[tuple[PodInfo, NDArray[np.intp], NDArray[np.int64]]]:
        return self._changes.where("volumes", _has_volumes)


def _has_volumes(pod: PodInfo) -> bool:
    return bool(pod.volumes)


class NoVolumes:
    """The columns where nothing is known of volumes."""

    def __init__(self, size: int) -> None:
        self._none: Int32 = np.zeros(size, dtype=np.int32)
        self._nowhere: Bool = np.zeros(size, dtype=np.bool_)

    def disk_users(self, disk: Disk) -> Int32:
        """Return zeros."""
        return self._none

    def is_used(self, claim: str) -> bool:
        """Return False."""
        return False

    def further_mentions(self, names: frozenset[str]) -> Int32 | None:
        """Return None."""
        return None

    def pods_with(self, volume: VolumeId) -> Int32:
        """Return zeros."""
        return self._none

    def attached(self, volume: VolumeId) -> Bool:
        """Return nowhere."""
        return self._nowhere

    def count(self, driver: str) -> Int32:
        """Return zeros."""
        return self._none

    def limit(self, driver: str) -> Int32 | None:
        """Return None."""
        return None

    def migrated(self, plugin: str) -> Bool:
        """Return nowhere."""
        return self._nowhere
