"""The Python face: pods and nodes in, Decisions out; no server, no clock.

decision = roost.decide(pod, nodes, policy="RandomNode")
print(decision.node or decision.message)
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeVar

from msgspec import Struct, ValidationError, convert

from roost.api.node import Node
from roost.api.pod import Pod
from roost.cache import Cache
from roost.config.profiles import default_profile, policy_profile
from roost.errors import InvalidObject
from roost.framework.cycle import Cycle
from roost.framework.decision import Decision
from roost.framework.plugin import Context
from roost.framework.profile import Profile

Manifest = dict[str, object]
Policy = str | type | Sequence[str | type] | Profile | None
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
    return Cycle(profile_of(policy)).decide(info, cache.view, Context(seed=seed))


def simulate(
    nodes: Iterable[Node | Manifest],
    pods: Iterable[Pod | Manifest],
    policy: Policy = None,
    *,
    seed: int = 0,
) -> Simulation:
    """Place pods one after the other; pods with a nodeName are there from the beginning.

    Arguments and errors are those of `decide`.
    """
    objects = [_object(pod, Pod) for pod in pods]
    twice = [key for key, count in Counter(pod.key for pod in objects).items() if count > 1]
    if twice:
        raise InvalidObject(f"{twice[0]} is given twice: pods need names of their own within a namespace")
    cache = _cache(nodes, [pod for pod in objects if pod.spec.node_name])
    waiting = [cache.pod_info(pod) for pod in objects if not pod.spec.node_name]
    decisions = []
    for decision in Cycle(profile_of(policy)).decide_run(waiting, cache.view, Context(seed=seed)):
        decisions.append(decision)
        if decision.node is not None:
            cache.assume(decision.pod, decision.node)
    return Simulation(tuple(decisions), cache)


def profile_of(policy: Policy) -> Profile:
    """Return the profile that a policy argument means."""
    if isinstance(policy, Profile):
        return policy
    if policy is None:
        return default_profile()
    if isinstance(policy, type):
        return policy_profile([policy])
    return policy_profile([policy] if isinstance(policy, str) else list(policy))


def _cache(nodes: Iterable[Node | Manifest], pods: Iterable[Pod | Manifest]) -> Cache:
    cache = Cache()
    for node in nodes:
        cache.set_node(_object(node, Node))
    for pod in pods:
        placed = _object(pod, Pod)
        if placed.spec.node_name and not placed.is_terminal:
            cache.set_pod(placed)
    return cache


def _object(given: T | Manifest, kind: type[T]) -> T:
    if isinstance(given, kind):
        return given
    try:
        return convert(given, kind)
    except ValidationError as error:
        raise InvalidObject(f"this {kind.__name__.lower()} cannot be read: {error}") from error
