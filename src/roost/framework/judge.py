"""Judges hypothetical rows as the filters would: with victims gone, with nominated pods there.

A pod must fit on a node both with the pods that the node is promised to and without them (as far as they are of no
lower priority): they may end up elsewhere. So rows with such pods are judged twice.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roost.framework.ask import ask
from roost.framework.changes import Moves
from roost.framework.memory import LiveView
from roost.framework.plugin import Context
from roost.framework.pod_info import PodInfo
from roost.framework.remember import RememberedFilter
from roost.framework.stages import Filtered, Judgement
from roost.framework.status import SUCCESS, Status
from roost.framework.view import ALL, Bool, View, WhatIf

Row = NDArray[np.intp]


class Nominees:
    """The nominated pods that one pod must leave room for, by the slot of their node."""

    def __init__(self, pod: PodInfo, view: LiveView) -> None:
        self.by_slot: dict[int, list[PodInfo]] = {}
        for other, node_name in view.nominations.yielded_to(pod):
            for slot in view.rows_named(node_name):
                self.by_slot.setdefault(slot, []).append(other)
        self.slots: Row = np.array(sorted(self.by_slot), dtype=np.intp)
        self._size = view.size

    def __bool__(self) -> bool:
        return bool(self.by_slot)

    def rows(self, slots: Row) -> Row:
        """Return the places of the slots that have nominated pods."""
        if not self.by_slot:
            return self.slots
        has = np.zeros(self._size, dtype=np.bool_)
        has[self.slots] = True
        return np.flatnonzero(has[slots])

    def join(self, base: View, slots: Row, moves: Moves) -> WhatIf:
        """Return a view of slots that have nominated pods, with these there besides the moves."""
        joining = [(row, pod) for row, slot in enumerate(slots.tolist()) for pod in self.by_slot[slot]]
        rows = np.array([row for row, _ in joining], dtype=np.intp)
        return WhatIf(base, slots, moves.with_more([pod for _, pod in joining], rows))


class Judged:
    """What each filter said of every row: whether the row passes them all, and the first that failed it, and why."""

    def __init__(self, size: int, judgements: Sequence[Judgement]) -> None:
        self.judgements = judgements
        self.ok: Bool = np.ones(size, dtype=np.bool_)
        for judgement in judgements:
            self.ok &= judgement.ok

    def status(self, row: int) -> Status:
        """Return what failed a row first."""
        for judgement in self.judgements:
            if not judgement.ok[row]:
                status = judgement.statuses[judgement.codes[row]]
                return Status(status.code, status.reasons, judgement.name)
        return SUCCESS


class Judge:
    """The filters of a profile for one pod, as they are to be asked about hypothetical rows."""

    def __init__(
        self, filters: Sequence[RememberedFilter], ctx: Context, pod: PodInfo, view: LiveView, filtered: Filtered
    ) -> None:
        self._ctx, self._pod, self._view = ctx, pod, view
        self._filters = [plugin for plugin in filters if plugin.name not in filtered.skipped]
        self._of_usage = [plugin for plugin in self._filters if not plugin.is_static]
        self._known = {judgement.name: judgement for judgement in filtered.judged}
        if filtered.nominees is None:
            filtered.nominees = Nominees(pod, view)
        self.nominees: Nominees = filtered.nominees

    def crowded(self) -> tuple[Row, Judged] | None:
        """Judge the nodes that have nominated pods with these there; None if there are no such nodes."""
        slots = self.nominees.slots
        if not len(slots):
            return None
        return slots, self.judge(self.nominees.join(self._view, slots, Moves.none(len(slots))))

    def judge(self, world: WhatIf, *, of_usage: bool = False) -> Judged:
        """Judge rows as they are; with `of_usage`, ask only filters to which the pods that are there matter."""
        filters = self._of_usage if of_usage else self._filters
        return Judged(world.size, [self._asked(plugin, world) for plugin in filters])

    def judge_twice(self, world: WhatIf, moves: Moves, *, of_usage: bool = False) -> Judged:
        """Judge rows with their nominated pods, where they have any, and those that pass once more without.

        `moves` are the changes of the view.
        """
        judged = self.judge(world, of_usage=of_usage)
        rows = self.nominees.rows(world.slots)
        if not len(rows):
            return judged
        crowded = self.nominees.join(world.base, world.slots[rows], moves.of_rows(rows))
        return Judged(world.size, overruled(judged.judgements, self.judge(crowded, of_usage=of_usage), rows))

    def _asked(self, plugin: RememberedFilter, world: WhatIf) -> Judgement:
        if plugin.is_static:
            return self._static(plugin, world)
        verdicts: Any = ask(plugin.plugin, plugin.plugin.filter, self._ctx, self._pod, world, ALL)
        if verdicts is None:
            return _fits(plugin.name, world.size)
        return Judgement(plugin.name, verdicts.codes == 0, verdicts.codes, verdicts.statuses)

    def _static(self, plugin: RememberedFilter, world: WhatIf) -> Judgement:
        """Return what a filter that reads nothing of placed pods says of the nodes behind the rows."""
        known = self._known.get(plugin.name)
        if known is None:
            answer = plugin.answer(self._ctx, self._pod, self._view, self._view.alive)
            known = self._known[plugin.name] = Judgement(plugin.name, answer.ok, answer.codes, answer.statuses)
        return Judgement(plugin.name, known.ok[world.slots], known.codes[world.slots], known.statuses)


def overruled(judgements: Sequence[Judgement], crowded: Judged, rows: Row) -> list[Judgement]:
    """Return judgements in which the rows that fail with nominated pods fail as they do then."""
    failing = np.flatnonzero(~crowded.ok)
    if not len(failing):
        return list(judgements)
    with_pods = {judgement.name: judgement for judgement in crowded.judgements}
    return [_overruled(judgement, with_pods.get(judgement.name), rows[failing], failing) for judgement in judgements]


def _overruled(judgement: Judgement, crowded: Judgement | None, rows: Row, failing: Row) -> Judgement:
    if crowded is None or (judgement.ok[rows].all() and crowded.ok[failing].all()):
        return judgement
    offset = len(judgement.statuses)
    codes = judgement.codes.astype(np.int32)
    codes[rows] = np.where(crowded.ok[failing], 0, crowded.codes[failing].astype(np.int32) + offset)
    return Judgement(judgement.name, codes == 0, codes, [*judgement.statuses, *crowded.statuses])


def _fits(name: str, size: int) -> Judgement:
    return Judgement(name, np.ones(size, dtype=np.bool_), np.zeros(size, dtype=np.int16), (SUCCESS,))
