"""Which pods would have to leave for a pod to fit: few of one node, or of one domain of a rule about pods.

on a node            all that may be evicted together make room? ─► one alone? ─► else leave out what is not needed
in a domain          the same with the pods that affinity or spreading means, wherever they are
"""

from collections.abc import Iterable, Iterator, Sequence

from roost.analysis.change import Change
from roost.analysis.rejections import Group, Need, Rejection
from roost.analysis.trial import Trial
from roost.api.labels import selects
from roost.api.pod import Pod
from roost.framework.pod_terms import affinity_terms
from roost.framework.status import Code

MOST_NODES = 24
MOST_RELATED = 200
MOST_SHOWN = 3
MOST_NAMED = 5

_MIRROR = "kubernetes.io/config.mirror"
_ABOUT_PODS = ("InterPodAffinity", "PodTopologySpread")


def evictions(trial: Trial, groups: Sequence[Group]) -> tuple[list[Change], bool]:
    """Return sets of pods whose eviction makes room, the fewest first, and whether all nodes were looked at."""
    nodes = [one for group in groups if group.status.code is Code.Unschedulable for one in group.nodes]
    if trial.only:
        nodes = [one for one in nodes if one.node == trial.only]
    found = [*_on_nodes(trial, nodes[:MOST_NODES])]
    related = _related(trial) if any(group.status.plugin in _ABOUT_PODS for group in groups) else []
    found += _in_domains(trial, related[:MOST_RELATED])
    sets = {frozenset(pod.key for pod in pods): pods for pods in sorted(found, key=_cost)}
    complete = len(nodes) <= MOST_NODES and len(related) <= MOST_RELATED
    return [_change(trial, pods) for pods in list(sets.values())[:MOST_SHOWN]], complete


def _cost(pods: Sequence[Pod]) -> tuple[int, int]:
    return len(pods), max(_priority(pod) for pod in pods)


def may_leave(pod: Pod) -> bool:
    """Tell whether evicting a pod makes room: not if it is static, of a DaemonSet, or leaving already."""
    owner = next((one.kind for one in pod.metadata.owner_references or () if one.controller), "")
    return not (owner in ("Node", "DaemonSet") or _MIRROR in pod.annotations or pod.is_terminating)


def _on_nodes(trial: Trial, nodes: Sequence[Rejection]) -> Iterator[list[Pod]]:
    single = 0
    for one in nodes:
        pods = [pod for pod in trial.snapshot.on_node.get(one.node, {}).values() if may_leave(pod)]
        if not pods or not trial.fits_without(pods):
            continue
        sizes = {pod.key: _share(trial, pod, one.missing) for pod in pods}
        ordered = sorted(pods, key=lambda pod: (_priority(pod), -sizes[pod.key][1], pod.key))
        found = trial.least(ordered, [pod for pod in ordered if sizes[pod.key][0]])
        yield found
        single += len(found) == 1
        if single == MOST_SHOWN:
            return


def _share(trial: Trial, pod: Pod, missing: Sequence[Need]) -> tuple[bool, float]:
    """Return whether a pod holds all that is missing, and how much of it."""
    held = {**trial.snapshot.cache.pod_info(pod, placed=True).requests.effective, "pods": 1}
    shares = [held.get(need.resource, 0) / need.missing for need in missing]
    return all(share >= 1 for share in shares), sum(shares)


def _in_domains(trial: Trial, related: Sequence[Pod]) -> Iterator[list[Pod]]:
    if not related:
        return
    view = trial.snapshot.cache.view
    for key in _topology_keys(trial.pod, related):
        domains: dict[str, list[Pod]] = {}
        for pod in related:
            rows = view.rows_named(pod.spec.node_name)
            if rows and (value := view.node(rows[0]).labels.get(key)) is not None:
                domains.setdefault(value, []).append(pod)
        for pods in domains.values():
            if trial.fits_without(pods):
                yield trial.least(pods, pods)


def _related(trial: Trial) -> list[Pod]:
    """Return the placed pods that rules about pods mean: ours about them, or theirs about ours; of few pods all."""
    pod, labels_of = trial.pod, _labels_of
    placed = [one for pods in trial.snapshot.on_node.values() for one in pods.values() if may_leave(one)]
    if len(placed) <= MOST_RELATED:
        return _in_order(placed)
    ours = affinity_terms(pod).required_anti_affinity
    spread = [one for one in pod.spec.topology_spread_constraints or () if one.when_unsatisfiable != "ScheduleAnyway"]

    def is_meant(other: Pod) -> bool:
        if any(one.term.matches(other, labels_of) for one in ours):
            return True
        if other.namespace == pod.namespace and any(selects(one.label_selector, other.labels) for one in spread):
            return True
        theirs = affinity_terms(other).required_anti_affinity if other.spec.affinity is not None else ()
        return any(one.term.matches(pod, labels_of) for one in theirs)

    return _in_order(one for one in placed if is_meant(one))


def _labels_of(namespace: str) -> dict[str, str]:
    return {"kubernetes.io/metadata.name": namespace}


def _topology_keys(pod: Pod, related: Sequence[Pod]) -> list[str]:
    keys = [one.topology_key for one in pod.spec.topology_spread_constraints or ()]
    for one in (pod, *related):
        if one.spec.affinity is not None:
            keys += [term.topology_key for term in affinity_terms(one).required_anti_affinity]
    return list(dict.fromkeys(keys))


def _in_order(pods: Iterable[Pod]) -> list[Pod]:
    """Return pods, those of low priority first."""
    return sorted(pods, key=lambda pod: (_priority(pod), pod.key))


def _priority(pod: Pod) -> int:
    return pod.spec.priority or 0


def _change(trial: Trial, pods: Sequence[Pod]) -> Change:
    nodes = sorted({pod.spec.node_name for pod in pods})
    names = ", ".join(pod.key for pod in pods[:MOST_NAMED])
    more = f" and {len(pods) - MOST_NAMED} more" if len(pods) > MOST_NAMED else ""
    higher = [pod.key for pod in pods if _priority(pod) > _priority(trial.pod)]
    bare = [pod.key for pod in pods if not pod.metadata.owner_references]
    cautions = [f"{', '.join(higher)} has a higher priority"] if higher else []
    cautions += [f"no controller brings back {', '.join(bare)}"] if bare else []
    return Change(
        sort="evict",
        says=f"evict {names}{more} from {', '.join(nodes)}",
        evict=tuple(pod.key for pod in pods),
        caution="; ".join(cautions),
    )
