"""Answers a recorded case of kube-scheduler in the shape of its `expected`, to be compared key by key."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import replace

from roost.analysis.answer import Answer, answer_of, held_back
from roost.api.budgets import PodDisruptionBudget
from roost.api.controllers import PodGrouping, ReplicaSet, ReplicationController, Service, StatefulSet
from roost.api.kinds import AnyObject
from roost.api.meta import KubernetesObject
from roost.api.node import Node
from roost.api.pod import Pod
from roost.api.storage import (
    CSIDriver,
    CSINode,
    CSIStorageCapacity,
    PersistentVolume,
    PersistentVolumeClaim,
    StorageClass,
    VolumeAttachment,
)
from roost.cache import Cache
from roost.config.profiles import profile_from_fragment
from roost.framework.cycle import Cycle
from roost.framework.decision import Decision
from roost.framework.plugin import Context
from roost.framework.pod_info import PodInfo
from roost.framework.profile import Profile

_GATED: Answer = {
    "result": "gated",
    "preEnqueue": None,
    "preFilter": None,
    "nodes": {},
    "scores": {},
    "best": [],
    "fitError": None,
    "error": None,
    "preemption": None,
}


def evaluate(case: Mapping[str, Any]) -> Answer:
    """Decide a case with the plugins of its configuration; a sequence is placed pod by pod."""
    cache = build_cache(case["objects"])
    profile = profile_from_fragment(case.get("config"))
    if "pods" in case:
        pods = msgspec.convert(case["pods"], list[Pod])
        return {"placements": [_placed(info, decision) for info, decision in _sequence(profile, cache, pods)]}
    info = cache.pod_info(msgspec.convert(case["pod"], Pod))
    decision = Cycle(profile).decide(info, cache.view, Context())
    gate = held_back(profile, decision)
    answer = answer_of(decision, gate)
    return answer if gate is None else _GATED | {"preEnqueue": answer["preEnqueue"]}


def _sequence(profile: Profile, cache: Cache, pods: Iterable[Pod]) -> Iterator[tuple[PodInfo, Decision]]:
    """Place pods one after the other; one that does not fit is dropped, and nobody is evicted."""
    cycle = Cycle(replace(profile, post_filter=()))
    for pod in pods:
        info = cache.pod_info(pod)
        decision = cycle.decide(info, cache.view, Context())
        yield info, decision
        if decision.node is not None:
            cache.assume(info, decision.node)


def _placed(info: PodInfo, decision: Decision) -> Answer:
    answer = {
        "pod": info.key,
        "node": decision.node,
        "total": decision.top[0].total if decision.top else None,
        "numFeasible": decision.feasible,
        "best": _best_rows(decision),
    }
    return answer if decision.node is not None else answer | {"fitError": decision.message}


def _best_rows(decision: Decision) -> list[str]:
    scored, view = decision.scored, decision.view
    if scored is None or view is None:
        return []
    rows = np.flatnonzero(scored.feasible & (scored.total == decision.top[0].total))
    return sorted(view.name(row) for row in rows.tolist())


GROUPINGS: Mapping[str, type[PodGrouping]] = {
    "services": Service,
    "replicationControllers": ReplicationController,
    "replicaSets": ReplicaSet,
    "statefulSets": StatefulSet,
}


STORAGE: Mapping[str, type[KubernetesObject]] = {
    "storageClasses": StorageClass,
    "persistentVolumes": PersistentVolume,
    "persistentVolumeClaims": PersistentVolumeClaim,
    "csiDrivers": CSIDriver,
    "csiNodes": CSINode,
    "csiStorageCapacities": CSIStorageCapacity,
    "volumeAttachments": VolumeAttachment,
}


def build_cache(objects: Mapping[str, Iterable[Any]]) -> Cache:
    """Return a cache of a cluster, given as plain data of manifests by what kind they are."""
    cache = Cache()
    for namespace in msgspec.convert(list(objects.get("namespaces", ())), list[AnyObject]):
        cache.set_namespace(namespace)
    for node in objects.get("nodes", ()):
        cache.set_node(msgspec.convert(node, Node))
    for pod in msgspec.convert(list(objects.get("pods", ())), list[Pod]):
        if pod.is_terminal:
            continue
        if pod.spec.node_name:
            cache.set_pod(pod)
        elif pod.status.nominated_node_name:
            cache.view.nominations.set(cache.pod_info(pod), pod.status.nominated_node_name)
    for budget in msgspec.convert(list(objects.get("podDisruptionBudgets", ())), list[PodDisruptionBudget]):
        cache.set_budget(budget)
    for key, kind in GROUPINGS.items():
        for grouping in objects.get(key, ()):
            cache.set_controller(msgspec.convert(grouping, kind))
    for key, stored in STORAGE.items():
        for obj in objects.get(key, ()):
            cache.set_storage(msgspec.convert(obj, stored))
    return cache
