"""The resources that the embedded cluster serves: one table, read by the store, by routing and by discovery."""

from functools import cached_property
from typing import Any

from msgspec import Struct

from roost.api.kinds import Kind

STATUS, SCALE = "status", "scale"


class Resource(Struct, frozen=True, kw_only=True, dict=True):
    """What the API says of a resource. Each group is served in one version."""

    group: str = ""
    version: str = "v1"
    plural: str
    kind: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    has_generation: bool = False
    needs_version: bool = False
    """Whether an update must carry a resourceVersion."""
    creates_on_update: bool = False

    @property
    def api_version(self) -> str:
        """The apiVersion as objects spell it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        """The singular name, such as pod."""
        return self.kind.lower()

    @property
    def qualified(self) -> str:
        """The name in error texts, such as pods or deployments.apps."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified_kind(self) -> str:
        """The kind in error texts, such as Pod or Deployment.apps."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    @property
    def key(self) -> tuple[str, str]:
        """What names the resource: group and plural."""
        return (self.group, self.plural)

    @cached_property
    def table(self) -> tuple[str, str]:
        """Where its objects are kept; the two kinds of events are one."""
        return ("", "events") if self.plural == "events" else self.key

    @property
    def has_status(self) -> bool:
        """Whether the status is written apart from the rest."""
        return STATUS in self.subresources


def _core(plural: str, kind: str, short: str = "", **more: Any) -> Resource:
    return _resource("", "v1", plural, kind, short, **more)


def _resource(group: str, version: str, plural: str, kind: str, short: str = "", **more: Any) -> Resource:
    names = tuple(short.split())
    return Resource(group=group, version=version, plural=plural, kind=kind, short_names=names, **more)


_ALL = ("all",)
_STATUS = (STATUS,)
_SCALED = (STATUS, SCALE)
_WORKLOAD: dict[str, Any] = {"categories": _ALL, "has_generation": True}
_CLUSTER: dict[str, Any] = {"namespaced": False}
_EVENTS: dict[str, Any] = {"short": "ev", "creates_on_update": True}

POD = _core(
    "pods", "Pod", "po", categories=_ALL, has_generation=True, subresources=(STATUS, "binding", "eviction", "resize")
)
NODE = _core("nodes", "Node", "no", subresources=_STATUS, **_CLUSTER)
NAMESPACE = _core("namespaces", "Namespace", "ns", subresources=(STATUS, "finalize"), **_CLUSTER)
EVENT = _resource("", "v1", "events", "Event", **_EVENTS)
NEW_EVENT = _resource("events.k8s.io", "v1", "events", "Event", **_EVENTS)
DEPLOYMENT = _resource("apps", "v1", "deployments", "Deployment", "deploy", subresources=_SCALED, **_WORKLOAD)
REPLICA_SET = _resource("apps", "v1", "replicasets", "ReplicaSet", "rs", subresources=_SCALED, **_WORKLOAD)
STATEFUL_SET = _resource("apps", "v1", "statefulsets", "StatefulSet", "sts", subresources=_SCALED, **_WORKLOAD)
LEASE = _resource("coordination.k8s.io", "v1", "leases", "Lease", needs_version=True, creates_on_update=True)
PRIORITY_CLASS = _resource(
    "scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", "pc", has_generation=True, **_CLUSTER
)
POD_DISRUPTION_BUDGET = _resource(
    "policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", "pdb", subresources=_STATUS, has_generation=True
)

RESOURCES: tuple[Resource, ...] = (
    POD,
    NODE,
    NAMESPACE,
    EVENT,
    _core("configmaps", "ConfigMap", "cm"),
    _core("secrets", "Secret"),
    _core("services", "Service", "svc", categories=_ALL, subresources=_STATUS),
    _core("endpoints", "Endpoints", "ep", creates_on_update=True),
    _core("serviceaccounts", "ServiceAccount", "sa"),
    _core(
        "replicationcontrollers",
        "ReplicationController",
        "rc",
        categories=_ALL,
        has_generation=True,
        subresources=_SCALED,
    ),
    _core("persistentvolumes", "PersistentVolume", "pv", subresources=_STATUS, **_CLUSTER),
    _core("persistentvolumeclaims", "PersistentVolumeClaim", "pvc", subresources=_STATUS),
    _core("podtemplates", "PodTemplate"),
    _core("resourcequotas", "ResourceQuota", "quota", subresources=_STATUS),
    _core("limitranges", "LimitRange", "limits"),
    NEW_EVENT,
    DEPLOYMENT,
    REPLICA_SET,
    STATEFUL_SET,
    _resource("apps", "v1", "daemonsets", "DaemonSet", "ds", subresources=_STATUS, **_WORKLOAD),
    _resource("apps", "v1", "controllerrevisions", "ControllerRevision"),
    _resource("batch", "v1", "jobs", "Job", subresources=_STATUS, **_WORKLOAD),
    _resource("batch", "v1", "cronjobs", "CronJob", "cj", subresources=_STATUS, **_WORKLOAD),
    _resource(
        "autoscaling",
        "v2",
        "horizontalpodautoscalers",
        "HorizontalPodAutoscaler",
        "hpa",
        categories=_ALL,
        subresources=_STATUS,
    ),
    LEASE,
    PRIORITY_CLASS,
    POD_DISRUPTION_BUDGET,
    _resource("storage.k8s.io", "v1", "storageclasses", "StorageClass", "sc", **_CLUSTER),
    _resource("storage.k8s.io", "v1", "csinodes", "CSINode", **_CLUSTER),
    _resource("storage.k8s.io", "v1", "csidrivers", "CSIDriver", **_CLUSTER),
    _resource("storage.k8s.io", "v1", "csistoragecapacities", "CSIStorageCapacity"),
    _resource("storage.k8s.io", "v1", "volumeattachments", "VolumeAttachment", subresources=_STATUS, **_CLUSTER),
    _resource("resource.k8s.io", "v1", "resourceclaims", "ResourceClaim", subresources=_STATUS),
    _resource("resource.k8s.io", "v1", "resourceclaimtemplates", "ResourceClaimTemplate"),
    _resource("resource.k8s.io", "v1", "resourceslices", "ResourceSlice", has_generation=True, **_CLUSTER),
    _resource("resource.k8s.io", "v1", "deviceclasses", "DeviceClass", has_generation=True, **_CLUSTER),
    _resource("rbac.authorization.k8s.io", "v1", "roles", "Role"),
    _resource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding"),
    _resource("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", **_CLUSTER),
    _resource("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", **_CLUSTER),
    _resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", "netpol", has_generation=True),
    _resource("networking.k8s.io", "v1", "ingresses", "Ingress", "ing", subresources=_STATUS, has_generation=True),
    _resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", has_generation=True),
    _resource("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass", **_CLUSTER),
)

_BY_KEY = {resource.key: resource for resource in RESOURCES}
_BY_KIND = {(resource.group, resource.kind): resource for resource in RESOURCES}


def find_resource(group: str, plural: str) -> Resource | None:
    """Return what is served under a group and a plural name."""
    return _BY_KEY.get((group, plural))


def resource_of_kind(api_version: str, kind: str) -> Resource | None:
    """Return the resource whose objects carry this apiVersion and kind; the version itself does not count."""
    group = api_version.rpartition("/")[0]
    return _BY_KIND.get((group, kind))


def resource_of(kind: Kind[Any]) -> Resource:
    """Return the resource for a kind as the rest of Roost knows it; one that is not served is made up as it says."""
    found = find_resource(kind.group, kind.plural)
    if found is not None:
        return found
    return Resource(
        group=kind.group, version=kind.version, plural=kind.plural, kind=kind.name, namespaced=kind.namespaced
    )
