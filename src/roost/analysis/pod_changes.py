"""Changes of the pod that could let it fit: tolerations, selectors, rules about other pods, requests, host ports."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

import numpy as np

from roost.analysis.amounts import spelled, written
from roost.analysis.change import Change, Operation, Sort, add, escaped, patched, remove
from roost.analysis.trial import Trial
from roost.api.node_selectors import required_node_selector
from roost.api.pod import Container, Pod
from roost.api.quantity import milli_value, value
from roost.api.taints import Taint, Toleration
from roost.framework.node_matching import HARD
from roost.framework.resources import PODS
from roost.framework.stages import Filtered

MOST_VALUES = 12
"""How many other values of a label are tried in a selector."""

_CORDON = "node.kubernetes.io/unschedulable"
_TERMS = "requiredDuringSchedulingIgnoredDuringExecution"


def tolerations(trial: Trial) -> Iterator[Change]:
    """Yield, for each set of taints that nodes have, the tolerations that the pod lacks; few taints first."""
    view, known = trial.snapshot.cache.view, trial.pod.spec.tolerations or ()
    used = np.unique(view.taint_set[view.alive]).tolist()
    sets = {tuple(_untolerated(view.taint_sets[index], known)) for index in used}
    for taints in sorted(sets, key=lambda taints: (len(taints), [taint.key for taint in taints])):
        if taints:
            new = [
                Toleration(key=one.key, operator="Equal" if one.value else "Exists", value=one.value, effect=one.effect)
                for one in taints
            ]
            yield Change(
                sort="toleration",
                says=f"tolerate {', '.join(map(taint_text, taints))}",
                pod_patch=(add("/spec/tolerations", [*known, *new]),),
                caution=_warning(taints),
            )


def selectors(trial: Trial) -> Iterator[Change]:
    """Yield other values for the labels that nodeSelector asks for, then what leaves them and node affinity out."""
    asked = trial.pod.spec.node_selector or {}
    for key, wanted in asked.items():
        for found in _other_values(trial, key, wanted):
            yield _selector(f"select {key}={found}, not {wanted}", add(_selector_path(key), found))
    for key, wanted in asked.items():
        yield _selector(f"leave {key}={wanted} out of nodeSelector", remove(_selector_path(key)))
    if len(asked) > 1:
        yield _selector("leave nodeSelector out", remove("/spec/nodeSelector"))
    if required_node_selector(trial.pod) is not None:
        path = f"/spec/affinity/nodeAffinity/{_TERMS}"
        yield _selector("leave the required node affinity out", remove(path))


def rules(trial: Trial) -> Iterator[Change]:
    """Yield what loosens spreading, and what leaves out required rules about other pods; one by one, then all."""
    spec = trial.pod.spec
    hard = [
        i for i, one in enumerate(spec.topology_spread_constraints or ()) if one.when_unsatisfiable != "ScheduleAnyway"
    ]
    for i in hard:
        key = (spec.topology_spread_constraints or ())[i].topology_key
        yield _rule(f"let spreading over {key} be ScheduleAnyway", (_loosened(i),))
    if len(hard) > 1:
        yield _rule("let all spreading be ScheduleAnyway", tuple(_loosened(i) for i in hard))
    for name, what in (("podAntiAffinity", "anti-affinity"), ("podAffinity", "affinity")):
        terms = _required_terms(trial.pod, name)
        path = f"/spec/affinity/{name}/{_TERMS}"
        for i, key in enumerate(terms):
            yield _rule(f"leave the required {what} over {key} out", (remove(f"{path}/{i}"),))
        if len(terms) > 1:
            yield _rule(f"leave all required {what} out", (remove(path),))


def requests(trial: Trial) -> Iterator[Change]:
    """Yield the highest requests with which the pod fits, one resource at a time, then all of them together."""
    asked = _asked(trial)
    single = [list(_lower(trial, (name,))) for name in asked]
    yield from (change for changes in single for change in changes)
    if not any(single) and len(asked) > 1:
        yield from _lower(trial, tuple(asked))


def ports(trial: Trial) -> Iterator[Change]:
    """Yield what leaves a host port out."""
    if trial.pod.spec.host_network:
        return
    wanted = [
        (f"/spec/{field}/{i}/ports/{j}/hostPort", port.host_port)
        for field, containers in _containers(trial.pod)
        for i, container in enumerate(containers)
        for j, port in enumerate(container.ports or ())
        if port.host_port > 0
    ]
    for path, port in wanted:
        yield Change(sort="port", says=f"leave host port {port} out", pod_patch=(remove(path),))
    if len(wanted) > 1:
        yield Change(sort="port", says="leave all host ports out", pod_patch=tuple(remove(path) for path, _ in wanted))


# ---- taints and selectors


def taint_text(taint: Taint) -> str:
    """Return a taint as kubectl writes it."""
    return f"{taint.key}={taint.value}:{taint.effect}" if taint.value else f"{taint.key}:{taint.effect}"


def _untolerated(taints: Sequence[Taint], known: Sequence[Toleration]) -> list[Taint]:
    return [one for one in taints if one.effect in HARD and not any(t.tolerates(one) for t in known)]


def _warning(taints: Sequence[Taint]) -> str:
    own = [one.key for one in taints if one.key.startswith("node.kubernetes.io/") and one.key != _CORDON]
    if own:
        return f"{', '.join(own)} says that the node is in trouble"
    return "the node was cordoned on purpose" if any(one.key == _CORDON for one in taints) else ""


def _selector_path(key: str) -> str:
    return f"/spec/nodeSelector/{escaped(key)}"


def _other_values(trial: Trial, key: str, wanted: str) -> list[str]:
    """Return the values that nodes have of a label, those spelled most alike first."""
    column = trial.snapshot.cache.view.label(key)
    values = [one for one in column.index if one != wanted and one in column.values]
    return sorted(values, key=lambda one: -SequenceMatcher(None, one, wanted).ratio())[:MOST_VALUES]


def _selector(says: str, operation: Operation) -> Change:
    return Change(sort="selector", says=says, pod_patch=(operation,))


# ---- rules about other pods


def _rule(says: str, operations: tuple[Operation, ...], sort: Sort = "rule") -> Change:
    return Change(sort=sort, says=says, pod_patch=operations)


def _loosened(index: int) -> Operation:
    return add(f"/spec/topologySpreadConstraints/{index}/whenUnsatisfiable", "ScheduleAnyway")


def _required_terms(pod: Pod, name: str) -> list[str]:
    affinity = pod.spec.affinity
    if affinity is None:
        return []
    found = affinity.pod_anti_affinity if name == "podAntiAffinity" else affinity.pod_affinity
    terms = found.required_during_scheduling_ignored_during_execution if found is not None else None
    return [term.topology_key for term in terms or ()]


# ---- requests


def _asked(trial: Trial) -> list[str]:
    info, names = trial.info, trial.snapshot.cache.view.resources.names
    return [names[line] for line, _ in info.requests.asked if line != PODS]


def _lower(trial: Trial, resources: Sequence[str]) -> Iterator[Change]:
    """Yield at most one change: the pod with none of some resources shows where it fits, and how much is free there."""
    totals = trial.info.requests.effective
    without = Change(sort="request", says="", pod_patch=_scaled(trial.pod, dict.fromkeys(resources, (0, 1))))
    filtered = trial.filtered(patched(trial.pod, without.pod_patch))
    for share in _shares(trial, filtered, resources):
        lowered = {name: min(totals[name], free) for name, free in share.items()}
        factors = {
            name: _factor(trial.pod, name, amount, totals[name])
            for name, amount in lowered.items()
            if amount < totals[name]
        }
        if not factors:
            continue
        less = ", ".join(
            f"{written(name, lowered[name])} {name}, not {written(name, totals[name])}" for name in factors
        )
        caution = "" if all(lowered[name] for name in factors) else "it can rely on nothing then"
        change = Change(sort="request", says=f"ask for {less}", pod_patch=_scaled(trial.pod, factors), caution=caution)
        if trial.place(change) is not None:
            yield change
            return


def _shares(trial: Trial, filtered: Filtered | None, resources: Sequence[str]) -> list[dict[str, int]]:
    """Return what is free of some resources on the nodes that fit without them, the roomiest few first."""
    view = trial.snapshot.cache.view
    if filtered is None or not filtered.count:
        return []
    totals = trial.info.requests.effective
    lines = [view.resources.row(name) for name in resources]
    rows = np.flatnonzero(filtered.feasible)
    if trial.only:
        rows = np.array([row for row in rows.tolist() if view.name(row) == trial.only], dtype=np.intp)
    free = np.maximum(view.allocatable[lines][:, rows] - view.usage[lines][:, rows], 0)
    asked = np.array([[max(1, totals[name])] for name in resources], dtype=np.int64)
    room = np.minimum(free / asked, 1.0).min(axis=0)
    best = np.argsort(-room, kind="stable")[:3].tolist()
    return [dict(zip(resources, free[:, place].tolist(), strict=True)) for place in best]


def _factor(pod: Pod, name: str, amount: int, total: int) -> tuple[int, int]:
    """Return by what containers shrink so that the whole pod asks for an amount: its overhead does not shrink."""
    overhead = _units(name, (pod.spec.overhead or {}).get(name, 0))
    return max(0, amount - overhead), max(1, total - overhead)


def _scaled(pod: Pod, factors: dict[str, tuple[int, int]]) -> tuple[Operation, ...]:
    """Return what multiplies requests by (numerator, denominator): sums and maxima of requests shrink as much."""
    operations = []
    for field, containers in _containers(pod):
        for i, container in enumerate(containers):
            requests, limits = dict(container.resources.requests or {}), dict(container.resources.limits or {})
            changed = [name for name in factors if name in requests]
            for name in changed:
                requests[name] = _times(name, requests[name], factors[name])
                if name in limits and ("/" in name or name.startswith("hugepages-")):
                    limits[name] = requests[name]
            if changed:
                resources = {key: amounts for key, amounts in (("requests", requests), ("limits", limits)) if amounts}
                operations.append(add(f"/spec/{field}/{i}/resources", resources))
    own = pod.spec.resources
    if own is not None and any(name in (own.requests or {}) for name in factors):
        scaled = {
            name: _times(name, amount, factors[name]) if name in factors else amount
            for name, amount in (own.requests or {}).items()
        }
        operations.append(add("/spec/resources/requests", scaled))
    return tuple(operations)


def _times(name: str, amount: str | int | float, factor: tuple[int, int]) -> str:
    return spelled(name, _units(name, amount) * factor[0] // factor[1])


def _units(name: str, amount: str | int | float) -> int:
    return milli_value(amount) if name == "cpu" else value(amount)


def _containers(pod: Pod) -> tuple[tuple[str, Sequence[Container]], ...]:
    return (("containers", pod.spec.containers or ()), ("initContainers", pod.spec.init_containers or ()))
