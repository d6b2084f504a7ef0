"""Why each node was rejected, from the columns of a Decision: the first failing rule, and the numbers behind it.

    Filtered (verdicts of each filter, as columns) ─► first failing filter of each row ─► groups ─► details of a row

The numbers are those that filters compared: what is asked for, what the node has, what is used. No rule is judged
again.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from msgspec import Struct

from roost.analysis.amounts import written
from roost.api.labels import requirement_matches
from roost.api.node_selectors import required_node_selector
from roost.api.selectors import Requirement
from roost.framework.decision import Decision
from roost.framework.node_matching import HARD
from roost.framework.pod_info import PodInfo
from roost.framework.resources import Int64
from roost.framework.stages import Filtered, named
from roost.framework.status import Status
from roost.framework.view import View


class Need(Struct, frozen=True):
    """What a pod asks of one resource of a node, and what is free there; milli-cores, bytes or counts."""

    resource: str
    asked: int
    free: int
    allocatable: int

    @property
    def missing(self) -> int:
        """How much too little is free; 0 if it is enough."""
        return max(0, self.asked - self.free)


class Rejection(Struct, frozen=True):
    """A node that was rejected: by its first failing rule, and what that rule saw there."""

    node: str
    status: Status
    detail: str = ""
    needs: tuple[Need, ...] = ()

    @property
    def missing(self) -> tuple[Need, ...]:
        """The resources of which too little is free."""
        return tuple(need for need in self.needs if need.missing)


class Group(Struct, frozen=True):
    """The nodes that fail the same rule first for the same reasons, those that lack least first."""

    status: Status
    nodes: tuple[Rejection, ...]


def group_rejections(decision: Decision) -> tuple[Group, ...]:
    """Return the rejected nodes of a Decision by their first failing rule, the largest group first."""
    filtered, view = decision.filtered, decision.view
    if filtered is None or view is None:
        return ()
    by_status: dict[Status, list[int]] = {}
    for row, status in zip(*first_failures(filtered, view), strict=True):
        by_status.setdefault(status, []).append(row)
    groups = [Group(status, _of_rows(decision.pod, view, status, rows)) for status, rows in by_status.items()]
    return tuple(sorted(groups, key=_order))


def _order(group: Group) -> tuple[int, str, int, tuple[str, ...]]:
    status = group.status
    return -len(group.nodes), status.plugin, status.code, status.reasons


def first_failures(filtered: Filtered, view: View) -> tuple[list[int], list[Status]]:
    """Return the rows that do not fit, and for each the status of the first filter that failed."""
    left = view.alive & ~filtered.feasible
    if filtered.rejected is not None:
        rows = np.flatnonzero(view.alive).tolist()
        return rows, [filtered.rejected] * len(rows)
    found: dict[int, Status] = {}
    if filtered.only is not None:
        absent = left & ~named(view, filtered.only)
        found.update(dict.fromkeys(np.flatnonzero(absent).tolist(), filtered.absent))
        left &= ~absent
    for judged in filtered.judged:
        statuses = [Status(one.code, one.reasons, judged.name) for one in judged.statuses]
        for row in np.flatnonzero(left & ~judged.ok).tolist():
            found[row] = statuses[judged.codes[row]]
        left &= judged.ok
    rows = sorted(found)
    return rows, [found[row] for row in rows]


def needs_of(pod: PodInfo, view: View, row: int) -> tuple[Need, ...]:
    """Return what a pod asks of a node, resource by resource."""
    return tuple(
        Need(
            view.resources.names[line],
            amount,
            int(view.allocatable[line, row] - view.usage[line, row]),
            int(view.allocatable[line, row]),
        )
        for line, amount in pod.requests.asked
    )


def shortage(pod: PodInfo, view: View) -> Int64:
    """Return for each row how much is missing of what a pod asks for, as the sum of thousandths of the request."""
    lines = [line for line, _ in pod.requests.asked]
    asked = np.array([[amount] for _, amount in pod.requests.asked], dtype=np.int64)
    missing = np.maximum(asked - (view.allocatable[lines] - view.usage[lines]), 0)
    total: Int64 = (missing * 1000 // np.maximum(asked, 1)).sum(axis=0)
    return total


def detail_of(plugin: str, pod: PodInfo, view: View, row: int) -> str:
    """Return what a rule saw on a node, if there is more to say than its reason."""
    describe = _DETAILS.get(plugin)
    return describe(pod, view, row) if describe is not None else ""


def _of_rows(pod: PodInfo, view: View, status: Status, rows: Sequence[int]) -> tuple[Rejection, ...]:
    lacking = shortage(pod, view)
    ordered = sorted(rows, key=lambda row: (int(lacking[row]), view.name(row)))
    return tuple(
        Rejection(view.name(row), status, detail_of(status.plugin, pod, view, row), needs_of(pod, view, row))
        for row in ordered
    )


# ---- what rules saw


def _resources(pod: PodInfo, view: View, row: int) -> str:
    lacking = [need for need in needs_of(pod, view, row) if need.missing]
    return ", ".join(
        f"{need.resource}: asks for {written(need.resource, need.asked)}, {written(need.resource, need.free)} free of "
        f"{written(need.resource, need.allocatable)}, {written(need.resource, need.missing)} missing"
        for need in lacking
    )


def _taints(pod: PodInfo, view: View, row: int) -> str:
    tolerations = pod.pod.spec.tolerations or ()
    taints = view.taint_sets[view.taint_set[row]]
    hard = [t for t in taints if t.effect in HARD and not any(one.tolerates(t) for one in tolerations)]
    return ", ".join(f"taint {t.key}{'=' if t.value else ''}{t.value}:{t.effect}" for t in hard)


def _labels(pod: PodInfo, view: View, row: int) -> str:
    labels = view.node(row).labels
    asked = pod.pod.spec.node_selector or {}
    wrong = [
        f"wants {key}={value}, {has(labels, key)}" for key, value in sorted(asked.items()) if labels.get(key) != value
    ]
    required = required_node_selector(pod.pod)
    terms = (required.node_selector_terms or ()) if required is not None else ()
    for term in terms if not wrong else ():
        unmet = (one for one in term.match_expressions or () if not requirement_matches(one, labels))
        wrong += [f"wants {requirement(one)}, {has(labels, one.key)}" for one in unmet]
    return "; ".join(wrong[:3])


def has(labels: Mapping[str, str], key: str) -> str:
    """Say what a node has of a label."""
    return f"has {key}={labels[key]}" if key in labels else "has no such label"


def requirement(one: Requirement) -> str:
    """Return a requirement on labels as people write it."""
    values = ", ".join(one.values or ())
    return f"{one.key} {one.operator}" + (f" ({values})" if values else "")


def _ports(pod: PodInfo, view: View, row: int) -> str:
    taken = [
        f"{port}/{protocol}"
        for protocol, _, port in pod.host_ports
        if any(int(users[row]) for users in view.port_users(protocol, port).values())
    ]
    return f"host port {', '.join(taken)} in use" if taken else ""


def _domains(pod: PodInfo, view: View, row: int) -> str:
    affinity, labels = pod.pod.spec.affinity, view.node(row).labels
    keys = [one.topology_key for one in pod.pod.spec.topology_spread_constraints or ()]
    for rules in (affinity.pod_affinity, affinity.pod_anti_affinity) if affinity is not None else ():
        terms = (rules.required_during_scheduling_ignored_during_execution or ()) if rules is not None else ()
        keys += [term.topology_key for term in terms]
    return ", ".join(has(labels, key) for key in dict.fromkeys(keys))


def _cordoned(pod: PodInfo, view: View, row: int) -> str:
    return "the node is cordoned"


_DETAILS: Mapping[str, Callable[[PodInfo, View, int], str]] = {
    "NodeResourcesFit": _resources,
    "TaintToleration": _taints,
    "NodeAffinity": _labels,
    "NodePorts": _ports,
    "NodeUnschedulable": _cordoned,
    "PodTopologySpread": _domains,
    "InterPodAffinity": _domains,
}
