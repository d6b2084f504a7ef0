"""Filters and scorers with their remembered answers: what is new is asked, what is known is not."""

from collections.abc import Hashable
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from roost.framework.ask import ask
from roost.framework.memory import Judged, LiveView, Memory, Rated
from roost.framework.plugin import Context, Scores
from roost.framework.pod_info import PodInfo
from roost.framework.view import ALL, Rows

A = TypeVar("A", Judged, Rated)


class Remembered(Generic[A]):
    """One plugin at one extension point, and its answers by what it reads of the pod."""

    def __init__(self, plugin: Any, extension_point: Any, kind: type[A], limit: int) -> None:
        self.plugin = plugin
        self.name: str = plugin.name
        self.memory: Memory[A] = Memory(limit)
        self._ask: Any = extension_point
        self._kind: type[A] = kind
        self.reads = tuple(sorted(plugin.reads))
        self._pod_reads = tuple(plugin.pod_reads)

    def answer(self, ctx: Context, pod: PodInfo, view: LiveView, considered: NDArray[np.bool_]) -> A:
        """Return the plugin's answer for all rows; one that may not be remembered is asked about those considered."""
        if not self.plugin.remember:
            return self._asked(ctx, pod, view, np.flatnonzero(considered))
        key = self._key(pod)
        known = self.memory.get(key)
        if known is None:
            fresh = self._asked(ctx, pod, view, ALL)
            self.memory.offer(key, fresh)
            return fresh
        self._refresh(known, ctx, pod, view)
        return known

    def _key(self, pod: PodInfo) -> Hashable:
        parts = self._pod_reads
        return pod.part(parts[0]) if len(parts) == 1 else tuple([pod.part(part) for part in parts])

    def _asked(self, ctx: Context, pod: PodInfo, view: LiveView, rows: Rows) -> A:
        fresh: A = self._kind(view.size, view.journal.marks(self.reads))
        fresh.put(rows, ask(self.plugin, self._ask, ctx, pod, view, rows))
        return fresh

    def _refresh(self, known: A, ctx: Context, pod: PodInfo, view: LiveView) -> None:
        marks = view.journal.marks(self.reads)
        if marks == known.marks:
            return
        changed = view.journal.since(self.reads, known.marks)
        if known.size != view.size:
            known.extend(view.size)
        if changed is None or 4 * len(changed) > view.size:
            known.put(ALL, ask(self.plugin, self._ask, ctx, pod, view, ALL))
        elif changed:
            rows = np.fromiter(changed, dtype=np.intp, count=len(changed))
            known.put(rows, ask(self.plugin, self._ask, ctx, pod, view, rows))
        known.marks = marks


class RememberedFilter(Remembered[Judged]):
    """A filter with its remembered verdicts."""

    def __init__(self, plugin: Any, limit: int) -> None:
        super().__init__(plugin, plugin.filter, Judged, limit)


class RememberedScore(Remembered[Rated]):
    """A scorer with its remembered raw scores, its weight, and how it brings them to 0…100."""

    def __init__(self, plugin: Any, weight: int, limit: int) -> None:
        super().__init__(plugin, plugin.score, Rated, limit)
        self.weight = weight
        self._normalize = getattr(plugin, "normalize", None)

    def weighted(
        self, ctx: Context, pod: PodInfo, raw: Scores, rows: NDArray[np.intp], size: int
    ) -> tuple[Scores, bool]:
        """Return normalised scores times the weight, and whether they stay the same when a row stops to fit."""
        if self._normalize is None:
            return raw * self.weight if self.weight != 1 else raw, True
        constant = raw if isinstance(raw, int) else _constant(raw[rows])
        if constant is not None:
            one = ask(self.plugin, self._normalize, ctx, pod, np.array([constant], dtype=np.int64))
            return int(one[0]) * self.weight, True
        assert not isinstance(raw, int)
        normal = np.zeros(size, dtype=np.int64)
        normal[rows] = ask(self.plugin, self._normalize, ctx, pod, raw[rows])
        return normal * self.weight, False


def _constant(scores: NDArray[np.int64]) -> int | None:
    lowest = int(scores.min())
    return lowest if lowest == int(scores.max()) else None
