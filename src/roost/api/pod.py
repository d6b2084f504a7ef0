"""Pods, as far as scheduling reads them."""

from msgspec import field

from roost.api.meta import Condition, KubernetesObject, QuantityText, Resources, Value
from roost.api.selectors import Affinity, TopologySpreadConstraint
from roost.api.taints import Toleration
from roost.api.volumes import Volume


class ContainerPort(Value):
    """A port of a container; only those with a `host_port` concern a node."""

    container_port: int = 0
    host_port: int = 0
    host_ip: str = field(default="", name="hostIP")
    protocol: str = ""


class ContainerRestartRule(Value):
    """What is to happen after certain exits of a container."""

    action: str = ""


class Container(Value):
    """A container or an init container; `restart_policy` Always makes the latter a sidecar."""

    name: str = ""
    image: str = ""
    resources: Resources = Resources()
    ports: tuple[ContainerPort, ...] | None = None
    restart_policy: str | None = None
    restart_policy_rules: tuple[ContainerRestartRule, ...] | None = None


class SchedulingGate(Value):
    """A named gate that holds the pod back until somebody removes it."""

    name: str = ""


class PodResourceClaim(Value):
    """A request for devices by dynamic resource allocation."""

    name: str = ""
    resource_claim_name: str | None = None
    resource_claim_template_name: str | None = None


class PodSpec(Value):
    """The part of a pod's spec that decides where it may run."""

    containers: tuple[Container, ...] | None = None
    init_containers: tuple[Container, ...] | None = None
    overhead: dict[str, QuantityText] | None = None
    resources: Resources | None = None
    node_name: str = ""
    node_selector: dict[str, str] | None = None
    affinity: Affinity | None = None
    tolerations: tuple[Toleration, ...] | None = None
    topology_spread_constraints: tuple[TopologySpreadConstraint, ...] | None = None
    scheduler_name: str = ""
    scheduling_gates: tuple[SchedulingGate, ...] | None = None
    priority: int | None = None
    priority_class_name: str = ""
    preemption_policy: str | None = None
    host_network: bool = False
    host_users: bool | None = None
    volumes: tuple[Volume, ...] | None = None
    resource_claims: tuple[PodResourceClaim, ...] | None = None


class ContainerStatus(Value):
    """What the kubelet granted a running container; in-place resize makes it differ from the spec."""

    name: str = ""
    resources: Resources | None = None
    allocated_resources: dict[str, QuantityText] | None = None


class PodStatus(Value):
    """The part of a pod's status that a scheduler reads."""

    phase: str = ""
    nominated_node_name: str = ""
    conditions: tuple[Condition, ...] | None = None
    container_statuses: tuple[ContainerStatus, ...] | None = None
    init_container_statuses: tuple[ContainerStatus, ...] | None = None
    resources: Resources | None = None
    allocated_resources: dict[str, QuantityText] | None = None
    start_time: str | None = None


class Pod(KubernetesObject):
    """A pod."""

    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def namespace(self) -> str:
        """The namespace."""
        return self.metadata.namespace

    @property
    def key(self) -> str:
        """`namespace/name`, unique among pods that exist at one time."""
        return f"{self.metadata.namespace}/{self.metadata.name}"

    @property
    def is_terminal(self) -> bool:
        """Whether the pod has ended: it holds nothing any more."""
        return self.status.phase in ("Succeeded", "Failed")

    @property
    def is_terminating(self) -> bool:
        """Whether the pod is being deleted: it still holds its resources."""
        return self.metadata.deletion_timestamp is not None
