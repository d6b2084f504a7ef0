"""Answers a recorded case of kube-scheduler in the shape of its `expected`, to be compared key by key."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import replace

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
from roost.framework.decision import Decision, Table
from roost.framework.plan import Plan
from roost.framework.plugin import Context, PreEnqueuePlugin
from roost.framework.pod_info import PodInfo
from roost.framework.profile import Profile
from roost.framework.status import Code, Status

Answer = dict[str, Any]
_EMPTY: Answer = {
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
    cycle = Cycle(profile)
    pod = msgspec.convert(case["pod"], Pod)
    held = _pre_enqueue(profile.pre_enqueue, pod)
    if held is not None:
        return _EMPTY | {"result": "gated", "preEnqueue": held}
    return _decided(cycle, cache.pod_info(pod), cache)


def _decided(cycle: Cycle, info: PodInfo, cache: Cache) -> Answer:
    decision = cycle.decide(info, cache.view, Context())
    table = decision.freeze() if decision.outcome != "error" else Table({}, {})
    return _EMPTY | {
        "result": decision.outcome,
        "preFilter": _pre_filter(cycle, info, cache),
        "nodes": _nodes(table),
        "scores": {name: {"total": s.total, "plugins": s.weighted, "raw": s.raw} for name, s in table.scores.items()},
        "best": _best(table, info.pod.status.nominated_node_name),
        "fitError": decision.message if decision.outcome == "unschedulable" else None,
        "error": decision.message if decision.outcome == "error" else None,
        "preemption": _preemption(decision.plan),
    }


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


def _preemption(plan: Plan | None) -> Answer | None:
    if plan is None:
        return None
    found = plan.candidates if plan.nominated else {}
    return {
        "code": plan.status.code.name,
        "message": plan.message,
        "nominatedNode": plan.nominated or None,
        "victims": sorted(pod.key for pod in plan.victims),
        "ties": list(plan.ties),
        "candidates": {
            node: {"victims": [pod.key for pod in victims.pods], "pdbViolations": victims.violations}
            for node, victims in found.items()
        },
    }


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


def _pre_enqueue(plugins: Iterable[PreEnqueuePlugin], pod: Pod) -> Answer | None:
    for plugin in plugins:
        status = plugin.pre_enqueue(pod)
        if status is not None:
            return _status(status, getattr(plugin, "name", ""))
    return None


def _pre_filter(cycle: Cycle, pod: PodInfo, cache: Cache) -> Answer | None:
    if not cache.view.num_nodes:
        return None
    filtered = cycle.filter_nodes(pod, cache.view, Context())
    if filtered.rejected is not None:
        return _status(filtered.rejected, filtered.rejected.plugin) | {"nodeNames": None}
    names = None if filtered.only is None else sorted(filtered.only)
    return {"code": Code.Success.name, "plugin": "", "reasons": [], "nodeNames": names}


def _nodes(table: Table) -> Answer:
    return {
        name: {"feasible": True}
        if verdict.feasible
        else {"feasible": False, **_status(verdict.status, verdict.status.plugin)}
        for name, verdict in table.verdicts.items()
    }


def _best(table: Table, promised: str) -> list[str]:
    if promised in table.scores:
        return [promised]
    highest = max((row.total for row in table.scores.values()), default=0)
    return sorted(name for name, row in table.scores.items() if row.total == highest)


def _status(status: Status, plugin: str) -> Answer:
    return {"code": status.code.name, "plugin": plugin, "reasons": sorted(status.reasons)}
