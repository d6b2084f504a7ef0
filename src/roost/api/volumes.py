"""Where the volumes of a pod come from: the sources that can tie it to nodes. All others are not read."""

from msgspec import field

from roost.api.meta import Value


class ClaimSource(Value):
    """The claim that a volume names."""

    claim_name: str = ""


class ImageSource(Value):
    """An image mounted as a volume."""

    reference: str = ""


class Unread(Value):
    """A source of which it only matters that it is there."""


class GcePersistentDisk(Value):
    """A persistent disk of Google's cloud."""

    pd_name: str = ""
    read_only: bool = False


class AwsElasticBlockStore(Value):
    """A disk of Amazon's cloud."""

    volume_id: str = field(default="", name="volumeID")


class AzureDisk(Value):
    """A disk of Microsoft's cloud."""

    disk_uri: str = field(default="", name="diskURI")
    kind: str | None = None


class Cinder(Value):
    """A volume of OpenStack."""

    volume_id: str = field(default="", name="volumeID")


class Portworx(Value):
    """A volume of Portworx."""

    volume_id: str = field(default="", name="volumeID")


class Iscsi(Value):
    """A disk that is reached by iSCSI."""

    iqn: str = ""
    read_only: bool = False


class Rbd(Value):
    """An image of a Ceph cluster."""

    monitors: tuple[str, ...] | None = None
    pool: str = "rbd"
    image: str = ""
    read_only: bool = False


class Volume(Value):
    """A volume of a pod; a claim, or a disk that is named outright, is what can tie the pod to nodes."""

    name: str = ""
    persistent_volume_claim: ClaimSource | None = None
    ephemeral: Unread | None = None
    image: ImageSource | None = None
    gce_persistent_disk: GcePersistentDisk | None = None
    aws_elastic_block_store: AwsElasticBlockStore | None = None
    azure_disk: AzureDisk | None = None
    cinder: Cinder | None = None
    portworx_volume: Portworx | None = None
    iscsi: Iscsi | None = None
    rbd: Rbd | None = None
