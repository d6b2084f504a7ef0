"""A small cluster with storage, and what one plugin rejects there."""

from collections.abc import Iterable, Mapping, Sequence

from roost.api.meta import KubernetesObject
from roost.api.node import Node
from roost.api.pod import Pod
from roost.cache import Cache
from roost.framework.cycle import Cycle
from roost.framework.plugin import Context, Plugin
from roost.framework.profile import Profile
from roost.framework.status import Status
from roost.testing import node

ZONE, REGION = "topology.kubernetes.io/zone", "topology.kubernetes.io/region"
THREE_ZONES = tuple(node(zone, labels={ZONE: zone, "kubernetes.io/hostname": zone}) for zone in "abc")


def cache_of(nodes: Iterable[Node], storage: Iterable[KubernetesObject] = (), pods: Iterable[Pod] = ()) -> Cache:
    cache = Cache()
    for one in nodes:
        cache.set_node(one)
    for obj in storage:
        cache.set_storage(obj)
    for placed in pods:
        cache.set_pod(placed)
    return cache


def rejections(
    plugin: Plugin,
    pod: Pod,
    storage: Sequence[KubernetesObject] = (),
    *,
    nodes: Sequence[Node] = THREE_ZONES,
    pods: Sequence[Pod] = (),
) -> Mapping[str, Status]:
    """Return what a plugin rejects, by node name."""
    cache = cache_of(nodes, storage, pods)
    return rejected_now(plugin, cache, pod)


def rejected_now(plugin: Plugin, cache: Cache, pod: Pod) -> Mapping[str, Status]:
    decision = Cycle(Profile.of([plugin])).decide(cache.pod_info(pod), cache.view, Context())
    assert decision.outcome != "error", decision.message
    return {name: verdict.status for name, verdict in decision.freeze().verdicts.items() if not verdict.feasible}


def reasons(rejected: Mapping[str, Status]) -> dict[str, tuple[str, ...]]:
    return {name: status.reasons for name, status in rejected.items()}
