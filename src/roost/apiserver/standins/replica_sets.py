"""The ReplicaSet controller: as many pods as are wanted, and a status that counts them."""

from roost.apiserver.conditions import is_true
from roost.apiserver.resources import POD, REPLICA_SET
from roost.apiserver.standins.owned import by_controller, has_ended, is_leaving, owned_by
from roost.apiserver.standins.standin import Standin
from roost.apiserver.store import Object, Store, Stored
from roost.apiserver.stored import Objects
from roost.errors import ApiError


class ReplicaSets(Standin):
    """Creates missing pods and deletes surplus ones, those that do least first."""

    reads = (REPLICA_SET, POD)

    def reconcile(self, store: Store, now: float) -> float | None:
        """Bring every ReplicaSet to its number of pods."""
        pods = by_controller(pod for pod in store.all(POD) if not (is_leaving(pod) or has_ended(pod)))
        for replica_set in store.all(REPLICA_SET):
            own = pods.get(replica_set.metadata["uid"], [])
            if not is_leaving(replica_set):
                own = _resize(store, replica_set, own)
            _write_status(store, replica_set, own)
        return None


def _resize(store: Store, replica_set: Stored, pods: Objects) -> Objects:
    missing = replica_set.object["spec"]["replicas"] - len(pods)
    if missing >= 0:
        return [*pods, *_create(store, replica_set, missing)]
    doomed = sorted(pods, key=_usefulness)[:-missing]
    for pod in doomed:
        store.delete(POD, pod.name, pod.namespace)
    return [pod for pod in pods if pod not in doomed]


def _create(store: Store, replica_set: Stored, count: int) -> Objects:
    try:
        return [store.create(POD, _pod(replica_set), replica_set.namespace) for _ in range(count)]
    except ApiError:
        return []  # its status goes on saying that there are too few


def _pod(replica_set: Stored) -> Object:
    template = replica_set.object["spec"]["template"]
    metadata = {
        key: value for key, value in (template.get("metadata") or {}).items() if key in ("labels", "annotations")
    }
    metadata |= {"generateName": f"{replica_set.name}-", "ownerReferences": [owned_by(replica_set)]}
    return {"metadata": metadata, "spec": template["spec"]}


def _usefulness(pod: Stored) -> tuple[bool, bool, int]:
    """Order pods as the real controller does, roughly: not bound, not ready, newest first."""
    return (bool(pod.object["spec"].get("nodeName")), is_true(pod.object, "Ready"), -pod.version)


def _write_status(store: Store, replica_set: Stored, pods: Objects) -> None:
    ready = sum(is_true(pod.object, "Ready") for pod in pods)
    counts = {"fullyLabeledReplicas": len(pods), "readyReplicas": ready, "availableReplicas": ready}
    status = {
        "replicas": len(pods),
        **{name: count for name, count in counts.items() if count},
        "observedGeneration": replica_set.metadata["generation"],
    }
    store.replace(replica_set, {**replica_set.object, "status": status})
