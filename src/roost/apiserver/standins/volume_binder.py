"""The PersistentVolume controller and a provisioner: what names each other is bound, and volumes are made to order.

    a volume that names a claim, or for a class that does not wait the smallest free one ─► both are bound
    none, but a class with a provisioner (that waits: and a node was selected)           ─► one is made, and bound

A volume that is made for a node is within reach of its zone, or of the node alone if that has no zone.
"""

from collections.abc import Iterator

import msgspec

from roost.api.kinds import PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM, STORAGE_CLASS
from roost.api.labels import selects
from roost.api.quantity import billionths
from roost.api.storage import (
    BIND_COMPLETED,
    BOUND_BY_CONTROLLER,
    NO_PROVISIONER,
    SELECTED_NODE,
    WAIT,
    PersistentVolume,
    PersistentVolumeClaim,
    StorageClass,
)
from roost.apiserver.resources import NODE, resource_of
from roost.apiserver.standins.standin import Standin
from roost.apiserver.store import Object, Store, Stored
from roost.framework.volume_matching import is_kept_for

VOLUME, CLAIM, CLASS = (resource_of(kind) for kind in (PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM, STORAGE_CLASS))
_PLACES = ("topology.kubernetes.io/zone", "kubernetes.io/hostname")


class VolumeBinder(Standin):
    """Binds claims and volumes to each other, and makes the volumes that are missing."""

    reads = (VOLUME, CLAIM, CLASS)

    def reconcile(self, store: Store, now: float) -> float | None:
        """Bind what can be bound, and say of every volume what has become of it."""
        for claim in store.all(CLAIM):
            if claim.object["spec"].get("volumeName") or "deletionTimestamp" in claim.metadata:
                continue
            volume = _find(store, claim) or _make(store, claim)
            if volume is not None:
                _bind(store, claim, volume)
            elif not (claim.object.get("status") or {}).get("phase"):
                store.replace(claim, {**claim.object, "status": {"phase": "Pending"}})
        for volume in store.all(VOLUME):
            store.replace(volume, {**volume.object, "status": {"phase": _phase(store, volume)}})
        return None


def _find(store: Store, claim: Stored) -> Stored | None:
    wanted = msgspec.convert(claim.object, PersistentVolumeClaim)
    volumes = [(item, msgspec.convert(item.object, PersistentVolume)) for item in store.all(VOLUME)]
    for item, volume in volumes:
        if is_kept_for(volume, wanted):
            return item
    waits = _class_of(store, wanted).volume_binding_mode == WAIT
    fitting = [] if waits else [(item, volume) for item, volume in volumes if _may_have(wanted, volume)]
    return min(fitting, key=lambda found: (billionths(found[1].storage), found[0].name), default=(None, None))[0]


def _may_have(claim: PersistentVolumeClaim, volume: PersistentVolume) -> bool:
    return (
        volume.spec.claim_ref is None
        and volume.class_name == claim.class_name
        and volume.spec.volume_mode == claim.spec.volume_mode
        and billionths(volume.storage) >= billionths(claim.storage or 0)
        and set(claim.spec.access_modes or ()) <= set(volume.spec.access_modes or ())
        and (claim.spec.selector is None or selects(claim.spec.selector, volume.labels))
    )


def _class_of(store: Store, claim: PersistentVolumeClaim) -> StorageClass:
    found = store.find(CLASS, claim.class_name) if claim.class_name else None
    return StorageClass() if found is None else msgspec.convert(found.object, StorageClass)


def _make(store: Store, claim: Stored) -> Stored | None:
    wanted = msgspec.convert(claim.object, PersistentVolumeClaim)
    made_by, node_name = _class_of(store, wanted), wanted.annotations.get(SELECTED_NODE)
    waits = made_by.volume_binding_mode == WAIT and node_name is None
    if made_by.provisioner in ("", NO_PROVISIONER) or waits:
        return None
    spec = {
        "accessModes": claim.object["spec"].get("accessModes"),
        "capacity": {"storage": wanted.storage or "1Gi"},
        "claimRef": _reference(claim),
        "csi": {"driver": made_by.provisioner, "volumeHandle": wanted.metadata.uid},
        "persistentVolumeReclaimPolicy": "Delete",
        "storageClassName": wanted.class_name,
        "volumeMode": wanted.spec.volume_mode,
    }
    for place in _places(store, node_name):
        spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [{"matchExpressions": [place]}]}}
        break
    return store.create(VOLUME, {"metadata": {"name": f"pvc-{wanted.metadata.uid}"}, "spec": spec})


def _places(store: Store, node_name: str | None) -> Iterator[Object]:
    node = store.find(NODE, node_name) if node_name else None
    labels = {} if node is None else node.metadata.get("labels") or {}
    return ({"key": key, "operator": "In", "values": [labels[key]]} for key in _PLACES if key in labels)


def _bind(store: Store, claim: Stored, volume: Stored) -> None:
    spec = {**volume.object["spec"], "claimRef": _reference(claim)}
    store.replace(volume, {**volume.object, "spec": spec, "status": {"phase": "Bound"}})
    metadata = {
        **claim.metadata,
        "annotations": {**(claim.metadata.get("annotations") or {}), BIND_COMPLETED: "yes", BOUND_BY_CONTROLLER: "yes"},
    }
    status = {"phase": "Bound", "accessModes": spec.get("accessModes"), "capacity": spec.get("capacity")}
    bound = {**claim.object, "metadata": metadata, "spec": {**claim.object["spec"], "volumeName": volume.name}}
    store.replace(claim, {**bound, "status": status})


def _reference(claim: Stored) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": claim.namespace,
        "name": claim.name,
        "uid": claim.metadata["uid"],
    }


def _phase(store: Store, volume: Stored) -> str:
    ref = volume.object["spec"].get("claimRef")
    if ref is None or not ref.get("uid"):
        return "Available"
    claim = store.find(CLAIM, ref["name"], ref["namespace"])
    if claim is None or claim.metadata["uid"] != ref["uid"]:
        return "Released"
    return "Bound" if claim.object["spec"].get("volumeName") == volume.name else "Available"
