"""Numbers that are given to the cache from outside: they go before what nodes say themselves."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from roost.api.node import Node
from roost.cache import Cache
from roost.framework.measure import Measure, read_number
from roost.testing import node

LOAD, HEAT, AT = "example.com/load", "example.com/heat", "example.com/at"
AGEING, TIMELESS, HOT = Measure(LOAD, read_number, AT), Measure(LOAD, read_number), Measure(HEAT, read_number, AT)


def saying(name: str, **texts: str) -> Node:
    keys = {"load": LOAD, "heat": HEAT, "at": AT}
    return node(name, annotations={keys[key]: text for key, text in texts.items()})


def filled(*nodes: Node) -> Cache:
    cache = Cache()
    for one in nodes:
        cache.set_node(one)
    for measure in (AGEING, HOT):
        cache.view.measured(measure)
    return cache


def known(cache: Cache, measure: Measure = AGEING) -> dict[str, float]:
    column, view = cache.view.measured(measure), cache.view
    assert np.isnan(column.values[~column.known]).all()
    return {view.name(row): float(column.values[row]) for row in np.flatnonzero(column.known).tolist()}


def stale(cache: Cache) -> set[str]:
    fresh = cache.view.measured(AGEING).fresh
    return {cache.view.name(row) for row in np.flatnonzero(~fresh & cache.view.alive).tolist()}


def test_what_is_given_goes_before_the_annotation_for_every_measure_of_it() -> None:
    cache = filled(saying("a", load="1", at="10"), saying("b", load="2"))
    change = cache.set_measured("a", {LOAD: 7.0}, AT, 99)
    assert change is not None
    assert (change.aspects, change.node_name) == (frozenset({"annotations"}), "a")
    assert known(cache) == known(cache, TIMELESS) == {"a": 7.0, "b": 2.0}
    cache.view.age(50)
    assert stale(cache) == set()


def test_it_stays_when_the_node_says_something_else() -> None:
    cache = filled(saying("a", load="1"))
    cache.set_measured("a", {LOAD: 7.0}, AT, 99)
    cache.set_node(saying("a", load="3", heat="5"))
    assert (known(cache), known(cache, HOT)) == ({"a": 7.0}, {"a": 5.0})


def test_what_is_given_as_none_is_not_known_whatever_the_node_says() -> None:
    cache = filled(saying("a", load="1", heat="x"))
    assert cache.view.unreadable
    cache.set_measured("a", {LOAD: None, HEAT: None}, AT, 99)
    assert (known(cache), known(cache, HOT), cache.view.unreadable) == ({}, {}, {})


def test_it_grows_old_by_its_own_time() -> None:
    cache = filled(saying("a", load="1", at="99"))
    cache.set_measured("a", {LOAD: 7.0}, AT, 10)
    cache.view.age(50)
    assert stale(cache) == {"a"}
    assert cache.set_measured("a", {LOAD: 7.0}, AT, 60) is not None
    assert stale(cache) == set()


def test_only_a_difference_is_a_change_and_stamped() -> None:
    cache = filled(saying("a"))
    cache.set_measured("a", {LOAD: 7.0}, AT, 10)
    before = cache.view.journal.marks(["annotations"])
    assert cache.set_measured("a", {LOAD: 7.0}, AT, 20) is None
    assert list(cache.view.journal.since(["annotations"], before) or ()) == []
    assert cache.set_measured("a", {LOAD: 8.0}, AT, 30) is not None
    assert list(cache.view.journal.since(["annotations"], before) or ()) == [cache.view.slot("a")]


def test_of_a_node_that_is_not_known_yet_it_counts_when_the_node_appears() -> None:
    cache = filled()
    assert cache.set_measured("a", {LOAD: 7.0}, AT, 10) is None
    cache.set_node(saying("a", load="1"))
    assert known(cache) == {"a": 7.0}


def test_it_goes_with_the_node() -> None:
    cache = filled(saying("a", load="1"))
    cache.set_measured("a", {LOAD: 7.0}, AT, 10)
    cache.remove_node("a")
    cache.set_node(saying("a", load="1"))
    assert known(cache) == {"a": 1.0}


def test_a_measure_that_is_asked_for_late_has_what_was_given() -> None:
    cache = Cache()
    cache.set_node(saying("a", load="1"))
    cache.set_measured("a", {LOAD: 7.0}, AT, 10)
    assert known(cache, TIMELESS) == {"a": 7.0}


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("give"), st.sampled_from("ab"), st.sampled_from([None, 1.0, 2.0])),
        st.tuples(st.just("say"), st.sampled_from("ab"), st.sampled_from(["", "3", "x"])),
        st.tuples(st.just("remove"), st.sampled_from("ab"), st.none()),
    ),
    max_size=20,
)


@given(steps=STEPS)
def test_whatever_comes_in_whatever_order_the_given_wins(steps: list[tuple[str, str, object]]) -> None:
    cache, nodes, given_ = filled(), dict[str, str](), dict[str, object]()
    for at, (what, name, value) in enumerate(steps):
        if what == "give":
            given_[name] = value
            cache.set_measured(name, {LOAD: value}, AT, at)  # type: ignore[dict-item]
        elif what == "say":
            nodes[name] = str(value)
            cache.set_node(saying(name, load=nodes[name]))
        elif name in nodes:
            del nodes[name]
            given_.pop(name, None)
            cache.remove_node(name)
        expected = {one: given_[one] if one in given_ else read_number(text) for one, text in nodes.items()}
        assert known(cache) == {one: number for one, number in expected.items() if number is not None}
