"""Nodes promised to pods: what was decided holds until the watch shows it, whatever old news come in between."""

from typing import Any

import pytest

from roost.cache.cache import Cache, Change
from roost.framework.pod_info import PodInfo
from roost.scheduler.promises import Promises
from roost.scheduler.queued_pod import QueuedPod
from roost.testing import node, pod


class World:
    """A cache with nodes a and b, promises, and which nodes were told to be free of one."""

    def __init__(self) -> None:
        self.cache = Cache()
        for name in "ab":
            self.cache.set_node(node(name))
        self.freed: list[str] = []
        self.promises = Promises(self.cache, self._tell)

    def info(self, nominated: str = "") -> PodInfo:
        return self.cache.pod_info(pod("web", status={"nominatedNodeName": nominated}))

    def promised(self) -> str:
        return self.cache.view.nominations.node_of("web")

    def _tell(self, change: Change) -> None:
        self.freed.append(change.node_name)


@pytest.fixture
def world() -> World:
    return World()


def queued(world: World, nominated: str = "") -> QueuedPod:
    return QueuedPod(world.promises.shown(world.info(nominated)), 0.0)


def test_what_the_watch_shows_is_a_promise(world: World) -> None:
    queued(world, "a")
    assert world.promised() == "a"


def test_a_promise_is_in_the_pod_before_the_watch_shows_it(world: World) -> None:
    one = queued(world)
    world.promises.make(one, "a")
    assert (one.info.pod.status.nominated_node_name, world.promised()) == ("a", "a")


STORIES: list[Any] = [
    pytest.param("a", [""], "a", id="old news do not undo it"),
    pytest.param("a", ["", "a"], "a", id="once it is shown it holds"),
    pytest.param("a", ["", "a", ""], "", id="once it was shown somebody else may take it back"),
    pytest.param("a", ["b"], "b", id="or promise another node"),
    pytest.param("", ["", ""], "", id="none is none"),
]


@pytest.mark.parametrize(("made", "shown", "expected"), STORIES)
def test_news_of_a_pod(world: World, made: str, shown: list[str], expected: str) -> None:
    world.promises.make(queued(world), made)
    infos = [world.promises.shown(world.info(name)) for name in shown]
    assert (world.promised(), infos[-1].pod.status.nominated_node_name) == (expected, expected)


def test_one_that_is_taken_back_stays_so_though_it_still_shows(world: World) -> None:
    world.promises.make(queued(world, "a"), "")
    assert world.promises.shown(world.info("a")).pod.status.nominated_node_name == ""
    assert (world.promised(), world.freed) == ("", ["a"])


def test_a_node_that_is_promised_no_longer_is_told(world: World) -> None:
    one = queued(world, "a")
    world.promises.make(one, "b")
    world.promises.drop("web")
    assert world.freed == ["a", "b"]


def test_a_promise_that_is_kept_frees_nothing(world: World) -> None:
    queued(world, "a")
    world.promises.keep("web")
    assert (world.promised(), world.freed) == ("", [])
