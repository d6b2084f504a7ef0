"""The answer of `roost explain` as plain data: in the shape of recorded decisions, and the rest beside it."""

import json
from typing import Any

import msgspec

from roost.analysis.change import Change
from roost.analysis.commands import commands
from roost.analysis.explanation import Explanation
from roost.analysis.moving import Preference
from roost.analysis.preconditions import Finding
from roost.analysis.rejections import Group, Rejection
from roost.analysis.report import Report
from roost.analysis.suggestions import Search, Suggestion
from roost.cli.explain_answer import Answered

Facts = dict[str, Any]

_EMPTY: Facts = {
    "result": None, "preEnqueue": None, "preFilter": None, "nodes": {}, "scores": {}, "best": [], "fitError": None,
    "error": None, "preemption": None,
}  # fmt: skip


def as_json(answered: Answered) -> str:
    """Return the answer as a JSON object."""
    return json.dumps(facts(answered), indent=1)


def as_yaml(answered: Answered) -> str:
    """Return the answer as YAML."""
    import yaml

    text: str = yaml.safe_dump(facts(answered), sort_keys=False, width=110, allow_unicode=True)
    return text.rstrip()


def facts(answered: Answered) -> Facts:
    """Return the answer as plain data."""
    report = answered.report
    explanation, search = report.explanation, report.search
    return {
        "pod": report.key,
        "schedulerName": report.pod.spec.scheduler_name if report.pod is not None else None,
        "profile": answered.profile or None,
        "preconditions": [_finding(one) for one in report.findings],
        **(explanation.answer if explanation is not None else _EMPTY),
        "node": explanation.node if explanation is not None else None,
        "why": explanation.why or None if explanation is not None else None,
        "groups": [_group(group) for group in explanation.groups] if explanation is not None else [],
        "ranking": _ranking(explanation),
        "suggestions": _suggestions(search, report),
        "proof": search.proof or None if search is not None else None,
        "prefer": _preference(report.preference, report),
        "unreadable": list(answered.unreadable),
    }


def change_facts(change: Change, report: Report) -> Facts:
    """Return a change as plain data."""
    return {
        "sort": change.sort,
        "says": change.says,
        "caution": change.caution or None,
        "evict": list(change.evict),
        "podPatch": list(change.pod_patch),
        "node": change.node or None,
        "nodePatch": list(change.node_patch),
        "newNode": msgspec.to_builtins(change.new_node) if change.new_node is not None else None,
        "commands": commands(change, report.pod, manifest=report.manifest) if report.pod is not None else [],
    }


def _finding(finding: Finding) -> Facts:
    return {
        "matter": finding.matter,
        "says": finding.says,
        "certainty": finding.certainty,
        "blocks": finding.blocks,
        "command": finding.command or None,
    }


def _group(group: Group) -> Facts:
    status = group.status
    return {
        "plugin": status.plugin,
        "code": status.code.name,
        "reasons": list(status.reasons),
        "nodes": [_rejection(one) for one in group.nodes],
    }


def _rejection(rejection: Rejection) -> Facts:
    return {
        "node": rejection.node,
        "detail": rejection.detail or None,
        "missing": {
            need.resource: {
                "asked": need.asked,
                "free": need.free,
                "allocatable": need.allocatable,
                "missing": need.missing,
            }
            for need in rejection.missing
        },
    }


def _ranking(explanation: Explanation | None) -> list[Facts]:
    ranked = explanation.ranked if explanation is not None else ()
    return [{"place": one.place, "node": one.node, "total": one.total} for one in ranked]


def _suggestions(search: Search | None, report: Report) -> list[Facts]:
    return [_suggestion(one, report) for one in search.suggestions] if search is not None else []


def _suggestion(suggestion: Suggestion, report: Report) -> Facts:
    return {**change_facts(suggestion.change, report), "goesTo": suggestion.node}


def _preference(preference: Preference | None, report: Report) -> Facts | None:
    if preference is None:
        return None
    return {
        "node": preference.node,
        "says": preference.says,
        "place": preference.rank.place if preference.rank is not None else None,
        "suggestions": _suggestions(preference.search, report),
    }
