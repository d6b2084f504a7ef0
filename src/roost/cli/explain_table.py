"""The answer of `roost explain` for people: what comes first, the decision, what would change it."""

from collections.abc import Iterable, Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from roost.analysis.amounts import written
from roost.analysis.commands import commands
from roost.analysis.explanation import Explanation, Ranked
from roost.analysis.moving import Preference
from roost.analysis.preconditions import Finding
from roost.analysis.rejections import Group, Rejection
from roost.analysis.report import Report
from roost.analysis.suggestions import Search, Suggestion
from roost.cli.explain_answer import Answered

WIDTH = 118
MOST_NODES = 5
"""How many nodes of a group are shown."""

MOST_RANKED = 5


def table(answered: Answered) -> str:
    """Return the answer as text."""
    report = answered.report
    parts = [*_first(report, answered.profile), *_decision(report), *_preemption(report)]
    parts += _change_part(report)
    parts += _preference(report.preference, report)
    if answered.unreadable:
        more = f" and {len(answered.unreadable) - 3} more" if len(answered.unreadable) > 3 else ""
        parts.append(f"Not read: {'; '.join(answered.unreadable[:3])}{more}.")
    return "\n\n".join(part.rstrip() for part in parts)


def _first(report: Report, profile: str) -> Iterator[str]:
    pod = report.pod
    name = f", schedulerName {pod.spec.scheduler_name or 'default-scheduler'}" if pod is not None else ""
    lines = [
        f"{report.kind} {report.key}{name}." if pod is not None else f"{report.kind} {report.key}: there is no pod."
    ]
    lines += [line for finding in report.findings for line in _finding(finding)]
    if report.explanation is not None and profile:
        lines.append(profile)
    yield "\n".join(lines)


def _finding(finding: Finding) -> Iterator[str]:
    sure = {"certain": "", "likely": " (likely)", "unknown": " (unknown)"}[finding.certainty]
    yield f"{'!' if finding.blocks else '·'} {finding.says}{sure}"
    if finding.command:
        yield f"    {finding.command}"


# ---- the decision


def _decision(report: Report) -> Iterator[str]:
    explanation = report.explanation
    if explanation is None:
        return
    would = "would go" if any(one.blocks for one in report.findings) else "goes"
    if any(one.matter == "bound" for one in report.findings):
        would = "would go now, if it were new,"
    if explanation.outcome == "error":
        yield f"It cannot be decided: {explanation.message}"
    elif explanation.node is not None:
        fit = f"{explanation.feasible} of {explanation.evaluated} nodes fit"
        yield f"It {would} to {explanation.node}: {fit}."
        yield _scores(explanation.ranked[:MOST_RANKED]) + (f"\n{explanation.why}." if explanation.why else "")
    elif not explanation.evaluated:
        yield "There are no nodes."
    else:
        yield f"It fits on none of {explanation.evaluated} nodes."
    yield from _groups(explanation)


def _groups(explanation: Explanation) -> Iterator[str]:
    for group in explanation.groups:
        status = group.status
        who = f"{status.plugin}: " if status.plugin else ""
        many = "1 node" if len(group.nodes) == 1 else f"{len(group.nodes)} nodes"
        final = "" if status.code.name == "Unschedulable" else " (evicting pods does not help)"
        yield f"{many} · {who}{', '.join(status.reasons)}{final}\n{_nodes(group)}"


def _nodes(group: Group) -> str:
    shown = group.nodes[:MOST_NODES]
    if any(one.missing for one in shown) and group.status.plugin == "NodeResourcesFit":
        text = _text(_needs(shown), ("node", "resource", "asked", "free", "of", "missing"), right=4)
    elif any(one.detail for one in shown):
        width = max(len(one.node) for one in shown)
        text = "\n".join(f"  {one.node:{width}}  {one.detail}" for one in shown)
    else:
        text = f"  {', '.join(one.node for one in shown)}"
    left = len(group.nodes) - len(shown)
    return text + (f"\n  … and {left} more" if left else "")


def _needs(nodes: Sequence[Rejection]) -> Iterator[tuple[str, ...]]:
    for one in nodes:
        for place, need in enumerate(one.missing):
            amounts = (need.asked, need.free, need.allocatable, need.missing)
            yield ("" if place else one.node, need.resource, *(written(need.resource, amount) for amount in amounts))


def _scores(ranked: Sequence[Ranked]) -> str:
    plugins = [name for name in ranked[0].weighted if any(one.weighted.get(name) for one in ranked)] if ranked else []
    rows = ((one.node, str(one.total), *(str(one.weighted.get(name, 0)) for name in plugins)) for one in ranked)
    return _text(rows, ("node", "total", *plugins), right=1 + len(plugins))


def _preemption(report: Report) -> Iterator[str]:
    plan = report.explanation.answer["preemption"] if report.explanation is not None else None
    if plan and plan["nominatedNode"]:
        victims, node = ", ".join(plan["victims"]), plan["nominatedNode"]
        yield f"Its priority suffices to make room: the scheduler evicts {victims} from {node} by itself."


# ---- what would change it


def _change_part(report: Report) -> Iterator[str]:
    search = report.search
    if search is None:
        return
    if not search.suggestions:
        yield search.proof
        return
    yield _search("What would make it fit, one change at a time, each tried:", search, report)


def _preference(preference: Preference | None, report: Report) -> Iterator[str]:
    if preference is None:
        return
    yield preference.says
    if preference.search.suggestions:
        yield _search(f"What would bring it to {preference.node}, each tried:", preference.search, report)
    elif preference.rejection is not None:
        yield preference.search.proof


def _search(title: str, search: Search, report: Report) -> str:
    return "\n".join([title, *(line for one in search.suggestions for line in _suggestion(one, report))])


def _suggestion(suggestion: Suggestion, report: Report) -> Iterator[str]:
    change = suggestion.change
    where = "" if change.new_node is not None else f"; then it goes to {suggestion.node}"
    caution = f" ({change.caution})" if change.caution else ""
    yield f"  - {change.says}{where}{caution}"
    if report.pod is not None:
        yield from (f"      {command}" for command in commands(change, report.pod, manifest=report.manifest))


def _text(rows: Iterable[Sequence[str]], columns: Sequence[str], right: int = 0) -> str:
    """Return rows as a table; the last `right` columns are numbers."""
    made = Table(box=box.SIMPLE_HEAD)
    for place, column in enumerate(columns):
        made.add_column(column, justify="right" if place >= len(columns) - right else "left", overflow="fold")
    for row in rows:
        made.add_row(*row)
    console = Console(width=None if Console().is_terminal else WIDTH, highlight=False, markup=False)
    with console.capture() as captured:
        console.print(made)
    lines = [line.rstrip() for line in captured.get().splitlines()]
    return "\n".join(line for line in lines if line)
