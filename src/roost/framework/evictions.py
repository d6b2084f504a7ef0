"""Candidates of preemption as columns: who would go from which node, compared without an object for each node.

`Victims` are put together where somebody looks at a node: for the one that is chosen, for extenders, in tests.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from roost.framework.plan import MAX_INT32, Plan, Victims
from roost.framework.pod_info import PodInfo
from roost.framework.resources import Int64
from roost.framework.status import SUCCESS
from roost.framework.view import Bool, Float64

Row = NDArray[np.intp]


class Evictions:
    """Who must go from each of some nodes, in the order in which these were tried.

    One entry per victim in `pods` and in the columns `protected`, `priority` and `started`; those of node i stand from
    `first[i]` to `first[i + 1]`, the most important first.
    """

    def __init__(
        self,
        names: Sequence[str],
        first: Row,
        pods: Sequence[PodInfo],
        protected: Bool,
        priority: Int64,
        started: Float64,
    ) -> None:
        self.names = names
        self.first = first
        self.pods = pods
        self.protected = protected
        self.priority = priority
        self.started = started

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def none(cls) -> "Evictions":
        """Return no candidates."""
        nothing = np.zeros(0)
        return cls((), np.zeros(1, dtype=np.intp), (), nothing.astype(np.bool_), nothing.astype(np.int64), nothing)

    def __add__(self, other: "Evictions") -> "Evictions":
        """Return these and then those."""
        if not len(self):
            return other
        return Evictions(
            [*self.names, *other.names],
            np.concatenate([self.first, other.first[1:] + self.first[-1]]),
            [*self.pods, *other.pods],
            np.concatenate([self.protected, other.protected]),
            np.concatenate([self.priority, other.priority]),
            np.concatenate([self.started, other.started]),
        )

    def enough(self, wanted: int) -> "Evictions | None":
        """Return the first so many, or as many as it takes for one that violates no budget; None if there are not."""
        safe = np.flatnonzero(self.violations == 0)
        number = max(wanted, int(safe[0]) + 1) if len(safe) else len(self) + 1
        return self._first_nodes(number) if number <= len(self) else None

    @property
    def violations(self) -> Int64:
        """How many of each node's victims are protected by a budget."""
        return self._sums(self.protected.astype(np.int64))

    def best(self) -> Plan:
        """Return the plan for the best node, as `roost.framework.plan.choose` does."""
        candidates = _Candidates(self)
        ties = sorted(self.names[position] for position in self._best().tolist())
        return Plan(SUCCESS, ties[0], candidates[ties[0]].pods, tuple(ties), candidates)

    def victims(self, position: int) -> Victims:
        """Return who must go from one node."""
        here = slice(int(self.first[position]), int(self.first[position + 1]))
        return Victims(tuple(self.pods[here]), int(np.count_nonzero(self.protected[here])))

    def _best(self) -> Row:
        """Narrow the nodes down by one criterion after the other; each is the better the lower."""
        most_important = self.first[:-1]  # whose priority is the highest, and who started first of these
        left = np.arange(len(self))
        for badness in (
            self.violations,
            self.priority[most_important],
            self._sums(self.priority + (MAX_INT32 + 1)),
            np.diff(self.first),
            -self.started[most_important],
        ):
            left = left[badness[left] == badness[left].min()]
        return left

    def _sums(self, column: Int64) -> Int64:
        sums: Int64 = np.diff(np.concatenate([[0], np.cumsum(column)])[self.first])
        return sums

    def _first_nodes(self, number: int) -> "Evictions":
        if number == len(self):
            return self
        victims = slice(0, int(self.first[number]))
        return Evictions(
            self.names[:number],
            self.first[: number + 1],
            self.pods[victims],
            self.protected[victims],
            self.priority[victims],
            self.started[victims],
        )


class _Candidates(Mapping[str, Victims]):
    """Evictions by the name of the node."""

    def __init__(self, evictions: Evictions) -> None:
        self._evictions = evictions

    @cached_property
    def _positions(self) -> Mapping[str, int]:
        return {name: position for position, name in enumerate(self._evictions.names)}

    def __getitem__(self, name: str) -> Victims:
        return self._evictions.victims(self._positions[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._evictions.names)

    def __len__(self) -> int:
        return len(self._evictions)
