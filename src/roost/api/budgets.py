"""Disruption budgets, as far as preemption reads them."""

from roost.api.meta import KubernetesObject, Value
from roost.api.selectors import LabelSelector


class BudgetSpec(Value):
    """Which pods of the namespace the budget protects; none and an empty selector protect nothing from preemption."""

    selector: LabelSelector | None = None


class BudgetStatus(Value):
    """How many pods may be disrupted now, and those whose disruption has been counted already, by name."""

    disruptions_allowed: int = 0
    disrupted_pods: dict[str, str] | None = None


class PodDisruptionBudget(KubernetesObject):
    """A budget of pods that may be away at one time."""

    spec: BudgetSpec = BudgetSpec()
    status: BudgetStatus = BudgetStatus()
