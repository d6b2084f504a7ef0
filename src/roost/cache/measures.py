"""Measured numbers of nodes as columns, compiled at first sight and kept up to date slot by slot."""

from collections.abc import Iterable, Mapping
from math import isnan, nan

import numpy as np
from numpy.typing import NDArray

from roost.api.node import Node
from roost.framework.measure import Measure, Measured, read_time
from roost.framework.view import Bool, Float64


class Measures:
    """The measures that anybody has asked for; `unreadable` holds by (node, annotation) what could not be read.

    A text that one measure can read and another cannot, such as 5.5 where whole numbers are asked for, is among them.
    Numbers that were given from outside go before annotations, by node and key; what was given as None is not known.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._values: dict[Measure, Float64] = {}
        self._known: dict[Measure, Bool] = {}
        self._times: dict[str, Float64] = {}
        self.unreadable: dict[tuple[str, str], str] = {}
        self._given: dict[str, dict[str, float | None]] = {}
        self.stale_before = float("-inf")

    def __len__(self) -> int:
        return len(self._values)

    @property
    def known(self) -> list[Measure]:
        """The measures that have been asked for."""
        return list(self._values)

    def column(self, measure: Measure, nodes: Iterable[Node | None], size: int) -> Measured:
        """Return a measure over the first `size` slots, compiling it if it is new."""
        if measure not in self._values:
            self._compile(measure, nodes)
        fresh = np.ones(size, dtype=np.bool_)
        if measure.written_at:
            fresh = ~(self._times[measure.written_at][:size] < self.stale_before)
        return Measured(self._values[measure][:size], self._known[measure][:size], fresh)

    def set(self, slot: int, node: Node | None) -> None:
        """Take over the annotations of the node in a slot, or none."""
        if node is not None:
            self.forget(node.name)
        for measure in self._values:
            self._set(measure, slot, node)
        for key in self._times:
            self._set_time(key, slot, node)

    def forget(self, name: str) -> None:
        """Forget what could not be read of a node."""
        for annotation in (*(measure.annotation for measure in self._values), *self._times):
            self.unreadable.pop((name, annotation), None)

    def give(
        self, name: str, numbers: Mapping[str, float | None], slot: int | None = None, node: Node | None = None
    ) -> bool:
        """Set numbers of a node from outside, by the key of the annotation; tell whether anything reads otherwise now.

        A time (`Measure.written_at`) is one of them; by itself it matters only where something is fresh now that was
        not, or the reverse. Without a slot they wait for the node to come.
        """
        given = self._given.setdefault(name, {})
        differs = any(given.get(key, nan) != number for key, number in numbers.items() if key not in self._times)
        given.update(numbers)
        if slot is None:
            return differs
        stale = self._stale(slot)
        self.set(slot, node)
        return differs or stale != self._stale(slot)

    def take_back(self, name: str) -> None:
        """Forget what was given of a node."""
        self._given.pop(name, None)

    def age(self, stale_before: float) -> NDArray[np.intp]:
        """Move the limit of what is too old; return the slots where something became so, or is so no longer."""
        passed = np.zeros(self._capacity, dtype=np.bool_)
        for times in self._times.values():
            passed |= (times < stale_before) != (times < self.stale_before)
        self.stale_before = stale_before
        return np.flatnonzero(passed)

    def grow(self, capacity: int) -> None:
        """Make room for more slots."""
        self._capacity = capacity
        for measure, values in self._values.items():
            self._values[measure] = _grown(values, capacity, nan)
            self._known[measure] = _grown(self._known[measure], capacity, False)
        for key, times in self._times.items():
            self._times[key] = _grown(times, capacity, nan)

    def _stale(self, slot: int) -> list[bool]:
        return [bool(times[slot] < self.stale_before) for times in self._times.values()]

    def _compile(self, measure: Measure, nodes: Iterable[Node | None]) -> None:
        self._values[measure] = np.full(self._capacity, nan)
        self._known[measure] = np.zeros(self._capacity, dtype=np.bool_)
        key = measure.written_at
        is_new = bool(key) and key not in self._times
        if is_new:
            self._times[key] = np.full(self._capacity, nan)
        for slot, node in enumerate(nodes):
            self._set(measure, slot, node)
            if is_new:
                self._set_time(key, slot, node)

    def _set(self, measure: Measure, slot: int, node: Node | None) -> None:
        if node is not None and measure.annotation in (given := self._given.get(node.name, {})):
            number = given[measure.annotation]
            self._values[measure][slot] = nan if number is None else number
            self._known[measure][slot] = number is not None
            return
        text = None if node is None else node.annotations.get(measure.annotation)
        value = None if text is None else measure.read(text)
        self._values[measure][slot] = nan if value is None else value
        self._known[measure][slot] = value is not None
        if node is not None and text is not None and value is None:
            self.unreadable[node.name, measure.annotation] = text

    def _set_time(self, key: str, slot: int, node: Node | None) -> None:
        if node is not None and key in (given := self._given.get(node.name, {})):
            at = given[key]
            self._times[key][slot] = nan if at is None else at
            return
        text = None if node is None else node.annotations.get(key)
        time = nan if text is None else read_time(text)
        self._times[key][slot] = time
        if node is not None and text is not None and isnan(time):
            self.unreadable[node.name, key] = text


def _grown(column: NDArray, capacity: int, filler: float | bool) -> NDArray:  # type: ignore[type-arg]
    grown = np.full(capacity, filler, dtype=column.dtype)
    grown[: len(column)] = column
    return grown
