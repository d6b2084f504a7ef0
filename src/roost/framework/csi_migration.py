"""Volumes of plugins of old that CSI drivers have taken over: under which name the driver knows them.

Source: k8s.io/csi-translation-lib; only the plugins whose volumes are counted and whose zones are translated.
"""

import re
from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from roost.api.selectors import NodeSelector, NodeSelectorTerm, Requirement
from roost.api.storage import PersistentVolume
from roost.api.volumes import AwsElasticBlockStore, AzureDisk, Cinder, GcePersistentDisk, Portworx

ZONE, OLD_ZONE = "topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"
REGION, OLD_REGION = "topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"
DRIVERS: Mapping[str, str] = {
    "kubernetes.io/aws-ebs": "ebs.csi.aws.com",
    "kubernetes.io/azure-disk": "disk.csi.azure.com",
    "kubernetes.io/cinder": "cinder.csi.openstack.org",
    "kubernetes.io/gce-pd": "pd.csi.storage.gke.io",
    "kubernetes.io/portworx-volume": "pxd.portworx.com",
}
"""The driver that took a plugin over."""

_ZONE_OF = {
    "kubernetes.io/aws-ebs": "topology.ebs.csi.aws.com/zone",
    "kubernetes.io/cinder": "topology.cinder.csi.openstack.org/zone",
    "kubernetes.io/gce-pd": "topology.gke.io/zone",
}
_AWS = re.compile(r"(?:aws://[^/]*/+)?(vol-[^/]*)/*")


class VolumeId(Struct, frozen=True):
    """A volume as its CSI driver knows it."""

    driver: str
    handle: str


class Source(Protocol):
    """Where a volume comes from: a volume of a pod, or the spec of a PersistentVolume."""

    @property
    def aws_elastic_block_store(self) -> AwsElasticBlockStore | None: ...
    @property
    def azure_disk(self) -> AzureDisk | None: ...
    @property
    def cinder(self) -> Cinder | None: ...
    @property
    def gce_persistent_disk(self) -> GcePersistentDisk | None: ...
    @property
    def portworx_volume(self) -> Portworx | None: ...


def plugin_of(source: Source) -> str | None:
    """Return the plugin of old that a volume belongs to; None if a CSI driver never took it over."""
    if source.gce_persistent_disk is not None:
        return "kubernetes.io/gce-pd"
    if source.aws_elastic_block_store is not None:
        return "kubernetes.io/aws-ebs"
    if source.azure_disk is not None:
        return "kubernetes.io/azure-disk"
    if source.cinder is not None:
        return "kubernetes.io/cinder"
    return None if source.portworx_volume is None else "kubernetes.io/portworx-volume"


def migrated_id(source: Source, labels: Mapping[str, str] | None = None) -> VolumeId | None:
    """Return a volume as the driver knows it that took its plugin over; None if there is none, or no such volume.

    `labels` are those of the PersistentVolume, which say where a disk of Google's cloud is.
    """
    plugin = plugin_of(source)
    handle = None if plugin is None else _handle(source, labels or {})
    return None if plugin is None or handle is None else VolumeId(DRIVERS[plugin], handle)


def migrated_affinity(volume: PersistentVolume, plugin: str) -> NodeSelector | None:
    """Return the nodes that can reach a volume, in the labels of the driver that took its plugin over."""
    affinity = volume.spec.node_affinity
    required = affinity.required if affinity is not None else None
    wanted = _ZONE_OF.get(plugin)
    if wanted is None:
        return required
    zone = _zone_label(volume, required)
    if _values(required, zone):
        required = _renamed(required, zone, wanted)
    elif zone in volume.labels:
        required = _with_zones(required, wanted, volume.labels[zone])
    return _renamed(required, OLD_REGION, REGION) if zone == OLD_ZONE else required


def _handle(source: Source, labels: Mapping[str, str]) -> str | None:
    if source.gce_persistent_disk is not None:
        return _gce_handle(source.gce_persistent_disk.pd_name, labels.get(OLD_ZONE) or labels.get(ZONE) or "")
    if source.aws_elastic_block_store is not None:
        return _aws_handle(source.aws_elastic_block_store.volume_id)
    if source.azure_disk is not None:
        managed = (source.azure_disk.kind or "Managed").lower() == "managed"
        return source.azure_disk.disk_uri if managed else None
    named = source.cinder or source.portworx_volume
    return named.volume_id if named is not None else None


def _gce_handle(name: str, zones_label: str) -> str | None:
    zones = zones_label.split("__")
    if len(zones) == 1:
        return f"projects/UNSPECIFIED/zones/{zones[0] or 'UNSPECIFIED'}/disks/{name}"
    regions = {zone.rpartition("-")[0] for zone in zones if zone.count("-") == 2}
    if len(regions) != 1 or any(zone.count("-") != 2 for zone in zones):
        return None
    return f"projects/UNSPECIFIED/regions/{regions.pop()}/disks/{name}"


def _aws_handle(volume_id: str) -> str | None:
    if not volume_id.startswith("aws://"):
        return volume_id
    match = _AWS.fullmatch(volume_id)
    return match[1] if match is not None else None


def _zone_label(volume: PersistentVolume, required: NodeSelector | None) -> str:
    """Return the label that says the zone of a volume: that of its affinity, then its own, the newer one first."""
    for label in (ZONE, OLD_ZONE):
        if any(r.key == label for term in _terms(required) for r in term.match_expressions or ()):
            return label
    return OLD_ZONE if ZONE not in volume.labels and OLD_ZONE in volume.labels else ZONE


def _terms(required: NodeSelector | None) -> tuple[NodeSelectorTerm, ...]:
    return (required.node_selector_terms if required is not None else None) or ()


def _values(required: NodeSelector | None, key: str) -> bool:
    return any(r.key == key and r.values for term in _terms(required) for r in term.match_expressions or ())


def _renamed(required: NodeSelector | None, old: str, new: str) -> NodeSelector | None:
    if not _values(required, old):
        return required
    return NodeSelector(
        node_selector_terms=tuple(
            replace(
                term,
                match_expressions=tuple(
                    replace(r, key=new) if r.key == old else r for r in term.match_expressions or ()
                ),
            )
            for term in _terms(required)
        )
    )


def _with_zones(required: NodeSelector | None, key: str, zones_label: str) -> NodeSelector | None:
    zones = tuple(sorted({zone.strip() for zone in zones_label.split("__")} - {""}))
    if not zones:
        return required
    zone = Requirement(key=key, operator="In", values=zones)
    terms = _terms(required) or (NodeSelectorTerm(),)
    return NodeSelector(
        node_selector_terms=tuple(
            replace(term, match_expressions=(*(term.match_expressions or ()), zone)) for term in terms
        )
    )
