"""Volumes, claims on them, and what makes and attaches them, as far as scheduling reads them."""

from roost.api.meta import KubernetesObject, QuantityText, Resources, Value
from roost.api.selectors import LabelSelector, NodeSelector
from roost.api.volumes import AwsElasticBlockStore, AzureDisk, Cinder, GcePersistentDisk, Portworx

CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
"""Names the class in place of the field, as before there was one."""

SELECTED_NODE = "volume.kubernetes.io/selected-node"
"""On a claim: the node for which a provisioner is to make a volume."""

BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
MIGRATED_PLUGINS = "storage.alpha.kubernetes.io/migrated-plugins"
"""On a CSINode: the plugins of old whose volumes CSI drivers take care of there."""

NO_PROVISIONER = "kubernetes.io/no-provisioner"
WAIT = "WaitForFirstConsumer"
READ_WRITE_ONCE_POD = "ReadWriteOncePod"


class ClaimReference(Value):
    """The claim that a volume is bound to or kept for."""

    name: str = ""
    namespace: str = ""
    uid: str = ""


class CsiVolume(Value):
    """A volume of a CSI driver."""

    driver: str = ""
    volume_handle: str = ""


class VolumeNodeAffinity(Value):
    """The nodes that can reach a volume."""

    required: NodeSelector | None = None


class PersistentVolumeSpec(Value):
    """What a volume is and where it can be used; of its source only what CSI drivers take care of is read."""

    access_modes: tuple[str, ...] | None = None
    capacity: dict[str, QuantityText] | None = None
    claim_ref: ClaimReference | None = None
    node_affinity: VolumeNodeAffinity | None = None
    storage_class_name: str = ""
    volume_mode: str = "Filesystem"
    volume_attributes_class_name: str | None = None
    csi: CsiVolume | None = None
    aws_elastic_block_store: AwsElasticBlockStore | None = None
    azure_disk: AzureDisk | None = None
    cinder: Cinder | None = None
    gce_persistent_disk: GcePersistentDisk | None = None
    portworx_volume: Portworx | None = None


class VolumeStatus(Value):
    """How far the binding of a volume or a claim has come."""

    phase: str = ""


class PersistentVolume(KubernetesObject):
    """A piece of storage."""

    spec: PersistentVolumeSpec = PersistentVolumeSpec()
    status: VolumeStatus = VolumeStatus()

    @property
    def class_name(self) -> str:
        """The name of the storage class, "" for none."""
        return self.annotations.get(CLASS_ANNOTATION, self.spec.storage_class_name)

    @property
    def storage(self) -> QuantityText:
        """How much it holds."""
        return (self.spec.capacity or {}).get("storage", 0)


class PersistentVolumeClaimSpec(Value):
    """What is asked of a volume."""

    access_modes: tuple[str, ...] | None = None
    resources: Resources = Resources()
    selector: LabelSelector | None = None
    storage_class_name: str | None = None
    volume_mode: str = "Filesystem"
    volume_name: str = ""
    volume_attributes_class_name: str | None = None


class PersistentVolumeClaim(KubernetesObject):
    """A claim on a volume."""

    spec: PersistentVolumeClaimSpec = PersistentVolumeClaimSpec()
    status: VolumeStatus = VolumeStatus()

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.metadata.namespace}/{self.metadata.name}"

    @property
    def class_name(self) -> str:
        """The name of the storage class, "" for none."""
        return self.annotations.get(CLASS_ANNOTATION, self.spec.storage_class_name or "")

    @property
    def storage(self) -> QuantityText | None:
        """How much is asked for; None if that is left open."""
        return (self.spec.resources.requests or {}).get("storage")

    @property
    def is_bound(self) -> bool:
        """Whether the claim and its volume are bound to each other, both ways."""
        return bool(self.spec.volume_name) and BIND_COMPLETED in self.annotations


class TopologyRequirement(Value):
    """A label of nodes and the values it may have."""

    key: str = ""
    values: tuple[str, ...] | None = None


class TopologyTerm(Value):
    """Requirements on nodes that must all hold."""

    match_label_expressions: tuple[TopologyRequirement, ...] | None = None


class StorageClass(KubernetesObject):
    """How volumes are made, and when claims are bound to them."""

    provisioner: str = ""
    volume_binding_mode: str = "Immediate"
    allowed_topologies: tuple[TopologyTerm, ...] | None = None


class DriverAllocatable(Value):
    """How many volumes of a driver can be attached to a node; None if that is not limited."""

    count: int | None = None


class NodeDriver(Value):
    """A CSI driver on a node."""

    name: str = ""
    allocatable: DriverAllocatable | None = None


class CSINodeSpec(Value):
    """The drivers on a node."""

    drivers: tuple[NodeDriver, ...] | None = None


class CSINode(KubernetesObject):
    """What the CSI drivers say of the node of the same name."""

    spec: CSINodeSpec = CSINodeSpec()

    @property
    def limits(self) -> dict[str, int]:
        """How many volumes of each driver with a limit can be attached."""
        drivers = self.spec.drivers or ()
        return {d.name: d.allocatable.count for d in drivers if d.allocatable and d.allocatable.count is not None}

    @property
    def migrated(self) -> frozenset[str]:
        """The plugins of old whose volumes CSI drivers take care of."""
        return frozenset(filter(None, self.annotations.get(MIGRATED_PLUGINS, "").split(",")))


class CSIDriverSpec(Value):
    """What a driver can do; `storage_capacity` says that it tells how much room is left where."""

    storage_capacity: bool | None = None


class CSIDriver(KubernetesObject):
    """A CSI driver."""

    spec: CSIDriverSpec = CSIDriverSpec()


class CSIStorageCapacity(KubernetesObject):
    """How much room is left for volumes of a class in one part of the cluster."""

    storage_class_name: str = ""
    node_topology: LabelSelector | None = None
    capacity: QuantityText | None = None
    maximum_volume_size: QuantityText | None = None

    @property
    def largest_volume(self) -> QuantityText | None:
        """How large a volume can be; None if that is not known."""
        return self.capacity if self.maximum_volume_size is None else self.maximum_volume_size


class AttachmentSource(Value):
    """The volume that is attached."""

    persistent_volume_name: str | None = None


class VolumeAttachmentSpec(Value):
    """Which volume a driver attaches to which node."""

    attacher: str = ""
    node_name: str = ""
    source: AttachmentSource = AttachmentSource()


class VolumeAttachment(KubernetesObject):
    """A volume that is, or is to be, attached to a node."""

    spec: VolumeAttachmentSpec = VolumeAttachmentSpec()
