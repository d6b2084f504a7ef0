"""The occupancy of the nodes as they are: rows that were not stamped since somebody last asked stay as they are."""

import numpy as np

from roost.framework.journal import Journal, Marks
from roost.framework.occupancy import Float64, Occupancy
from roost.framework.resources import Int64

_READS = ("node", "usage")
_FEW = 4
"""One row costs this many times as much by itself as among all."""


class LiveOccupancy:
    """Keeps the occupancy of the live columns, and follows the journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._marks: Marks = ()
        self._version = -1
        self._usage: Int64 | None = None
        self._shown: Occupancy

    def up_to_date(self, allocatable: Int64, usage: Int64, divisor: Float64) -> Occupancy:
        """Return the occupancy of the columns, which are others when they have grown."""
        if self._usage is usage and self._version == self._journal.version:
            return self._shown
        marks = self._journal.marks(_READS)
        if self._usage is not usage:
            self._shown, self._usage = Occupancy(allocatable, usage, divisor), usage
        elif marks != self._marks:
            changed = self._changed(marks)
            if changed is None or _FEW * len(changed) > usage.shape[1]:
                self._shown = Occupancy(allocatable, usage, divisor)
            elif len(changed) == 1:
                self._shown.refresh(changed.pop())
            else:
                self._shown.refresh(np.fromiter(changed, dtype=np.intp, count=len(changed)))
        self._marks, self._version = marks, self._journal.version
        return self._shown

    def _changed(self, marks: Marks) -> set[int] | None:
        (nodes, pods), (nodes_before, pods_before) = marks, self._marks
        if nodes == nodes_before and pods == pods_before + 1:
            return {self._journal.last("usage")}
        return self._journal.since(_READS, self._marks)
