"""What keeps a pod waiting before any filter has a say: found in plain objects, with how certain that is.

    already bound, terminating, gated, claim pending      in the pod and its claims: certain
    nominated, waiting for victims                        in the pod, and in the pods that leave that node
    in backoff until when                                 from events, by the rules of the queue: an estimate
    no scheduler of this name                             leases, events, deployments: see `schedulers`

A pod that does not exist at all, because its controller could not create it, is in `creation`.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Literal

from msgspec import Struct

from roost.analysis.snapshot import Snapshot
from roost.api.kinds import PERSISTENT_VOLUME_CLAIM
from roost.api.pod import Pod
from roost.api.storage import WAIT
from roost.framework.measure import read_time

Certainty = Literal["certain", "likely", "unknown"]
Matter = Literal[
    "bound", "terminated", "terminating", "gated", "claim", "nominated", "backoff", "waiting", "scheduler", "creation"
]

FLUSH_AFTER = 300.0
"""Seconds after which a rejected pod is tried again in any case."""


class Backoff(Struct, frozen=True):
    """How long a rejected pod is left alone, in seconds; it doubles with each. The defaults are Kubernetes'."""

    initial: float = 1.0
    most: float = 10.0

    def after(self, tries: int) -> float:
        """Return how long it is after so many tries."""
        return min(self.initial * 2.0 ** min(tries - 1, 32), self.most)


class Finding(Struct, frozen=True):
    """Something that is so whatever filters say; `command` looks closer or helps, if there is one.

    `blocks` says that the pod is not placed as long as this is so.
    """

    matter: Matter
    says: str
    certainty: Certainty = "certain"
    command: str = ""
    blocks: bool = True


DEFAULT_BACKOFF = Backoff()


def find_preconditions(snapshot: Snapshot, pod: Pod, now: float, backoff: Backoff = DEFAULT_BACKOFF) -> list[Finding]:
    """Return what is to be said of a pod before a decision; `now` in Unix seconds."""
    findings = [finding for look in _LOOKS for finding in look(snapshot, pod, now)]
    findings += _rejected(snapshot, pod, now, backoff)
    # Of a pod that is on a node or leaving, nothing else keeps it from being placed.
    final = [one for one in findings if one.matter in ("bound", "terminated", "terminating")]
    return final or findings


def moment(seconds: float) -> str:
    """Return a time for people."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _bound(snapshot: Snapshot, pod: Pod, now: float) -> Iterator[Finding]:
    node, phase = pod.spec.node_name, pod.status.phase or "Pending"
    if pod.is_terminal:
        yield Finding("terminated", f"It has ended: its phase is {phase}.", command=_describe(pod))
    elif node and not pod.is_terminating:
        rest = "" if phase == "Running" else "; what it waits for is the kubelet there, not a scheduler"
        yield Finding("bound", f"It is on node {node} already, and {phase}{rest}.", command=_describe(pod))


def _terminating(snapshot: Snapshot, pod: Pod, now: float) -> Iterator[Finding]:
    if pod.is_terminating and not pod.is_terminal:
        by = read_time(pod.metadata.deletion_timestamp or "")
        when = f" since {moment(by)}" if by <= now else f", and should be gone by {moment(by)}" if by == by else ""
        yield Finding(
            "terminating",
            f"It is being deleted{when}: no scheduler places it any more.",
            command=f"kubectl -n {pod.namespace} get pod {pod.name} -o jsonpath='{{.metadata.finalizers}}'",
        )


def _gated(snapshot: Snapshot, pod: Pod, now: float) -> Iterator[Finding]:
    gates = [gate.name for gate in pod.spec.scheduling_gates or ()]
    if gates:
        patch = '{"spec":{"schedulingGates":null}}'
        yield Finding(
            "gated",
            f"It is held back by the scheduling gate{'s' if len(gates) > 1 else ''} {', '.join(gates)}, which whoever "
            "put it there has to remove.",
            command=f"kubectl -n {pod.namespace} patch pod {pod.name} --type=merge -p '{patch}'",
        )


def _claims(snapshot: Snapshot, pod: Pod, now: float) -> Iterator[Finding]:
    for name, made_by_pod in _claim_names(pod):
        claim = snapshot.claims.get(f"{pod.namespace}/{name}")
        look = f"kubectl -n {pod.namespace} describe pvc {name}"
        if claim is None:
            if snapshot.looked_at([PERSISTENT_VOLUME_CLAIM.name]):
                whose = "it is made for the pod's ephemeral volume" if made_by_pod else "create it, or correct the name"
                yield Finding("claim", f"Its claim {name} does not exist; {whose}.", command=look)
        elif claim.status.phase == "Lost":
            yield Finding("claim", f"Its claim {name} has lost its volume.", command=look)
        elif not claim.spec.volume_name and claim.status.phase != "Bound":
            known = snapshot.storage_classes.get(claim.class_name)
            if known is not None and known.volume_binding_mode == WAIT:
                says = f"Its claim {name} is pending until the pod has a node: that is as it should be."
                yield Finding("claim", says, command=look, blocks=False)
                continue
            yield Finding("claim", f"Its claim {name} is pending{_why_pending(snapshot, pod, name)}.", command=look)


def _why_pending(snapshot: Snapshot, pod: Pod, name: str) -> str:
    events = snapshot.events_about(PERSISTENT_VOLUME_CLAIM.name, pod.namespace, name)
    said = next((event.text for event in events if event.text), "")
    return f": {said.rstrip('.')}" if said else ": no volume has been made or found for it"


def _claim_names(pod: Pod) -> Iterator[tuple[str, bool]]:
    for volume in pod.spec.volumes or ():
        if volume.persistent_volume_claim is not None:
            yield volume.persistent_volume_claim.claim_name, False
        elif volume.ephemeral is not None:
            yield f"{pod.name}-{volume.name}", True


def _nominated(snapshot: Snapshot, pod: Pod, now: float) -> Iterator[Finding]:
    node = pod.status.nominated_node_name
    if not node:
        return
    leaving = [one for one in snapshot.on_node.get(node, {}).values() if one.is_terminating]
    ends = [read_time(one.metadata.deletion_timestamp or "") for one in leaving]
    if not leaving:
        yield Finding(
            "nominated",
            f"It is promised node {node}, and no pod is leaving there: it should be tried again soon.",
            blocks=False,
        )
        return
    names = ", ".join(sorted(one.key for one in leaving))
    until = f", at the latest by {moment(max(ends))}" if all(end > now for end in ends) else ""
    yield Finding(
        "nominated",
        f"It is promised node {node} and waits for {names} to leave{until}.",
        command=f"kubectl get pods -A --field-selector spec.nodeName={node}",
    )


def _rejected(snapshot: Snapshot, pod: Pod, now: float, backoff: Backoff) -> Iterator[Finding]:
    if pod.spec.node_name or pod.spec.scheduling_gates:
        return
    about = snapshot.events_about("Pod", pod.namespace, pod.name, pod.metadata.uid)
    failed = [event for event in about if event.reason == "FailedScheduling"]
    last = read_time(failed[0].last_time) if failed else float("nan")
    if last != last:
        return
    tries = sum(event.times for event in failed)
    until = last + backoff.after(tries)
    tried = f"It was tried {tries} time{'s' if tries > 1 else ''} by {failed[0].reporter}, last at {moment(last)}"
    if now < until:
        yield Finding("backoff", f"{tried}: in backoff until {moment(until)}.", "likely")
    elif now < last + FLUSH_AFTER:
        again = moment(last + FLUSH_AFTER)
        says = f"{tried}; it is tried again when something changes that could help, or at about {again}."
        yield Finding("waiting", says, "likely", blocks=False)
    else:
        yield Finding("waiting", f"{tried}.", "likely", blocks=False)


def _describe(pod: Pod) -> str:
    return f"kubectl -n {pod.namespace} describe pod {pod.name}"


_Look = Callable[[Snapshot, Pod, float], Iterator[Finding]]
_LOOKS: tuple[_Look, ...] = (_bound, _terminating, _gated, _claims, _nominated)
