"""A pod with what deciding needs, worked out once: requests as a vector, host ports, keys for remembering."""

import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import datetime
from operator import attrgetter

import msgspec
from msgspec import Struct

from roost.api.features import required_features
from roost.api.meta import OwnerReference
from roost.api.pod import Container, ContainerPort, Pod
from roost.framework.pod_terms import PodTerms, affinity_terms
from roost.framework.pod_volumes import NO_VOLUMES, pod_volumes
from roost.framework.resources import PODS, Int64
from roost.framework.storage import VolumePlan

HostPort = tuple[str, str, int]
"""Protocol, IP and port; an empty IP in the pod is 0.0.0.0 here."""

_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_NOTHING = b""


class Requests(Struct, frozen=True, eq=False):
    """What pods of one shape ask for; pods of equal shape share one of these, so it is its own key.

    `effective` are Kubernetes' effective requests, `vector` the same over the rows of the resource index with
    `pods` = 1 and the `nonzero` CPU and memory that scores count; `asked` are rows and amounts to check against what
    is free. `fit_score` and `balanced_score` are what the two resource scores count for a pod that is not placed yet.
    Units: milli-cores, bytes, counts.
    """

    effective: Mapping[str, int]
    nonzero: tuple[int, int]
    vector: Int64
    asked: tuple[tuple[int, int], ...]
    fit_score: Mapping[str, int]
    balanced_score: Mapping[str, int]


def asked_rows(vector: Int64, names: Mapping[str, int]) -> tuple[tuple[int, int], ...]:
    """Return (row, amount) of `pods` and of every resource with a positive request."""
    rows = [(row, int(vector[row])) for row in names.values() if vector[row] > 0]
    return ((PODS, 1), *sorted(rows))


class PodInfo:
    """A pod as plugins see it; `owner` is its controller's uid, or "" once it is being deleted.

    `volumes` are those that can tie it to nodes; `volume_plan` is what is to be done about them where it is assumed.
    """

    __slots__ = (
        "_parts",
        "_started",
        "_terms",
        "host_ports",
        "key",
        "kind",
        "owner",
        "pod",
        "priority",
        "requests",
        "uid",
        "volume_plan",
        "volumes",
    )

    def __init__(self, pod: Pod, requests: Requests) -> None:
        self.pod = pod
        self.key = pod.key
        self.uid = pod.metadata.uid
        self.priority = pod.spec.priority or 0
        self.requests = requests
        self.host_ports = host_ports(pod)
        self.owner = _owner_uid(pod) if pod.metadata.owner_references else ""
        self.kind: tuple[object, bytes, bytes] | None = None
        self._parts: dict[str, Hashable] = {}
        self.volumes = pod_volumes(pod) if pod.spec.volumes else NO_VOLUMES
        self.volume_plan: VolumePlan | None = None
        self._terms: PodTerms | None = None
        self._started: float | None = None

    def __repr__(self) -> str:
        return f"PodInfo({self.key})"

    @property
    def started(self) -> float:
        """When the pod started, in Unix seconds; infinity if it has not: it is younger than those that have."""
        if self._started is None:
            self._started = _seconds(self.pod.status.start_time)
        return self._started

    @property
    def terms(self) -> PodTerms:
        """The rules of the pod on what pods it is near to, as others that come later are judged by them."""
        if self._terms is None:
            self._terms = affinity_terms(self.pod)
        return self._terms

    def resembles(self, other: "PodInfo") -> bool:
        """Tell whether a pod asks for the same and every part of it is equal, as of copies from one template.

        It is then taken for the other wherever keys are compared: what was worked out for one serves both. Some pods
        that plugins cannot tell apart do not resemble each other in this sense; their keys are equal all the same.
        """
        pod, like = self.pod, other.pod
        mine, its = pod.metadata, like.metadata
        if (
            self.requests is not other.requests
            or self.volumes is not NO_VOLUMES
            or pod.spec != like.spec
            or mine.labels != its.labels
            or mine.namespace != its.namespace
            or mine.annotations != its.annotations
            or mine.owner_references != its.owner_references
            or pod.status.nominated_node_name != like.status.nominated_node_name
        ):
            return False
        self._parts, self._terms, self.kind = other._parts, other.terms, other.kind
        return True

    def part(self, name: str) -> Hashable:
        """Return the canonical key of one part of the pod (see `READ`); equal parts have equal keys."""
        found = self._parts.get(name)
        if found is None:
            found = self._parts[name] = self._key(name)
        return found

    def _key(self, name: str) -> Hashable:
        if name == "requests":
            return self.requests
        at_hand = _AT_HAND.get(name)
        value = READ[name](self.pod) if at_hand is None else at_hand(self)
        return _encode(value) if value else _NOTHING


def key_of(parts: Iterable[str]) -> "Callable[[PodInfo], bytes]":
    """Return what gives one key for several parts of a pod together, which is cheaper than their keys."""
    wanted = set(parts)
    paths = [_PATHS[part] for part in PARTS if part in wanted and part in _PATHS]
    plain = attrgetter(*paths) if paths else None
    others = [_AT_HAND.get(part) or _read(part) for part in PARTS if part in wanted and part not in _PATHS]

    def key(pod: PodInfo) -> bytes:
        return _encode([plain and plain(pod.pod), *[read(pod) for read in others]])

    return key


def host_ports(pod: Pod) -> tuple[HostPort, ...]:
    """Return the host ports of the containers and sidecars."""
    spec = pod.spec
    if spec.init_containers is None and spec.containers is not None and len(spec.containers) == 1:
        ports = spec.containers[0].ports
        if ports is None or not any(port.host_port > 0 for port in ports):
            return ()
    return tuple(
        _host_port(port) for container in _long_running(pod) for port in container.ports or () if port.host_port > 0
    )


def _long_running(pod: Pod) -> list[Container]:
    sidecars = [c for c in pod.spec.init_containers or () if c.restart_policy == "Always"]
    return [*sidecars, *(pod.spec.containers or ())]


def _host_port(port: ContainerPort) -> HostPort:
    return (port.protocol or "TCP", port.host_ip or "0.0.0.0", port.host_port)


def _read(part: str) -> Callable[[PodInfo], object]:
    read = READ[part]
    return lambda pod: read(pod.pod)


def _seconds(time: str | None) -> float:
    try:
        return datetime.fromisoformat(time.upper()).timestamp() if time else math.inf
    except ValueError:
        return math.inf


def _images(pod: Pod) -> object:
    spec = pod.spec
    containers = (*(spec.init_containers or ()), *(spec.containers or ()))
    return [[c.image for c in containers], [v.image.reference for v in spec.volumes or () if v.image is not None]]


def _controller(pod: Pod) -> OwnerReference | None:
    return next((owner for owner in pod.metadata.owner_references or () if owner.controller), None)


def _owner_uid(pod: Pod) -> str:
    owner = None if pod.is_terminating else _controller(pod)
    return owner.uid if owner is not None else ""


def _node_affinity(pod: Pod) -> object:
    affinity = pod.spec.affinity
    return affinity.node_affinity if affinity is not None else None


_PATHS: Mapping[str, str] = {
    "namespace": "metadata.namespace",
    "labels": "metadata.labels",
    "annotations": "metadata.annotations",
    "node_selector": "spec.node_selector",
    "affinity": "spec.affinity",
    "spread": "spec.topology_spread_constraints",
    "tolerations": "spec.tolerations",
    "volumes": "spec.volumes",
    "claims": "spec.resource_claims",
    "priority": "spec.priority",
    "preemption_policy": "spec.preemption_policy",
    "node_name": "spec.node_name",
    "nominated_node": "status.nominated_node_name",
}

READ: Mapping[str, Callable[[Pod], object]] = {
    "requests": lambda pod: pod.spec.containers,  # PodInfo answers with the shared Requests
    "owner": _controller,
    "node_affinity": _node_affinity,
    "ports": host_ports,
    "images": _images,
    "storage": lambda pod: pod_volumes(pod) or None,
    "features": required_features,
    **{part: attrgetter(path) for part, path in _PATHS.items()},
}
"""The parts of a pod that a plugin may say it reads. Never its name, uid, resourceVersion or times."""

_AT_HAND: Mapping[str, Callable[[PodInfo], object]] = {
    "ports": lambda pod: pod.host_ports,
    "storage": lambda pod: pod.volumes or None,
}

PARTS = tuple(READ)
"""The names of the parts."""
