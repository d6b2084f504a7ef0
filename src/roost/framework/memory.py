"""Remembered answers: what a plugin said of every row for pods that look alike to it.

An answer is kept from the second sight of its key on (most keys of a mixed load are seen once), refreshed row by row
with what the journal says has changed in a way the plugin reads, and dropped least recently used first.
"""

from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from roost.api.budgets import PodDisruptionBudget
from roost.framework.journal import Journal, Marks
from roost.framework.masks import all_true
from roost.framework.plugin import PartialScores, Scores, Verdicts
from roost.framework.pod_info import PodInfo
from roost.framework.resources import Int64
from roost.framework.status import SUCCESS, Status
from roost.framework.view import Bool, Float64, Int16, Rows, UInt64, View

_MOST_STATUSES = np.iinfo(np.int16).max
"""More different statuses than this at one time are all told as the last."""


class Nominations(Protocol):
    """The nodes that are promised to pods which wait for them."""

    def yielded_to(self, pod: PodInfo) -> Sequence[tuple[PodInfo, str]]:
        """Return the other pods that a pod must leave room for, with the names of their nodes."""
        ...


class NoNominations:
    """That no node is promised to anybody."""

    def yielded_to(self, pod: PodInfo) -> Sequence[tuple[PodInfo, str]]:
        """Return nothing."""
        return ()


class PlacedPods(Protocol):
    """The pods on nodes as columns, an entry for each: the pod, its slot (-1: no pod), priority, start, requests."""

    pods: list[PodInfo | None]
    rows: NDArray[np.intp]
    priority: Int64
    started: Float64
    tie: UInt64
    vectors: Int64


class Budgets(Protocol):
    """The disruption budgets."""

    def __bool__(self) -> bool: ...

    def protecting(self, pod: PodInfo) -> Sequence[PodDisruptionBudget]:
        """Return the budgets that evicting a pod would draw on."""
        ...


class LiveView(View, Protocol):
    """The view of the cluster as it is, with the journal of what changes in it, and what preemption needs to know."""

    journal: Journal

    @property
    def nominations(self) -> Nominations:
        """The nodes that are promised to pods."""
        ...

    @property
    def placed(self) -> PlacedPods:
        """The pods on nodes, right until the next event."""
        ...

    @property
    def budgets(self) -> Budgets:
        """The disruption budgets (epoch "budgets")."""
        ...


class Judged:
    """A filter's verdict on every row: `codes[row]` indexes `statuses`, `ok[row]` says that the row fits.

    As long as every row fits, there are no columns but one that all such verdicts share.
    """

    __slots__ = ("all_ok", "codes", "ids", "marks", "ok", "size", "statuses")

    def __init__(self, size: int, marks: Marks = ()) -> None:
        self.marks = marks
        self.size = size
        self.all_ok = True
        self.codes, self.ok = _all_fit(size)
        self.statuses: list[Status] = [SUCCESS]
        self.ids: dict[Status, int] = {SUCCESS: 0}

    @property
    def nbytes(self) -> int:
        """The memory held."""
        return 256 if self.all_ok else self.codes.nbytes + self.ok.nbytes

    def extend(self, size: int) -> None:
        """Make room for new rows; they must be put before they are read."""
        codes, ok = _all_fit(size)
        if not self.all_ok:
            codes, ok = codes.copy(), ok.copy()
            codes[: self.size], ok[: self.size] = self.codes, self.ok
        self.codes, self.ok, self.size = codes, ok, size

    @staticmethod
    def problem(given: object, rows: int) -> str:
        """Return what is wrong with a filter's answer for so many rows, if anything."""
        if given is None or (isinstance(given, Verdicts) and len(given.codes) == rows):
            return ""
        if isinstance(given, Verdicts):
            return f"{len(given.codes)} codes for {rows} rows"
        return f"{type(given).__name__}, not Verdicts or None"

    def put(self, rows: Rows, verdicts: Verdicts | None) -> None:
        """Take over the verdicts on some rows."""
        if verdicts is None and (self.all_ok or isinstance(rows, slice)):
            self.all_ok = True
            self.codes, self.ok = _all_fit(self.size)
            return
        if verdicts is not None and isinstance(rows, slice):
            self.codes = np.array(self._translated(verdicts), dtype=np.int16)
            self.ok = self.codes == 0
            self.all_ok = all_true(self.ok)
            return
        if self.all_ok:
            self.codes, self.ok = self.codes.copy(), self.ok.copy()
        codes = np.int16(0) if verdicts is None else self._translated(verdicts)
        self.codes[rows] = codes
        self.ok[rows] = codes == 0
        self.all_ok = all_true(self.ok)

    def _translated(self, verdicts: Verdicts) -> Int16:
        if len(self.statuses) + len(verdicts.statuses) > _MOST_STATUSES:
            self._forget_unused()
        own = [self._id(status) for status in verdicts.statuses]
        if own == list(range(len(own))):
            return verdicts.codes
        translated: Int16 = np.array(own, dtype=np.int16)[verdicts.codes]
        return translated

    def _forget_unused(self) -> None:
        used = np.union1d(self.codes, [0])
        table = np.zeros(len(self.statuses), dtype=np.int16)
        table[used] = np.arange(len(used))
        self.codes = table[self.codes]
        self.statuses = [self.statuses[code] for code in used.tolist()]
        self.ids = {status: code for code, status in enumerate(self.statuses)}

    def _id(self, status: Status) -> int:
        found = self.ids.get(status)
        if found is None and len(self.statuses) >= _MOST_STATUSES:
            return len(self.statuses) - 1
        if found is None:
            found = self.ids[status] = len(self.statuses)
            self.statuses.append(status)
        return found


@lru_cache(maxsize=8)
def _all_fit(size: int) -> tuple[Int16, Bool]:
    codes, ok = np.zeros(size, dtype=np.int16), np.ones(size, dtype=np.bool_)
    for shared in (codes, ok):
        shared.flags.writeable = False
    return codes, ok


class Rated:
    """A scorer's raw scores of every row; one number while all rows have the same.

    Rows that are `ignored` count 0 whatever the others have. `normalized` holds what they last came to after
    normalising, and for which feasible rows: the same rows and raw scores give the same again.
    """

    __slots__ = ("ignored", "marks", "normalized", "raw", "size")

    def __init__(self, size: int, marks: Marks = ()) -> None:
        self.marks = marks
        self.size = size
        self.raw: Scores = 0
        self.ignored: Bool | None = None
        self.normalized: tuple[bytes, Scores, bool] | None = None

    @property
    def nbytes(self) -> int:
        """The memory held, or soon to be held for the normalised scores."""
        return 128 if isinstance(self.raw, int) else 2 * self.raw.nbytes + self.size

    def extend(self, size: int) -> None:
        """Make room for new rows; they must be put before they are read."""
        if not isinstance(self.raw, int):
            self.raw = np.concatenate([self.raw, np.zeros(size - self.size, dtype=np.int64)])
        if self.ignored is not None:
            self.ignored = np.concatenate([self.ignored, np.zeros(size - self.size, dtype=np.bool_)])
        self.size = size
        self.normalized = None

    @staticmethod
    def problem(given: object, rows: int) -> str:
        """Return what is wrong with a scorer's answer for so many rows, if anything."""
        if type(given) is np.ndarray and given.shape == (rows,):
            return ""
        if isinstance(given, PartialScores):
            given = given.raw
        if isinstance(given, int) or (isinstance(given, np.ndarray) and given.shape == (rows,)):
            return ""
        if isinstance(given, np.ndarray):
            return f"scores of shape {given.shape} for {rows} rows"
        return f"{type(given).__name__}, not scores"

    def put(self, rows: Rows, scores: Scores | PartialScores) -> None:
        """Take over the scores of some rows."""
        if isinstance(scores, PartialScores):
            if self.ignored is None:
                self.ignored = np.zeros(self.size, dtype=np.bool_)
            self.ignored[rows] = scores.ignored
            scores = scores.raw
        elif self.ignored is not None:
            self.ignored[rows] = False
        if isinstance(rows, slice):
            self.raw = scores
            self.normalized = None
            return
        if isinstance(self.raw, int):
            if isinstance(scores, int) and scores == self.raw:
                return
            self.raw = np.full(self.size, self.raw, dtype=np.int64)
        self.raw[rows] = scores
        self.normalized = None


class Answer(Protocol):
    """What is remembered: how large it is, and when it was right."""

    marks: Marks

    @property
    def nbytes(self) -> int:
        """The memory held."""
        ...


A = TypeVar("A", bound=Answer)


class Memory(Generic[A]):
    """Answers by key, least recently used out; a key seen for the first time is only noted."""

    def __init__(self, limit: int = 64 << 20, noted: int = 65_536) -> None:
        self._limit = limit
        self._noted_limit = noted
        self._answers: dict[Hashable, A] = {}
        self._weights: dict[Hashable, int] = {}
        self._noted: dict[Hashable, None] = {}
        self.nbytes = 0
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: Hashable) -> A | None:
        """Return the answer of a key, if there is one."""
        found = self._answers.pop(key, None)
        if found is None:
            self.misses += 1
            return None
        self._answers[key] = found
        self.hits += 1
        return found

    def knows(self, key: Hashable) -> bool:
        """Tell whether a key was seen before."""
        return key in self._noted

    def offer(self, key: Hashable, answer: A, *, keep: bool = False) -> None:
        """Keep an answer if its key was seen before, or with `keep` in any case."""
        if not keep and key not in self._noted:
            self._noted[key] = None
            if len(self._noted) > self._noted_limit:
                self._forget_noted()
            return
        self._answers[key] = answer
        self._weights[key] = 0
        self.weigh(key)

    def weigh(self, key: Hashable) -> None:
        """Note how large an answer has become, and make room if that is too much."""
        weight = self._answers[key].nbytes
        self.nbytes += weight - self._weights[key]
        self._weights[key] = weight
        while self.nbytes > self._limit and len(self._answers) > 1:
            self._drop(next(iter(self._answers)))

    def clear(self) -> None:
        """Forget everything."""
        self._answers.clear()
        self._weights.clear()
        self._noted.clear()
        self.nbytes = 0

    def _drop(self, key: Hashable) -> None:
        del self._answers[key]
        self.nbytes -= self._weights.pop(key)

    def _forget_noted(self) -> None:
        for key in list(self._noted)[: self._noted_limit // 2]:
            del self._noted[key]
