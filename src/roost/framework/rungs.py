"""What rows would score with one, two … further pods like one, as far as placed pods decide: the rungs of a ladder."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from roost.framework.ask import ask
from roost.framework.changes import Copies
from roost.framework.memory import LiveView
from roost.framework.plugin import Context
from roost.framework.pod_info import PodInfo
from roost.framework.remember import RememberedFilter
from roost.framework.resources import Int64
from roost.framework.stages import Filtered, Part
from roost.framework.view import ALL, WhatIf

FULL = -(1 << 62)
"""The total of a row on which the pod does not fit any more."""

_MOST_ROWS = 8192
_AT_LEAST = 8


class Rungs:
    """Totals of rows by how many such pods they got since this was made; `placed` is kept by the caller."""

    def __init__(
        self,
        filters: Sequence[RememberedFilter],
        parts: Sequence[Part],
        pod: PodInfo,
        view: LiveView,
        ctx: Context,
        filtered: Filtered,
        rows: Sequence[int],
        base: Int64,
    ) -> None:
        """Ask the filters and the scorers of `parts` that read usage; `base` is what all others add to each row."""
        self.pod, self.view, self.ctx = pod, view, ctx
        self.filters = [f.plugin for f in filters if "usage" in f.reads and f.name not in filtered.skipped]
        self.parts = parts
        self.rows = rows
        self.base = base
        self.totals: list[list[int]] = [[] for _ in rows]
        self.placed = [0] * len(rows)

    def begin(self, pods: int) -> None:
        """Work out the first rungs of all rows, for so many pods to be placed."""
        count = len(self.rows)
        self._climb(np.arange(count), min(_AT_LEAST + 2 * pods // count, max(1, _MOST_ROWS // count)))

    def after(self, row: int, pods: int) -> int:
        """Return the total of one of the rows with so many pods (1 or more), FULL if it does not fit once more."""
        totals = self.totals[row]
        if pods > len(totals):
            self._climb(np.array([row]), _AT_LEAST + len(totals))
        return totals[pods - 1]

    def _climb(self, chosen: NDArray[np.intp], rungs: int) -> None:
        known = len(self.totals[chosen[0]])
        times = np.tile(np.arange(known + 1, known + 1 + rungs), len(chosen))
        slots = np.repeat(np.array(self.rows, dtype=np.intp)[chosen], rungs)
        placed = np.repeat(np.array(self.placed, dtype=np.int64)[chosen], rungs)
        view = WhatIf(self.view, slots, Copies(self.pod, times - placed))
        fits = np.ones(len(slots), dtype=np.bool_)
        for plugin in self.filters:
            verdicts = ask(plugin, plugin.filter, self.ctx, self.pod, view, ALL)
            if verdicts is not None:
                fits &= verdicts.codes == 0
        total = np.repeat(self.base[chosen], rungs)
        for part in self.parts:
            raw = ask(part.scorer.plugin, part.scorer.plugin.score, self.ctx, self.pod, view, ALL)
            total = total + raw * part.scorer.factor
        further = np.where(fits, total, FULL).reshape(len(chosen), rungs).tolist()
        for row, totals in zip(chosen.tolist(), further, strict=True):
            self.totals[row] += totals


def without(total: Int64, parts: Sequence[Part], rows: NDArray[np.intp]) -> Int64:
    """Return the totals of rows less what some scorers contributed."""
    left: Int64 = total[rows]
    for part in parts:
        left -= part.weighted if isinstance(part.weighted, int) else part.weighted[rows]
    return left
