"""Room that our answers have promised counts as taken, until it is or is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.extender.asking import Rooms, about, in_sync, said, scores, serving

from roost.cache import Cache
from roost.extender.reservations import Reservations
from roost.framework.resources import PODS
from roost.testing import node, pod


@pytest.fixture
def cache() -> Cache:
    cache = Cache()
    for name in ("n1", "n2"):
        cache.set_node(node(name))
    return cache


def taken(cache: Cache) -> dict[str, int]:
    return {name: int(cache.view.usage[PODS][cache.view.slot(name)]) for name in cache.node_names}


def test_a_reserved_pod_counts_on_one_node(cache: Cache) -> None:
    reserved, info = Reservations(cache), cache.pod_info(pod("p"))
    reserved.reserve(info, "n1", now=0)
    assert (taken(cache), reserved.node_of("p")) == ({"n1": 1, "n2": 0}, "n1")
    reserved.reserve(info, "n2", now=1)
    assert (taken(cache), reserved.node_of("p")) == ({"n1": 0, "n2": 1}, "n2")
    reserved.release("p")
    assert (taken(cache), reserved.node_of("p"), len(reserved)) == ({"n1": 0, "n2": 0}, None, 0)


def test_a_reservation_ends_after_its_time(cache: Cache) -> None:
    reserved = Reservations(cache, seconds=30)
    reserved.reserve(cache.pod_info(pod("first")), "n1", now=0)
    reserved.reserve(cache.pod_info(pod("second")), "n1", now=10)
    reserved.expire(29)
    assert taken(cache)["n1"] == 2
    reserved.expire(30)
    assert taken(cache)["n1"] == 1
    reserved.expire(40)
    assert taken(cache)["n1"] == 0


def test_a_pod_that_the_watch_shows_stays_where_it_is(cache: Cache) -> None:
    reserved, info = Reservations(cache), cache.pod_info(pod("p"))
    reserved.reserve(info, "n1", now=0)
    cache.set_pod(pod("p", node_name="n2"))
    assert taken(cache) == {"n1": 0, "n2": 1}
    reserved.expire(100)
    reserved.reserve(info, "n1", now=100)
    reserved.release("p")
    assert taken(cache) == {"n1": 0, "n2": 1}


def test_a_settled_pod_stays_although_the_watch_says_nothing(cache: Cache) -> None:
    reserved = Reservations(cache)
    reserved.reserve(cache.pod_info(pod("p")), "n1", now=0)
    reserved.settle("p")
    reserved.expire(1000)
    assert (taken(cache)["n1"], len(reserved)) == (1, 0)


def test_a_pod_that_is_gone_takes_its_reservation_along(cache: Cache) -> None:
    reserved = Reservations(cache)
    reserved.reserve(cache.pod_info(pod("p")), "n1", now=0)
    cache.remove_pod(pod("p"))
    again = cache.pod_info(pod("p", uid="another"))
    reserved.reserve(again, "n2", now=1)
    reserved.expire(30)
    assert taken(cache) == {"n1": 0, "n2": 1}


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "release", "settle", "bound", "gone", "wait"]),
        st.sampled_from("abc"),
        st.sampled_from(["n1", "n2"]),
    )
)


@given(STEPS)
def test_no_pod_ever_counts_twice_and_in_the_end_only_those_on_nodes_do(steps: list[tuple[str, str, str]]) -> None:
    cache = Cache()
    for name in ("n1", "n2"):
        cache.set_node(node(name))
    reserved, now = Reservations(cache), 0.0
    on_node: dict[str, str] = {}
    for step, name, node_name in steps:
        if step == "reserve":
            reserved.reserve(cache.pod_info(pod(name)), node_name, now)
        elif step == "release":
            reserved.release(name)
        elif step == "bound":
            cache.set_pod(pod(name, node_name=node_name))
            on_node[name] = node_name
        elif step == "gone":
            cache.remove_pod(pod(name))
            on_node.pop(name, None)
        elif step == "wait":
            now += 10
            reserved.expire(now)
        elif reserved.node_of(name) and cache.is_assumed(f"default/{name}"):
            on_node[name] = reserved.node_of(name) or ""
            reserved.settle(name)
        assert sum(taken(cache).values()) == len(cache.pods) <= 3
    reserved.expire(now + 100)
    assert taken(cache) == {name: list(on_node.values()).count(name) for name in ("n1", "n2")}


async def test_pods_that_are_asked_about_before_the_last_is_bound_do_not_all_get_the_same_node() -> None:
    live = in_sync(nodes=[node("n1"), node("n2")])
    names = ["n1", "n2"]
    chosen = []
    async with serving(Rooms, live=live) as ask:
        for number in range(8):
            one = pod(f"p{number}")
            fitting = said(await ask("POST", "/filter", about(one, names=names)))["NodeNames"]
            if len(fitting) > 1:
                found = scores(await ask("POST", "/prioritize", about(one, names=fitting)))
                chosen.append(max(found, key=lambda name: found[name]))
            else:
                chosen += fitting
        assert said(await ask("POST", "/filter", about(pod("one too many"), names=names)))["NodeNames"] == []
    assert (chosen.count("n1"), chosen.count("n2")) == (4, 4)


async def test_a_pod_that_is_tried_again_is_not_in_its_own_way() -> None:
    live = in_sync(nodes=[node("n1")], pods=[pod(f"p{i}", node_name="n1") for i in range(3)])
    async with serving(Rooms, live=live) as ask:
        for _ in range(3):
            assert said(await ask("POST", "/filter", about(pod("new"), names=["n1"])))["NodeNames"] == ["n1"]
            assert scores(await ask("POST", "/prioritize", about(pod("new"), names=["n1"]))) == {"n1": 7}
        assert said(await ask("POST", "/filter", about(pod("other"), names=["n1"])))["NodeNames"] == []
