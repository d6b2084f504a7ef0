"""Columns of measured numbers, through the cache that keeps them."""

from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from roost.api.node import Node
from roost.cache import Cache
from roost.framework.measure import Measure, read_number, read_time
from roost.testing import node

LOAD, LOAD_AT, HEAT = "example.com/load", "example.com/load-at", "example.com/heat"
NEW_YEAR = 1_767_225_600.0


def whole(text: str) -> float | None:
    return float(text) if text.isdecimal() else None


AGEING = Measure(LOAD, read_number, LOAD_AT)
TIMELESS = Measure(LOAD, read_number)
WHOLE = Measure(LOAD, whole)
HOT = Measure(HEAT, read_number, LOAD_AT)


def loaded(name: str, load: str | None = None, at: str | None = None, **fields: Any) -> Node:
    texts = {LOAD: load, LOAD_AT: at}
    return node(name, annotations={key: text for key, text in texts.items() if text is not None}, **fields)


def filled(*nodes: Node) -> Cache:
    cache = Cache()
    for one in nodes:
        cache.set_node(one)
    return cache


def known(cache: Cache, measure: Measure = AGEING) -> dict[str, float]:
    column, view = cache.view.measured(measure), cache.view
    assert np.isnan(column.values[~column.known]).all()
    return {view.name(row): float(column.values[row]) for row in np.flatnonzero(column.known).tolist()}


def stale(cache: Cache, measure: Measure = AGEING) -> set[str]:
    fresh = cache.view.measured(measure).fresh
    return {cache.view.name(row) for row in np.flatnonzero(~fresh & cache.view.alive).tolist()}


def stamped(cache: Cache, before: tuple[int, ...]) -> set[str]:
    slots = cache.view.journal.since(["annotations"], before)
    assert slots is not None
    return {cache.view.name(slot) for slot in slots}


# ---- values


def test_a_column_has_the_number_of_every_node_that_has_one() -> None:
    cache = filled(loaded("a", "1.5"), loaded("b"), loaded("c", "-2"))
    assert known(cache) == {"a": 1.5, "c": -2.0}


def test_there_is_a_column_also_where_nobody_has_the_annotation_and_where_there_is_no_node() -> None:
    assert known(filled(loaded("a"))) == {}
    assert len(Cache().view.measured(AGEING).values) == 0


def test_a_text_that_is_no_number_is_not_known_but_a_number_that_is_none_may_be() -> None:
    def anything(text: str) -> float | None:
        return float(text)

    cache = filled(loaded("a", "nan"))
    assert known(cache) == {}
    column = cache.view.measured(Measure(LOAD, anything))
    assert column.known.tolist() == [True]
    assert np.isnan(column.values).all()


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        pytest.param(loaded("a", "2"), {"a": 2.0}, id="another number"),
        pytest.param(loaded("a", "two"), {}, id="no number any more"),
        pytest.param(loaded("a"), {}, id="no annotation any more"),
        pytest.param(loaded("a", "1", cpu="8"), {"a": 1.0}, id="something else alone"),
        pytest.param(loaded("a", "2", cpu="8"), {"a": 2.0}, id="something else as well"),
    ],
)
def test_a_column_follows_changes_of_a_node(then: Node, expected: dict[str, float]) -> None:
    cache = filled(loaded("a", "1"))
    known(cache)
    cache.set_node(then)
    assert known(cache) == expected


def test_nothing_is_left_in_the_slot_of_a_node_that_is_gone() -> None:
    cache = filled(loaded("a", "1", "0"), loaded("b", "2"))
    cache.view.age(NEW_YEAR)
    assert stale(cache) == {"a"}
    cache.remove_node("a")
    assert known(cache) == {"b": 2.0}
    cache.set_node(loaded("c"))
    assert (known(cache), stale(cache)) == ({"b": 2.0}, set())


def test_columns_grow_with_the_cluster() -> None:
    cache = filled(loaded("a", "1", "0"))
    known(cache)
    for i in range(300):
        cache.set_node(loaded(f"n{i}", str(i) if i % 2 else None))
    cache.view.age(NEW_YEAR)
    assert known(cache) == {"a": 1.0, **{f"n{i}": float(i) for i in range(1, 300, 2)}}
    assert stale(cache) == {"a"}


def test_a_measure_that_is_asked_for_late_is_complete() -> None:
    cache = filled(*(loaded(f"n{i}", str(i)) for i in range(100)))
    cache.remove_node("n5")
    assert known(cache) == {f"n{i}": float(i) for i in range(100) if i != 5}


# ---- age


def test_what_was_measured_before_the_limit_is_stale_and_keeps_its_value() -> None:
    cache = filled(loaded("old", "1", "2026-01-01T00:00:00Z"), loaded("new", "2", str(NEW_YEAR + 60)))
    cache.view.age(NEW_YEAR + 30)
    assert stale(cache) == {"old"}
    assert known(cache) == {"old": 1.0, "new": 2.0}


@pytest.mark.parametrize("at", [None, "yesterday"], ids=["there is no time", "the time cannot be read"])
def test_a_number_is_taken_as_it_is_where(at: str | None) -> None:
    cache = filled(loaded("a", "1", at))
    known(cache)
    cache.view.age(NEW_YEAR)
    assert stale(cache) == set()


def test_a_measure_without_a_time_never_gets_stale() -> None:
    cache = filled(loaded("a", "1", "0"))
    cache.view.age(NEW_YEAR)
    assert (stale(cache, TIMELESS), stale(cache)) == (set(), {"a"})


def test_measures_of_one_annotator_share_its_time() -> None:
    cache = filled(loaded("a", "1", "0"))
    cache.view.age(NEW_YEAR)
    assert stale(cache, HOT) == stale(cache) == {"a"}


def test_a_node_is_stamped_when_it_gets_stale_and_only_then() -> None:
    cache = filled(loaded("a", "1", "10"), loaded("b", "1", "20"), loaded("c", "1"))
    known(cache)
    for limit, expected in ((5, set()), (10, set()), (11, {"a"}), (15, set()), (100, {"b"}), (200, set())):
        before = cache.view.journal.marks(["annotations"])
        cache.view.age(limit)
        assert stamped(cache, before) == expected, limit


def test_a_clock_that_is_set_back_makes_what_was_stale_fresh_again_and_stamps_it() -> None:
    cache = filled(loaded("a", "1", "10"), loaded("b", "1", "99"))
    known(cache)
    cache.view.age(50)
    before = cache.view.journal.marks(["annotations"])
    cache.view.age(5)
    assert (stale(cache), stamped(cache, before)) == (set(), {"a"})


def test_a_new_measurement_is_fresh() -> None:
    cache = filled(loaded("a", "1", "10"))
    known(cache)
    cache.view.age(50)
    cache.set_node(loaded("a", "1", "60"))
    assert stale(cache) == set()


# ---- what cannot be read


def test_what_cannot_be_read_is_kept_until_it_is_mended() -> None:
    cache = filled(loaded("a", "5%"), loaded("b", "5"))
    assert cache.view.unreadable == {}, "nobody reads it yet"
    known(cache)
    assert cache.view.unreadable == {("a", LOAD): "5%"}
    cache.set_node(loaded("a", "6%"))
    assert cache.view.unreadable == {("a", LOAD): "6%"}
    cache.set_node(loaded("a", "6"))
    assert cache.view.unreadable == {}


def test_a_missing_annotation_is_not_unreadable_but_an_empty_one_is() -> None:
    cache = filled(loaded("a"), loaded("b", ""))
    known(cache)
    assert cache.view.unreadable == {("b", LOAD): ""}


def test_a_time_that_cannot_be_read_is_told_too() -> None:
    cache = filled(loaded("a", "1", "yesterday"))
    known(cache)
    assert cache.view.unreadable == {("a", LOAD_AT): "yesterday"}
    cache.set_node(loaded("a", "1", "10"))
    assert cache.view.unreadable == {}


def test_what_a_node_had_is_forgotten_with_it() -> None:
    cache = filled(loaded("a", "x", "y"))
    known(cache)
    cache.remove_node("a")
    assert cache.view.unreadable == {}


@pytest.mark.parametrize("order", [(WHOLE, TIMELESS), (TIMELESS, WHOLE)], ids=["strict first", "strict last"])
def test_a_text_that_only_one_of_two_measures_can_read_stays_unreadable(order: tuple[Measure, Measure]) -> None:
    cache = filled(loaded("a", "1.5"))
    for measure in order:
        cache.view.measured(measure)
    assert cache.view.unreadable == {("a", LOAD): "1.5"}
    cache.set_node(loaded("a", "2.5"))
    assert cache.view.unreadable == {("a", LOAD): "2.5"}
    assert (known(cache, WHOLE), known(cache, TIMELESS)) == ({}, {"a": 2.5})


# ---- always

NAMES = st.sampled_from([f"n{i}" for i in range(6)])
TEXTS = st.sampled_from([None, "", "1", "2.5", "x"])
TIMES = st.sampled_from([None, "10", "20", "soon"])


class Events(RuleBasedStateMachine):
    """A cache under events in any order, beside the nodes that should be there."""

    @initialize(early=st.booleans())
    def start(self, early: bool) -> None:
        self.cache = Cache()
        self.nodes: dict[str, Node] = {}
        self.limit = float("-inf")
        if early:
            self.cache.view.measured(AGEING)

    @rule(name=NAMES, load=TEXTS, at=TIMES, cpu=st.sampled_from(["1", "2"]))
    def set_node(self, name: str, load: str | None, at: str | None, cpu: str) -> None:
        self.nodes[name] = loaded(name, load, at, cpu=cpu)
        self.cache.set_node(self.nodes[name])

    @rule(name=NAMES)
    def remove_node(self, name: str) -> None:
        self.nodes.pop(name, None)
        self.cache.remove_node(name)

    @rule(limit=st.sampled_from([5.0, 15.0, 25.0]))
    def age(self, limit: float) -> None:
        self.limit = limit
        self.cache.view.age(limit)

    @rule()
    def measure(self) -> None:
        self.cache.view.measured(AGEING)
        self.cache.view.measured(WHOLE)

    @invariant()
    def columns_are_what_reading_all_nodes_anew_gives(self) -> None:
        loads = {name: one.annotations[LOAD] for name, one in self.nodes.items() if LOAD in one.annotations}
        times = {name: read_time(one.annotations.get(LOAD_AT, "")) for name, one in self.nodes.items()}
        numbers = {name: read_number(text) for name, text in loads.items()}
        assert known(self.cache) == {name: number for name, number in numbers.items() if number is not None}
        assert known(self.cache, WHOLE) == {name: float(text) for name, text in loads.items() if text == "1"}
        assert stale(self.cache) == {name for name, time in times.items() if time < self.limit}
        unreadable = {(name, LOAD): text for name, text in loads.items() if text != "1"}
        soon = {(name, LOAD_AT): "soon" for name, one in self.nodes.items() if one.annotations.get(LOAD_AT) == "soon"}
        assert self.cache.view.unreadable == unreadable | soon


Events.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
test_whatever_happens_the_columns_are_true = Events.TestCase
