"""Which disruption budgets protect a pod from being evicted to make room; worked out once for each pod."""

from collections.abc import Sequence

from roost.api.budgets import PodDisruptionBudget
from roost.api.labels import selects
from roost.framework.pod_info import PodInfo

_KEPT = 262_144


class Budgets:
    """The budgets by namespace and name."""

    def __init__(self) -> None:
        self._budgets: dict[str, dict[str, PodDisruptionBudget]] = {}
        self._known: dict[str, tuple[PodInfo, Sequence[PodDisruptionBudget]]] = {}

    def __bool__(self) -> bool:
        return bool(self._budgets)

    def set(self, budget: PodDisruptionBudget) -> None:
        """Add or update a budget."""
        self._budgets.setdefault(budget.metadata.namespace, {})[budget.name] = budget
        self._known.clear()

    def remove(self, budget: PodDisruptionBudget) -> None:
        """Forget a budget."""
        namespace = self._budgets.get(budget.metadata.namespace, {})
        namespace.pop(budget.name, None)
        if not namespace:
            self._budgets.pop(budget.metadata.namespace, None)
        self._known.clear()

    def protecting(self, pod: PodInfo) -> Sequence[PodDisruptionBudget]:
        """Return the budgets that evicting a pod would draw on."""
        known = self._known.get(pod.key)
        if known is not None and known[0] is pod:
            return known[1]
        if len(self._known) >= _KEPT:
            self._known.clear()
        budgets = self._protecting(pod)
        self._known[pod.key] = pod, budgets
        return budgets

    def _protecting(self, pod: PodInfo) -> Sequence[PodDisruptionBudget]:
        budgets = self._budgets.get(pod.pod.metadata.namespace)
        if not budgets or not pod.pod.labels:
            return ()
        return [budget for budget in budgets.values() if _protects(budget, pod)]


def _protects(budget: PodDisruptionBudget, pod: PodInfo) -> bool:
    selector = budget.spec.selector
    if selector is None or not (selector.match_labels or selector.match_expressions):
        return False
    return pod.pod.name not in (budget.status.disrupted_pods or {}) and selects(selector, pod.pod.labels)
