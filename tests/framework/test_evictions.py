"""Candidates of preemption as columns are compared as one by one, and say the same of each node."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.cache import Cache
from roost.framework.evictions import Evictions
from roost.framework.plan import Victims, choose
from roost.framework.pod_info import PodInfo
from roost.testing import pod

Candidate = tuple[Sequence[PodInfo], int]
"""The victims of a node, the most important first, and how many of them are protected."""

CACHE = Cache()
STARTS = [None, "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"]


def victim(name: str, priority: int = 0, start: str | None = None) -> PodInfo:
    return CACHE.pod_info(pod(name, priority=priority, status={"startTime": start} if start else None))


def evictions(*candidates: Candidate, prefix: str = "node") -> Evictions:
    pods = [one for victims, _ in candidates for one in victims]
    return Evictions(
        [f"{prefix}-{number}" for number in range(len(candidates))],
        np.cumsum([0, *(len(victims) for victims, _ in candidates)]),
        pods,
        np.array([at < protected for victims, protected in candidates for at in range(len(victims))], dtype=np.bool_),
        np.array([one.priority for one in pods], dtype=np.int64),
        np.array([one.started for one in pods], dtype=np.float64),
    )


def one_by_one(made: Evictions) -> dict[str, Victims]:
    return {name: made.victims(position) for position, name in enumerate(made.names)}


@st.composite
def candidates(draw: st.DrawFn) -> Candidate:
    priorities = st.sampled_from([-(2**31), -5, 0, 7, 2**31 - 1])
    drawn = draw(st.lists(st.tuples(priorities, st.sampled_from(STARTS)), min_size=1, max_size=4))
    victims = [victim(f"p{number}", *one) for number, one in enumerate(drawn)]
    victims.sort(key=lambda one: (-one.priority, one.started))
    return victims, draw(st.integers(0, len(victims)))


@given(st.lists(candidates(), min_size=1, max_size=6))
def test_the_plan_is_that_of_comparing_one_by_one(given_candidates: list[Candidate]) -> None:
    made = evictions(*given_candidates)
    assert made.best().facts == choose(one_by_one(made)).facts


@given(st.lists(candidates(), max_size=4), st.lists(candidates(), max_size=4))
def test_joined_they_are_those_of_both(some: list[Candidate], more: list[Candidate]) -> None:
    first, last = evictions(*some), evictions(*more, prefix="more")
    assert one_by_one(first + last) == one_by_one(first) | one_by_one(last)
    assert one_by_one(Evictions.none() + first) == one_by_one(first)


SAFE: Candidate = ([victim("safe")], 0)
HARMFUL: Candidate = ([victim("protected"), victim("other")], 1)


@pytest.mark.parametrize(
    ("found", "wanted", "enough"),
    [
        pytest.param([], 1, None, id="none at all"),
        pytest.param([SAFE], 2, None, id="fewer than wanted"),
        pytest.param([SAFE, SAFE, SAFE], 2, 2, id="as many as wanted are enough"),
        pytest.param([HARMFUL, HARMFUL], 1, None, id="each violates a budget"),
        pytest.param([HARMFUL, HARMFUL, SAFE, SAFE], 1, 3, id="up to the first that violates none"),
        pytest.param([SAFE, HARMFUL, HARMFUL], 2, 2, id="one that violates none is among them"),
        pytest.param([HARMFUL, SAFE], 0, 2, id="none are wanted, so the first that violates none"),
    ],
)
def test_when_enough_have_been_found(found: list[Candidate], wanted: int, enough: int | None) -> None:
    kept = evictions(*found).enough(wanted)
    assert (None if kept is None else len(kept)) == enough
    if kept is not None:
        assert one_by_one(kept) == dict(list(one_by_one(evictions(*found)).items())[:enough])
        assert kept.violations.tolist() == [protected for _, protected in found[:enough]]


def test_candidates_are_found_by_the_name_of_their_node() -> None:
    found = evictions(SAFE, HARMFUL).best().candidates
    assert list(found) == ["node-0", "node-1"]
    assert found["node-1"] == Victims(tuple(HARMFUL[0]), 1)
    assert "elsewhere" not in found
