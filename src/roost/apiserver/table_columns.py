"""The columns of `kubectl get`, kind by kind, as kube-apiserver names and fills them."""

from collections.abc import Callable, Iterator

from msgspec import Struct

from roost.apiserver.ages import UNKNOWN, age
from roost.apiserver.events_as import event_as
from roost.apiserver.pod_row import pod_row, readiness_gates
from roost.apiserver.resources import EVENT, Resource
from roost.apiserver.scale import selector_text
from roost.apiserver.stored import Object

Cells = list[object]
_NONE = "<none>"
_ROLE_PREFIX = "node-role.kubernetes.io/"
_OLD_ROLE = "kubernetes.io/role"


class Column(Struct, frozen=True):
    """A column's name and type; a wide one is only shown with -o wide."""

    name: str
    type: str = "string"
    is_wide: bool = False


class Columns(Struct, frozen=True):
    """The columns of a kind, and what fills them for an object at a time."""

    columns: tuple[Column, ...]
    cells: Callable[[Object, float], Cells]


def columns_for(resource: Resource) -> Columns:
    """Return the columns of a resource: its own, or name and age."""
    return _BY_KEY.get(resource.key, _GENERIC)


def _columns(shown: str, wide: str = "", integers: str = "") -> tuple[Column, ...]:
    kinds = dict.fromkeys(integers.split(), "integer")
    narrow = [Column(name, kinds.get(name, "string")) for name in shown.split(",")]
    return (*narrow, *(Column(name, "string", True) for name in wide.split(",") if wide))


def _pod(pod: Object, now: float) -> Cells:
    row, spec, status = pod_row(pod), pod.get("spec") or {}, pod.get("status") or {}
    ips = status.get("podIPs") or ()
    return [
        _name(pod),
        f"{row.ready}/{row.total}",
        row.reason,
        row.restarts_text(now),
        _age(pod, now),
        (ips[0].get("ip") if ips else "") or _NONE,
        spec.get("nodeName") or _NONE,
        status.get("nominatedNodeName") or _NONE,
        readiness_gates(pod),
    ]


def _node(node: Object, now: float) -> Cells:
    info = (node.get("status") or {}).get("nodeInfo") or {}
    arch = info.get("architecture")
    return [
        _name(node),
        ",".join(_node_status(node)),
        ",".join(sorted(set(_roles(node)))) or _NONE,
        _age(node, now),
        info.get("kubeletVersion") or "",
        _address(node, "InternalIP"),
        _address(node, "ExternalIP"),
        info.get("osImage") or UNKNOWN,
        (info.get("kernelVersion") or UNKNOWN) + (f" ({arch})" if arch else ""),
        info.get("containerRuntimeVersion") or UNKNOWN,
    ]


def _node_status(node: Object) -> Iterator[str]:
    conditions = (node.get("status") or {}).get("conditions") or ()
    ready = next((one.get("status") for one in conditions if one.get("type") == "Ready"), None)
    yield "Unknown" if ready is None else "Ready" if ready == "True" else "NotReady"
    if (node.get("spec") or {}).get("unschedulable"):
        yield "SchedulingDisabled"


def _roles(node: Object) -> Iterator[str]:
    for key, value in (node["metadata"].get("labels") or {}).items():
        if key.startswith(_ROLE_PREFIX) and key != _ROLE_PREFIX:
            yield key.removeprefix(_ROLE_PREFIX)
        elif key == _OLD_ROLE and value:
            yield value


def _address(node: Object, type_: str) -> str:
    addresses = (node.get("status") or {}).get("addresses") or ()
    return next((str(one.get("address")) for one in addresses if one.get("type") == type_), _NONE)


def _deployment(workload: Object, now: float) -> Cells:
    spec, status = workload.get("spec") or {}, workload.get("status") or {}
    counts = [status.get("updatedReplicas", 0), status.get("availableReplicas", 0)]
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}"
    return [_name(workload), ready, *counts, _age(workload, now), *_template(spec)]


def _replica_set(workload: Object, now: float) -> Cells:
    spec, status = workload.get("spec") or {}, workload.get("status") or {}
    counts = [spec.get("replicas", 0), status.get("replicas", 0), status.get("readyReplicas", 0)]
    return [_name(workload), *counts, _age(workload, now), *_template(spec)]


def _stateful_set(workload: Object, now: float) -> Cells:
    spec, status = workload.get("spec") or {}, workload.get("status") or {}
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}"
    return [_name(workload), ready, _age(workload, now), *_template(spec)[:2]]


def _template(spec: Object) -> list[str]:
    containers = ((spec.get("template") or {}).get("spec") or {}).get("containers") or ()
    names = ",".join(one.get("name") or "" for one in containers)
    images = ",".join(one.get("image") or "" for one in containers)
    return [names, images, selector_text(spec.get("selector") or {})]


def _event(event: Object, now: float) -> Cells:
    event = event_as(EVENT, event)
    series, about = event.get("series"), event.get("involvedObject") or {}
    first = age(event.get("firstTimestamp") or event.get("eventTime"), now)
    last = age(event["lastTimestamp"], now) if event.get("lastTimestamp") else first
    if series:
        last = age(series.get("lastObservedTime"), now)
    kind, name = (about.get("kind") or "").lower(), about.get("name")
    return [
        last,
        event.get("type") or "",
        event.get("reason") or "",
        f"{kind}/{name}" if name else kind,
        about.get("fieldPath") or "",
        _source(event),
        (event.get("message") or "").strip(),
        first,
        (series or event).get("count") or 1,
        _name(event),
    ]


def _source(event: Object) -> str:
    source = event.get("source") or {}
    component = source.get("component") or event.get("reportingComponent") or ""
    instance = source.get("host") or event.get("reportingInstance") or ""
    return f"{component}, {instance}" if instance else component


def _namespace(namespace: Object, now: float) -> Cells:
    return [_name(namespace), (namespace.get("status") or {}).get("phase") or "", _age(namespace, now)]


def _lease(lease: Object, now: float) -> Cells:
    return [_name(lease), (lease.get("spec") or {}).get("holderIdentity") or "", _age(lease, now)]


def _priority_class(chosen: Object, now: float) -> Cells:
    policy = chosen.get("preemptionPolicy") or ""
    return [_name(chosen), chosen.get("value", 0), bool(chosen.get("globalDefault")), _age(chosen, now), policy]


def _budget(budget: Object, now: float) -> Cells:
    spec, status = budget.get("spec") or {}, budget.get("status") or {}
    limits = [str(spec.get(name, "N/A")) for name in ("minAvailable", "maxUnavailable")]
    return [_name(budget), *limits, status.get("disruptionsAllowed", 0), _age(budget, now)]


def _any(obj: Object, now: float) -> Cells:
    return [_name(obj), _age(obj, now)]


def _name(obj: Object) -> str:
    return str(obj["metadata"].get("name") or "")


def _age(obj: Object, now: float) -> str:
    return age(obj["metadata"].get("creationTimestamp"), now)


_EVENT_COLUMNS = (
    *_columns("Last Seen,Type,Reason,Object", "Subobject,Source"),
    *_columns("Message", "First Seen,Count,Name"),
)
_TEMPLATE = "Containers,Images,Selector"
_GENERIC = Columns(_columns("Name,Age"), _any)
_BY_KEY: dict[tuple[str, str], Columns] = {
    ("", "pods"): Columns(_columns("Name,Ready,Status,Restarts,Age", "IP,Node,Nominated Node,Readiness Gates"), _pod),
    ("", "nodes"): Columns(
        _columns("Name,Status,Roles,Age,Version", "Internal-IP,External-IP,OS-Image,Kernel-Version,Container-Runtime"),
        _node,
    ),
    ("", "events"): Columns(_EVENT_COLUMNS, _event),
    ("events.k8s.io", "events"): Columns(_EVENT_COLUMNS, _event),
    ("", "namespaces"): Columns(_columns("Name,Status,Age"), _namespace),
    ("apps", "deployments"): Columns(_columns("Name,Ready,Up-to-date,Available,Age", _TEMPLATE), _deployment),
    ("apps", "replicasets"): Columns(
        _columns("Name,Desired,Current,Ready,Age", _TEMPLATE, "Desired Current Ready"), _replica_set
    ),
    ("apps", "statefulsets"): Columns(_columns("Name,Ready,Age", "Containers,Images"), _stateful_set),
    ("coordination.k8s.io", "leases"): Columns(_columns("Name,Holder,Age"), _lease),
    ("scheduling.k8s.io", "priorityclasses"): Columns(
        _columns("Name,Value,Global-Default,Age,PreemptionPolicy", "", "Value"), _priority_class
    ),
    ("policy", "poddisruptionbudgets"): Columns(
        _columns("Name,Min Available,Max Unavailable,Allowed Disruptions,Age"), _budget
    ),
}
