"""What rows would score with one, two … further pods like one, as far as placed pods decide: the rungs of a ladder."""

from collections.abc import Iterator, Sequence
from itertools import islice

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

_AT_ONCE = 1024
"""How many hypothetical rows are asked about at once: the first of the best rows many rungs up, later ones few."""

_FIRST_ROWS = 32
_MOST_ROWS = 512
_AT_LEAST = 8


class Rungs:
    """Totals of rows by how many such pods they got since this was made; `placed` is kept by the caller.

    They are worked out when first asked for, and with them those of the rows that come next in `order`.
    """

    def __init__(
        self,
        filters: Sequence[RememberedFilter],
        parts: Sequence[Part],
        pod: PodInfo,
        view: LiveView,
        ctx: Context,
        filtered: Filtered,
        rows: NDArray[np.intp],
        base: Int64,
        order: Sequence[int],
    ) -> None:
        """Ask the filters and the scorers of `parts` that read usage; `base` is what all others add to each row.

        `order` has the places of the rows, those first that are likely to get pods first.
        """
        self.pod, self.view, self.ctx = pod, view, ctx
        self.filters = [f.plugin for f in filters if "usage" in f.reads and f.name not in filtered.skipped]
        self.parts = parts
        self.rows = rows
        self.base = base
        self.totals: list[list[int]] = [[] for _ in range(len(rows))]
        self.placed = [0] * len(rows)
        self._order = iter(order)
        self._block = _FIRST_ROWS

    def after(self, row: int, pods: int) -> int:
        """Return the total of one of the rows with so many pods (1 or more), FULL if it does not fit once more."""
        totals = self.totals[row]
        if pods > len(totals):
            if totals:
                self._climb([row], _AT_LEAST + len(totals))
            else:
                self._climb([row, *self._next(self._block - 1, row)], max(2, _AT_ONCE // self._block))
                self._block = min(2 * self._block, _MOST_ROWS)
        return totals[pods - 1]

    def _next(self, count: int, besides: int) -> Iterator[int]:
        """Yield the next rows in order of which nothing is known."""
        return islice((row for row in self._order if row != besides and not self.totals[row]), count)

    def _climb(self, rows: Sequence[int], rungs: int) -> None:
        known, chosen = len(self.totals[rows[0]]), np.array(rows)
        times = np.tile(np.arange(known + 1, known + 1 + rungs), len(chosen))
        slots = np.repeat(self.rows[chosen], rungs)
        placed = np.repeat(np.array([self.placed[row] for row in rows], dtype=np.int64), rungs)
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
        for row, totals in zip(rows, further, strict=True):
            self.totals[row] += totals


def without(total: Int64, parts: Sequence[Part], rows: NDArray[np.intp]) -> Int64:
    """Return the totals of rows less what some scorers contributed."""
    left: Int64 = total[rows]
    for part in parts:
        left -= part.weighted if isinstance(part.weighted, int) else part.weighted[rows]
    return left
