"""The kinds of objects Roost asks an API server for: where they live and what they decode to."""

from typing import Generic, TypeVar

from msgspec import Struct, field

from roost.api.budgets import PodDisruptionBudget
from roost.api.controllers import ReplicaSet, ReplicationController, Service, StatefulSet
from roost.api.devices import DeviceClass
from roost.api.meta import KubernetesObject, ObjectMeta, Value
from roost.api.node import Node
from roost.api.pod import Pod
from roost.api.storage import (
    CSIDriver,
    CSINode,
    CSIStorageCapacity,
    PersistentVolume,
    PersistentVolumeClaim,
    StorageClass,
    VolumeAttachment,
)

T = TypeVar("T", bound=Value)


class Kind(Struct, Generic[T], frozen=True, kw_only=True):
    """A resource of the API: its group, version, plural name, and the struct its objects decode to."""

    group: str = ""
    version: str = "v1"
    plural: str
    name: str
    type: type[T]
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """The apiVersion as objects spell it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Return the URL path of the collection, of one object, or of its subresource."""
        parts = [f"/apis/{self.group}" if self.group else "/api", self.version]
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/".join(parts)


class Lease(Value):
    """A lease, as leader election reads it; the spec is kept as it comes."""

    metadata: ObjectMeta = ObjectMeta()
    spec: dict[str, object] = field(default_factory=dict)


class AnyObject(KubernetesObject):
    """An object of which only the metadata is read."""


POD_DISRUPTION_BUDGET = Kind(
    group="policy", plural="poddisruptionbudgets", name="PodDisruptionBudget", type=PodDisruptionBudget
)
POD = Kind(plural="pods", name="Pod", type=Pod)
NODE = Kind(plural="nodes", name="Node", type=Node, namespaced=False)
NAMESPACE = Kind(plural="namespaces", name="Namespace", type=AnyObject, namespaced=False)
EVENT = Kind(group="events.k8s.io", plural="events", name="Event", type=AnyObject)
DEVICE_CLASS = Kind(
    group="resource.k8s.io", plural="deviceclasses", name="DeviceClass", type=DeviceClass, namespaced=False
)
LEASE = Kind(group="coordination.k8s.io", plural="leases", name="Lease", type=Lease)
SERVICE = Kind(plural="services", name="Service", type=Service)
REPLICATION_CONTROLLER = Kind(plural="replicationcontrollers", name="ReplicationController", type=ReplicationController)
REPLICA_SET = Kind(group="apps", plural="replicasets", name="ReplicaSet", type=ReplicaSet)
STATEFUL_SET = Kind(group="apps", plural="statefulsets", name="StatefulSet", type=StatefulSet)
_STORAGE = "storage.k8s.io"
PERSISTENT_VOLUME = Kind(plural="persistentvolumes", name="PersistentVolume", type=PersistentVolume, namespaced=False)
PERSISTENT_VOLUME_CLAIM = Kind(
    plural="persistentvolumeclaims", name="PersistentVolumeClaim", type=PersistentVolumeClaim
)
STORAGE_CLASS = Kind(group=_STORAGE, plural="storageclasses", name="StorageClass", type=StorageClass, namespaced=False)
CSI_NODE = Kind(group=_STORAGE, plural="csinodes", name="CSINode", type=CSINode, namespaced=False)
CSI_DRIVER = Kind(group=_STORAGE, plural="csidrivers", name="CSIDriver", type=CSIDriver, namespaced=False)
CSI_STORAGE_CAPACITY = Kind(
    group=_STORAGE, plural="csistoragecapacities", name="CSIStorageCapacity", type=CSIStorageCapacity
)
VOLUME_ATTACHMENT = Kind(
    group=_STORAGE, plural="volumeattachments", name="VolumeAttachment", type=VolumeAttachment, namespaced=False
)
