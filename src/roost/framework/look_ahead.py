"""Deciding identical pods ahead: one evaluation of the cluster, then hypothetical rows with one, two … such pods more.

Placing a pod alters only its own node's answers, as long as no plugin looks beyond a node. So the best rows of one
evaluation hold the next pods' nodes too; a heap gives them in order, and a rung of the ladder, the state of a row with
k pods more, is worked out in a what-if view. The decisions are exactly those of deciding one by one.
"""

from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heapreplace
from typing import Protocol

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from roost.errors import PluginError
from roost.framework.ask import ask
from roost.framework.decision import Decision, NodeScore
from roost.framework.memory import LiveView
from roost.framework.plugin import Context
from roost.framework.pod_info import PodInfo
from roost.framework.remember import RememberedFilter
from roost.framework.stages import Filtered, Scored
from roost.framework.view import ALL, WhatIf

MOST = 512
"""How many pods are decided from one evaluation."""

_MOST_ROWS = 8192
_RUNGS = 8
_FULL = -(1 << 62)
"""The total of a row on which the pod does not fit any more."""

Entry = tuple[int, int, int, int, NodeScore]
"""A candidate in the heap: negated total, rank, number, such pods it has got, and its name with the total."""


class Stages(Protocol):
    """The stages of a cycle, for one pod as the cluster is."""

    filters: list[RememberedFilter]

    def filter_nodes(self, pod: PodInfo, view: LiveView, ctx: Context) -> Filtered:
        """Ask every filter about every node."""
        ...

    def score_nodes(self, pod: PodInfo, view: LiveView, ctx: Context, filtered: Filtered) -> Scored:
        """Ask every scorer about every node and add up."""
        ...

    def decide(self, pod: PodInfo, view: LiveView, ctx: Context) -> Decision:
        """Decide for one pod."""
        ...


def look_ahead(cycle: Stages, pods: Sequence[PodInfo], view: LiveView, ctx: Context) -> Iterator[Decision]:
    """Decide for the first of identical pods; ends early when the cluster changed otherwise than by what it decided."""
    first = pods[0]
    try:
        filtered = cycle.filter_nodes(first, view, ctx)
        if filtered.count == 0:
            yield from _same_for_all(cycle.decide(first, view, ctx), pods, view)
            return
        scored = cycle.score_nodes(first, view, ctx, filtered)
        ladder = Ladder(cycle, first, view, ctx, filtered, scored, min(len(pods), MOST))
    except PluginError:
        yield cycle.decide(first, view, ctx)  # a hypothetical row may have failed where the real ones do not
        return
    yield from ladder.decisions(pods[:MOST])


def _same_for_all(decision: Decision, pods: Sequence[PodInfo], view: LiveView) -> Iterator[Decision]:
    version = view.journal.version
    for pod in pods:
        if view.journal.version != version:
            return
        yield replace(decision, pod=pod)


class Ladder:
    """The candidates for the next few identical pods, and what each would score with some of them placed."""

    def __init__(
        self,
        cycle: Stages,
        pod: PodInfo,
        view: LiveView,
        ctx: Context,
        filtered: Filtered,
        scored: Scored,
        pods: int,
    ) -> None:
        self.pod, self.view, self.ctx = pod, view, ctx
        self.feasible, self.stable = filtered.count, scored.stable
        self.filters = [f.plugin for f in cycle.filters if "usage" in f.reads and f.name not in filtered.skipped]
        self.parts = [part for part in scored.parts if "usage" in part.scorer.reads]
        self.rows, self.heap = self._candidates(scored, pods)
        self.names = [entry[4].node for entry in sorted(self.heap, key=lambda entry: entry[2])]
        self.base = self._without_usage(scored)
        self.totals: list[list[int]] = [[] for _ in self.rows]
        self.placed = [0] * len(self.rows)
        heapify(self.heap)
        rungs = min(_RUNGS + 2 * pods // len(self.rows), max(1, _MOST_ROWS // len(self.rows)))
        self._climb(np.arange(len(self.rows)), rungs)

    def decisions(self, pods: Sequence[PodInfo]) -> Iterator[Decision]:
        """Yield decisions for pods in order, as long as the caller places each where it was decided."""
        heap, journal, evaluated = self.heap, self.view.journal, self.view.num_nodes
        for pod in pods:
            top = _best_three(heap)
            version = journal.version
            yield Decision(
                pod=pod, outcome="scheduled", node=top[0].node, feasible=self.feasible, evaluated=evaluated, top=top
            )
            candidate = heap[0][2]
            if journal.version != version + 1 or journal.last("usage") != self.rows[candidate]:
                return
            self.placed[candidate] += 1
            try:
                if not self._step():
                    return
            except PluginError:
                return  # deciding the next pod by itself will tell

    def _step(self) -> bool:
        """Move the best candidate one rung up; False if the next pod needs a fresh evaluation."""
        _, rank, candidate, pods, best = self.heap[0]
        totals = self.totals[candidate]
        if pods >= len(totals):
            self._climb(np.array([candidate]), _RUNGS + len(totals))
        total = totals[pods]
        if total != _FULL:
            heapreplace(self.heap, (-total, rank, candidate, pods + 1, NodeScore(best.node, total)))
            return True
        heappop(self.heap)
        self.feasible -= 1
        return self.stable and bool(self.heap)

    def _candidates(self, scored: Scored, pods: int) -> tuple[list[int], list[Entry]]:
        rows = np.flatnonzero(scored.feasible)
        rank = self.view.rank[rows]
        total = scored.total[rows]
        wanted = pods + 2  # so that the three best are candidates also before the last pod
        if len(rows) > wanted:
            best = np.argpartition(rank - total * np.int64(self.view.size), wanted)[:wanted]
            rows, rank, total = rows[best], rank[best], total[best]
        numbers = rows.tolist()
        entries = zip((-total).tolist(), rank.tolist(), range(len(numbers)), numbers, strict=True)
        return numbers, [(neg, rk, i, 0, NodeScore(self.view.name(row), -neg)) for neg, rk, i, row in entries]

    def _without_usage(self, scored: Scored) -> NDArray[np.int64]:
        base: NDArray[np.int64] = scored.total[self.rows]
        for part in self.parts:
            base -= part.weighted if isinstance(part.weighted, int) else part.weighted[self.rows]
        return base

    def _climb(self, candidates: NDArray[np.intp], rungs: int) -> None:
        """Work out the totals of candidates with further pods placed, `_FULL` where the pod would not fit any more."""
        known = len(self.totals[candidates[0]])
        times = np.tile(np.arange(known + 1, known + 1 + rungs), len(candidates))
        slots = np.repeat(np.array(self.rows, dtype=np.intp)[candidates], rungs)
        placed = np.repeat(np.array(self.placed, dtype=np.int64)[candidates], rungs)
        view = WhatIf(self.view, slots, self.pod, times - placed)
        fits = np.ones(len(slots), dtype=np.bool_)
        for plugin in self.filters:
            verdicts = ask(plugin, plugin.filter, self.ctx, self.pod, view, ALL)
            if verdicts is not None:
                fits &= verdicts.codes == 0
        total = np.repeat(self.base[candidates], rungs)
        for part in self.parts:
            raw = ask(part.scorer.plugin, part.scorer.plugin.score, self.ctx, self.pod, view, ALL)
            total = total + raw * part.scorer.factor
        further = np.where(fits, total, _FULL).reshape(len(candidates), rungs).tolist()
        for candidate, totals in zip(candidates.tolist(), further, strict=True):
            self.totals[candidate] += totals


def _best_three(heap: list[Entry]) -> tuple[NodeScore, ...]:
    if len(heap) < 7:
        return tuple([entry[4] for entry in sorted(heap)[:3]])
    left, right = heap[1], heap[2]
    second, third = (left, min(right, heap[3], heap[4])) if left < right else (right, min(left, heap[5], heap[6]))
    return heap[0][4], second[4], third[4]
