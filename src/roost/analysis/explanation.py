"""Why a pod goes where it goes, or nowhere: the Decision, taken apart while its columns are valid.

    cache + pod + profile ─► Cycle.decide ─► Explanation: groups of rejected nodes, ranking, matrix, plain answer

Called by `roost explain`, which renders it; what comes before a decision is in `preconditions`, what would change it in
`suggestions`.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct

from roost.analysis.answer import Answer, answer_of, held_back
from roost.analysis.matrix import Matrix, matrix_of
from roost.analysis.rejections import Group, Rejection, group_rejections, needs_of
from roost.framework.cycle import Cycle
from roost.framework.decision import Decision
from roost.framework.memory import LiveView
from roost.framework.plugin import Context
from roost.framework.pod_info import PodInfo
from roost.framework.stages import Scored
from roost.framework.status import Status

MOST_RANKED = 10
"""How many of the nodes that fit are named with their scores, beside the one asked about."""

_TIES = {"first": "the first name wins", "spread": "a hash of pod and node decides", "random": "dice decide"}


class Ranked(Struct, frozen=True):
    """A node that fits: its place from 1, its total, and per plugin the weighted and the raw score."""

    place: int
    node: str
    total: int
    weighted: Mapping[str, int]
    raw: Mapping[str, int]


class Explanation(Struct, frozen=True, kw_only=True):
    """All there is to say of one decision.

    `gate` is why the pod is held back; the rest then says what would be decided without that. `ranked` are the best
    nodes in order (and the one asked about), `groups` the rejected ones, `answer` is plain data, `matrix` every node
    and rule.
    """

    pod: str
    outcome: str
    gate: Status | None
    node: str | None
    message: str
    feasible: int
    evaluated: int
    ranked: tuple[Ranked, ...]
    groups: tuple[Group, ...]
    why: str
    answer: Answer
    matrix: Matrix

    def rejection(self, node: str) -> Rejection | None:
        """Return why a node was rejected; None if it was not."""
        return next((one for group in self.groups for one in group.nodes if one.node == node), None)

    def rank(self, node: str) -> Ranked | None:
        """Return the place of a node, if it is among those named."""
        return next((one for one in self.ranked if one.node == node), None)


def explain(cycle: Cycle, pod: PodInfo, view: LiveView, ctx: Context, *, prefer: str = "") -> Explanation:
    """Decide for a pod as the cluster is, and return why; `prefer` is a node to be ranked in any case."""
    decision = cycle.decide(pod, view, ctx)
    gate = held_back(cycle.profile, decision)
    ranked = rank_nodes(decision, prefer)
    return Explanation(
        pod=pod.key,
        outcome=decision.outcome,
        gate=gate,
        node=decision.node,
        message=decision.message,
        feasible=decision.feasible,
        evaluated=decision.evaluated,
        ranked=ranked,
        groups=group_rejections(decision),
        why=_why(decision, ranked, _TIES[cycle.profile.tie]),
        answer=answer_of(decision, gate),
        matrix=matrix_of(decision, needs_of),
    )


def rank_nodes(decision: Decision, prefer: str = "", most: int = MOST_RANKED) -> tuple[Ranked, ...]:
    """Return the best nodes of a Decision in the order of the totals, the chosen one first, and one more by name."""
    scored, view = decision.scored, decision.view
    if scored is None or view is None:
        return ()
    rows = np.flatnonzero(scored.feasible)
    chosen = np.array([view.name(row) != decision.node for row in rows.tolist()], dtype=np.bool_)
    order = rows[np.lexsort((view.rank[rows], chosen, -scored.total[rows]))].tolist()
    shown = [
        *enumerate(order[:most], 1),
        *((i, r) for i, r in enumerate(order[most:], most + 1) if view.name(r) == prefer),
    ]
    return tuple(_ranked(scored, view.name(row), row, place) for place, row in shown)


def difference(better: Ranked, worse: Ranked) -> list[tuple[str, int]]:
    """Return by how much each plugin prefers one node to another, the largest difference first."""
    names = {**better.weighted, **worse.weighted}
    gaps = [(name, better.weighted.get(name, 0) - worse.weighted.get(name, 0)) for name in names]
    return sorted((gap for gap in gaps if gap[1]), key=lambda gap: -abs(gap[1]))


def gaps_text(gaps: Sequence[tuple[str, int]]) -> str:
    """Return differences as text, such as `NodeResourcesFit +12, ImageLocality -3`."""
    return ", ".join(f"{name} {gap:+d}" for name, gap in gaps)


def _ranked(scored: Scored, name: str, row: int, place: int) -> Ranked:
    def at(column: object) -> int:
        return int(column[row]) if isinstance(column, np.ndarray) else int(column)  # type: ignore[call-overload]

    weighted = {part.name: at(part.weighted) for part in scored.parts}
    return Ranked(place, name, int(scored.total[row]), weighted, {part.name: at(part.raw) for part in scored.parts})


def _why(decision: Decision, ranked: Sequence[Ranked], tie: str) -> str:
    """Return one sentence on what decided, empty if nothing fits."""
    if not ranked:
        return ""
    best, *others = ranked
    if decision.feasible == 1:
        return f"{best.node} is the only one of {decision.evaluated} nodes that fits"
    if not others:
        return ""
    if others[0].total == best.total:
        equal = sum(one.total == best.total for one in ranked)
        many = f"at least {equal}" if equal == len(ranked) < decision.feasible else str(equal)
        return f"{many} nodes have the highest total of {best.total}: {tie}"
    gaps = gaps_text(difference(best, others[0]))
    return f"{best.node} is {best.total - others[0].total} ahead of {others[0].node}: {gaps}"
