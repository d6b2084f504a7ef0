"""The Decision: which node or none, and why. Everything else renders it; nothing recomputes it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from msgspec import Struct

from roost.framework.plan import Plan
from roost.framework.pod_info import PodInfo
from roost.framework.status import Status
from roost.framework.view import View

Outcome = Literal["scheduled", "unschedulable", "error"]


class NodeScore(Struct, frozen=True, gc=False):
    """A node and its total score."""

    node: str
    total: int


class Verdict(Struct, frozen=True):
    """What became of one node: it fits, or who rejected it first, how, and why."""

    feasible: bool
    status: Status


class ScoreRow(Struct, frozen=True):
    """The scores of one feasible node: the total, and per plugin the raw and the normalised and weighted score."""

    total: int
    raw: Mapping[str, int]
    weighted: Mapping[str, int]


class Table(Struct, frozen=True):
    """Every node's verdict and scores, copied: it stays true to the moment of the decision."""

    verdicts: Mapping[str, Verdict]
    scores: Mapping[str, ScoreRow]


_NO_REASONS: Mapping[str, int] = MappingProxyType({})


class Decision(Struct, eq=False, gc=False):
    """The answer of a cycle for one pod. It holds no time and no place in memory: same inputs, same Decision.

    `feasible` of `evaluated` nodes fit; `top` are the best few with their totals, the chosen one first. `message` is
    kube-scheduler's fit error, or the sentence of the error. `reasons` counts nodes per reason, `rejected_by` names the
    plugins that rejected any, `plan` is what could be done about it (None where nobody was asked). `filtered` and
    `scored` are columns that are valid until the next cycle; they are None for pods that were decided ahead together
    with identical ones.
    """

    pod: PodInfo
    outcome: Outcome
    node: str | None = None
    feasible: int = 0
    evaluated: int = 0
    top: tuple[NodeScore, ...] = ()
    message: str = ""
    reasons: Mapping[str, int] = _NO_REASONS
    rejected_by: frozenset[str] = frozenset()
    status: Status | None = None
    plan: Plan | None = None
    filtered: Any = None
    scored: Any = None
    view: View | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Decision) and self.facts == other.facts

    def __hash__(self) -> int:
        return hash((self.pod.key, self.node))

    @property
    def fit_error(self) -> str:
        """The message without what the plan adds to it."""
        plan = self.plan.message if self.plan is not None else ""
        return self.message.removesuffix(f" {plan}") if plan else self.message

    @property
    def facts(self) -> tuple[object, ...]:
        """Everything but the columns, for comparing decisions."""
        return (
            self.pod.key, self.outcome, self.node, self.feasible, self.evaluated, self.top,
            self.message, dict(self.reasons), self.rejected_by, self.plan and self.plan.facts,
        )  # fmt: skip

    def freeze(self) -> Table:
        """Copy the columns into a table by node name; only before the next cycle, and not for pods decided ahead."""
        if self.view is None or self.filtered is None:
            raise ValueError(
                f"the decision for {self.pod.key} was taken ahead: decide the pod alone to see its columns"
            )
        verdicts = self.filtered.verdicts(self.view)
        return Table(verdicts, self.scored.rows(self.view) if self.scored is not None else {})


def fit_error(num_nodes: int, reasons: Mapping[str, int], pre_filter_message: str = "") -> str:
    """Return kube-scheduler's text for a pod that fits nowhere: counts per reason, sorted as text."""
    if num_nodes == 0:
        return "no nodes available to schedule pods"
    text = f"0/{num_nodes} nodes are available:"
    if pre_filter_message:
        return f"{text} {pre_filter_message}."
    counted = sorted(f"{count} {reason}" for reason, count in reasons.items())
    return f"{text} {', '.join(counted)}." if counted else text
