"""Whether a scheduler answers to a name: leases, events and deployments, and how sure that makes.

A scheduler that has nothing to do and no lease leaves no trace: that nobody is there is never more than likely.
"""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from roost.analysis.preconditions import Finding, moment
from roost.analysis.snapshot import Snapshot
from roost.api.explaining import Workload
from roost.api.kinds import Lease
from roost.api.pod import Pod
from roost.framework.measure import read_time

DEFAULT_SCHEDULER = "default-scheduler"
FRESH_SECONDS = 600.0
"""How old an event may be to speak for a scheduler that runs."""

LEASES = {DEFAULT_SCHEDULER: "kube-scheduler"}
"""The names of leases that are not that of the scheduler."""

_SCHEDULER_EVENTS = ("Scheduled", "FailedScheduling", "Preempted")
_PROGRAMS = ("kube-scheduler", "roost")
_TELLING = ("--scheduler-name=", "--leader-elect-resource-name=")


class Trace(Struct, frozen=True):
    """Something that speaks for a scheduler, or against it (`runs` False)."""

    runs: bool
    says: str


def find_scheduler(snapshot: Snapshot, pod: Pod, now: float) -> Finding | None:
    """Return that nobody answers to a pod's schedulerName, or that it cannot be told; None if somebody does."""
    name = pod.spec.scheduler_name or DEFAULT_SCHEDULER
    traces = [*_of_events(snapshot, name, now), *_of_leases(snapshot, name, now), *_of_makers(snapshot, name)]
    if any(trace.runs for trace in traces) or _was_looked_at(pod):
        return None
    against = [trace.says for trace in traces]
    if not snapshot.looked_at(["Lease", "Event"]) and not against:
        says = f"Whether a scheduler answers to schedulerName {name} cannot be told: leases and events were not given."
        return Finding("scheduler", says, "unknown", blocks=False)
    why = "; ".join(against) or f"no lease, no event of the last {FRESH_SECONDS / 60:g} minutes and no deployment"
    others = sorted(_known(snapshot, now) - {name})
    there = f" There is {', '.join(others)}." if others else ""
    return Finding(
        "scheduler",
        f"No running scheduler seems to answer to its schedulerName {name}: {why}.{there}",
        "likely",
        "kubectl get leases -A && kubectl get events -A --field-selector reason=Scheduled",
    )


def _was_looked_at(pod: Pod) -> bool:
    """Tell whether a scheduler has judged the pod; only schedulers write this condition, gates aside."""
    conditions = pod.status.conditions or ()
    return any(one.type == "PodScheduled" and one.reason in ("Unschedulable", "SchedulerError") for one in conditions)


def _of_events(snapshot: Snapshot, name: str, now: float) -> Iterator[Trace]:
    times = [read_time(event.last_time) for event in snapshot.events if _is_of(event.reason, event.reporter, name)]
    last = max((time for time in times if time == time), default=None)
    if last is not None and now - last <= FRESH_SECONDS:
        yield Trace(True, f"an event at {moment(last)}")


def _is_of(reason: str, reporter: str, name: str) -> bool:
    return reporter == name and reason in _SCHEDULER_EVENTS


def _of_leases(snapshot: Snapshot, name: str, now: float) -> Iterator[Trace]:
    for lease in snapshot.leases:
        if lease.metadata.name == LEASES.get(name, name):
            renewed = read_time(str(lease.spec.get("renewTime") or ""))
            where = f"its lease {lease.metadata.namespace}/{lease.metadata.name}"
            if _is_held(lease, renewed, now):
                yield Trace(True, f"{where} is held by {lease.spec.get('holderIdentity')}")
            else:
                when = f"was last renewed at {moment(renewed)}" if renewed == renewed else "has never been renewed"
                yield Trace(False, f"{where} {when}")


def _is_held(lease: Lease, renewed: float, now: float) -> bool:
    seconds = lease.spec.get("leaseDurationSeconds")
    # Twice the duration: the clock here need not be that of whoever renews it.
    return bool(lease.spec.get("holderIdentity")) and now - renewed <= 2 * (seconds if isinstance(seconds, int) else 15)


def _of_makers(snapshot: Snapshot, name: str) -> Iterator[Trace]:
    for (kind, namespace, own), maker in snapshot.makers.items():
        if isinstance(maker, Workload) and _schedules(maker, own, name):
            ready = maker.status.get("readyReplicas") or maker.status.get("numberReady") or 0
            yield Trace(bool(ready), f"{kind} {namespace}/{own} has no ready pod" if not ready else f"{kind} {own}")


def _schedules(maker: Workload, own: str, name: str) -> bool:
    """Tell whether the pods of something are a scheduler of this name: by its arguments, or its own name."""
    words = [word for words in program_words(maker) for word in words]
    return bool(words) and (own == name or name in words or any(word.endswith(f"={name}") for word in words))


def program_words(maker: Workload) -> list[list[str]]:
    """Return, of the containers that run a scheduler, its program and the arguments that can tell its name."""
    found = []
    for container in _containers(maker):
        given = [container.get("image", ""), *(container.get("command") or ()), *(container.get("args") or ())]
        words = [str(word) for word in given]
        programs = [word for word in words if word.rsplit("/", 1)[-1].partition(":")[0] in _PROGRAMS]
        if programs:
            found.append([programs[0], *(word for word in words if word.startswith(_TELLING))])
    return found


def _containers(maker: Workload) -> list[Any]:
    template: Any = maker.spec.get("template") or {}
    found: list[Any] = (template.get("spec") or {}).get("containers") or []
    return found


def _known(snapshot: Snapshot, now: float) -> set[str]:
    """Return the names that schedulers have answered to lately."""
    by_events = {
        event.reporter
        for event in snapshot.events
        if event.reason in _SCHEDULER_EVENTS and now - read_time(event.last_time) <= FRESH_SECONDS
    }
    by_leases = {
        name
        for name, lease_name in ((DEFAULT_SCHEDULER, LEASES[DEFAULT_SCHEDULER]), ("roost", "roost"))
        for lease in snapshot.leases
        if lease.metadata.name == lease_name and _is_held(lease, read_time(str(lease.spec.get("renewTime") or "")), now)
    }
    return by_events | by_leases
