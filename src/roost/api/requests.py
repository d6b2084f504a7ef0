"""Says what a pod asks of a node: the one place for sidecars, overhead, pod-level resources and resizes in place.

Every function first reduces the pod to its shape, the tuple of all quantities that count. Pods of one workload share
a shape, so the arithmetic is done once for each shape and remembered.
"""

from collections.abc import Iterator
from functools import lru_cache

from roost.api.meta import QuantityText, Resources
from roost.api.pod import Container, ContainerStatus, Pod
from roost.api.quantity import MILLI, WHOLE, billionths, in_units
from roost.errors import InvalidObject

RequestItems = tuple[tuple[str, int], ...]
"""Requests as sorted (resource, amount) pairs: equal for equal requests, and hashable."""

DEFAULT_MILLI_CPU = 100
"""What a container without a CPU request counts as in scores, in milli-cores."""

DEFAULT_MEMORY = 200 * 1024 * 1024
"""What a container without a memory request counts as in scores, in bytes."""

_Quantities = tuple[tuple[str, QuantityText], ...]
_Versions = tuple[_Quantities, ...]  # what spec and status say of one thing: resource by resource the largest counts
_InitContainer = tuple[bool, _Versions]  # whether it is a sidecar
_PodLevel = tuple[tuple[str, ...], _Versions]  # the resources that the pod's own requests decide
Shape = tuple[tuple[_Versions, ...], tuple[_InitContainer, ...], _PodLevel, _Quantities]
_Amounts = dict[str, int]  # in billionths

_DEFAULTS: _Amounts = {"cpu": DEFAULT_MILLI_CPU * MILLI, "memory": DEFAULT_MEMORY * WHOLE}
_NO_POD_LEVEL: _PodLevel = ((), ())
_REMEMBERED = 8192


def pod_requests(pod: Pod, *, placed: bool = False) -> dict[str, int]:
    """Return what a pod asks of a node: CPU in milli-cores, all else in base units.

    With `placed`, what the kubelet has granted counts as well, since a resize may be under way. Raises InvalidObject
    naming the container and the resource if a quantity is malformed.
    """
    return dict(request_items(pod, placed=placed))


def request_items(pod: Pod, *, placed: bool = False) -> RequestItems:
    """Return `pod_requests` as sorted pairs, to be part of a key; pods of one shape share one tuple."""
    try:
        return _requests(pod_shape(pod, placed=placed), ())
    except InvalidObject as error:
        raise _located(pod, error) from error


def scoring_requests(pod: Pod, *, placed: bool = False) -> tuple[int, int]:
    """Return what a pod counts as in the usage that scores read: (milli-cores, bytes of memory).

    Containers without a request count with the defaults, unless the pod itself or its overhead has one beside
    pod-level requests. Raises InvalidObject as `pod_requests` does.
    """
    try:
        return _scoring_requests(pod_shape(pod, placed=placed))
    except InvalidObject as error:
        raise _located(pod, error) from error


def fit_score_requests(pod: Pod) -> dict[str, int]:
    """Return what NodeResourcesFit adds for the incoming pod when it scores, in the units of `pod_requests`.

    As in kube-scheduler, that is not what it filters by: pod-level requests are ignored, and every container without
    a CPU or memory request counts with the default. Raises InvalidObject as `pod_requests` does.
    """
    containers, init_containers, _, overhead = pod_shape(pod, placed=False)
    try:
        return dict(_requests((containers, init_containers, _NO_POD_LEVEL, overhead), ("cpu", "memory")))
    except InvalidObject as error:
        raise _located(pod, error) from error


def balanced_score_requests(pod: Pod) -> dict[str, int]:
    """Return what NodeResourcesBalancedAllocation adds for the incoming pod, in the units of `pod_requests`.

    No defaults here; and kube-scheduler reads the status too, which says nothing before a pod runs. Raises
    InvalidObject as `pod_requests` does.
    """
    return pod_requests(pod, placed=True)


@lru_cache(maxsize=_REMEMBERED)
def _requests(shape: Shape, defaulted: tuple[str, ...]) -> RequestItems:
    containers, init_containers, (decided, pod_level), overhead = shape
    total = _all_containers(containers, init_containers, {name: _DEFAULTS[name] for name in defaulted})
    own = _largest(pod_level)
    total.update({name: own.get(name, 0) for name in decided})
    _add(total, _largest((overhead,)))
    return tuple(sorted((name, in_units(amount, MILLI if name == "cpu" else WHOLE)) for name, amount in total.items()))


@lru_cache(maxsize=_REMEMBERED)
def _scoring_requests(shape: Shape) -> tuple[int, int]:
    _, _, (decided, _), _ = shape
    known = dict(_requests(shape, ())) if decided else {}
    amounts = dict(_requests(shape, tuple(name for name in _DEFAULTS if name not in known)))
    return amounts.get("cpu", 0), amounts.get("memory", 0)


def _all_containers(
    containers: tuple[_Versions, ...], init_containers: tuple[_InitContainer, ...], defaults: _Amounts
) -> _Amounts:
    total: _Amounts = {}
    for versions in containers:
        _add(total, defaults | _largest(versions))
    peak, sidecars = _starting_up(init_containers, defaults)
    _add(total, sidecars)
    _raise_to(total, peak)
    return total


def _starting_up(init_containers: tuple[_InitContainer, ...], defaults: _Amounts) -> tuple[_Amounts, _Amounts]:
    peak: _Amounts = {}
    sidecars: _Amounts = {}
    # They start one after the other, each beside the sidecars started before it; only sidecars stay.
    for is_sidecar, versions in init_containers:
        running = defaults | _largest(versions)
        _add(running, sidecars)
        _raise_to(peak, running)
        if is_sidecar:
            sidecars = running
    return peak, sidecars


def _largest(versions: _Versions) -> _Amounts:
    largest: _Amounts = {}
    for quantities in versions:
        _raise_to(largest, {name: billionths(quantity) for name, quantity in quantities})
    return largest


def _add(total: _Amounts, amounts: _Amounts) -> None:
    for name, amount in amounts.items():
        total[name] = total.get(name, 0) + amount


def _raise_to(floor: _Amounts, amounts: _Amounts) -> None:
    for name, amount in amounts.items():
        floor[name] = max(floor.get(name, amount), amount)


def granted_parts(pod: Pod) -> tuple[object, ...]:
    """Return the parts of a pod that its shape on a node is made of: where these are the same, so is the shape."""
    spec, status = pod.spec, pod.status
    asked = (spec.containers, spec.init_containers, spec.resources, spec.overhead)
    granted = (status.container_statuses, status.init_container_statuses, status.resources, status.allocated_resources)
    return (*asked, *granted, status.conditions)


def pod_shape(pod: Pod, *, placed: bool) -> Shape:
    """Return all quantities of a pod that count, as a key: pods of equal shape ask for the same."""
    spec = pod.spec
    statuses = _statuses(pod) if placed else None
    infeasible = placed and _resize_is_infeasible(pod)
    return (
        tuple([_versions(container, statuses, infeasible) for container in spec.containers or ()]),
        tuple([_init_container(container, statuses, infeasible) for container in spec.init_containers])
        if spec.init_containers
        else (),
        _pod_level(pod, spec.resources, placed, infeasible) if spec.resources else _NO_POD_LEVEL,
        tuple(spec.overhead.items()) if spec.overhead else (),
    )


def _versions(container: Container, statuses: dict[str, ContainerStatus] | None, infeasible: bool) -> _Versions:
    asked = _quantities(container.resources.requests)
    status = statuses.get(container.name) if statuses else None
    if status is None or status.resources is None:
        return (asked,)
    granted = (_quantities(status.resources.requests), _quantities(status.allocated_resources))
    return granted if infeasible else (asked, *granted)


def _init_container(
    container: Container, statuses: dict[str, ContainerStatus] | None, infeasible: bool
) -> _InitContainer:
    is_sidecar = container.restart_policy == "Always"
    return is_sidecar, _versions(container, statuses if is_sidecar else None, infeasible)


def _pod_level(pod: Pod, resources: Resources, placed: bool, infeasible: bool) -> _PodLevel:
    asked = _quantities(resources.requests)
    decided = tuple(name for name, _ in asked if name in ("cpu", "memory") or name.startswith("hugepages-"))
    if not placed or pod.status.resources is None:
        return decided, (asked,)
    granted = (_quantities(pod.status.resources.requests), _quantities(pod.status.allocated_resources))
    return decided, granted if infeasible else (asked, *granted)


def _quantities(requests: dict[str, QuantityText] | None) -> _Quantities:
    return tuple(requests.items()) if requests else ()


def _statuses(pod: Pod) -> dict[str, ContainerStatus]:
    status = pod.status
    return {one.name: one for one in (*(status.container_statuses or ()), *(status.init_container_statuses or ()))}


def _resize_is_infeasible(pod: Pod) -> bool:
    pending = (one.reason for one in pod.status.conditions or () if one.type == "PodResizePending")
    return next(pending, "") == "Infeasible"


def _located(pod: Pod, error: InvalidObject) -> InvalidObject:
    for place, quantities in _places(pod):
        for name, quantity in (quantities or {}).items():
            try:
                billionths(quantity)
            except InvalidObject as found:
                return InvalidObject(f"{place} {name}: {found}")
    return error


def _places(pod: Pod) -> Iterator[tuple[str, dict[str, QuantityText] | None]]:
    spec, status = pod.spec, pod.status
    for container in spec.containers or ():
        yield f"container {container.name!r} requests", container.resources.requests
    for container in spec.init_containers or ():
        yield f"init container {container.name!r} requests", container.resources.requests
    yield "the pod itself requests", spec.resources.requests if spec.resources else None
    yield "the pod's overhead has", spec.overhead
    for one in (*(status.container_statuses or ()), *(status.init_container_statuses or ())):
        yield f"the status of container {one.name!r} has", one.resources.requests if one.resources else None
        yield f"the status of container {one.name!r} allocates", one.allocated_resources
    yield "the pod's status has", status.resources.requests if status.resources else None
    yield "the pod's status allocates", status.allocated_resources
