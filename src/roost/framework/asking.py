"""The cycle for pods that extenders are asked about: it yields each question and is resumed with the answer. Pure.

    filter_nodes ──► ask each extender in turn which nodes to keep ──► ask all of them for scores ──► score, select
                         ▲        │ the cluster may have changed since        │
                         └────────┴───── filter_nodes again, and ─────────────┘
                                         only what was kept

    no node is left ──► find_plan ──► ask each in turn which victims may be evicted ──► choose

An answer counts for nodes by name. One that has gone meanwhile falls out; one that has come, or has got room, was not
asked about and falls out too. Filters are cheap to ask again: their answers are remembered.
"""

from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from roost.api.extender import MAX_EXTENDER_SCORE, MetaVictims
from roost.errors import PluginError
from roost.framework.cycle import Cycle, failed, rejected, scheduled
from roost.framework.decision import Decision
from roost.framework.extenders import Extender, HostScores, Kept, NoAnswer
from roost.framework.memory import LiveView
from roost.framework.plan import Candidates, Plan, Victims, choose
from roost.framework.plugin import MAX_NODE_SCORE, Context
from roost.framework.pod_info import PodInfo
from roost.framework.resources import Int64
from roost.framework.stages import Filtered, Judgement, Part, Scored, sum_scores
from roost.framework.status import SUCCESS, Code, Status, unresolvable, unschedulable
from roost.framework.view import View

SCALE = MAX_NODE_SCORE // MAX_EXTENDER_SCORE
"""What a score of an extender is multiplied by, beside its weight: its best is 10, that of a plugin 100."""

_DROPPED = Status(Code.UnschedulableAndUnresolvable)
_MOST_REASONS = 32_000


class FilterQuestion(Struct, frozen=True):
    """Which of these nodes does an extender keep? Answered by `Kept` or `NoAnswer`."""

    extender: Extender
    names: Sequence[str]


class ScoreQuestion(Struct, frozen=True):
    """How do extenders score these nodes? Answered by `HostScores` or `NoAnswer` for each, in their order."""

    extenders: Sequence[Extender]
    names: Sequence[str]


class PreemptQuestion(Struct, frozen=True):
    """Of which of these candidates may the victims be evicted? Answered by victims by uid per node, or `NoAnswer`."""

    extender: Extender
    candidates: Candidates


Question = FilterQuestion | ScoreQuestion | PreemptQuestion
Answer = Any
"""What the question says it is answered by; a generator has one type for all that it is sent."""

Asking = Generator[Question, Answer, Decision]


def decide_asking(
    cycle: Cycle, pod: PodInfo, view: LiveView, ctx: Context, extenders: Sequence[Extender]
) -> Generator[Question, Answer, Decision]:
    """Decide for one pod, asking those of the extenders that are interested in it; the result is the Decision.

    Extenders filter in the order given. One that fails and is not ignorable makes the outcome an error; in scoring, one
    that fails contributes nothing. With one node left nobody is asked for scores.
    """
    try:
        return (yield from _Conversation(cycle, pod, view, ctx, extenders).held())
    except PluginError as error:
        return failed(pod, view, str(error))


class _Conversation:
    """One pod and its extenders: who kept what so far."""

    def __init__(self, cycle: Cycle, pod: PodInfo, view: LiveView, ctx: Context, extenders: Sequence[Extender]) -> None:
        self._cycle, self._pod, self._view, self._ctx = cycle, pod, view, ctx
        interested = [extender for extender in extenders if extender.is_interested(pod.pod)]
        self._filters = [extender for extender in interested if extender.filter_verb]
        self._scorers = [extender for extender in interested if extender.prioritize_verb]
        self._preempting = [extender for extender in interested if extender.preempt_verb]
        self._kept: list[tuple[str, Kept]] = []

    def held(self) -> Asking:
        """Ask, and decide."""
        filtered = self._filtered()
        if _promised(filtered):
            problem = yield from self._ask_to_filter(_promised(filtered))
            filtered = self._filtered()
            if not problem and _promised(filtered):
                return self._decided(filtered, ())
            self._kept.clear()
            filtered = self._filtered()
        problem = yield from self._ask_to_filter()
        if problem:
            return failed(self._pod, self._view, problem)
        filtered = self._filtered()
        answers: Sequence[HostScores | NoAnswer] = ()
        if self._scorers and filtered.count > 1:
            answers = yield ScoreQuestion(self._scorers, _names(self._view, filtered))
            filtered = self._filtered()
        if filtered.count:
            return self._decided(filtered, answers)
        plan = yield from self._planned(filtered)
        return rejected(self._pod, self._view, filtered, plan)

    def _ask_to_filter(self, only: Sequence[int] = ()) -> Generator[Question, Answer, str]:
        """Ask which nodes that fit are kept, or which of a few; return what failed, if that matters."""
        filtered = self._filtered()
        for extender in self._filters:
            if not filtered.count:
                break
            names = [self._view.name(row) for row in only] or _names(self._view, filtered)
            answer = yield FilterQuestion(extender, names)
            if isinstance(answer, Kept):
                self._kept.append((extender.name(extender.filter_verb), answer))
            elif not extender.ignorable:
                return str(answer.problem)
            filtered = self._filtered()
        return ""

    def _planned(self, filtered: Filtered) -> Generator[Question, Answer, Plan | None]:
        """Find a plan, and ask which of its candidates extenders agree to."""
        plan = self._cycle.find_plan(self._pod, self._view, self._ctx, filtered)
        if plan is None or not plan.candidates or not self._preempting:
            return plan
        candidates = plan.candidates
        for extender in self._preempting:
            if not candidates:
                break
            answer = yield PreemptQuestion(extender, candidates)
            agreed = answer if isinstance(answer, NoAnswer) else agreed_victims(extender, answer, self._view)
            if not isinstance(agreed, NoAnswer):
                candidates = agreed
            elif not extender.ignorable:
                return Plan(Status(Code.Error, (f"preemption: {agreed.problem}",)))
        chosen = choose(candidates)
        if chosen.status.code is Code.Success:
            return chosen
        return replace(chosen, status=Status(chosen.status.code, (*plan.before, *chosen.status.reasons)))

    def _filtered(self) -> Filtered:
        """Filter as the cluster is now, and leave only what extenders have kept."""
        filtered = self._cycle.filter_nodes(self._pod, self._view, self._ctx)
        if filtered.count and self._kept:
            said = [_judgement(self._view, name, kept) for name, kept in self._kept]
            filtered.judged = [*filtered.judged, *said]
            for judgement in said:
                filtered.feasible &= judgement.ok
            filtered.count = int(np.count_nonzero(filtered.feasible))
        return filtered

    def _decided(self, filtered: Filtered, answers: Sequence[HostScores | NoAnswer]) -> Decision:
        scored = self._cycle.score_nodes(self._pod, self._view, self._ctx, filtered)
        parts = [
            _part(self._view, filtered, extender, answer)
            for extender, answer in zip(self._scorers, answers, strict=bool(answers))
            if not isinstance(answer, NoAnswer)
        ]
        ordered = scored
        if parts:
            total = np.asarray(sum_scores([scored.total, *(part.weighted for part in parts)]), dtype=np.int64)
            scored = Scored(scored.feasible, total, [*scored.parts, *parts], stable=False)
            ordered = replace(scored, total=_ranks(filtered, total))
        rows = self._cycle.select_node(self._pod, self._view, self._ctx, ordered)
        return scheduled(self._pod, self._view, filtered, scored, rows)


def agreed_victims(
    extender: Extender, answer: Mapping[str, MetaVictims | None], view: LiveView
) -> Candidates | NoAnswer:
    """Return the candidates that an extender left, with the pods behind the uids it named."""
    name, agreed = extender.name(extender.preempt_verb), {}
    for node_name, victims in answer.items():
        here = _pods_on(view, node_name)
        uids = [pod.uid for pod in (victims.pods or ())] if victims is not None else []
        stranger = next((uid for uid in uids if uid not in here), None)
        if stranger is not None:
            return NoAnswer(f"{name}: it would evict pod {stranger!r} (a uid) from {node_name}, where it is not")
        if victims is not None and uids:
            agreed[node_name] = Victims(tuple([here[uid] for uid in uids]), victims.num_pdb_violations)
        elif not extender.ignorable:
            return NoAnswer(f'expected at least one victim pod on node "{node_name}"')
    return agreed


def _pods_on(view: LiveView, node_name: str) -> Mapping[str, PodInfo]:
    """Return the pods on a node by uid."""
    placed, rows = view.placed, list(view.rows_named(node_name))
    found = [placed.pods[entry] for entry in np.flatnonzero(np.isin(placed.rows, rows)).tolist()]
    return {pod.uid: pod for pod in found if pod is not None}


def _promised(filtered: Filtered) -> Sequence[int]:
    """Return the row of the node that the pod is promised, if it fits there."""
    row = filtered.nominated
    return () if row is None or not filtered.feasible[row] else (row,)


def _names(view: View, filtered: Filtered) -> list[str]:
    """Return the nodes that fit, by name: their order does not tell in which order they came."""
    rows = np.flatnonzero(filtered.feasible)
    return [view.name(row) for row in rows[np.argsort(view.rank[rows])].tolist()]


def _judgement(view: View, name: str, kept: Kept) -> Judgement:
    """Return an extender's answer as a filter's: every node that it did not keep is rejected."""
    statuses = {SUCCESS: 0, _DROPPED: 1}
    codes = np.ones(view.size, dtype=np.int16)
    for node_name, status in _rejections(kept):
        code = statuses.setdefault(status, len(statuses)) if len(statuses) < _MOST_REASONS else 1
        codes[list(view.rows_named(node_name))] = code
    codes[[row for node_name in kept.names for row in view.rows_named(node_name)]] = 0
    return Judgement(name, codes == 0, codes, list(statuses))


def _rejections(kept: Kept) -> Iterable[tuple[str, Status]]:
    """Say why nodes failed; what is unresolvable comes later, so that it wins."""
    for node_name, reason in kept.failed.items():
        yield node_name, unschedulable(reason)
    for node_name, reason in kept.unresolvable.items():
        yield node_name, unresolvable(reason)


def _part(view: View, filtered: Filtered, extender: Extender, scores: Mapping[str, int]) -> Part:
    """Return an extender's scores as a scorer's; like Go's, a product beyond 64 bits wraps."""
    raw = np.zeros(view.size, dtype=np.int64)
    rows = np.flatnonzero(filtered.feasible)
    raw[rows] = [_int64(scores.get(view.name(row), 0)) for row in rows.tolist()]
    weighted = raw * np.int64(_int64(extender.weight * SCALE))
    return Part(extender.name(extender.prioritize_verb), raw, weighted)


def _ranks(filtered: Filtered, total: Int64) -> Int64:
    """Return small numbers in the order of totals: nobody checks what extenders answer, and selecting multiplies."""
    ranks = np.zeros_like(total)
    ranks[filtered.feasible] = np.unique(total[filtered.feasible], return_inverse=True)[1]
    return ranks


def _int64(number: int) -> int:
    return (number + 2**63) % 2**64 - 2**63
