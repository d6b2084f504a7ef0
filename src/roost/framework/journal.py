"""Which rows changed since, and in what way: what makes a remembered answer wrong.

Every change of a node or of the pods on it is stamped into the log of its aspect. An answer keeps the marks at which it
was computed and asks later which rows were stamped since; marks only grow, also when a slot is reused.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable

ASPECTS = ("node", "annotations", "usage")
"""What can change of a single node."""

Marks = tuple[int, ...]
"""How far the logs of some aspects had grown, in the order of the aspects asked for."""

_KEPT = 65_536
"""How many stamps a log keeps; an answer older than that is computed anew."""


class Journal:
    """Logs of changed slots, one per aspect, and counters for what is not local to a node (epochs).

    `version` counts all changes.
    """

    __slots__ = ("_counts", "_logs", "_starts", "version")

    def __init__(self) -> None:
        self._logs: dict[str, list[int]] = {aspect: [] for aspect in ASPECTS}
        self._starts = dict.fromkeys(ASPECTS, 0)
        self._counts: defaultdict[str, int] = defaultdict(int)
        self.version = 0

    def stamp(self, aspect: str, slot: int) -> None:
        """Note that a slot changed in this aspect."""
        self.version += 1
        self._counts[aspect] += 1
        log = self._logs[aspect]
        log.append(slot)
        if len(log) > 2 * _KEPT:
            del log[:_KEPT]
            self._starts[aspect] += _KEPT

    def bump(self, epoch: str) -> None:
        """Note a change that may alter every row for the readers of this epoch."""
        self.version += 1
        self._counts[epoch] += 1

    def mark(self, aspect: str) -> int:
        """Return how many stamps this aspect has had, or how often this epoch has changed."""
        return self._counts[aspect]

    def marks(self, aspects: Iterable[str]) -> Marks:
        """Return the marks of aspects, and the counts of epochs, as they are now."""
        counts = self._counts
        return tuple([counts[aspect] for aspect in aspects])

    def since(self, aspects: Collection[str], marks: Marks) -> set[int] | None:
        """Return the slots stamped since the marks in any of the aspects; None if all of them may have changed."""
        changed: set[int] = set()
        for aspect, mark in zip(aspects, marks, strict=True):
            log = self._logs.get(aspect)
            if log is None:
                if self._counts[aspect] != mark:
                    return None
                continue
            first = mark - self._starts[aspect]
            if first < 0:
                return None
            if first < len(log):
                changed.update(log[first:])
        return changed

    def last(self, aspect: str) -> int:
        """Return the slot stamped last."""
        return self._logs[aspect][-1]
