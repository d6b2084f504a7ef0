"""The status of a Deployment, as `kubectl rollout status` and `kubectl wait` read it."""

from roost.apiserver.conditions import with_condition
from roost.apiserver.store import Object, Stored
from roost.apiserver.stored import Objects
from roost.apiserver.timestamps import rfc3339

_COUNTS = ("replicas", "readyReplicas", "availableReplicas")


def rollout_status(deployment: Stored, new: Stored, old: Objects, now: float) -> Object:
    """Return how far a Deployment has come."""
    spec = deployment.object["spec"]
    totals = {name: sum(_count(it, name) for it in (new, *old)) for name in _COUNTS}
    counts = {**totals, "updatedReplicas": _count(new, "replicas")}
    counts["unavailableReplicas"] = max(0, spec["replicas"] - totals["availableReplicas"])
    status: Object = {name: count for name, count in counts.items() if count}
    status["observedGeneration"] = deployment.metadata["generation"]
    conditions = (deployment.object.get("status") or {}).get("conditions")
    for condition in (_available(spec, totals["availableReplicas"]), _progressing(spec, counts, new.name)):
        conditions = with_condition(
            conditions, {**condition, "lastUpdateTime": _updated(conditions, condition, now)}, rfc3339(now)
        )
    status["conditions"] = conditions
    return status


def _available(spec: Object, available: int) -> Object:
    rolling = (spec.get("strategy") or {}).get("rollingUpdate") or {}
    spared = rolling.get("maxUnavailable", 0)
    spared = spec["replicas"] * int(spared.rstrip("%")) // 100 if isinstance(spared, str) else spared
    if available >= spec["replicas"] - spared:
        return _condition("Available", True, "MinimumReplicasAvailable", "Deployment has minimum availability.")
    text = "Deployment does not have minimum availability."
    return _condition("Available", False, "MinimumReplicasUnavailable", text)


def _progressing(spec: Object, counts: dict[str, int], name: str) -> Object:
    wanted = spec["replicas"]
    if counts["updatedReplicas"] == counts["replicas"] == counts["availableReplicas"] == wanted:
        text = f'ReplicaSet "{name}" has successfully progressed.'
        return _condition("Progressing", True, "NewReplicaSetAvailable", text)
    return _condition("Progressing", True, "ReplicaSetUpdated", f'ReplicaSet "{name}" is progressing.')


def _condition(type_: str, holds: bool, reason: str, message: str) -> Object:
    return {"type": type_, "status": str(holds), "reason": reason, "message": message}


def _updated(conditions: list[Object] | None, condition: Object, now: float) -> str:
    old = next((one for one in conditions or () if one["type"] == condition["type"]), None)
    if old is not None and all(old.get(name) == value for name, value in condition.items()):
        return str(old["lastUpdateTime"])
    return rfc3339(now)


def _count(replica_set: Stored, name: str) -> int:
    return int((replica_set.object.get("status") or {}).get(name, 0))
