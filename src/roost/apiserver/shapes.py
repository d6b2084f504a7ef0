"""The types of the fields that the embedded cluster reads: an object in which they differ is refused, not stored."""

from typing import Annotated

import msgspec
from msgspec import Meta

from roost.api.meta import ObjectMeta, Value
from roost.api.node import Node
from roost.api.pod import Pod, PodSpec
from roost.api.selectors import LabelSelector
from roost.apiserver.refusals import bad_request
from roost.apiserver.resources import Resource
from roost.apiserver.stored import Object

Share = int | Annotated[str, Meta(pattern=r"^[0-9]+%$")]
"""A number, or a percentage."""


class _Owner(Value):
    api_version: str
    kind: str
    name: str
    uid: str


class _Holds(Value):
    finalizers: tuple[str, ...] | None = None
    owner_references: tuple[_Owner, ...] | None = None
    deletion_grace_period_seconds: int | None = None


class _Held(Value):
    metadata: _Holds = _Holds()


class _Rolling(Value):
    max_surge: Share | None = None
    max_unavailable: Share | None = None


class _Strategy(Value):
    type: str = ""
    rolling_update: _Rolling | None = None


class _Template(Value):
    metadata: ObjectMeta = ObjectMeta()
    spec: PodSpec = PodSpec()


class _WorkloadSpec(Value):
    replicas: int | None = None
    selector: LabelSelector | None = None
    template: _Template = _Template()
    strategy: _Strategy | None = None


class _Workload(Value):
    metadata: ObjectMeta = ObjectMeta()
    spec: _WorkloadSpec = _WorkloadSpec()
    status: dict[str, object] | None = None


class _Budget(Value):
    selector: LabelSelector | None = None
    min_available: Share | None = None
    max_unavailable: Share | None = None


class _DisruptionBudget(Value):
    metadata: ObjectMeta = ObjectMeta()
    spec: _Budget = _Budget()


class _PriorityClass(Value):
    metadata: ObjectMeta = ObjectMeta()
    value: int = 0


class _ServiceSpec(Value):
    ports: list[dict[str, object]] | None = None


class _Anything(Value):
    metadata: ObjectMeta = ObjectMeta()
    spec: dict[str, object] | None = None
    status: dict[str, object] | None = None


class _Series(Value):
    count: int = 0
    last_observed_time: str | None = None


class _Event(Value):
    metadata: ObjectMeta = ObjectMeta()
    involved_object: dict[str, object] | None = None
    source: dict[str, object] | None = None
    last_timestamp: str | None = None
    series: _Series | None = None


class _Service(Value):
    metadata: ObjectMeta = ObjectMeta()
    spec: _ServiceSpec = _ServiceSpec()


_SHAPES: dict[str, type[Value]] = {
    "Pod": Pod,
    "Node": Node,
    "Deployment": _Workload,
    "ReplicaSet": _Workload,
    "StatefulSet": _Workload,
    "DaemonSet": _Workload,
    "PodDisruptionBudget": _DisruptionBudget,
    "PriorityClass": _PriorityClass,
    "Service": _Service,
    "Event": _Event,
}


def check_shape(resource: Resource, obj: Object) -> None:
    """Refuse (400) an object in which a field that is read here has another type than it should."""
    try:
        msgspec.convert(obj, _Held)
        msgspec.convert(obj, _SHAPES.get(resource.kind, _Anything))
    except msgspec.ValidationError as error:
        kind = resource.kind
        text = f'{kind} in version "{resource.version}" cannot be handled as a {kind}: {error}'
        raise bad_request(text) from error
