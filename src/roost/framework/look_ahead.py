"""Deciding identical pods ahead: one evaluation of the cluster, then hypothetical rows with one, two … such pods more.

Placing a pod alters only its own node's answers, as long as no plugin looks beyond a node. So the best rows of one
evaluation hold the next pods' nodes too; a heap gives them in order, and a rung of the ladder, the state of a row with
k pods more, is worked out in a what-if view. The decisions are exactly those of deciding one by one, which is what is
done where a plugin that looks beyond a node has a say, unless it can be followed (`look_ahead_following`).
"""

from collections.abc import Iterator, Sequence
from heapq import heappop, heapreplace
from typing import Protocol

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from roost.errors import PluginError
from roost.framework.decision import Decision, NodeScore
from roost.framework.look_ahead_following import FEWEST, FollowedRun, followed_part
from roost.framework.memory import LiveView
from roost.framework.plugin import Context, Following
from roost.framework.pod_info import PodInfo
from roost.framework.remember import RememberedFilter
from roost.framework.rungs import FULL, Rungs, without
from roost.framework.stages import Filtered, Part, Scored

MOST = 512
"""How many pods are decided from one evaluation."""

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

    def choose(self, pod: PodInfo, view: LiveView, ctx: Context, filtered: Filtered, scored: Scored) -> Decision:
        """Return the Decision for the best node."""
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
        run: Ladder | FollowedRun
        if not _looks_further(cycle, filtered, scored):
            run = Ladder(cycle, first, view, ctx, filtered, scored, min(len(pods), MOST))
        elif (followed := _followed(cycle, pods, view, ctx, filtered, scored)) is not None:
            run = FollowedRun(cycle.filters, first, view, ctx, filtered, scored, followed, min(len(pods), MOST))
        else:
            yield cycle.choose(first, view, ctx, filtered, scored)
            yield from (cycle.decide(pod, view, ctx) for pod in pods[1:])
            return
    except PluginError:
        yield cycle.decide(first, view, ctx)  # a hypothetical row may have failed where the real ones do not
        return
    yield from run.decisions(pods[:MOST])


def _looks_further(cycle: Stages, filtered: Filtered, scored: Scored) -> bool:
    """Tell whether a plugin that looks beyond a node has a say in these pods."""
    filtering = any(not f.plugin.remember and f.name not in filtered.skipped for f in cycle.filters)
    return filtering or any(not part.scorer.plugin.remember for part in scored.parts)


def _followed(
    cycle: Stages, pods: Sequence[PodInfo], view: LiveView, ctx: Context, filtered: Filtered, scored: Scored
) -> tuple[Part, Following] | None:
    """Return the one scorer that looks beyond a node, if it can be followed and there are enough pods for it to pay."""
    return None if len(pods) < FEWEST else followed_part(cycle.filters, pods[0], view, ctx, filtered, scored)


def _same_for_all(decision: Decision, pods: Sequence[PodInfo], view: LiveView) -> Iterator[Decision]:
    version = view.journal.version
    if decision.plan is not None and decision.plan.nominated:
        pods = pods[:1]  # what was found for the first is its own
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
        self.view = view
        self.feasible, self.stable = filtered.count, scored.stable
        parts = [part for part in scored.parts if "usage" in part.scorer.reads]
        rows, self.heap = self._candidates(scored, pods)
        self.rows = rows.tolist()
        base, order = without(scored.total, parts, rows), range(len(rows))
        self.rungs = Rungs(cycle.filters, parts, pod, view, ctx, filtered, rows, base, order)

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
            self.rungs.placed[candidate] += 1
            try:
                if not self._step():
                    return
            except PluginError:
                return  # deciding the next pod by itself will tell

    def _step(self) -> bool:
        """Move the best candidate one rung up; False if the next pod needs a fresh evaluation."""
        _, rank, candidate, pods, best = self.heap[0]
        total = self.rungs.after(candidate, pods + 1)
        if total != FULL:
            heapreplace(self.heap, (-total, rank, candidate, pods + 1, NodeScore(best.node, total)))
            return True
        heappop(self.heap)
        self.feasible -= 1
        return self.stable and bool(self.heap)

    def _candidates(self, scored: Scored, pods: int) -> tuple[NDArray[np.intp], list[Entry]]:
        """Return rows among which the best are for so many pods, and a heap of them, which is sorted."""
        rows = np.flatnonzero(scored.feasible)
        rank = self.view.rank[rows]
        key = rank - scored.total[rows] * np.int64(self.view.size)
        wanted = pods + 2  # so that the three best are candidates also before the last pod
        if len(rows) > wanted:
            best = np.argpartition(key, wanted)[:wanted]
            rows, rank, key = rows[best], rank[best], key[best]
        order = np.argsort(key)
        rows, rank = rows[order], rank[order]
        numbers, totals = rows.tolist(), scored.total[rows].tolist()
        entries = zip(totals, rank.tolist(), range(len(numbers)), numbers, strict=True)
        return rows, [(-total, rk, i, 0, NodeScore(self.view.name(row), total)) for total, rk, i, row in entries]


def _best_three(heap: list[Entry]) -> tuple[NodeScore, ...]:
    if len(heap) < 7:
        return tuple([entry[4] for entry in sorted(heap)[:3]])
    left, right = heap[1], heap[2]
    second, third = (left, min(right, heap[3], heap[4])) if left < right else (right, min(left, heap[5], heap[6]))
    return heap[0][4], second[4], third[4]
