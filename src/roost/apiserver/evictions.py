"""The eviction subresource: deletes a pod, if its disruption budgets allow that."""

import msgspec

from roost.api.labels import selects
from roost.api.selectors import LabelSelector
from roost.apiserver.conditions import is_true, with_condition
from roost.apiserver.deletion import DeleteOptions, check_preconditions, delete_options
from roost.apiserver.refusals import bad_request, too_many_requests
from roost.apiserver.resources import POD, POD_DISRUPTION_BUDGET
from roost.apiserver.store import Object, Store, Stored
from roost.apiserver.timestamps import rfc3339
from roost.errors import ApiError

VIOLATION = "Cannot evict pod as it would violate the pod's disruption budget."
_TWO_BUDGETS = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
_BUDGETLESS = ("Succeeded", "Failed", "Pending")
_RETRY_SECONDS = 10.0


def evict(store: Store, namespace: str, name: str, eviction: Object, *, dry_run: bool = False) -> None:
    """Evict a pod as a policy/v1 Eviction says; raises TooManyRequests if a budget does not allow it."""
    if (eviction.get("metadata") or {}).get("name", name) != name:
        raise bad_request("name in URL does not match name in Eviction object")
    pod = store.get(POD, name, namespace)
    options = delete_options(eviction.get("deleteOptions") or {})
    check_preconditions(pod, options)
    _spend_budget(store, pod, dry_run)
    if not dry_run:
        _delete(store, pod, options)


def _spend_budget(store: Store, pod: Stored, dry_run: bool) -> None:
    if pod.object["status"].get("phase") in _BUDGETLESS or "deletionTimestamp" in pod.metadata:
        return
    budgets = [budget for budget in store.all(POD_DISRUPTION_BUDGET, pod.namespace) if _covers(budget, pod)]
    if len(budgets) > 1:
        raise ApiError(_TWO_BUDGETS, status=500, reason="InternalError")
    if budgets and not _is_expendable(budgets[0].object, pod.object):
        _spend(store, budgets[0], pod.name, dry_run)


def _covers(budget: Stored, pod: Stored) -> bool:
    selector = msgspec.convert((budget.object.get("spec") or {}).get("selector"), LabelSelector | None)
    return selects(selector, pod.metadata.get("labels") or {})


def _is_expendable(budget: Object, pod: Object) -> bool:
    """Tell whether a pod that is not ready may go without asking its budget."""
    if is_true(pod, "Ready"):
        return False
    if budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = budget.get("status") or {}
    desired: int = status.get("desiredHealthy", 0)
    return 0 < desired <= int(status.get("currentHealthy", 0))


def _spend(store: Store, budget: Stored, pod_name: str, dry_run: bool) -> None:
    status = budget.object.get("status") or {}
    if status.get("observedGeneration", 0) < budget.metadata["generation"]:
        raise too_many_requests(VIOLATION, _RETRY_SECONDS)
    allowed = status.get("disruptionsAllowed", 0)
    if allowed <= 0:
        raise too_many_requests(VIOLATION, 0.0)
    disrupted = {**(status.get("disruptedPods") or {}), pod_name: rfc3339(store.clock())}
    after = {**status, "disruptionsAllowed": allowed - 1, "disruptedPods": disrupted}
    store.replace(budget, {**budget.object, "status": after}, dry_run=dry_run)


def _delete(store: Store, pod: Stored, options: DeleteOptions) -> None:
    status = pod.object["status"]
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
    }
    conditions = with_condition(status.get("conditions"), condition, rfc3339(store.clock()))
    store.replace(pod, {**pod.object, "status": {**status, "conditions": conditions}})
    store.delete(POD, pod.name, pod.namespace, DeleteOptions(uid=options.uid, grace_seconds=options.grace_seconds))
