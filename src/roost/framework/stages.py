"""What the stages of a cycle hand on: the verdicts of the filters, the scores of the scorers, as columns."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct, field

from roost.framework.decision import NodeScore, ScoreRow, Verdict
from roost.framework.plugin import Scores
from roost.framework.resources import Int64
from roost.framework.status import SUCCESS, Code, Status
from roost.framework.view import Bool, Int16, Int32, View


class Judgement(Struct, frozen=True):
    """What one filter said: `ok[row]`, and why not as `statuses[codes[row]]`."""

    name: str
    ok: Bool
    codes: Int16 | Int32
    statuses: Sequence[Status]


class Filtered(Struct):
    """Which rows fit, and what each filter that was asked said of every row.

    `rejected` is set where `pre_filter` turned the pod away from all nodes; `only` where it left a few names; `skipped`
    names the filters with nothing to say, `prepared` all plugins whose `pre_filter` came to an end. `nominated` is the
    row of the node that the pod itself is promised, if it exists: it is judged although `only` may leave it out.
    `kind` is a key of the pod if the like of it was seen before (framework.preparing).
    `nominees` (framework.judge) are the others that were promised nodes.
    """

    feasible: Bool
    count: int = 0
    judged: Sequence[Judgement] = ()
    rejected: Status | None = None
    only: frozenset[str] | None = None
    narrowed_by: tuple[str, ...] = ()
    skipped: set[str] = field(default_factory=set)
    prepared: set[str] = field(default_factory=set)
    nominated: int | None = None
    kind: Hashable = None
    nominees: Any = None
    static: Any = None

    def narrow(self, plugin: str, names: frozenset[str]) -> None:
        """Leave only nodes of these names."""
        self.only = names if self.only is None else self.only & names
        self.narrowed_by = (*self.narrowed_by, plugin)

    def reject(self, status: Status) -> None:
        """Leave no node."""
        self.rejected = status
        self.feasible[:] = False

    @property
    def absent(self) -> Status:
        """The status of the nodes that `pre_filter` left out."""
        reason = f"node(s) didn't satisfy plugin(s) [{' '.join(sorted(self.narrowed_by))}]"
        return Status(Code.UnschedulableAndUnresolvable, (reason,))

    @property
    def nowhere(self) -> Status:
        """The rejection of a pod for which `pre_filter` left no node at all."""
        plugins = sorted(self.narrowed_by)
        together = f"plugin(s) [{' '.join(plugins)}] simultaneously" if len(plugins) > 1 else f"plugin {plugins[0]}"
        return Status(Code.UnschedulableAndUnresolvable, (f"node(s) didn't satisfy {together}",))

    def tally(self, view: View) -> tuple[dict[str, int], frozenset[str]]:
        """Count nodes per reason, each node by its first failing plugin; and name the plugins that rejected any."""
        reasons: dict[str, int] = {}
        plugins: set[str] = set(self.narrowed_by)
        left = self.considered(view)
        absent = view.num_nodes - int(np.count_nonzero(left))
        for judged in self.judged:
            failing = left & ~judged.ok
            if not failing.any():
                continue
            plugins.add(judged.name)
            for code, count in enumerate(np.bincount(judged.codes[failing]).tolist()):
                for reason in judged.statuses[code].reasons if count else ():
                    reasons[reason] = reasons.get(reason, 0) + count
            left &= judged.ok
        if absent:
            reasons[self.absent.reasons[0]] = absent
        return reasons, frozenset(plugins)

    def verdicts(self, view: View) -> Mapping[str, Verdict]:
        """Return what became of every node, by name."""
        return {view.name(int(row)): self._verdict(int(row), view) for row in np.flatnonzero(view.alive)}

    def resolvable(self, view: View) -> Bool:
        """Return the rows that evicting pods from them could help: none of what failed them first is beyond that."""
        if self.rejected is not None:
            return view.alive & (self.rejected.code is Code.Unschedulable)
        left = self.considered(view)
        resolvable = np.zeros(view.size, dtype=np.bool_)
        for judged in self.judged:
            failing = left & ~judged.ok
            helps = np.array([status.code is Code.Unschedulable for status in judged.statuses])
            resolvable[failing] = helps[judged.codes[failing]]
            left &= judged.ok
        return resolvable

    def status(self, row: int, view: View) -> Status:
        """Return what failed a row first; a success if it fits."""
        return self._verdict(row, view).status

    def considered(self, view: View) -> Bool:
        """Return the rows that filters are asked about."""
        considered: Bool = view.alive.copy()
        if self.only is not None:
            considered &= named(view, self.only)
            if self.nominated is not None:
                considered[self.nominated] = True
        return considered

    def _verdict(self, row: int, view: View) -> Verdict:
        if self.rejected is not None:
            return Verdict(False, self.rejected)
        if self.only is not None and row != self.nominated and view.name(row) not in self.only:
            return Verdict(False, self.absent)
        for judged in self.judged:
            if not judged.ok[row]:
                status = judged.statuses[judged.codes[row]]
                return Verdict(False, Status(status.code, status.reasons, judged.name))
        return Verdict(True, SUCCESS)


class Part(Struct, frozen=True):
    """What one scorer contributed: raw, and normalised times its weight; one number where all rows have the same.

    `scorer` is the RememberedScore behind it; None if it is an extender. `constant` says that the score of a row stays
    as it is when another stops to fit.
    """

    name: str
    raw: Scores
    weighted: Scores
    scorer: Any = None
    constant: bool = True


class StaticScores(Struct, frozen=True):
    """What the scorers that read no usage contributed, and their sum."""

    parts: Sequence[Part]
    total: Scores
    stable: bool


class Scored(Struct):
    """The total of every row (meaningful where it fits), and what each scorer contributed."""

    feasible: Bool
    total: Int64
    parts: Sequence[Part]
    stable: bool = True
    """Whether every normalised score stays as it is when a row stops to fit."""

    def rows(self, view: View) -> Mapping[str, ScoreRow]:
        """Return the scores of every node that fits, by name."""
        return {view.name(int(row)): self._row(int(row)) for row in np.flatnonzero(self.feasible)}

    def _row(self, row: int) -> ScoreRow:
        return ScoreRow(
            total=int(self.total[row]),
            raw={part.name: _at(part.raw, row) for part in self.parts},
            weighted={part.name: _at(part.weighted, row) for part in self.parts},
        )


def sum_scores(scores: Sequence[Scores]) -> Scores:
    """Add up columns and numbers; a number if there are no columns."""
    constant = sum([one for one in scores if isinstance(one, int)])
    columns = [one for one in scores if not isinstance(one, int)]
    if not columns:
        return constant
    total = columns[0] + (columns[1] if len(columns) > 1 else constant)
    for one in columns[2:]:
        total += one
    if constant and len(columns) > 1:
        total += constant
    return total


def named(view: View, names: frozenset[str]) -> Bool:
    """Return which rows bear one of the names."""
    mask = np.zeros(view.size, dtype=np.bool_)
    for name in names:
        mask[list(view.rows_named(name))] = True
    return mask


def node_scores(view: View, rows: Sequence[int], total: Int64) -> tuple[NodeScore, ...]:
    """Return rows as names with totals."""
    return tuple([NodeScore(view.name(row), int(total[row])) for row in rows])


def _at(scores: Scores, row: int) -> int:
    return scores if isinstance(scores, int) else int(scores[row])
