"""The Python face: pods and nodes in, Decisions out; no server, no clock.

decision = roost.decide(pod, nodes, policy="RandomNode")
print(decision.node or decision.message)
"""

from collections import Counter
from collections.abc import Iterable
from typing import TypeVar

from msgspec import Struct, ValidationError, convert
from msgspec.structs import replace

from roost.api.node import Node
from roost.api.pod import Pod
from roost.cache import Cache
from roost.config.profiles import Policy, profile_of
from roost.errors import InvalidObject
from roost.framework.cycle import Cycle
from roost.framework.decision import Decision
from roost.framework.learning import Learning
from roost.framework.plugin import Context
from roost.framework.pod_info import PodInfo
from roost.framework.profile import Profile
from roost.framework.status import Code

Manifest = dict[str, object]
T = TypeVar("T", Pod, Node)


class Simulation(Struct, frozen=True):
    """What became of each pod, in order, and the cluster as it is afterwards."""

    decisions: tuple[Decision, ...]
    cache: Cache

    @property
    def placements(self) -> dict[str, str | None]:
        """The node of each pod (namespace/name), None where it found none."""
        return {decision.pod.key: decision.node for decision in self.decisions}


def decide(
    pod: Pod | Manifest,
    nodes: Iterable[Node | Manifest],
    pods: Iterable[Pod | Manifest] = (),
    policy: Policy = None,
    *,
    seed: int = 0,
) -> Decision:
    """Decide where a pod goes, given nodes and the pods on them.

    Objects are `roost.api` values or manifests as plain data. `policy` is a name, several, a profile, or None for
    kube-scheduler's defaults. Raises ConfigError for an unknown policy, InvalidObject for an unreadable quantity.
    """
    cache = _cache(nodes, pods)
    info = cache.pod_info(_object(pod, Pod))
    profile = profile_of(policy)
    return _held(profile, info) or Cycle(profile).decide(info, cache.view, Context(seed=seed))


def simulate(
    nodes: Iterable[Node | Manifest],
    pods: Iterable[Pod | Manifest],
    policy: Policy = None,
    *,
    seed: int = 0,
) -> Simulation:
    """Place pods one after the other; pods with a nodeName are there from the beginning.

    Nobody is evicted: a pod that fits nowhere is left out. Arguments and errors are those of `decide`, and PluginError
    if a policy fails to learn from a placed pod.
    """
    objects = [_object(pod, Pod) for pod in pods]
    twice = [key for key, count in Counter(pod.key for pod in objects).items() if count > 1]
    if twice:
        raise InvalidObject(f"{twice[0]} is given twice: pods need names of their own within a namespace")
    cache = _cache(nodes, [pod for pod in objects if pod.spec.node_name])
    waiting = [cache.pod_info(pod) for pod in objects if not pod.spec.node_name]
    profile = replace(profile_of(policy), post_filter=())
    held = {info.key: decision for info in waiting if (decision := _held(profile, info)) is not None}
    free = [info for info in waiting if info.key not in held]
    decided, learning = {}, Learning(profile)
    for decision in Cycle(profile).decide_run(free, cache.view, Context(seed=seed, learnt=learning.learnt)):
        decided[decision.pod.key] = decision
        if decision.node is not None:
            learning.learn(decision.pod, cache.view)
            cache.assume(decision.pod, decision.node)
    return Simulation(tuple((held | decided)[info.key] for info in waiting), cache)


def _cache(nodes: Iterable[Node | Manifest], pods: Iterable[Pod | Manifest]) -> Cache:
    cache = Cache()
    for node in nodes:
        cache.set_node(_object(node, Node))
    for pod in pods:
        placed = _object(pod, Pod)
        if placed.spec.node_name and not placed.is_terminal:
            cache.set_pod(placed)
    return cache


def _held(profile: Profile, pod: PodInfo) -> Decision | None:
    """Return the Decision on a pod that is held back before it is queued, such as by a scheduling gate."""
    for plugin in profile.pre_enqueue:
        status = plugin.pre_enqueue(pod.pod)
        if status is not None and status.code is not Code.Success:
            held_by = frozenset({getattr(plugin, "name", "")})
            return Decision(pod=pod, outcome="unschedulable", message=status.message, rejected_by=held_by)
    return None


def _object(given: T | Manifest, kind: type[T]) -> T:
    try:
        found = given if isinstance(given, kind) else convert(given, kind)
    except ValidationError as error:
        raise InvalidObject(f"this {kind.__name__.lower()} cannot be read: {error}") from error
    if kind is Pod and not found.metadata.namespace:
        return replace(found, metadata=replace(found.metadata, namespace="default"))
    return found
