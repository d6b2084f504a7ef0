"""What of a pod's volumes can tie it to nodes: claims, disks named outright, and volumes that CSI drivers took over."""

from collections.abc import Iterator

from msgspec import Struct

from roost.api.pod import Pod
from roost.api.volumes import Rbd, Volume
from roost.framework.csi_migration import VolumeId, migrated_id


class ClaimUse(Struct, frozen=True, array_like=True):
    """A claim that a pod uses: its `key` is `namespace/name`; `owner` is the pod's uid if the claim is made for it."""

    key: str
    owner: str | None = None

    @property
    def name(self) -> str:
        """The claim's name."""
        return self.key.partition("/")[2]


class DiskUse(Struct, frozen=True, array_like=True):
    """A disk that a pod mounts: the names it goes by (two with a common name are one), and if it is written to."""

    names: tuple[tuple[str, ...], ...]
    writes: bool


class PodVolumes(Struct, frozen=True, array_like=True):
    """The volumes of a pod that can tie it to nodes, in the order of its spec."""

    claims: tuple[ClaimUse, ...] = ()
    disks: tuple[DiskUse, ...] = ()
    migrated: tuple[VolumeId, ...] = ()

    def __bool__(self) -> bool:
        return self is not NO_VOLUMES

    def mentions(self, names: frozenset[str]) -> int:
        """Return how many of the volumes are persistent claims with one of these names, in whichever namespace.

        Claims made for a pod are no such claims; a claim that is mounted twice counts twice.
        """
        return sum(claim.owner is None and claim.name in names for claim in self.claims)


NO_VOLUMES = PodVolumes()


def pod_volumes(pod: Pod) -> PodVolumes:
    """Return the volumes of a pod that can tie it to nodes; `NO_VOLUMES` if there are none."""
    volumes = [volume for volume in pod.spec.volumes or () if volume != Volume(name=volume.name)]
    if not volumes:
        return NO_VOLUMES
    claims = tuple([claim_of(pod, volume) for volume in volumes if _is_claim(volume)])
    disks = tuple(disk for volume in volumes for disk in _disks(volume))
    migrated = tuple(found for volume in volumes if (found := migrated_id(volume)) is not None)
    return PodVolumes(claims, disks, migrated) if claims or disks or migrated else NO_VOLUMES


def claim_of(pod: Pod, volume: Volume) -> ClaimUse:
    """Return the claim behind a volume."""
    if volume.persistent_volume_claim is not None:
        return ClaimUse(f"{pod.namespace}/{volume.persistent_volume_claim.claim_name}")
    return ClaimUse(f"{pod.namespace}/{pod.name}-{volume.name}", pod.metadata.uid)


def _is_claim(volume: Volume) -> bool:
    return volume.persistent_volume_claim is not None or volume.ephemeral is not None


def _disks(volume: Volume) -> Iterator[DiskUse]:
    if volume.gce_persistent_disk is not None:
        disk = volume.gce_persistent_disk
        yield DiskUse((("gce", disk.pd_name),), not disk.read_only)
    if volume.aws_elastic_block_store is not None:
        yield DiskUse((("aws", volume.aws_elastic_block_store.volume_id),), True)
    if volume.iscsi is not None:
        yield DiskUse((("iscsi", volume.iscsi.iqn),), not volume.iscsi.read_only)
    if volume.rbd is not None:
        yield DiskUse(_rbd_names(volume.rbd), not volume.rbd.read_only)


def _rbd_names(rbd: Rbd) -> tuple[tuple[str, ...], ...]:
    return tuple(("rbd", rbd.pool, rbd.image, monitor) for monitor in dict.fromkeys(rbd.monitors or ()))
