"""Deciding identical pods ahead where each of them alters the scores of all rows, in a way that a plugin can follow.

Spreading is such a case: one pod more in a zone makes every node of that zone score less, but all alike. The plugin
gives rows that score alike a class, and says what the classes score after each pod. All other scores change on one row
alone, as on the ladder of `look_ahead`. The decisions are exactly those of deciding one by one.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from roost.errors import PluginError
from roost.framework.ask import ask
from roost.framework.decision import Decision, NodeScore
from roost.framework.memory import LiveView
from roost.framework.plugin import Context, Following, FollowingPlugin
from roost.framework.pod_info import PodInfo
from roost.framework.remember import RememberedFilter
from roost.framework.rungs import FULL, Rungs, without
from roost.framework.stages import Filtered, Part, Scored

FEWEST = 8
"""For fewer pods the preparation does not pay."""

_TOP = 3
_NONE = np.iinfo(np.int64).min // 2


class FollowedRun:
    """All rows that fit, their totals but for the plugin that is followed, and what that one says at each moment."""

    def __init__(
        self,
        filters: Sequence[RememberedFilter],
        pod: PodInfo,
        view: LiveView,
        ctx: Context,
        filtered: Filtered,
        scored: Scored,
        followed: tuple[Part, Following],
        pods: int,
    ) -> None:
        part, self.following = followed
        self.view = view
        self.factor = part.scorer.factor
        self.feasible = filtered.count
        others = [other for other in scored.parts if other is not part]
        self.stable = all(other.constant for other in others)
        rows = np.flatnonzero(scored.feasible)
        self.rows = rows.tolist()
        self.rank = view.rank[rows]
        local = without(scored.total, [part], rows)
        # One number orders rows: by total, then by rank among the names.
        self.key = local * np.int64(view.size) - self.rank
        by_usage = [other for other in others if "usage" in other.scorer.reads]
        base = without(scored.total, [part, *by_usage], rows)
        order = np.argsort(-self.key)[:pods].tolist()
        self.rungs = Rungs(filters, by_usage, pod, view, ctx, filtered, rows, base, order)

    def decisions(self, pods: Sequence[PodInfo]) -> Iterator[Decision]:
        """Yield decisions for pods in order, as long as the caller places each where it was decided."""
        journal, evaluated = self.view.journal, self.view.num_nodes
        for pod in pods:
            best, top = self._best()
            version = journal.version
            yield Decision(
                pod=pod, outcome="scheduled", node=top[0].node, feasible=self.feasible, evaluated=evaluated, top=top
            )
            if journal.version != version + 1 or journal.last("usage") != self.rows[best]:
                return
            try:
                if not self._place(best):
                    return
            except PluginError:
                return  # deciding the next pod by itself will tell

    def _best(self) -> tuple[int, tuple[NodeScore, ...]]:
        size = self.view.size
        key = self.key + (self.following.scores * (self.factor * size))[self.following.classes]
        found: list[int] = []
        top = []
        for _ in range(min(_TOP, self.feasible)):
            row = int(key.argmax())
            total = (int(key[row]) + int(self.rank[row])) // size
            top.append(NodeScore(self.view.name(self.rows[row]), total))
            found.append(row)
            key[row] = _NONE
        return found[0], tuple(top)

    def _place(self, row: int) -> bool:
        """Count a pod on a row; False if the next pod needs a fresh evaluation."""
        self.rungs.placed[row] += 1
        total = self.rungs.after(row, self.rungs.placed[row])
        if total != FULL:
            self.key[row] = total * self.view.size - int(self.rank[row])
            return self.following.place(row)
        self.key[row] = _NONE
        self.feasible -= 1
        return self.stable and self.feasible > 0 and self.following.place(row, stays=False)


def followed_part(
    filters: Sequence[RememberedFilter], pod: PodInfo, view: LiveView, ctx: Context, filtered: Filtered, scored: Scored
) -> tuple[Part, Following] | None:
    """Return the one scorer that looks beyond a node and can be followed; None if there are others, or it cannot."""
    if any(not f.plugin.remember and f.name not in filtered.skipped for f in filters):
        return None
    looking = [part for part in scored.parts if part.scorer is None or not part.scorer.plugin.remember]
    if len(looking) != 1 or looking[0].scorer is None or not isinstance(looking[0].scorer.plugin, FollowingPlugin):
        return None
    plugin = looking[0].scorer.plugin
    following = ask(plugin, plugin.follow, ctx, pod, view, np.flatnonzero(scored.feasible))
    return None if following is None else (looking[0], following)
