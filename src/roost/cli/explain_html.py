"""The answer of `roost explain` as one self-contained HTML file: a matrix of nodes and rules to sort and to read."""

import json
from importlib.resources import files
from typing import Any

from roost.analysis.amounts import written
from roost.analysis.explanation import Explanation
from roost.analysis.matrix import Line, Matrix
from roost.cli.explain_answer import Answered
from roost.cli.explain_data import facts

MOST_ROWS = 1000
"""How many rows a browser is given at a time; finding and sorting look at all of them."""

Facts = dict[str, Any]


def html(answered: Answered) -> str:
    """Return the answer as an HTML file."""
    template = files("roost.cli").joinpath("templates/explain.html").read_text(encoding="utf-8")
    # "<" only occurs within strings of JSON: escaped there, nothing in a name can end the script element.
    data = json.dumps(_page(answered), ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return template.replace("@DATA@", data)


def _page(answered: Answered) -> Facts:
    report, told = answered.report, facts(answered)
    explanation = report.explanation
    prefer = told["prefer"]
    matrix = explanation.matrix if explanation is not None else Matrix()
    first = matrix.lines[0].needs if matrix.lines else ()
    return {
        "pod": report.key,
        "title": f"{report.kind} {report.key}",
        "node": told["node"],
        "verdict": _verdict(explanation, answered.profile, prefer),
        "findings": told["preconditions"],
        "heading": f"What would bring it to {prefer['node']}" if prefer else "What would make it fit, each tried",
        "suggestions": prefer["suggestions"] if prefer else told["suggestions"],
        "proof": told["proof"],
        "rules": list(matrix.rules),
        "texts": list(matrix.texts),
        "resources": [
            {"resource": need.resource, "asked": need.asked, "written": written(need.resource, need.asked)}
            for need in first
        ],
        "lines": [_line(line) for line in matrix.lines],
        "sort": 1 if told["node"] else 2,
        "most": MOST_ROWS,
    }


def _verdict(explanation: Explanation | None, profile: str, prefer: Facts | None) -> str:
    if explanation is None:
        return ""
    if explanation.node is not None:
        said = f"It goes to {explanation.node}: {explanation.feasible} of {explanation.evaluated} nodes fit."
        why = f"{explanation.why}." if explanation.why else ""
    else:
        said, why = explanation.message, ""
    return " ".join(filter(None, (said, why, prefer["says"] if prefer else "", profile)))


def _line(line: Line) -> list[Any]:
    free = [need.free for need in line.needs]
    return [line.node, list(line.cells), line.total, free, [written(need.resource, need.free) for need in line.needs]]
