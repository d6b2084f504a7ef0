"""What would happen if: a node were drained, another policy had placed the pods, more pods came.

    cluster = roost.analysis.load(Path("dump.yaml").read_bytes())
    forecast = roost.analysis.drain(cluster, "node-3")
    [(move.pod, move.to_node) for move in forecast.moves], forecast.pending, forecast.resources

Nothing is changed, neither the cluster nor the value given. The places are decided by the cycle that schedules pods;
what is left out of account: preemption, extenders, rules about time. Called by `roost whatif`, notebooks and tests.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from difflib import get_close_matches

from roost.analysis.evictable import DrainRules, PodFate, by_namespace, fate_of
from roost.analysis.expansion import CLAIM, Manifest, expand
from roost.analysis.forecast import Forecast, Hold, Placement, Stay, Unplaced
from roost.analysis.holds import holds_of
from roost.analysis.rehearsal import Progress, Rehearsal
from roost.analysis.snapshot import Snapshot
from roost.analysis.utilisation import Load, compare_clusters, compare_nodes, load_of
from roost.api.pod import Pod
from roost.config.profiles import Policy, profile_of
from roost.errors import ConfigError
from roost.framework.profile import Profile

Deciding = Policy | Sequence[Profile]
"""Who decides: a policy (name, class, several), a profile, several for a schedulerName each; None: the defaults."""

SYSTEM_PRIORITIES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
"""What every cluster has."""

_EVICT_ALL = DrainRules(delete_non_replicated=True, delete_local_data=True)


def drain(
    cluster: Snapshot,
    nodes: str | Collection[str],
    policy: Deciding = None,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Forecast:
    """Return what would become of the pods of a node, or of several, if these were cordoned and drained.

    Every pod that can be evicted is placed elsewhere, those of high priority first, then the oldest. `holds` says what
    would hold the drain: pods without a controller (placed as if somebody made them again), data on the node,
    disruption budgets. Static pods and those of DaemonSets stay, and go with the node. Raises ConfigError for a node
    that is not there or an unknown policy.
    """
    names = _existing(cluster, [nodes] if isinstance(nodes, str) else nodes)
    leaving, stays = _parted(pod for name in names for pod in cluster.on_node.get(name, {}).values())
    leaving.sort(key=lambda pod: (-(pod.spec.priority or 0), *_by_age(pod)))
    with Rehearsal(cluster, _profiles(policy), seed=seed, closed=names) as rehearsal:
        before = load_of(cluster.cache.view)
        for name in names:
            rehearsal.cordon(name)
        return _forecast(
            cluster,
            rehearsal,
            before,
            leaving,
            progress=progress,
            stays=stays,
            holds=holds_of(leaving, by_namespace(cluster.budgets)),
            waiting=len(cluster.pending()),
            gone=names,
        )


def with_policy(
    cluster: Snapshot,
    policy: Deciding,
    *,
    scheduler_names: Collection[str] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Forecast:
    """Return where pods would be if another policy had placed them, one after the other, the oldest first.

    All pods that could be evicted, and those that are pending, are placed anew; with `scheduler_names` only those that
    name one of these schedulers. The others stay, and count as load. Raises ConfigError for an unknown policy.
    """
    chosen, stays = _parted(_existing_pods(cluster))
    if scheduler_names is not None:
        stays += [_of_another(pod) for pod in chosen if pod.spec.scheduler_name not in scheduler_names]
        chosen = [pod for pod in chosen if pod.spec.scheduler_name in scheduler_names]
    chosen.sort(key=_by_age)
    with Rehearsal(cluster, _profiles(policy), seed=seed) as rehearsal:
        before = load_of(cluster.cache.view)
        return _forecast(cluster, rehearsal, before, chosen, progress=progress, stays=stays)


def add(
    cluster: Snapshot,
    objects: Iterable[Pod | Manifest],
    policy: Deciding = None,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Forecast:
    """Return where new pods would go: pods, or manifests of Deployments and the like as plain data.

    They are placed in the order of their priority, then as given. Pods that wait already stay pending. Raises
    InvalidObject for an object that cannot be read or exists already, ConfigError for an unknown policy.
    """
    expanded = expand(objects, _known(cluster), _priorities(cluster))
    pods = sorted(expanded.pods, key=lambda pod: -(pod.spec.priority or 0))
    with Rehearsal(cluster, _profiles(policy), seed=seed) as rehearsal:
        before = load_of(cluster.cache.view)
        for grouping in expanded.groupings:
            rehearsal.add_controller(grouping)
        for claim in expanded.claims:
            rehearsal.add_claim(claim)
        return _forecast(
            cluster,
            rehearsal,
            before,
            pods,
            progress=progress,
            waiting=len(cluster.pending()),
            notes=expanded.notes,
        )


def _forecast(
    cluster: Snapshot,
    rehearsal: Rehearsal,
    before: Load,
    pods: Sequence[Pod],
    *,
    progress: Progress | None,
    stays: Sequence[Stay] = (),
    holds: Sequence[Hold] = (),
    waiting: int = 0,
    gone: Collection[str] = (),
    notes: Sequence[str] = (),
) -> Forecast:
    """Take pods off, place them, and compare."""
    for pod in pods:
        if pod.spec.node_name:
            rehearsal.take_off(pod)
    landed = [*rehearsal.place(pods, progress)]
    placed = tuple(one for one in landed if isinstance(one, Placement))
    after = load_of(cluster.cache.view)
    return Forecast(
        placed=placed,
        pending=tuple(one for one in landed if isinstance(one, Unplaced)),
        stays=tuple(stays),
        holds=tuple(holds),
        waiting=waiting,
        resources=compare_clusters(before, after, gone),
        nodes=compare_nodes(before, after),
        emptied=_emptied(cluster, pods, placed),
        notes=(*(f"{one.rstrip('.')}." for one in cluster.unreadable), *notes),
    )


def _parted(pods: Iterable[Pod]) -> tuple[list[Pod], list[Stay]]:
    """Return the pods that can be evicted, and why the others stay."""
    leaving: list[Pod] = []
    stays: list[Stay] = []
    for pod in pods:
        fate = _fate(pod)
        if fate.fate == "stays":
            stays.append(Stay(pod.key, pod.spec.node_name, fate.why))
        else:
            leaving.append(pod)
    return leaving, stays


def _fate(pod: Pod) -> PodFate:
    return fate_of(pod, _EVICT_ALL)


def _existing_pods(cluster: Snapshot) -> Iterator[Pod]:
    """Yield the pods on nodes that are there, and those that wait."""
    view = cluster.cache.view
    for name, pods in cluster.on_node.items():
        if view.rows_named(name):
            yield from pods.values()
    yield from cluster.pending()


def _of_another(pod: Pod) -> Stay:
    name = pod.spec.scheduler_name or "default-scheduler"
    return Stay(pod.key, pod.spec.node_name, f"is for the scheduler {name} to place")


def _by_age(pod: Pod) -> tuple[str, str]:
    return (pod.metadata.creation_timestamp or "", pod.key)


def _emptied(cluster: Snapshot, pods: Iterable[Pod], placed: Iterable[Placement]) -> tuple[str, ...]:
    """Return the nodes that had pods which can be evicted and have none any more."""
    taken = {pod.key for pod in pods}
    left = {pod.spec.node_name for pod in pods} - {""} - {placement.to_node for placement in placed}

    def is_empty(name: str) -> bool:
        on_node = cluster.on_node.get(name, {})
        return all(key in taken or _fate(pod).fate == "stays" for key, pod in on_node.items())

    return tuple(sorted(name for name in left if is_empty(name)))


def _existing(cluster: Snapshot, names: Iterable[str]) -> list[str]:
    known = list(dict.fromkeys(names))
    for name in known:
        if not cluster.cache.view.rows_named(name):
            raise ConfigError(f"there is no node {name}{_similar(cluster, name)}")
    return known


def _known(cluster: Snapshot) -> set[tuple[str, str, str]]:
    """Return kind, namespace and name of what must not be added once more."""
    pods = {("Pod", pod.namespace, pod.name) for pod in cluster.pods.values()}
    claims = {(CLAIM, claim.metadata.namespace, claim.name) for claim in cluster.claims.values()}
    return pods | claims | cluster.makers.keys()


def _priorities(cluster: Snapshot) -> dict[str, int]:
    """Return the priorities of PriorityClasses by name, and of pods that name none."""
    classes = cluster.priority_classes.values()
    default = next((one.value for one in classes if one.global_default), 0)
    return {"": default, **SYSTEM_PRIORITIES, **{one.name: one.value for one in classes}}


def _similar(cluster: Snapshot, name: str) -> str:
    close = get_close_matches(name, cluster.cache.node_names, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _profiles(policy: Deciding) -> list[Profile]:
    if isinstance(policy, Sequence) and not isinstance(policy, str):
        profiles = [one for one in policy if isinstance(one, Profile)]
        if profiles and len(profiles) == len(policy):
            return profiles
        return [profile_of([one for one in policy if isinstance(one, str | type)])]
    return [profile_of(policy)]
