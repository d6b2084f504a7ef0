"""How matching pods are spread over the values of node labels: counted by domain, judged and scored by domain.

    a constraint        which pods, over which label (its values are the domains), how much more than elsewhere
    domains             for one constraint and one pod: the domain of each row, and the rows that take part
    totals              matching pods per domain, over the rows that take part
    crowded             rows whose domain would have too many more pods than the emptiest one
    spread_scores       matching pods per domain, times a weight that grows with the number of domains

Row arithmetic is done once per domain and handed out by the domains' ids. The numbers are those of kube-scheduler's
PodTopologySpread: float64 sums in the order of the constraints, rounded half away from zero.
"""

from collections.abc import Sequence
from math import log
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from roost.api.pod import Pod
from roost.api.selectors import LabelSelector
from roost.framework.node_matching import required_affinity, tolerated
from roost.framework.plugin import MAX_NODE_SCORE
from roost.framework.pod_terms import PodTerm
from roost.framework.resources import Int64
from roost.framework.view import ALL, Bool, Float64, Int32, Rows, View

HOSTNAME = "kubernetes.io/hostname"
"""Domains of this label are single nodes; when scoring they are not added up."""

MISSING = 0
"""The domain of rows that lack the label."""

_NO_LIMIT = np.int64(1) << 40
MOST_CELLS = 4096
"""Up to here, combinations of what rows can have are worked out once each, not row by row."""

Ids = NDArray[np.intp]


class Constraint(Struct, frozen=True, eq=False):
    """A spread constraint as it stands for one pod; `itself` is 1 if its own selector selects the pod."""

    topology_key: str
    max_skew: int
    min_domains: int
    honors_affinity: bool
    honors_taints: bool
    namespace: str
    selector: LabelSelector | None
    term: PodTerm
    itself: int

    @property
    def selects_everything(self) -> bool:
        """Whether the selector is empty: then kube-scheduler counts no pods at all."""
        selector = self.selector
        return selector is not None and not selector.match_labels and not selector.match_expressions

    @property
    def grows(self) -> int:
        """How many pods more the constraint counts where the pod itself is placed: 1 or 0."""
        return 0 if self.selects_everything else self.itself

    def counts(self, view: View) -> Int32:
        """Return how many pods of each row the constraint counts."""
        return np.zeros(view.size, dtype=np.int32) if self.selects_everything else view.matching(self.term)

    def moved(self, view: View) -> Int64:
        """Return how many pods more than in the cluster each row has, as kube-scheduler counts them then.

        When it tries pods on a node or without, each counts that the selector selects, also with an empty selector and
        also if it is being deleted.
        """
        term = PodTerm((self.namespace,), self.selector)
        moved: Int64 = view.matching(term).astype(np.int64) - view.cluster.matching(term)[view.slots]
        return moved


class Domains(Struct, frozen=True, eq=False):
    """The domains of one constraint: `ids[row]`, and `members`, the rows that take part, in the order of their domains.

    `existing` are the domains that have a member, `starts` where they begin among the members; `present` are those of
    all nodes. `number` is one more than the highest id. `empty` is the domain of the label's empty value, MISSING if
    there is none.
    """

    ids: Ids
    members: Ids
    starts: Ids
    existing: Ids
    present: Bool
    number: int
    empty: int

    def totals(self, counts: Int32) -> Int64:
        """Return the sum of counts over the members of each domain."""
        totals = np.zeros(self.number, dtype=np.int64)
        if len(self.members):
            totals[self.existing] = np.add.reduceat(counts.take(self.members), self.starts)
        return totals


def domains_of(ids: Ids, takes_part: Bool, alive: Bool, number: int, empty: int) -> Domains:
    """Return domains by the id of each row's label, and by which rows take part."""
    members = np.flatnonzero(takes_part)
    members = members[np.argsort(ids[members], kind="stable")]
    existing, starts = np.unique(ids[members], return_index=True)
    return Domains(ids, members, starts, existing, _present(ids[alive], number), number, empty)


def _present(ids: Ids, number: int) -> Bool:
    present = np.zeros(number, dtype=np.bool_)
    present[ids] = True
    return present


class Layout(Struct, frozen=True, eq=False):
    """The domains of all constraints of a pod; `lacking` are the rows to be ignored for want of a label, if any."""

    domains: tuple[Domains, ...]
    lacking: Bool | None

    def ignored(self, view: View, rows: Rows) -> Bool | None:
        """Return which of the rows are to be ignored; None if there are none in the cluster."""
        return None if self.lacking is None else self.lacking[view.slots[rows]]

    @property
    def nbytes(self) -> int:
        """The memory held."""
        return sum(d.ids.nbytes + d.members.nbytes + d.existing.nbytes + d.starts.nbytes for d in self.domains)


def lay_out(view: View, pod: Pod, constraints: Sequence[Constraint], *, all_labels: bool) -> Layout:
    """Return the domains of constraints; `all_labels` leaves out rows that lack the label of any of them.

    A row takes part as the constraint's policies say: it must meet the pod's node affinity, and have no taint that
    keeps the pod away.
    """
    columns = [view.label(constraint.topology_key) for constraint in constraints]
    within = view.alive.copy()
    if all_labels:
        for column in columns:
            within &= column.ids != MISSING
    affinity = required_affinity(view, pod) if any(one.honors_affinity for one in constraints) else None
    untainted = tolerated(view, ALL, pod.spec.tolerations or ())
    domains = []
    for constraint, column in zip(constraints, columns, strict=True):
        takes_part = within
        if constraint.honors_affinity and affinity is not None:
            takes_part = takes_part & affinity
        if constraint.honors_taints and untainted is not None:
            takes_part = takes_part & untainted
        ids, number = column.ids.astype(np.intp), len(column.values)
        domains.append(domains_of(ids, takes_part, view.alive, number, column.index.get("", MISSING)))
    lacking = view.alive & ~within
    return Layout(tuple(domains), lacking if lacking.any() else None)


# ---- judging


def crowded(view: View, rows: Rows, constraint: Constraint, domains: Domains) -> Bool:
    """Return which rows would have more pods in their domain than the emptiest one has, by more than the skew allowed.

    Fewer domains than the constraint wants count as if one were empty.
    """
    cluster = view.cluster
    totals = domains.totals(constraint.counts(cluster))
    allowed = constraint.max_skew - constraint.itself
    if view is cluster:
        lowest = totals[domains.existing].min() if len(domains.existing) >= constraint.min_domains else 0
        return (totals > lowest + allowed)[domains.ids[rows]]
    slots = view.slots[rows]
    at = domains.ids[slots]
    takes_part = np.zeros(cluster.size, dtype=np.bool_)
    takes_part[domains.members] = True
    here = totals[at] + constraint.moved(view)[rows] * takes_part[slots]
    if len(domains.existing) < constraint.min_domains:
        return here > allowed
    elsewhere = _lowest_elsewhere(totals, domains)[at]
    lowest_of_row = np.where(takes_part[slots], np.minimum(elsewhere, here), elsewhere)
    crowded: Bool = here > lowest_of_row + allowed
    return crowded


def _lowest_elsewhere(totals: Int64, domains: Domains) -> Int64:
    """Return for each domain the lowest total of the others."""
    existing = totals[domains.existing]
    two = np.partition(np.append(existing, (_NO_LIMIT, _NO_LIMIT)), 1)[:2]
    elsewhere = np.full(domains.number, two[0])
    elsewhere[domains.existing[existing == two[0]]] = two[1]
    return elsewhere


# ---- scoring


def spread_scores(
    view: View, rows: Rows, constraints: Sequence[Constraint], layout: Layout, ignored: Bool | None
) -> Int64:
    """Return the raw score of rows, all of which fit: the more pods around, the higher; 0 where `ignored`."""
    size = view.size if isinstance(rows, slice) else len(rows)
    scored = size - (0 if ignored is None else int(np.count_nonzero(ignored)))
    parts = []
    for constraint, domains in zip(constraints, layout.domains, strict=True):
        ids = domains.ids[view.slots[rows]] if view is not view.cluster else domains.ids[rows]
        if constraint.topology_key == HOSTNAME:
            parts.append(_by_node(constraint, constraint.counts(view)[rows], ids, scored))
        else:
            present = domains.present
            if ignored is not None or scored < view.cluster.num_nodes:
                present = _present(ids if ignored is None else ids[~ignored], domains.number)
            totals = domains.totals(constraint.counts(view.cluster))
            parts.append((ids, domain_table(constraint, domains, totals, present)))
    raw = _joined(parts, size)
    if ignored is not None:
        raw[ignored] = 0
    return raw


Part = tuple[NDArray[np.integer[Any]], Float64]
"""What one constraint gives rows: an index for each, and the numbers that it points at."""


def _by_node(constraint: Constraint, counts: Int32, ids: Ids, scored: int) -> Part:
    length = int(counts.max(initial=0)) + 2
    lacking = ids == MISSING
    places: NDArray[np.integer[Any]] = np.where(lacking, length - 1, counts) if lacking.any() else counts
    return places, node_table(constraint, length, scored)


def node_table(constraint: Constraint, length: int, scored: int) -> Float64:
    """Return what 0, 1, 2 … pods on a node contribute, `scored` nodes being scored; the last is for no label: 0."""
    table: Float64 = np.arange(length, dtype=np.float64) * log(scored + 2) + float(constraint.max_skew - 1)
    table[-1] = 0.0
    return table


def domain_table(constraint: Constraint, domains: Domains, totals: Int64, present: Bool) -> Float64:
    """Return what each domain contributes; `present` are the domains of the rows that are scored."""
    number = int(np.count_nonzero(present))
    if domains.empty != MISSING:
        # Without the label is as good as with an empty one, but for the score itself.
        number -= int(present[MISSING] and present[domains.empty])
        totals = totals.copy()
        totals[domains.empty] += totals[MISSING]
    table: Float64 = totals.astype(np.float64) * log(number + 2) + float(constraint.max_skew - 1)
    table[MISSING] = 0.0
    return table


def _joined(parts: Sequence[Part], size: int) -> Int64:
    """Return the rounded sums: worked out for each combination of indices that there may be, if those are few."""
    cells = 1
    for _, table in parts:
        cells *= len(table)
    if cells > max(MOST_CELLS, size):
        score = np.zeros(size)
        for index, table in parts:
            score += table[index]
        return rounded(score)
    joint, sums = parts[0]
    for index, table in parts[1:]:
        joint, sums = joint * len(table) + index, np.add.outer(sums, table).ravel()
    return rounded(sums)[joint]


def rounded(score: Float64) -> Int64:
    """Round half away from zero, for scores that are not negative."""
    below = np.floor(score)
    whole: Int64 = (below + (score - below >= 0.5)).astype(np.int64)
    return whole


def normalized(scores: Int64) -> Int64:
    """Turn sums round: 100 for the lowest, and as much less as a row has more, in shares of the highest."""
    highest, lowest = int(scores.max()), int(scores.min())
    if highest - lowest >= len(scores):
        return shares(scores, highest, lowest)
    of_rows: Int64 = shares(np.arange(lowest, highest + 1), highest, lowest)[scores - lowest]
    return of_rows


def shares(scores: Int64, highest: int, lowest: int) -> Int64:
    """Return what is left of 100 for scores, if these are the highest and the lowest."""
    if highest == 0:
        return np.full_like(scores, MAX_NODE_SCORE)
    return MAX_NODE_SCORE * (highest + lowest - scores) // highest
