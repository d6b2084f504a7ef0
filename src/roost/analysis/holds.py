"""What would hold a drain, or be lost by it: pods that nobody makes again, data on the node, disruption budgets."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from roost.analysis.evictable import SAFE_TO_EVICT, controller_of, local_volume
from roost.analysis.forecast import Hold
from roost.analysis.rehearsal import CORDON_TAINT
from roost.api.draining import DisruptionBudget
from roost.api.labels import selects
from roost.api.pod import Pod

Budgets = Mapping[str, Sequence[DisruptionBudget]]
"""Disruption budgets by namespace."""


def holds_of(pods: Sequence[Pod], budgets: Budgets) -> tuple[Hold, ...]:
    """Return what speaks against evicting these pods: budgets first, then pod by pod."""
    return (*_of_budgets(pods, budgets), *(hold for pod in pods for hold in _of_pod(pod, budgets)))


def _of_budgets(pods: Iterable[Pod], budgets: Budgets) -> Iterator[Hold]:
    covered: dict[tuple[str, str], int] = {}
    allowed: dict[tuple[str, str], int] = {}
    for pod in pods:
        for budget in _covering(pod, budgets):
            place = (pod.namespace, budget.name)
            covered[place] = covered.get(place, 0) + 1
            allowed[place] = budget.allowed
    for place, count in sorted(covered.items()):
        if count > allowed[place]:
            yield Hold("PodDisruptionBudget", "/".join(place), _overspent(count, allowed[place]))


def _of_pod(pod: Pod, budgets: Budgets) -> Iterator[Hold]:
    if controller_of(pod) is None:
        yield Hold("Pod", pod.key, "has no controller that makes it again: kubectl drain asks for --force")
    if local := local_volume(pod):
        yield Hold("Pod", pod.key, f"has data on the node, which is lost with it, in its volume {local}")
    if pod.annotations.get(SAFE_TO_EVICT) == "false":
        yield Hold("Pod", pod.key, f'is not for the cluster autoscaler to evict: its {SAFE_TO_EVICT} is "false"')
    if len(several := sorted(budget.name for budget in _covering(pod, budgets))) > 1:
        names = " and ".join(several)
        yield Hold("Pod", pod.key, f"has several disruption budgets ({names}), and Kubernetes evicts no such pod")
    if any(one.tolerates(CORDON_TAINT) for one in pod.spec.tolerations or ()):
        yield Hold("Pod", pod.key, "tolerates the cordon: it may come back to the node before that is gone")


def _covering(pod: Pod, budgets: Budgets) -> list[DisruptionBudget]:
    return [one for one in budgets.get(pod.namespace, ()) if selects(one.spec.selector, pod.labels)]


def _overspent(count: int, allowed: int) -> str:
    pods = "1 pod of it is" if count == 1 else f"{count} pods of it are"
    if not allowed:
        return f"allows no eviction now, and {pods} to go"
    return f"allows {allowed} eviction{'' if allowed == 1 else 's'} at a time, and {pods} to go"
