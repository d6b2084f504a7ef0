"""A Decision as plain data, in the shape in which kube-scheduler's recorded decisions are kept.

result, preEnqueue, preFilter, nodes, scores, best, fitError, error, preemption    (tests/conformance/README.md)
"""

from typing import Any

from roost.framework.decision import Decision, ScoreRow, Verdict
from roost.framework.plan import Plan
from roost.framework.profile import Profile
from roost.framework.status import Code, Status

Answer = dict[str, Any]


def held_back(profile: Profile, decision: Decision) -> Status | None:
    """Return the status of the plugin that keeps a pod out of the queue, if one does."""
    for plugin in profile.pre_enqueue:
        status = plugin.pre_enqueue(decision.pod.pod)
        if status is not None and status.code is not Code.Success:
            return Status(status.code, status.reasons, getattr(plugin, "name", ""))
    return None


def answer_of(decision: Decision, gate: Status | None) -> Answer:
    """Return a Decision as plain data; the columns it holds must still be valid.

    A pod that is held back is `gated`, and the rest says what would be decided without that.
    """
    table = decision.freeze() if decision.filtered is not None else None
    scores = table.scores if table is not None else {}
    highest = max((row.total for row in scores.values()), default=0)
    best = sorted(name for name, row in scores.items() if row.total == highest)
    promised = decision.pod.pod.status.nominated_node_name
    return {
        "result": "gated" if gate is not None else decision.outcome,
        "preEnqueue": _status(gate) if gate is not None else None,
        "preFilter": _pre_filter(decision),
        "nodes": {name: _verdict(one) for name, one in table.verdicts.items()} if table is not None else {},
        "scores": {name: _scores(row) for name, row in scores.items()},
        "best": [promised] if promised in scores else best,
        "fitError": decision.message if decision.outcome == "unschedulable" else None,
        "error": decision.message if decision.outcome == "error" else None,
        "preemption": _preemption(decision.plan),
    }


def _pre_filter(decision: Decision) -> Answer | None:
    filtered = decision.filtered
    if filtered is None or not decision.evaluated:
        return None
    if filtered.rejected is not None:
        return _status(filtered.rejected) | {"nodeNames": None}
    names = None if filtered.only is None else sorted(filtered.only)
    return {"code": Code.Success.name, "plugin": "", "reasons": [], "nodeNames": names}


def _preemption(plan: Plan | None) -> Answer | None:
    if plan is None:
        return None
    candidates = plan.candidates if plan.nominated else {}
    return {
        "code": plan.status.code.name,
        "message": plan.message,
        "nominatedNode": plan.nominated or None,
        "victims": sorted(pod.key for pod in plan.victims),
        "ties": list(plan.ties),
        "candidates": {
            node: {"victims": [pod.key for pod in victims.pods], "pdbViolations": victims.violations}
            for node, victims in candidates.items()
        },
    }


def _verdict(verdict: Verdict) -> Answer:
    return {"feasible": True} if verdict.feasible else {"feasible": False, **_status(verdict.status)}


def _scores(row: ScoreRow) -> Answer:
    return {"total": row.total, "plugins": dict(row.weighted), "raw": dict(row.raw)}


def _status(status: Status) -> Answer:
    return {"code": status.code.name, "plugin": status.plugin, "reasons": sorted(status.reasons)}
