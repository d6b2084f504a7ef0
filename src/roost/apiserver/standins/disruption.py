"""The disruption controller: counts how many pods each budget can spare."""

import math

import msgspec

from roost.api.labels import selects
from roost.api.selectors import LabelSelector
from roost.apiserver.conditions import is_true
from roost.apiserver.resources import POD, POD_DISRUPTION_BUDGET
from roost.apiserver.standins.owned import has_ended, is_leaving
from roost.apiserver.standins.standin import Standin
from roost.apiserver.store import Object, Store, Stored
from roost.apiserver.stored import Objects


class Disruption(Standin):
    """Keeps the status of PodDisruptionBudgets; what is expected is the pods there are."""

    reads = (POD_DISRUPTION_BUDGET, POD)

    def reconcile(self, store: Store, now: float) -> float | None:
        """Bring every budget's status up to date."""
        for budget in store.all(POD_DISRUPTION_BUDGET):
            selector = msgspec.convert((budget.object.get("spec") or {}).get("selector"), LabelSelector | None)
            pods = [
                pod
                for pod in store.all(POD, budget.namespace)
                if selects(selector, pod.metadata.get("labels") or {}) and not has_ended(pod)
            ]
            store.replace(budget, {**budget.object, "status": _status(budget, pods)})
        return None


def _status(budget: Stored, pods: Objects) -> Object:
    healthy = sum(is_true(pod.object, "Ready") and not is_leaving(pod) for pod in pods)
    desired = _desired(budget.object["spec"], len(pods))
    old = budget.object.get("status") or {}
    waiting = [pod.name for pod in pods if not is_leaving(pod)]
    disrupted = {name: since for name, since in (old.get("disruptedPods") or {}).items() if name in waiting}
    return {
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": len(pods),
        "disruptionsAllowed": max(0, healthy - desired - len(disrupted)),
        "observedGeneration": budget.metadata["generation"],
        **({"disruptedPods": disrupted} if disrupted else {}),
    }


def _desired(spec: Object, expected: int) -> int:
    if spec.get("maxUnavailable") is not None:
        return max(0, expected - _share(spec["maxUnavailable"], expected))
    return _share(spec.get("minAvailable", 1), expected)


def _share(value: int | str, whole: int) -> int:
    """Return a number, or a percentage of the whole, rounded up as Kubernetes does for budgets."""
    return value if isinstance(value, int) else math.ceil(whole * int(value.rstrip("%")) / 100)
