"""What a cycle found to do for a pod that fits nowhere: whom to evict, and which node to promise the pod.

    PostFilter plugins ─► Plan with candidates ─► (extenders may narrow them) ─► choose ─► the node and its victims

A plan is a value: who drives the cycle evicts the victims and writes the nomination, or does not.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from msgspec import Struct

from roost.api.pod import Pod
from roost.framework.pod_info import PodInfo
from roost.framework.status import SUCCESS, Code, Status

MAX_INT32 = 2**31 - 1


class Victims(Struct, frozen=True):
    """The pods to evict from one node, the most important first, and how many of them a disruption budget protects."""

    pods: tuple[PodInfo, ...]
    violations: int = 0


Candidates = Mapping[str, Victims]
"""The victims on each node where evicting them would make room for the pod, by the node's name."""

_NO_CANDIDATES: Candidates = MappingProxyType({})


class Plan(Struct, frozen=True):
    """What PostFilter plugins answered, each by itself or all together.

    `status` is a success where a node was found; else its reasons stand in the fit error. `nominated` is the node that
    the pod is promised, "" if a promise it has is to be taken back, None if that stays as it is. `ties` are the nodes
    that are as good as the one nominated. `before` is what plugins said that were asked before and could not help.
    """

    status: Status = SUCCESS
    nominated: str | None = None
    victims: tuple[PodInfo, ...] = ()
    ties: tuple[str, ...] = ()
    candidates: Candidates = _NO_CANDIDATES
    before: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """What the fit error says of it; nothing where a node was found."""
        return self.status.message

    @property
    def facts(self) -> tuple[object, ...]:
        """Everything as plain values, for comparing plans."""
        candidates = {
            node: ([pod.key for pod in victims.pods], victims.violations) for node, victims in self.candidates.items()
        }
        return self.status, self.nominated, [pod.key for pod in self.victims], self.ties, candidates


def choose(candidates: Candidates) -> Plan:
    """Return the plan for the best candidate, of equally good ones the first by name.

    The best has, one after the other where those before are equal: the fewest victims protected by budgets, the
    lowest highest priority among its victims, the smallest sum of priorities, the fewest victims, and the latest start
    of the victim of highest priority that started first.
    """
    if not candidates:
        return Plan(Status(Code.Unschedulable, ("preemption: no candidate node for preemption",)))
    ties = sorted(candidates)
    for badness in _BADNESS:
        badnesses = {node: badness(candidates[node]) for node in ties}
        least = min(badnesses.values())
        ties = [node for node in ties if badnesses[node] == least]
    best = ties[0]
    return Plan(SUCCESS, best, candidates[best].pods, tuple(ties), candidates)


def _highest_priority(victims: Victims) -> int:
    return max(pod.priority for pod in victims.pods)


def _sum_of_priorities(victims: Victims) -> int:
    # Each counts as at least 0, so that fewer pods of a negative priority are better than more.
    return sum(pod.priority + MAX_INT32 + 1 for pod in victims.pods)


def _earliest_start(victims: Victims) -> float:
    highest = _highest_priority(victims)
    return -min(pod.started for pod in victims.pods if pod.priority == highest)


_BADNESS: Sequence[Callable[[Victims], float]] = (
    lambda victims: victims.violations,
    _highest_priority,
    _sum_of_priorities,
    lambda victims: len(victims.pods),
    _earliest_start,
)


def is_terminating_by_preemption(pod: Pod) -> bool:
    """Tell whether a pod is being deleted because a scheduler preempted it."""
    if not pod.is_terminating:
        return False
    condition = next((one for one in pod.status.conditions or () if one.type == "DisruptionTarget"), None)
    return condition is not None and (condition.status, condition.reason) == ("True", "PreemptionByScheduler")
