"""What kube-apiserver fills in of a pod, and of the pod in a template, when somebody leaves it out."""

from collections.abc import Iterator

from roost.api.quantity import billionths
from roost.apiserver.stored import Object

DEFAULT_SCHEDULER = "default-scheduler"
EVICTION_SECONDS = 300
_NOT_READY, _UNREACHABLE = "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"
_QOS_RESOURCES = ("cpu", "memory")


def default_template_spec(spec: Object) -> None:
    """Fill in what every pod spec has, in a pod or in a template."""
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("securityContext", {})
    spec.setdefault("terminationGracePeriodSeconds", 30)
    if not spec.get("schedulerName"):
        spec["schedulerName"] = DEFAULT_SCHEDULER
    for container in containers_of(spec):
        _default_container(container)


def default_pod(pod: Object) -> None:
    """Fill in what a pod has beyond a template: requests from limits, host ports, service account."""
    spec = pod["spec"]
    default_template_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    account = spec.setdefault("serviceAccountName", spec.get("serviceAccount") or "default")
    spec["serviceAccount"] = account
    for container in containers_of(spec):
        _default_requests(container)
        if spec.get("hostNetwork"):
            _default_host_ports(container)


def add_tolerations(spec: Object) -> None:
    """Let a pod stay five minutes on a node that is lost, unless it says otherwise."""
    tolerations = list(spec.get("tolerations") or ())
    for key in (_NOT_READY, _UNREACHABLE):
        if not any(_tolerates_eviction(one, key) for one in tolerations):
            tolerations.append(
                {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": EVICTION_SECONDS}
            )
    spec["tolerations"] = tolerations


def merge_label_keys(pod: Object) -> None:
    """Write the pod's values of matchLabelKeys and mismatchLabelKeys into the selectors beside them."""
    labels = pod["metadata"].get("labels") or {}
    spec = pod["spec"]
    for constraint in spec.get("topologySpreadConstraints") or ():
        _merge(constraint, "matchLabelKeys", "In", labels)
    for term in _affinity_terms(spec.get("affinity") or {}):
        _merge(term, "matchLabelKeys", "In", labels)
        _merge(term, "mismatchLabelKeys", "NotIn", labels)


def qos_class(spec: Object) -> str:
    """Return the quality of service that follows from requests and limits."""
    asking = [spec["resources"]] if spec.get("resources") else [c.get("resources") or {} for c in containers_of(spec)]
    requests = [_positive(one.get("requests")) for one in asking]
    limits = [_positive(one.get("limits")) for one in asking]
    if not any(requests) and not any(limits):
        return "BestEffort"
    if requests == limits and all(len(one) == len(_QOS_RESOURCES) for one in limits):
        return "Guaranteed"
    return "Burstable"


def containers_of(spec: Object) -> Iterator[Object]:
    """Yield the init containers and the containers."""
    yield from spec.get("initContainers") or ()
    yield from spec.get("containers") or ()


def _default_container(container: Object) -> None:
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    container.setdefault("resources", {})
    if not container.get("imagePullPolicy"):
        container["imagePullPolicy"] = _pull_policy(container.get("image") or "")
    for port in container.get("ports") or ():
        port.setdefault("protocol", "TCP")


def _pull_policy(image: str) -> str:
    tag = image.rpartition("/")[2].partition(":")[2]
    return "Always" if tag in ("", "latest") and "@" not in image else "IfNotPresent"


def _default_requests(container: Object) -> None:
    limits = container["resources"].get("limits") or {}
    if limits:
        container["resources"]["requests"] = {**limits, **(container["resources"].get("requests") or {})}


def _default_host_ports(container: Object) -> None:
    for port in container.get("ports") or ():
        if not port.get("hostPort"):
            port["hostPort"] = port.get("containerPort", 0)


def _tolerates_eviction(toleration: Object, key: str) -> bool:
    return toleration.get("key") in (key, None, "") and toleration.get("effect") in ("NoExecute", None, "")


def _affinity_terms(affinity: Object) -> Iterator[Object]:
    for place in ("podAffinity", "podAntiAffinity"):
        part = affinity.get(place) or {}
        for weighted in part.get("preferredDuringSchedulingIgnoredDuringExecution") or ():
            yield weighted.get("podAffinityTerm") or {}
        yield from part.get("requiredDuringSchedulingIgnoredDuringExecution") or ()


def _merge(holder: Object, place: str, operator: str, labels: Object) -> None:
    selector = holder.get("labelSelector")
    keys = [key for key in holder.get(place) or () if key in labels]
    if selector is None or not keys:
        return
    added = [{"key": key, "operator": operator, "values": [labels[key]]} for key in keys]
    selector["matchExpressions"] = [*(selector.get("matchExpressions") or ()), *added]


def _positive(quantities: Object | None) -> dict[str, int]:
    amounts = {name: billionths(text) for name, text in (quantities or {}).items() if name in _QOS_RESOURCES}
    return {name: amount for name, amount in amounts.items() if amount > 0}
