"""The Deployment controller: a ReplicaSet for each template, the new one growing while the old ones shrink."""

import msgspec
from msgspec import Struct

from roost.apiserver.identity import hash_letters
from roost.apiserver.resources import DEPLOYMENT, POD, REPLICA_SET
from roost.apiserver.standins.owned import by_controller, controller_uid, is_leaving, owned_by
from roost.apiserver.standins.rollout_status import rollout_status
from roost.apiserver.standins.standin import Standin
from roost.apiserver.store import Object, Store, Stored
from roost.apiserver.stored import DELETED, Change, Objects

HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"


class Deployments(Standin):
    """Rolls every Deployment out, within its maxSurge and maxUnavailable."""

    reads = (DEPLOYMENT, REPLICA_SET, POD)

    def is_woken_by(self, change: Change) -> bool:
        """Tell whether a workload has changed, or a pod has gone that Recreate may wait for."""
        return change.item.resource.kind != "Pod" or change.type == DELETED

    def reconcile(self, store: Store, now: float) -> float | None:
        """Take every Deployment one step further."""
        owned = by_controller(store.all(REPLICA_SET))
        for deployment in store.all(DEPLOYMENT):
            if not is_leaving(deployment):
                _roll_out(store, deployment, owned.get(deployment.metadata["uid"], []), now)
        return None


class _Step(Struct, frozen=True):
    """How many replicas each ReplicaSet should have next."""

    new: int
    old: dict[str, int]


def _roll_out(store: Store, deployment: Stored, owned: Objects, now: float) -> None:
    letters = template_hash(deployment.object["spec"]["template"])
    old = sorted((it for it in owned if not it.name.endswith(f"-{letters}")), key=_revision)
    new = next((it for it in owned if it.name.endswith(f"-{letters}")), None)
    revision = _revision(old[-1]) + 1 if old else 1
    if new is None:
        new = store.create(REPLICA_SET, _replica_set(deployment, letters, revision), deployment.namespace)
    elif _revision(new) < revision:
        new = _annotate(store, new, revision)
    step = _next_step(deployment.object["spec"], new, old, _runs_any(store, old))
    new = _scale(store, new, step.new)
    old = [_scale(store, it, step.old[it.name]) for it in old]
    deployment = _annotate(store, deployment, _revision(new))
    status = rollout_status(deployment, new, old, now)
    store.replace(deployment, {**deployment.object, "status": status})


def template_hash(template: Object) -> str:
    """Return the letters that tell templates of one Deployment apart."""
    return hash_letters(msgspec.json.encode(template, order="deterministic"))


def _runs_any(store: Store, old: Objects) -> bool:
    uids = {it.metadata["uid"] for it in old}
    return bool(uids) and any(controller_uid(pod) in uids for pod in store.all(POD, old[0].namespace))


def _next_step(spec: Object, new: Stored, old: Objects, runs_old: bool) -> _Step:
    wanted = spec["replicas"]
    sizes = {it.name: _replicas(it) for it in old}
    if not runs_old and not any(sizes.values()):
        return _Step(wanted, sizes)
    if (spec.get("strategy") or {}).get("type") == "Recreate":
        return _Step(_replicas(new) if runs_old else wanted, dict.fromkeys(sizes, 0))
    surge, unavailable = _limits((spec.get("strategy") or {}).get("rollingUpdate") or {}, wanted)
    room = max(0, wanted + surge - sum(sizes.values()) - _replicas(new))
    grown = min(wanted, _replicas(new) + room) if wanted > _replicas(new) else wanted
    return _Step(grown, _shrunk(old, sizes, new, wanted - unavailable))


def _shrunk(old: Objects, sizes: dict[str, int], new: Stored, least: int) -> dict[str, int]:
    """Return the old ReplicaSets' sizes less what can be spared, beginning with what is not available."""
    shrunk = dict(sizes)
    for it in old:
        shrunk[it.name] = min(sizes[it.name], _available(it))
    spare = max(0, sum(shrunk.values()) + _available(new) - least)
    for it in old:
        taken = min(spare, shrunk[it.name])
        shrunk[it.name] -= taken
        spare -= taken
    return shrunk


def _limits(rolling: Object, wanted: int) -> tuple[int, int]:
    surge = _share(rolling.get("maxSurge", "25%"), wanted, up=True)
    unavailable = _share(rolling.get("maxUnavailable", "25%"), wanted, up=False)
    return surge, unavailable or (0 if surge else 1)


def _share(value: int | str, whole: int, *, up: bool) -> int:
    if isinstance(value, int):
        return value
    hundredths = whole * int(value.rstrip("%"))
    return -(-hundredths // 100) if up else hundredths // 100


def _replica_set(deployment: Stored, letters: str, revision: int) -> Object:
    spec = deployment.object["spec"]
    template = spec["template"]
    labels = {**((template.get("metadata") or {}).get("labels") or {}), HASH: letters}
    selector = spec["selector"]
    return {
        "metadata": {
            "name": f"{deployment.name}-{letters}",
            "labels": labels,
            "annotations": {REVISION: str(revision)},
            "ownerReferences": [owned_by(deployment)],
        },
        "spec": {
            "replicas": 0,
            "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), HASH: letters}},
            "template": {**template, "metadata": {**(template.get("metadata") or {}), "labels": labels}},
        },
    }


def _scale(store: Store, replica_set: Stored, replicas: int) -> Stored:
    if _replicas(replica_set) == replicas:
        return replica_set

    def resize(obj: Object) -> None:
        obj["spec"]["replicas"] = replicas

    return store.modify(REPLICA_SET, replica_set.name, resize, replica_set.namespace)


def _annotate(store: Store, item: Stored, revision: int) -> Stored:
    annotations = {**(item.metadata.get("annotations") or {}), REVISION: str(revision)}
    return store.replace(item, {**item.object, "metadata": {**item.metadata, "annotations": annotations}})


def _revision(item: Stored) -> int:
    return int((item.metadata.get("annotations") or {}).get(REVISION, 0))


def _replicas(item: Stored) -> int:
    return int(item.object["spec"]["replicas"])


def _available(item: Stored) -> int:
    return int((item.object.get("status") or {}).get("availableReplicas", 0))
