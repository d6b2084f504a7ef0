"""The policies behind one route, asked as a scheduling cycle asks them, and their scores brought to what extenders say.

    filter       a node fits if all of them accept it
    prioritize   the weighted mean of their scores on 0…10, half rounded up, plus those of scale "rank" as they are

Two cycles, since the two verbs come as two requests: none asks plugins that only the other needs.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from roost.framework.cycle import Cycle
from roost.framework.memory import LiveView
from roost.framework.plugin import MAX_EXTENDER_SCORE, MAX_NODE_SCORE, Context, LearningPlugin
from roost.framework.pod_info import PodInfo
from roost.framework.profile import Profile
from roost.framework.resources import Int64
from roost.framework.stages import Filtered, Scored, named
from roost.framework.status import Status
from roost.framework.view import Bool

Positions = NDArray[np.intp]
Rejection = tuple[int, Status]
"""The position of a node among those asked about, and why it does not fit."""

_PER_POINT = MAX_NODE_SCORE // MAX_EXTENDER_SCORE


class Scores(Struct, frozen=True):
    """What prioritize found: the totals of the rows asked about, and by policy its raw scores of the same rows."""

    totals: Int64
    parts: Mapping[str, Int64]


class Policies:
    """The policies of a profile, and a name for them in metrics and logs.

    `usage_at_filter` and `usage_at_score` name those that read which pods are on a node.
    """

    def __init__(self, label: str, profile: Profile, *, memory_limit: int = 0) -> None:
        self.label = label
        self.profile = profile
        filters, scorers = profile.filter, [scorer.plugin for scorer in profile.score]
        self.filters, self.scores = bool(filters or profile.pre_filter), bool(scorers)
        self.usage_at_filter = _readers_of_usage((*profile.pre_filter, *filters), at_filter=True)
        self.usage_at_score = _readers_of_usage((*profile.pre_score, *scorers))
        self.reads_usage = bool(self.usage_at_filter or self.usage_at_score)
        self.learners: Sequence[Any] = [plugin for plugin in scorers if isinstance(plugin, LearningPlugin)]
        self.best_first = bool(scorers) and all(plugin.reply_order == "by score" for plugin in scorers)
        self._filtering = Cycle(replace(profile, pre_score=(), score=()), memory_limit=memory_limit)
        self._scoring = Cycle(replace(profile, pre_filter=(), filter=()), memory_limit=memory_limit)

    def for_one_request(self) -> "Policies":
        """Return the same policies without a memory: what they say of the nodes of a request holds for it alone."""
        return Policies(self.label, self.profile)

    def filter(self, pod: PodInfo, view: LiveView, ctx: Context, rows: Positions) -> list[Rejection]:
        """Return which of the rows do not fit, by position, and why; raises PluginError."""
        if not len(rows):
            return []
        filtered = self._filtering.filter_nodes(pod, view, ctx)
        if filtered.rejected is not None:
            return [(position, filtered.rejected) for position in range(len(rows))]
        return [] if filtered.feasible[rows].all() else list(_rejections(filtered, view, rows))

    def prioritize(self, pod: PodInfo, view: LiveView, ctx: Context, rows: Positions) -> Scores:
        """Return the scores of the rows, which are all that normalisers see; raises PluginError."""
        if not len(rows):
            return Scores(np.zeros(0, dtype=np.int64), {})
        feasible = np.zeros(view.size, dtype=np.bool_)
        feasible[rows] = True
        filtered = Filtered(feasible, count=int(np.count_nonzero(feasible)))
        scored = self._scoring.score_nodes(pod, view, ctx, filtered)
        parts = {part.name: _at(part.raw, rows) for part in scored.parts}
        return Scores(_totals(scored, rows), parts)


def alone(profile: Profile, plugin: Any) -> Profile:
    """Return a profile with one plugin of another, wherever it takes part there."""
    return Profile(
        scheduler_name=profile.scheduler_name,
        pre_filter=tuple(one for one in profile.pre_filter if one is plugin),
        filter=tuple(one for one in profile.filter if one is plugin),
        pre_score=tuple(one for one in profile.pre_score if one is plugin),
        score=tuple(scorer for scorer in profile.score if scorer.plugin is plugin),
        tie=profile.tie,
    )


def _readers_of_usage(plugins: Sequence[Any], *, at_filter: bool = False) -> str:
    """Return the names of those that read which pods are on a node."""
    reads = {
        plugin.name: plugin.filter_reads if at_filter and plugin.filter_reads is not None else plugin.reads
        for plugin in plugins
    }
    return ", ".join(name for name, aspects in reads.items() if "usage" in aspects)


def _rejections(filtered: Filtered, view: LiveView, rows: Positions) -> Iterator[Rejection]:
    """Yield each row that does not fit with what its first failing plugin said."""
    left: Bool = np.ones(len(rows), dtype=np.bool_)
    if filtered.only is not None:
        left &= named(view, filtered.only)[rows]
        absent = filtered.absent
        yield from ((position, absent) for position in np.flatnonzero(~left).tolist())
    for judged in filtered.judged:
        failing = np.flatnonzero(left & ~judged.ok[rows])
        statuses = [Status(one.code, one.reasons, judged.name) for one in judged.statuses] if len(failing) else []
        codes = judged.codes[rows[failing]].tolist()
        yield from ((position, statuses[code]) for position, code in zip(failing.tolist(), codes, strict=True))
        left[failing] = False


def _totals(scored: Scored, rows: Positions) -> Int64:
    ranks, others, weight = np.zeros(len(rows), dtype=np.int64), np.zeros(len(rows), dtype=np.int64), 0
    for part in scored.parts:
        if part.scorer.plugin.scale == "rank":
            ranks += _at(part.weighted, rows)
        else:
            others += _at(part.weighted, rows)
            weight += part.scorer.weight
    points = _PER_POINT * max(weight, 1)
    return ranks + (2 * others + points) // (2 * points)


def _at(scores: Any, rows: Positions) -> Int64:
    return np.full(len(rows), scores, dtype=np.int64) if isinstance(scores, int) else scores[rows]
