"""Every node and every rule: what each filter says of each node, not only the first that fails."""

from collections.abc import Callable

import numpy as np
from msgspec import Struct

from roost.analysis.rejections import Need, detail_of
from roost.framework.decision import Decision
from roost.framework.pod_info import PodInfo
from roost.framework.view import View

PASSED = 0
"""The code of a cell where the rule lets the pod in; any other is a place in `Matrix.texts`."""

NARROWED = "PreFilter"


class Line(Struct, frozen=True):
    """A node: a code per rule, the total score (None if it does not fit), and what is asked and free there."""

    node: str
    cells: tuple[int, ...]
    total: int | None
    needs: tuple[Need, ...]


class Matrix(Struct, frozen=True):
    """The rules in the order in which they are asked, the lines by node name, and the texts of the codes."""

    rules: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    texts: tuple[str, ...] = ("",)


class _Texts:
    def __init__(self) -> None:
        self.codes: dict[str, int] = {"": PASSED}

    def code(self, text: str) -> int:
        return self.codes.setdefault(text, len(self.codes))


def matrix_of(decision: Decision, needs_of: Callable[[PodInfo, View, int], tuple[Need, ...]]) -> Matrix:
    """Return what each filter of a Decision says of each node; the columns of the Decision must still be valid."""
    filtered, view = decision.filtered, decision.view
    if filtered is None or view is None:
        return Matrix()
    texts = _Texts()
    rows = sorted(np.flatnonzero(view.alive).tolist(), key=view.name)
    rules = [judged.name for judged in filtered.judged]
    columns: list[list[int]] = [
        [
            PASSED
            if judged.ok[row]
            else texts.code(_text(decision, judged.name, judged.statuses[judged.codes[row]], row))
            for row in rows
        ]
        for judged in filtered.judged
    ]
    if filtered.rejected is not None:
        rules = [filtered.rejected.plugin]
        columns = [[texts.code(filtered.rejected.message)] * len(rows)]
    elif filtered.only is not None:
        rules.insert(0, NARROWED)
        absent = filtered.absent.message
        columns.insert(0, [PASSED if view.name(row) in filtered.only else texts.code(absent) for row in rows])
    totals = decision.scored.total if decision.scored is not None else None
    lines = tuple(
        Line(
            view.name(row),
            tuple(column[place] for column in columns),
            int(totals[row]) if totals is not None and filtered.feasible[row] else None,
            needs_of(decision.pod, view, row),
        )
        for place, row in enumerate(rows)
    )
    return Matrix(tuple(rules), lines, tuple(texts.codes))


def _text(decision: Decision, rule: str, status: object, row: int) -> str:
    reasons = ", ".join(getattr(status, "reasons", ()))
    detail = detail_of(rule, decision.pod, decision.view, row) if decision.view is not None else ""
    return f"{reasons}: {detail}" if detail else reasons
