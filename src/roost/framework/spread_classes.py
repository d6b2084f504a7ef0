"""The scores of spreading while identical pods are placed: rows that stand alike in all constraints form a class.

    constraint over nodes (kubernetes.io/hostname)   rows stand alike with equally many pods: one more is the next place
    constraint over other domains                    rows stand alike in one domain: one more alters the domain's total

A class is a combination of places, a cell of a small table. The table is worked out anew after each pod; rows are not.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from roost.framework.resources import Int64
from roost.framework.spreading import (
    HOSTNAME,
    MISSING,
    MOST_CELLS,
    Constraint,
    Domains,
    Ids,
    Layout,
    domain_table,
    node_table,
    rounded,
    shares,
)
from roost.framework.view import Bool, Float64, View

_ROOM = 32
"""How many pods more than the fullest row has now a row may get."""


class Axis(Protocol):
    """What one constraint makes of the rows: the place of each, of `length` that there are."""

    places: Ids
    length: int

    def table(self, scored: int) -> Float64:
        """Return what each place contributes to the score, with so many rows scored."""
        ...

    def place(self, row: int, *, stays: bool) -> int:
        """Count a pod on a row; return by how much the row's place grows, -1 if it has none to go to."""
        ...


class ByNode:
    """Rows by the number of pods that they have; the last place is for rows without the label."""

    def __init__(self, constraint: Constraint, counts: Int64, ids: Ids) -> None:
        self.constraint = constraint
        self.length = int(counts.max(initial=0)) + _ROOM + 2
        self.places = np.where(ids == MISSING, self.length - 1, counts)
        self._numbers = self.places.tolist()

    def table(self, scored: int) -> Float64:
        """Return what each number of pods contributes."""
        return node_table(self.constraint, self.length, scored)

    def place(self, row: int, *, stays: bool) -> int:
        """Move a row to the next number, if it has the label and the pod counts."""
        number, last = self._numbers[row], self.length - 1
        if number == last or not self.constraint.grows:
            return 0
        self._numbers[row] = number + 1
        return 1 if number + 1 < last else -1


class ByDomain:
    """Rows by domain; the totals of the domains grow."""

    def __init__(self, constraint: Constraint, domains: Domains, totals: Int64, rows: Ids, scored: Bool) -> None:
        self.constraint = constraint
        self.domains = domains
        self.totals = totals
        self.length = domains.number
        self.places = domains.ids[rows]
        self._population: Int64 = np.bincount(self.places[scored], minlength=domains.number).astype(np.int64)
        taking_part = np.zeros(len(domains.ids), dtype=np.bool_)
        taking_part[domains.members] = True
        self._takes_part = taking_part[rows]
        self._scored = scored

    def table(self, scored: int) -> Float64:
        """Return what each domain contributes."""
        return domain_table(self.constraint, self.domains, self.totals, self._population > 0)

    def place(self, row: int, *, stays: bool) -> int:
        """Count the pod in the row's domain, where the row takes part; take the row out if it does not stay."""
        place = self.places[row]
        self.totals[place] += self.constraint.grows * self._takes_part[row]
        if not stays and self._scored[row]:
            self._population[place] -= 1
        return 0


class SpreadClasses:
    """The classes of rows, and their normalised scores; a class of its own, the last, is for rows that are ignored."""

    def __init__(self, axes: Sequence[Axis], ignored: Bool) -> None:
        self.axes = axes
        self.cells = 1
        for axis in axes:
            self.cells *= axis.length
        classes = np.zeros(len(ignored), dtype=np.intp)
        for axis in axes:
            classes = classes * axis.length + axis.places
        classes[ignored] = self.cells
        self.classes = classes
        self.scores: Int64 = np.zeros(self.cells + 1, dtype=np.int64)
        self._scored = len(ignored) - int(np.count_nonzero(ignored))
        self._population = np.bincount(classes, minlength=self.cells + 1)[: self.cells]
        self._score()

    def place(self, row: int, *, stays: bool = True) -> bool:
        """Count one more pod on a row, which no longer fits unless it `stays`; False if there is no class for that."""
        cell, step = int(self.classes[row]), 0
        for axis in self.axes:
            grown = axis.place(row, stays=stays)
            if grown < 0:
                return False
            step = step * axis.length + grown
        if cell < self.cells:
            self._population[cell] -= 1
            self._scored -= not stays
            self.classes[row] = cell + step
            self._population[cell + step] += stays
        self._score()
        return True

    def _score(self) -> None:
        sums = self.axes[0].table(self._scored)
        for axis in self.axes[1:]:
            sums = np.add.outer(sums, axis.table(self._scored)).ravel()
        raw = rounded(sums)
        present = raw[self._population > 0]
        if len(present):
            self.scores[: self.cells] = shares(raw, int(present.max()), int(present.min()))


def spread_classes(
    view: View, rows: Ids, constraints: Sequence[Constraint], layout: Layout, ignored: Bool | None
) -> SpreadClasses | None:
    """Return the classes of rows that all fit, on the cluster as it is; None if there are too many."""
    if ignored is None:
        ignored = np.zeros(len(rows), dtype=np.bool_)
    axes: list[Axis] = []
    cells = 1
    for constraint, domains in zip(constraints, layout.domains, strict=True):
        counts = constraint.counts(view)
        if constraint.topology_key == HOSTNAME:
            axes.append(ByNode(constraint, counts[rows].astype(np.int64), domains.ids[rows]))
        elif domains.number <= MOST_CELLS:
            axes.append(ByDomain(constraint, domains, domains.totals(counts), rows, ~ignored))
        cells *= domains.number if constraint.topology_key != HOSTNAME else axes[-1].length
        if cells > MOST_CELLS:
            return None
    return SpreadClasses(axes, ignored)
