"""Why a pod is not there at all: its controller could not create it, and said so in an event.

quota                exceeded quota: …
ServiceAccount       error looking up service account …
admission            a webhook, PodSecurity, LimitRanger or another plugin said no
"""

import re
from collections.abc import Iterator

from roost.analysis.preconditions import Finding, moment
from roost.analysis.snapshot import Snapshot
from roost.api.explaining import Event
from roost.api.meta import KubernetesObject
from roost.framework.measure import read_time

_QUOTA = re.compile(r"exceeded quota: (?P<name>[^,\s]+)|failed quota: (?P<failed>[^:\s]+)")
_ACCOUNT = re.compile(
    r"service ?account \"?(?:[^\s/\"]+/)?(?P<name>[^\s\":]+)\"? not found|serviceaccount \"(?P<other>[^\"]+)\"", re.I
)
_WEBHOOK = re.compile(r"admission webhook \"(?P<name>[^\"]+)\" denied")
_SECURITY = re.compile(r"violates PodSecurity \"(?P<name>[^\"]+)\"")
_PRIORITY = re.compile(r"no PriorityClass with name (?P<name>\S+) was found")

SHORT = {
    "deploy": "Deployment", "deployment": "Deployment", "rs": "ReplicaSet", "replicaset": "ReplicaSet",
    "sts": "StatefulSet", "statefulset": "StatefulSet", "ds": "DaemonSet", "daemonset": "DaemonSet", "job": "Job",
}  # fmt: skip
"""The kinds of controllers as kubectl lets people write them."""


def find_failed_creation(snapshot: Snapshot, namespace: str, name: str, kind: str = "") -> list[Finding]:
    """Return why pods are not created: those of a controller, or those whose name begins with that of one."""
    makers = [
        (maker_kind, maker)
        for (maker_kind, maker_namespace, own), maker in snapshot.makers.items()
        if maker_namespace == namespace and (own == name if kind == maker_kind else not kind and _may_make(own, name))
    ]
    events = {
        (said, event.text): (said, maker, event)
        for maker_kind, maker in makers
        for said, event in _failures(snapshot, maker_kind, maker)
    }
    return [_finding(namespace, said, event) for said, _, event in events.values()]


def _may_make(own: str, pod_name: str) -> bool:
    return pod_name == own or pod_name.startswith(f"{own}-")


def _failures(snapshot: Snapshot, kind: str, maker: KubernetesObject) -> Iterator[tuple[str, Event]]:
    """Yield the last failure of a controller, for a Deployment that of its ReplicaSets."""
    owned = [(kind, maker.name)]
    if kind == "Deployment":
        owned += [
            (own_kind, own)
            for (own_kind, namespace, own), other in snapshot.makers.items()
            if namespace == maker.metadata.namespace
            and any(owner.kind == kind and owner.name == maker.name for owner in other.metadata.owner_references or ())
        ]
    for own_kind, own in owned:
        events = snapshot.events_about(own_kind, maker.metadata.namespace, own)
        failed = next((event for event in events if event.reason == "FailedCreate"), None)
        if failed is not None:
            yield f"{own_kind} {own}", failed


def _finding(namespace: str, said: str, event: Event) -> Finding:
    what, command = _classified(namespace, event.text)
    last = read_time(event.last_time)
    when = f", last at {moment(last)}" if last == last else ""
    return Finding(
        "creation", f"{said} cannot create the pod: {what} ({event.text.rstrip('.')}{when}).", command=command
    )


def _classified(namespace: str, text: str) -> tuple[str, str]:
    if found := _QUOTA.search(text):
        name = found["name"] or found["failed"]
        return f"quota {name} is used up", f"kubectl -n {namespace} describe quota {name}"
    if found := _ACCOUNT.search(text):
        name = found["name"] or found["other"]
        return f"ServiceAccount {name} does not exist", f"kubectl -n {namespace} create serviceaccount {name}"
    if found := _WEBHOOK.search(text):
        return (
            f"the admission webhook {found['name']} refuses it",
            "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations",
        )
    if found := _SECURITY.search(text):
        return (
            f"it violates the pod security standard {found['name']}",
            f"kubectl get namespace {namespace} --show-labels",
        )
    if found := _PRIORITY.search(text):
        return f"PriorityClass {found['name']} does not exist", "kubectl get priorityclasses"
    return "admission refuses it", f"kubectl -n {namespace} get events --field-selector reason=FailedCreate"
