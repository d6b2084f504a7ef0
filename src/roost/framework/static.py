"""What does not depend on the pods that are placed, worked out once for pods that look alike to it.

Filters and scorers that read no usage answer the same until a node changes. Their verdicts are kept together as one
mask, and their scores as one sum, so that a pod of a known kind costs one look-up instead of one for each plugin. What
single plugins say is remembered too from the second pod of a kind on: when some nodes change, only these are asked.
"""

from collections.abc import Sequence
from itertools import takewhile

import numpy as np

from roost.framework.journal import Marks
from roost.framework.memory import LiveView, Memory
from roost.framework.plugin import Context
from roost.framework.pod_info import PARTS, PodInfo, key_of
from roost.framework.remember import A, Remembered, RememberedFilter, RememberedScore
from roost.framework.stages import Filtered, Judgement, Part, StaticScores, sum_scores
from roost.framework.view import Bool


class StaticAnswers:
    """The joint answers of the static plugins for pods of one kind, at one state of the nodes."""

    __slots__ = ("all_ok", "are_first", "judged", "marks", "ok", "scores", "size", "skipped")

    def __init__(self, size: int, marks: Marks, skipped: frozenset[str], *, are_first: bool) -> None:
        self.are_first = are_first
        self.size = size
        self.marks = marks
        self.skipped = skipped
        self.judged: dict[str, Judgement] = {}
        self.ok: Bool = np.ones(size, dtype=np.bool_)
        self.all_ok = True
        self.scores: tuple[bytes, frozenset[str], StaticScores] | None = None

    @property
    def nbytes(self) -> int:
        """The memory held, or soon to be held for the scores."""
        return 10 * self.size


class Static:
    """The filters and scorers of a profile that read no usage, and what they said."""

    def __init__(self, filters: Sequence[RememberedFilter], scorers: Sequence[RememberedScore], *, limit: int) -> None:
        # One that is not remembered is asked only about rows that all before it accept: none may go before its turn.
        self.filters = [plugin for plugin in takewhile(_is_remembered, filters) if plugin.is_static]
        self.scorers = [plugin for plugin in scorers if plugin.is_static]
        self.memory: Memory[StaticAnswers] = Memory(limit)
        plugins: list[RememberedFilter | RememberedScore] = [*self.filters, *self.scorers]
        self._reads = tuple(sorted({aspect for plugin in plugins for aspect in plugin.reads}))
        read = {part for plugin in plugins for part in plugin.plugin.pod_reads}
        self.parts = tuple(part for part in PARTS if part in read)
        self.key_of = key_of(self.parts)

    def answers(self, ctx: Context, pod: PodInfo, key: bytes, view: LiveView, filtered: Filtered) -> StaticAnswers:
        """Return the joint verdicts for pods of a key (see `key_of`), as they are now."""
        marks, skipped = view.journal.marks(self._reads), filtered.skipped
        known = self.memory.get(key)
        if known is not None and known.marks == marks and known.size == view.size and known.skipped == skipped:
            return known
        fresh = StaticAnswers(view.size, marks, frozenset(skipped), are_first=not self.memory.knows(key))
        self._judge(ctx, pod, view, fresh, filtered.feasible)
        self.memory.offer(key, fresh)
        return fresh

    def scores(
        self,
        ctx: Context,
        pod: PodInfo,
        view: LiveView,
        answers: StaticAnswers,
        feasible: Bool,
        skipped: frozenset[str],
    ) -> StaticScores:
        """Return the joint scores over the feasible rows."""
        rows = feasible.tobytes()
        known = answers.scores
        if known is not None and known[0] == rows and known[1] == skipped:
            return known[2]
        parts, stable = [], True
        for plugin in self.scorers:
            if plugin.name not in skipped:
                rated = self._asked(plugin, ctx, pod, view, answers, feasible)
                weighted, constant = plugin.weighted(ctx, pod, rated, feasible)
                parts.append(Part(plugin.name, rated.raw, weighted, plugin, constant))
                stable = stable and constant
        scores = StaticScores(parts, sum_scores([part.weighted for part in parts]), stable)
        answers.scores = (rows, skipped, scores)
        return scores

    def _judge(self, ctx: Context, pod: PodInfo, view: LiveView, answers: StaticAnswers, feasible: Bool) -> None:
        for plugin in self.filters:
            if plugin.name not in answers.skipped:
                judged = self._asked(plugin, ctx, pod, view, answers, feasible)
                answers.judged[plugin.name] = Judgement(plugin.name, judged.ok, judged.codes, judged.statuses)
                if not judged.all_ok:
                    answers.ok &= judged.ok
                    answers.all_ok = False

    def _asked(
        self,
        plugin: Remembered[A],
        ctx: Context,
        pod: PodInfo,
        view: LiveView,
        answers: StaticAnswers,
        feasible: Bool,
    ) -> A:
        if answers.are_first:
            return plugin.first_answer(ctx, pod, view, feasible)
        return plugin.answer(ctx, pod, view, feasible, keep=True)


def _is_remembered(plugin: RememberedFilter) -> bool:
    return bool(plugin.plugin.remember)
