"""A sliding window of what was measured of nodes: a ring of time slots, each as wide as a step.

              slot of time t: floor(t / step) modulo the number of slots
    node a  [ . . 3 4 . 2 ]      one line per node and resource, NaN where nothing was measured
    node b  [ . . 1 1 1 1 ]
              ▲ a slot that is used for a later time is emptied for all nodes first

Samples may come in any order and more than once; of several in one slot the last counts.
"""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from roost.framework.view import Float64

RESOURCES = ("cpu", "memory")
_FIRST_CAPACITY = 16
_NEVER = -(1 << 62)


class Window:
    """Samples of CPU (milli-cores) and memory (bytes) of nodes, over the last `seconds`."""

    def __init__(self, seconds: float, step: float) -> None:
        self._step = step
        self._size = max(2, round(seconds / step))
        self._rows: dict[str, int] = {}
        self._free: list[int] = []
        self._slot_times: NDArray[np.int64] = np.full(self._size, _NEVER)
        self._values = np.full((_FIRST_CAPACITY, len(RESOURCES), self._size), np.nan)
        self._newest = np.full((_FIRST_CAPACITY, len(RESOURCES)), -np.inf)

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    def add(self, name: str, resource: str, times: Float64, values: Float64) -> None:
        """Add samples of one resource of a node (seconds since 1970); what is not finite is left out."""
        usable = np.isfinite(values)
        slots = np.floor(times[usable] / self._step).astype(np.int64)
        if not len(slots):
            return
        row, line = self._row(name), RESOURCES.index(resource)
        columns = self._make_room(slots)
        current = self._slot_times[columns] == slots
        self._values[row, line, columns[current]] = values[usable][current]
        self._newest[row, line] = max(self._newest[row, line], float(times[usable].max()))

    def keep(self, names: Collection[str]) -> None:
        """Forget all other nodes."""
        for name in [name for name in self._rows if name not in names]:
            row = self._rows.pop(name)
            self._values[row] = np.nan
            self._newest[row] = -np.inf
            self._free.append(row)

    def read(self, names: Sequence[str], now: float) -> tuple[Float64, Float64]:
        """Return the samples of nodes, shape (nodes, resources, slots), oldest first, and their times.

        The time of a node is that of its newest sample, of the resource that was measured less recently; -inf if
        nothing of the window is left.
        """
        rows = [self._rows[name] for name in names]
        last = int(np.floor(now / self._step))
        wanted = np.arange(last - self._size + 1, last + 1)
        columns = wanted % self._size
        there = self._slot_times[columns] == wanted
        values = np.where(there, self._values[rows][:, :, columns], np.nan)
        has_any = ~np.isnan(values).all(axis=-1)
        newest = np.where(has_any, self._newest[rows], np.inf).min(axis=-1)
        return values, np.where(np.isinf(newest), -np.inf, newest)

    def _make_room(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Empty the slots that times later than theirs need; return the columns of all."""
        columns = slots % self._size
        latest = np.full(self._size, _NEVER)
        np.maximum.at(latest, columns, slots)
        newer = np.flatnonzero(latest > self._slot_times)
        self._values[:, :, newer] = np.nan
        self._slot_times[newer] = latest[newer]
        return columns

    def _row(self, name: str) -> int:
        found = self._rows.get(name)
        if found is None:
            if not self._free and len(self._rows) == len(self._values):
                self._grow()
            found = self._rows[name] = self._free.pop() if self._free else len(self._rows)
        return found

    def _grow(self) -> None:
        self._values = np.concatenate([self._values, np.full_like(self._values, np.nan)])
        self._newest = np.concatenate([self._newest, np.full_like(self._newest, -np.inf)])
