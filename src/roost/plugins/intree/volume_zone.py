"""VolumeZone: the zone and region labels of a bound volume must be met by the labels of the node.

Nodes without any such label are taken to be of a cluster without zones. Source: kube-scheduler 1.36.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from roost.api.storage import WAIT, PersistentVolume, PersistentVolumeClaim
from roost.framework.csi_migration import OLD_REGION, OLD_ZONE, REGION, ZONE
from roost.framework.plugin import Context, Plugin, PreFilterAnswer, Verdicts
from roost.framework.pod_info import PodInfo
from roost.framework.status import SKIP, Status, unresolvable
from roost.framework.storage import Storage
from roost.framework.view import Bool, Rows, View

CONFLICT = unresolvable("node(s) had no available volume zone")
_TOPOLOGY = (OLD_ZONE, OLD_REGION, ZONE, REGION)
_NEWER = {OLD_ZONE: ZONE, OLD_REGION: REGION}


class _Topology(Struct, frozen=True):
    """A label and the values of it from which a volume can be reached."""

    key: str
    values: frozenset[str]


class VolumeZone(Plugin):
    """Reject nodes that are in another zone than a volume of the pod."""

    name = "VolumeZone"
    reads = frozenset({"node", "storage"})
    pre_reads = frozenset({"storage"})
    pod_reads = ("storage",)

    def pre_filter(self, ctx: Context, pod: PodInfo, view: View) -> PreFilterAnswer:
        """Skip pods without bound volumes in zones; reject where what a claim names is not there."""
        found = _topologies(view.storage, pod)
        if isinstance(found, Status):
            return found
        return None if found else SKIP

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        """Reject rows in other zones."""
        found = _topologies(view.storage, pod)
        if isinstance(found, Status):
            return Verdicts.rejecting(np.ones(view.size, dtype=np.bool_)[rows], found)
        rejected = np.zeros(view.size, dtype=np.bool_)
        for topology in found:
            rejected |= ~_met(view, topology)
        rejected &= _has_topology(view)
        return Verdicts.rejecting(rejected[rows], CONFLICT) if rejected.any() else None


def _topologies(storage: Storage, pod: PodInfo) -> Sequence[_Topology] | Status:
    """Return what the bound volumes of a pod ask for, or why that cannot be told."""
    found: list[_Topology] = []
    for use in pod.volumes.claims:
        if use.owner is not None:
            continue
        if not use.name:
            return unresolvable("PersistentVolumeClaim had no name")
        claim = storage.claim(use.key)
        if claim is None:
            return unresolvable(f'persistentvolumeclaim "{use.name}" not found')
        if not claim.spec.volume_name:
            unbound = _unbound(storage, claim)
            if unbound is not None:
                return unbound
            continue
        volume = storage.volume(claim.spec.volume_name)
        if volume is None:
            return unresolvable(f'persistentvolume "{claim.spec.volume_name}" not found')
        found += _of_volume(volume)
    return found


def _unbound(storage: Storage, claim: PersistentVolumeClaim) -> Status | None:
    """Return why a claim without a volume is in the way; None if it may wait for the decision."""
    if not claim.class_name:
        return unresolvable("PersistentVolumeClaim had no pv name and storageClass name")
    made_by = storage.storage_class(claim.class_name)
    if made_by is None:
        return unresolvable(f'storageclass.storage.k8s.io "{claim.class_name}" not found')
    return None if made_by.volume_binding_mode == WAIT else unresolvable("PersistentVolume had no name")


def _of_volume(volume: PersistentVolume) -> list[_Topology]:
    """Return the zones and regions of a volume; a label that is no list of them is passed over."""
    labels = [(key, volume.labels[key].split("__")) for key in _TOPOLOGY if key in volume.labels]
    stripped = [(key, frozenset(value.strip() for value in values)) for key, values in labels]
    return [_Topology(key, values) for key, values in stripped if "" not in values]


def _met(view: View, topology: _Topology) -> Bool:
    """Return the rows with one of the values; where a node lacks the label, the newer one of that meaning counts."""
    met = _has_one(view, topology.key, topology.values)
    if topology.key in _NEWER:
        lacking = view.label(topology.key).ids == 0
        met |= lacking & _has_one(view, _NEWER[topology.key], topology.values)
    return met


def _has_one(view: View, key: str, values: frozenset[str]) -> Bool:
    column = view.label(key)
    chosen = np.zeros(len(column.values), dtype=np.bool_)
    chosen[[column.index[value] for value in values if value in column.index]] = True
    has: Bool = chosen[column.ids]
    return has


def _has_topology(view: View) -> Bool:
    has = np.zeros(view.size, dtype=np.bool_)
    for key in _TOPOLOGY:
        has |= view.label(key).ids != 0
    return has
