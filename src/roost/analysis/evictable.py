"""Which pods of a node would be evicted, which stay, and which forbid to drain it: the cluster autoscaler's rules.

mirror pods, DaemonSet pods, pods being deleted    stay, and do not matter
no controller, local data, not safe to evict       hold the node (safe-to-evict: "true" overrules the first two)
all others                                         move, as far as their disruption budgets allow it together
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from roost.api.draining import DisruptionBudget, DrainVolume
from roost.api.labels import selects
from roost.api.meta import OwnerReference
from roost.api.pod import Pod
from roost.api.volumes import Volume

SAFE_TO_EVICT = "cluster-autoscaler.kubernetes.io/safe-to-evict"
SAFE_VOLUMES = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"
_MIRROR = "kubernetes.io/config.mirror"

Fate = Literal["moves", "stays", "holds"]


class DrainRules(Struct, frozen=True):
    """What may be evicted although nobody brings it back as it was."""

    delete_non_replicated: bool = False
    delete_local_data: bool = False


class PodFate(Struct, frozen=True):
    """What a drain means for one pod, and why if it does not move."""

    fate: Fate
    why: str = ""


_MOVES = PodFate("moves")


def fate_of(pod: Pod, rules: DrainRules) -> PodFate:
    """Return what a drain means for a pod that has not ended, disruption budgets aside."""
    controller, mark = controller_of(pod), pod.annotations.get(SAFE_TO_EVICT)
    if _MIRROR in pod.annotations or (controller is not None and controller.kind == "Node"):
        return PodFate("stays", "is a static pod")
    if controller is not None and controller.kind == "DaemonSet":
        return PodFate("stays", "belongs to a DaemonSet")
    if pod.is_terminating:
        return PodFate("stays", "is being deleted already")
    if mark == "false":
        return PodFate("holds", f'must not be evicted: its annotation {SAFE_TO_EVICT} is "false"')
    if mark == "true":
        return _MOVES
    if controller is None and not rules.delete_non_replicated:
        return PodFate(
            "holds", "has no controller to bring it back; --delete-non-replicated-pods evicts it all the same"
        )
    local = "" if rules.delete_local_data else local_volume(pod)
    if local:
        return PodFate(
            "holds", f"has data on the node in its volume {local}; --delete-emptydir-data evicts it all the same"
        )
    return _MOVES


def over_budget(pods: Iterable[Pod], budgets: Mapping[str, Sequence[DisruptionBudget]]) -> str:
    """Return why pods may not be evicted together, or nothing; `budgets` are by namespace.

    Every pod counts against its budget, also one that is not ready: a plan rather spends too much than too little.
    """
    spent: Counter[tuple[str, str]] = Counter()
    for pod in pods:
        covering = [b for b in budgets.get(pod.namespace, ()) if selects(b.spec.selector, pod.labels)]
        if len(covering) > 1:
            names = " and ".join(sorted(budget.name for budget in covering))
            return f"{pod.key} has several disruption budgets ({names}), and Kubernetes evicts no such pod"
        for budget in covering:
            spent[pod.namespace, budget.name] += 1
            if spent[pod.namespace, budget.name] > budget.allowed:
                return _overspent(pod, budget)
    return ""


def by_namespace(budgets: Iterable[DisruptionBudget]) -> dict[str, list[DisruptionBudget]]:
    """Return budgets by their namespace."""
    found: dict[str, list[DisruptionBudget]] = {}
    for budget in budgets:
        found.setdefault(budget.metadata.namespace, []).append(budget)
    return found


def controller_of(pod: Pod) -> OwnerReference | None:
    """Return what makes a pod again, None if nothing does."""
    return next((owner for owner in pod.metadata.owner_references or () if owner.controller), None)


def local_volume(pod: Pod) -> str:
    """Return the name of a volume with data on the node, empty if there is none; only a DrainPod tells."""
    safe = {name.strip() for name in pod.annotations.get(SAFE_VOLUMES, "").split(",")}
    return next((v.name for v in pod.spec.volumes or () if _is_local(v) and v.name not in safe), "")


def _overspent(pod: Pod, budget: DisruptionBudget) -> str:
    if budget.allowed == 0:
        return f"{pod.key} may not be evicted now: its disruption budget {budget.name} allows no disruption"
    return f"{pod.key} is one too many: its disruption budget {budget.name} allows {budget.allowed} at a time"


def _is_local(volume: Volume) -> bool:
    return isinstance(volume, DrainVolume) and volume.is_local
