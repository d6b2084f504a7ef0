"""Builders of volumes, claims and what goes with them by keyword, and of pods that use them."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from roost.api.meta import QuantityText
from roost.api.pod import Pod
from roost.api.storage import (
    BIND_COMPLETED,
    MIGRATED_PLUGINS,
    SELECTED_NODE,
    CSINode,
    PersistentVolume,
    PersistentVolumeClaim,
    StorageClass,
)
from roost.testing.builders import Fields, pod


def claim(
    name: str = "data",
    *,
    namespace: str = "default",
    storage: QuantityText | None = "1Gi",
    storage_class: str | None = "waiting",
    volume: str = "",
    bound: bool | None = None,
    access_modes: Sequence[str] = ("ReadWriteOnce",),
    node: str = "",
    metadata: Fields | None = None,
    spec: Fields | None = None,
    phase: str = "",
) -> PersistentVolumeClaim:
    """Return a claim: with a `volume` it is bound to it, unless `bound` says otherwise; `node` has been selected."""
    annotations = {SELECTED_NODE: node} if node else {}
    if bound or (bound is None and volume):
        annotations[BIND_COMPLETED] = "yes"
    fields: dict[str, Any] = {
        "accessModes": access_modes,
        "resources": {"requests": {} if storage is None else {"storage": storage}},
        "storageClassName": storage_class,
        "volumeName": volume,
    }
    identity = {"name": name, "namespace": namespace, "uid": name, "annotations": annotations}
    return msgspec.convert(
        {
            "metadata": {**identity, **(metadata or {})},
            "spec": {**fields, **(spec or {})},
            "status": {"phase": phase or ("Bound" if volume else "Pending")},
        },
        PersistentVolumeClaim,
    )


def volume(
    name: str = "volume",
    *,
    storage: QuantityText = "1Gi",
    storage_class: str = "waiting",
    reach: Mapping[str, str | Sequence[str]] | None = None,
    claim: str = "",
    claim_uid: str = "",
    access_modes: Sequence[str] = ("ReadWriteOnce",),
    driver: str = "",
    labels: Mapping[str, str] | None = None,
    metadata: Fields | None = None,
    spec: Fields | None = None,
    phase: str = "Available",
) -> PersistentVolume:
    """Return a volume within `reach` of nodes with these labels; with a `claim` (namespace/name), kept for it."""
    in_reach = [
        {"key": key, "operator": "In", "values": [values] if isinstance(values, str) else list(values)}
        for key, values in (reach or {}).items()
    ]
    fields: dict[str, Any] = {
        "accessModes": access_modes,
        "capacity": {"storage": storage},
        "storageClassName": storage_class,
    }
    if in_reach:
        fields["nodeAffinity"] = {"required": {"nodeSelectorTerms": [{"matchExpressions": in_reach}]}}
    if claim:
        namespace, _, of = claim.rpartition("/")
        fields["claimRef"] = {"namespace": namespace, "name": of, "uid": claim_uid}
    if driver:
        fields["csi"] = {"driver": driver, "volumeHandle": name}
    return msgspec.convert(
        {
            "metadata": {"name": name, "labels": labels, **(metadata or {})},
            "spec": {**fields, **(spec or {})},
            "status": {"phase": phase},
        },
        PersistentVolume,
    )


def storage_class(
    name: str = "waiting",
    *,
    provisioner: str = "kubernetes.io/no-provisioner",
    mode: str = "WaitForFirstConsumer",
    topologies: Sequence[Mapping[str, Sequence[str]]] = (),
) -> StorageClass:
    """Return a storage class; a volume can be made where the labels meet one of the `topologies`."""
    terms = [
        {"matchLabelExpressions": [{"key": key, "values": values} for key, values in topology.items()]}
        for topology in topologies
    ]
    fields = {"provisioner": provisioner, "volumeBindingMode": mode, "allowedTopologies": terms}
    return msgspec.convert({"metadata": {"name": name}, **fields}, StorageClass)


def csi_node(name: str, *, migrated: Sequence[str] = (), **limits: int | None) -> CSINode:
    """Return what the drivers on a node say: how many of their volumes can be attached, None for any number."""
    drivers = [
        {"name": driver, "allocatable": None if count is None else {"count": count}} for driver, count in limits.items()
    ]
    metadata = {"name": name, "annotations": {MIGRATED_PLUGINS: ",".join(migrated)} if migrated else None}
    return msgspec.convert({"metadata": metadata, "spec": {"drivers": drivers}}, CSINode)


def using(*claims: str, disks: Sequence[Fields] = (), ephemeral: Sequence[str] = (), **fields: Any) -> Pod:
    """Return a pod that mounts claims, disks as a manifest spells them, and claims made for it under these names."""
    volumes: list[Fields] = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims]
    volumes += [{"name": f"disk-{number}", **disk} for number, disk in enumerate(disks)]
    volumes += [{"name": name, "ephemeral": {"volumeClaimTemplate": {}}} for name in ephemeral]
    return pod(**fields, spec={"volumes": volumes})
