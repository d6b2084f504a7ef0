"""DefaultPreemption: makes room for a pod that fits nowhere by evicting pods of lower priority.

    potential nodes          those where no filter said that evicting cannot help
    on each of them          without all pods of lower priority, does the pod fit? then put them back one by one, those
                             that disruption budgets protect first and of each kind the most important first; whoever
                             does not fit beside the pod any more is a victim
    of the nodes with room   see `roost.framework.plan.choose`

More important is the pod of higher priority, and of equal ones the one that started first. Many nodes are tried at
once, in one what-if view, with a step for each pod put back. As soon as enough candidates are found, of which one
violates no budget, the other nodes are not looked at: `minCandidateNodesPercentage` of the potential nodes, but at
least `minCandidateNodesAbsolute`. Where the search starts is drawn with the cycle's seed. Source: kube-scheduler 1.36.
"""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from roost.errors import ConfigError
from roost.framework.changes import Moves
from roost.framework.decision import fit_error
from roost.framework.evictions import Evictions
from roost.framework.judge import Judge, Judged
from roost.framework.memory import LiveView
from roost.framework.plan import Plan, is_terminating_by_preemption
from roost.framework.plugin import Args, Context, Plugin
from roost.framework.pod_info import PodInfo
from roost.framework.stages import Filtered
from roost.framework.status import Code, Status, unresolvable, unschedulable
from roost.framework.view import Bool, WhatIf

Row = NDArray[np.intp]

NEVER = "not eligible due to preemptionPolicy=Never."
TERMINATING = "not eligible due to a terminating pod on the nominated node."
NO_VICTIMS = unresolvable("No preemption victims found for incoming pod")
NOT_HELPFUL = "Preemption is not helpful for scheduling"


class DefaultPreemptionArgs(Args):
    """How many of the nodes that may come into question are tried at least."""

    min_candidate_nodes_percentage: int = 10
    min_candidate_nodes_absolute: int = 100


class DefaultPreemption(Plugin):
    """Find the node where evicting pods of lower priority does the least harm."""

    name = "DefaultPreemption"
    args_type = DefaultPreemptionArgs
    reads = frozenset({"node", "usage", "budgets"})
    pod_reads = ("priority", "preemption_policy", "nominated_node")

    def __init__(self, args: DefaultPreemptionArgs | None = None) -> None:
        super().__init__(args)
        percentage, absolute = self.args.min_candidate_nodes_percentage, self.args.min_candidate_nodes_absolute
        if not 0 <= percentage <= 100:
            raise ConfigError(f"minCandidateNodesPercentage: {percentage} is not between 0 and 100")
        if absolute < 0:
            raise ConfigError(f"minCandidateNodesAbsolute: {absolute} is negative")
        if percentage == 0 and absolute == 0:
            raise ConfigError("minCandidateNodesPercentage: must not be 0 while minCandidateNodesAbsolute is 0 too")

    def post_filter(self, ctx: Context, pod: PodInfo, view: LiveView, filtered: Filtered, judge: Judge) -> Plan:
        """Return the plan for the best candidate, or why there is none."""
        reason = _ineligible(pod, view, filtered)
        if reason:
            return _failed(reason)
        potential = _by_name(view, filtered.resolvable(view))
        wanted = self._wanted(len(potential))
        potential = np.roll(potential, -_offset(ctx, len(potential)))
        trials: list[Trial] = []
        found, tried = Evictions.none(), 0
        while tried < len(potential):
            trial = Trial(pod, view, judge, potential[tried : tried + _at_once(wanted, len(found))])
            trials.append(trial)
            tried += len(trial.rows)
            found += trial.evictions
            enough = found.enough(wanted)
            if enough is not None:
                return enough.best()
        return found.best() if found else _nowhere(view, trials)

    def _wanted(self, nodes: int) -> int:
        share = nodes * self.args.min_candidate_nodes_percentage // 100
        return int(min(max(share, self.args.min_candidate_nodes_absolute), nodes))


class Trial:
    """What evicting pods of lower priority would do on some nodes, tried on all of them at once."""

    def __init__(self, pod: PodInfo, view: LiveView, judge: Judge, rows: Row) -> None:
        self.rows = rows
        self.evictions = Evictions.none()
        self._judge = judge
        placed = view.placed
        entries, self._rows = _less_important(placed.rows, placed.priority < pod.priority, rows, view.size)
        order = np.lexsort(
            (placed.tie[entries], placed.started[entries], -placed.priority[entries], self._rows)
        )  # the last key counts first
        entries, self._rows = entries[order], self._rows[order]
        self._pods = [placed.pods[entry] for entry in entries.tolist()]
        self._vectors = placed.vectors[: len(view.usage), entries]
        self._priority, self._started = placed.priority[entries], placed.started[entries]
        self._protected = self._find_protected(view)
        self.has_victims: Bool = np.bincount(self._rows, minlength=len(rows)) > 0
        moves = self._evicting(len(rows), np.arange(len(entries)), self._rows)
        self.emptied: Judged = judge.judge_twice(WhatIf(view, rows, moves), moves)
        self.fits: Bool = self.has_victims & self.emptied.ok
        if self.fits.any():
            self.evictions = self._evictions(view, self._find_victims(view, rows))

    def status(self, row: int) -> Status:
        """Return why evicting does not help on a node."""
        return self.emptied.status(row) if self.has_victims[row] else NO_VICTIMS

    def _evicting(self, size: int, entries: Row, rows: Row) -> Moves:
        pods = [self._pods[entry] for entry in entries.tolist()]
        return Moves(size, pods, rows, np.full(len(entries), -1, dtype=np.int64), self._vectors[:, entries])

    def _find_protected(self, view: LiveView) -> Bool:
        """Return which pods could not be evicted without violating a budget, were all more important ones evicted."""
        protected = np.zeros(len(self._pods), dtype=np.bool_)
        if not view.budgets:
            return protected
        left: dict[tuple[int, str], int] = {}
        for entry, (pod, row) in enumerate(zip(self._pods, self._rows.tolist(), strict=True)):
            for budget in view.budgets.protecting(pod):
                place = row, f"{budget.metadata.namespace}/{budget.name}"
                left[place] = left.get(place, budget.status.disruptions_allowed) - 1
                if left[place] < 0:
                    protected[entry] = True
        return protected

    def _find_victims(self, view: LiveView, rows: Row) -> Row:
        """Put pods back where the pod fits without them, one on each node in a step; return who must stay away."""
        chosen = np.flatnonzero(self.fits)
        place = np.full(len(rows), -1, dtype=np.intp)
        place[chosen] = np.arange(len(chosen))
        entries = np.flatnonzero(place[self._rows] >= 0)
        entries = entries[np.lexsort((~self._protected[entries], self._rows[entries]))]
        at = place[self._rows[entries]]
        moves = self._evicting(len(chosen), entries, at)
        world = WhatIf(view, rows[chosen], moves)
        vectors = self._vectors[:, entries]
        for back in _steps(at):
            moves.counts[back] = 0
            world.alter_usage(at[back], vectors[:, back])
            ok = self._judge.judge_twice(world, moves, of_usage=True).ok
            away = back[~ok[at[back]]]
            moves.counts[away] = -1
            world.alter_usage(at[away], -vectors[:, away])
        return np.sort(entries[moves.counts < 0])  # the order of entries is that of nodes, and then of importance

    def _evictions(self, view: LiveView, victims: Row) -> Evictions:
        nodes, counts = np.unique(self._rows[victims], return_counts=True)
        return Evictions(
            [view.name(row) for row in self.rows[nodes].tolist()],
            np.concatenate([[0], np.cumsum(counts)]),
            [self._pods[entry] for entry in victims.tolist()],
            self._protected[victims],
            self._priority[victims],
            self._started[victims],
        )


def _less_important(slots: Row, is_lower: Bool, rows: Row, size: int) -> tuple[Row, Row]:
    """Return the entries of pods of lower priority on these rows, and the positions of their rows among these."""
    place = np.full(size + 1, -1, dtype=np.intp)  # one more, for the pods that are in slot -1
    place[rows] = np.arange(len(rows))
    positions = place[slots]
    entries = np.flatnonzero((positions >= 0) & is_lower)
    return entries, positions[entries]


def _steps(rows: Row) -> list[Row]:
    """Split entries, which are sorted by row, so that each step has the next entry of every row."""
    if not len(rows):
        return []
    counts = np.bincount(rows)
    position = np.arange(len(rows)) - (np.cumsum(counts) - counts)[rows]
    order = np.argsort(position, kind="stable")
    return np.split(order, np.cumsum(np.bincount(position))[:-1])


def _ineligible(pod: PodInfo, view: LiveView, filtered: Filtered) -> str:
    """Return why a pod may not preempt others; "" if it may."""
    if pod.pod.spec.preemption_policy == "Never":
        return NEVER
    name = pod.pod.status.nominated_node_name
    for row in view.rows_named(name) if name else ():
        if filtered.status(row, view).code is not Code.UnschedulableAndUnresolvable and _is_emptying(pod, view, row):
            return TERMINATING
    return ""


def _is_emptying(pod: PodInfo, view: LiveView, row: int) -> bool:
    """Tell whether pods of lower priority on a node are on their way out to make room."""
    placed = view.placed
    here = [placed.pods[entry] for entry in np.flatnonzero(placed.rows == row).tolist()]
    return any(
        one is not None and one.priority < pod.priority and is_terminating_by_preemption(one.pod) for one in here
    )


def _by_name(view: LiveView, potential: Bool) -> Row:
    """Return rows in the order of their nodes' names."""
    rows = np.flatnonzero(potential)
    ordered = np.full(view.num_nodes, -1, dtype=np.intp)
    ordered[view.rank[rows]] = rows
    return ordered[ordered >= 0]


def _offset(ctx: Context, nodes: int) -> int:
    dice = blake2b(f"{ctx.seed}/{ctx.cycle}".encode(), digest_size=8).digest()
    return int.from_bytes(dice, "little") % max(nodes, 1)


def _at_once(wanted: int, found: int) -> int:
    """Return how many nodes to try next: about as many as are missing."""
    missing = max(wanted - found, wanted // 4) if 0 < found < wanted else wanted
    return max(missing, 1)


def _nowhere(view: LiveView, trials: Sequence[Trial]) -> Plan:
    """Return the plan that takes a promise back, since evicting helps on no node; or the fault that this shows."""
    faults, reasons, tried = [], dict[str, int](), 0
    for trial in trials:
        tried += len(trial.rows)
        for row, slot in enumerate(trial.rows.tolist()):
            if trial.fits[row]:
                faults.append(f'expected at least one victim pod on node "{view.name(slot)}"')
                continue
            for reason in trial.status(row).reasons:
                reasons[reason] = reasons.get(reason, 0) + 1
    if faults:
        text = faults[0] if len(faults) == 1 else f"[{', '.join(sorted(faults))}]"
        return Plan(Status(Code.Error, (f"preemption: {text}",)))
    if tried < view.num_nodes:
        reasons[NOT_HELPFUL] = view.num_nodes - tried
    return _failed(fit_error(view.num_nodes, reasons), nominated="")


def _failed(reason: str, nominated: str | None = None) -> Plan:
    return Plan(unschedulable(f"preemption: {reason}"), nominated)
