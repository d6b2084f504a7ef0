"""Answers a recorded case of kube-scheduler in the shape of its `expected`, to be compared key by key."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from roost.api.node import Node
from roost.api.pod import Pod
from roost.cache import Cache
from roost.config.profiles import profile_from_fragment
from roost.framework.cycle import Cycle
from roost.framework.decision import Table
from roost.framework.plugin import Context, PreEnqueuePlugin
from roost.framework.pod_info import PodInfo
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
}


def evaluate(case: Mapping[str, Any]) -> Answer | None:
    """Decide a case with the plugins of its configuration; None for a sequence of pods."""
    if "pods" in case:
        return None
    cache = build_cache(case["objects"])
    cycle = Cycle(profile_from_fragment(case.get("config")))
    pod = msgspec.convert(case["pod"], Pod)
    held = _pre_enqueue(cycle.profile.pre_enqueue, pod)
    if held is not None:
        return _EMPTY | {"result": "gated", "preEnqueue": held}
    info = cache.pod_info(pod)
    decision = cycle.decide(info, cache.view, Context())
    table = decision.freeze() if decision.outcome != "error" else Table({}, {})
    return _EMPTY | {
        "result": decision.outcome,
        "preFilter": _pre_filter(cycle, info, cache),
        "nodes": _nodes(table),
        "scores": {name: {"total": s.total, "plugins": s.weighted, "raw": s.raw} for name, s in table.scores.items()},
        "best": _best(table),
        "fitError": decision.message if decision.outcome == "unschedulable" else None,
        "error": decision.message if decision.outcome == "error" else None,
    }


def build_cache(objects: Mapping[str, Iterable[Any]]) -> Cache:
    """Return a cache of the nodes and of the pods on them, as plain data of manifests."""
    cache = Cache()
    for node in objects.get("nodes", ()):
        cache.set_node(msgspec.convert(node, Node))
    for pod in msgspec.convert(list(objects.get("pods", ())), list[Pod]):
        if pod.spec.node_name and not pod.is_terminal:
            cache.set_pod(pod)
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


def _best(table: Table) -> list[str]:
    highest = max((row.total for row in table.scores.values()), default=0)
    return sorted(name for name, row in table.scores.items() if row.total == highest)


def _status(status: Status, plugin: str) -> Answer:
    return {"code": status.code.name, "plugin": plugin, "reasons": sorted(status.reasons)}
