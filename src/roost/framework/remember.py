"""Filters and scorers with their remembered answers: what is new is asked, what is known is not."""

from collections.abc import Hashable
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from roost.errors import PluginError
from roost.framework.ask import ask, failure
from roost.framework.journal import Marks
from roost.framework.masks import all_true, any_true
from roost.framework.memory import Judged, LiveView, Memory, Rated
from roost.framework.plugin import MAX_EXTENDER_SCORE, MAX_NODE_SCORE, Context, PartialScores, Scores
from roost.framework.pod_info import PodInfo
from roost.framework.resources import Int64
from roost.framework.view import ALL, Bool, Rows

_HIGHEST = {"percent": MAX_NODE_SCORE, "extender": MAX_EXTENDER_SCORE}

_MOST_LEVELS = 1024
"""Up to so many different raw scores are normalised one by one instead of row by row."""

_MOST_TABLES = 256

A = TypeVar("A", Judged, Rated)


class Remembered(Generic[A]):
    """One plugin at one extension point, and its answers by what it reads of the pod."""

    def __init__(self, plugin: Any, extension_point: Any, kind: type[A], limit: int, reads: frozenset[str]) -> None:
        self.plugin = plugin
        self.name: str = plugin.name
        self.memory: Memory[A] = Memory(limit)
        self._ask: Any = extension_point
        self._kind: type[A] = kind
        self.reads = tuple(sorted(reads))
        self._pod_reads = tuple(plugin.pod_reads)
        self._remember_by = getattr(plugin, "remember_by", None)
        self.is_static: bool = plugin.remember and "usage" not in reads

    def answer(
        self, ctx: Context, pod: PodInfo, view: LiveView, considered: NDArray[np.bool_], *, keep: bool = False
    ) -> A:
        """Return the plugin's answer for all rows; one that may not be remembered is asked about those considered.

        It is remembered from the second sight on, and with `keep` at once.
        """
        if not self.plugin.remember:
            rows = np.flatnonzero(considered)
            if not len(rows):
                return self._kind(view.size)
            return self._asked(ctx, pod, view, ALL if len(rows) == view.size else rows)
        key = self._key(pod, view)
        known = self.memory.get(key)
        if known is None:
            keep = keep or self.memory.knows(key)
            fresh = self._asked(ctx, pod, view, ALL, view.journal.marks(self.reads) if keep else ())
            self.memory.offer(key, fresh, keep=keep)
            return fresh
        self._refresh(known, ctx, pod, view)
        self.memory.weigh(key)
        return known

    def first_answer(self, ctx: Context, pod: PodInfo, view: LiveView, considered: NDArray[np.bool_]) -> A:
        """Return the answer for a pod the like of which was not seen before, which is not worth remembering yet.

        A plugin with keys of its own may know the answer all the same.
        """
        if self._remember_by is not None:
            return self.answer(ctx, pod, view, considered, keep=True)
        return self._asked(ctx, pod, view, ALL)

    def _key(self, pod: PodInfo, view: LiveView) -> Hashable:
        if self._remember_by is not None:
            key: Hashable = ask(self.plugin, self._remember_by, pod, view)
            if key is not None:
                return key
        parts = self._pod_reads
        return pod.part(parts[0]) if len(parts) == 1 else tuple([pod.part(part) for part in parts])

    def _asked(self, ctx: Context, pod: PodInfo, view: LiveView, rows: Rows, marks: Marks = ()) -> A:
        fresh: A = self._kind(view.size, marks)
        self._put(fresh, rows, ctx, pod, view)
        return fresh

    def _put(self, answer: A, rows: Rows, ctx: Context, pod: PodInfo, view: LiveView) -> None:
        try:
            given = self._ask(ctx, pod, view, rows)
        except Exception as error:
            raise failure(self.plugin, self._ask, error) from error
        wrong = answer.problem(given, view.size if isinstance(rows, slice) else len(rows)) or self._beyond(given)
        if wrong:
            raise PluginError(f"plugin {self.name} failed in {self._ask.__name__}: it returned {wrong}")
        answer.put(rows, given)

    def _refresh(self, known: A, ctx: Context, pod: PodInfo, view: LiveView) -> None:
        marks = view.journal.marks(self.reads)
        if marks == known.marks and known.size == view.size:
            return
        changed = view.journal.since(self.reads, known.marks)
        if known.size != view.size:
            if changed is not None:
                changed.update(range(known.size, view.size))
            known.extend(view.size)
        if changed is None or 4 * len(changed) > view.size:
            self._put(known, ALL, ctx, pod, view)
        elif changed:
            rows = np.fromiter(changed, dtype=np.intp, count=len(changed))
            self._put(known, rows, ctx, pod, view)
        known.marks = marks

    def _beyond(self, given: object) -> str:
        """Return what is wrong with the range of an answer, if anything."""
        return ""


class RememberedFilter(Remembered[Judged]):
    """A filter with its remembered verdicts."""

    def __init__(self, plugin: Any, limit: int) -> None:
        reads = plugin.reads if plugin.filter_reads is None else plugin.filter_reads
        super().__init__(plugin, plugin.filter, Judged, limit, reads)


class RememberedScore(Remembered[Rated]):
    """A scorer with its remembered raw scores, how it brings them to 0…100, and the `factor` by which they count."""

    def __init__(self, plugin: Any, weight: int, limit: int) -> None:
        super().__init__(plugin, plugin.score, Rated, limit, plugin.reads)
        self.weight = weight
        self._normalize: Any = getattr(plugin, "normalize", None)
        if "normalize" in plugin.idle_at:
            self._normalize = None
        self.factor = weight * (MAX_NODE_SCORE // MAX_EXTENDER_SCORE if plugin.scale == "extender" else 1)
        self._tables: dict[tuple[int, int], Int64] = {}
        checked = self._normalize is None and not plugin.bounded
        self._highest = _HIGHEST.get(plugin.scale) if checked else None

    def weighted(self, ctx: Context, pod: PodInfo, rated: Rated, feasible: Bool) -> tuple[Scores, bool]:
        """Return normalised scores times the weight, and whether they stay the same when a row stops to fit."""
        if self._normalize is None:
            return rated.raw * self.factor if self.factor != 1 else rated.raw, True
        rows = feasible.tobytes()
        if rated.normalized is None or rated.normalized[0] != rows:
            rated.normalized = (rows, *self._normalized(ctx, pod, rated, feasible))
        return rated.normalized[1:]

    def _normalized(self, ctx: Context, pod: PodInfo, rated: Rated, feasible: Bool) -> tuple[Scores, bool]:
        raw, ignored = rated.raw, rated.ignored
        if self.plugin.normalizes_by_range and ignored is None and not isinstance(raw, int) and any_true(feasible):
            lowest, highest = _extremes(raw, feasible)
            if highest - lowest < _MOST_LEVELS:
                return self._by_range(ctx, pod, raw, lowest, highest)
        rows = np.flatnonzero(feasible if ignored is None else feasible & ~ignored)
        if not len(rows):
            return 0, ignored is None
        whole = not isinstance(raw, int) and len(rows) == len(raw)
        of_feasible = np.array([raw], dtype=np.int64) if isinstance(raw, int) else raw if whole else raw[rows]
        normal = ask(self.plugin, self._normalize, ctx, pod, of_feasible) * self.factor
        if ignored is None and all_true(of_feasible == of_feasible[0]):
            return int(normal[0]), True
        if whole:
            return normal, False
        spread = np.zeros(len(feasible), dtype=np.int64)
        spread[rows] = normal
        return spread, False

    def _by_range(self, ctx: Context, pod: PodInfo, raw: Int64, lowest: int, highest: int) -> tuple[Scores, bool]:
        """Look rows up among what each of the few raw scores that there can be comes to."""
        table = self._tables.get((lowest, highest))
        if table is None:
            levels = np.arange(lowest, highest + 1)
            table = ask(self.plugin, self._normalize, ctx, pod, levels) * self.factor
            if len(self._tables) < _MOST_TABLES:
                self._tables[lowest, highest] = table
        if lowest == highest:
            return int(table[0]), True
        return table.take(raw - lowest if lowest else raw, mode="clip"), False

    def _beyond(self, given: Any) -> str:
        if self._highest is None:
            return ""
        raw = given.raw if isinstance(given, PartialScores) else given
        scores = np.atleast_1d(np.asarray(raw, dtype=np.int64))
        # Read as unsigned, a negative score is far above any limit: one look finds both.
        if int(scores.view(np.uint64).max(initial=0)) <= self._highest:
            return ""
        wrong = int(scores[scores.view(np.uint64) > self._highest][0])
        return f'a score of {wrong}, not 0 to {self._highest}; scale = "rank" has scores summed as they are'


def _extremes(raw: Int64, feasible: Bool) -> tuple[int, int]:
    """Return the lowest and the highest score of feasible rows, of which there must be one."""
    low, high = raw.argmin(), raw.argmax()  # faster than min and max
    if not (feasible[low] and feasible[high]):
        raw = np.where(feasible, raw, raw[feasible.argmax()])
        low, high = raw.argmin(), raw.argmax()
    return int(raw[low]), int(raw[high])
