"""What plugins say of pods beforehand is known from the third pod of a kind on, until what they read changes."""

from collections.abc import Callable
from typing import Any

import pytest

from roost.api.pod import Pod
from roost.cache import Cache
from roost.framework.cycle import Cycle
from roost.framework.decision import Decision
from roost.framework.plugin import Context, OnlyNodes, Plugin, PreFilterAnswer, Scores, Verdicts
from roost.framework.pod_info import PodInfo
from roost.framework.profile import Profile
from roost.framework.status import SKIP, Status
from roost.framework.view import Rows, View
from roost.testing import node, pod


class Spy(Plugin):
    """Skips pods without the label `mine`, and counts how often it is asked beforehand."""

    name = "Spy"
    reads = frozenset({"node"})

    def __init__(self, pre_reads: frozenset[str] | None, pod_reads: tuple[str, ...], answer: Any = None) -> None:
        super().__init__()
        self.pre_reads = pre_reads
        self.pod_reads = pod_reads
        self.answer = answer
        self.asked = 0

    def pre_filter(self, ctx: Context, pod: PodInfo, view: View) -> PreFilterAnswer:
        self.asked += 1
        return SKIP if "mine" not in pod.pod.labels else self.answer

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        return None

    def pre_score(self, ctx: Context, pod: PodInfo, view: View) -> Status | None:
        self.asked += 1
        return SKIP if "mine" not in pod.pod.labels else None

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        return 7


class World:
    def __init__(self, spy: Spy) -> None:
        self.spy = spy
        self.cache = Cache()
        for name in "ab":
            self.cache.set_node(node(name))
        self.cycle = Cycle(Profile.of([spy]))

    def decide(self, one: Pod) -> Decision:
        return self.cycle.decide(self.cache.pod_info(one), self.cache.view, Context())

    def asked_for(self, one: Pod) -> int:
        before = self.spy.asked
        self.decide(one)
        return self.spy.asked - before


def lasting(answer: Any = None) -> World:
    """Return a world that has seen pods without labels and pods that are mine once each."""
    world = World(Spy(frozenset({"services"}), ("labels",), answer))
    for labels in (None, {"mine": "yes"}):
        world.decide(pod(labels=labels))
    return world


def test_pods_that_differ_in_requests_alone_are_of_one_kind() -> None:
    world = lasting()
    assert world.asked_for(pod(cpu="1")) == 2
    assert world.asked_for(pod(cpu="2")) == 0
    assert world.asked_for(pod(labels={"mine": "yes"})) == 2
    assert world.asked_for(pod(labels={"mine": "yes"}, cpu="3")) == 0


@pytest.mark.parametrize("labels", [None, {"mine": "yes"}], ids=["who skips", "who does not skip"])
def test_what_was_said_still_holds_when_it_is_not_asked_again(labels: dict[str, str] | None) -> None:
    world = lasting()
    scores = [world.decide(pod(labels=labels)).freeze().scores["a"].raw for _ in range(3)]
    assert scores == [{} if labels is None else {"Spy": 7}] * 3


CHANGES: list[Any] = [
    pytest.param(lambda cache: cache.view.journal.bump("services"), 2, id="what it reads changes"),
    pytest.param(lambda cache: cache.view.journal.bump("storage"), 0, id="something else changes"),
    pytest.param(lambda cache: cache.set_node(node("c")), 0, id="a node comes, which it does not read"),
]


@pytest.mark.parametrize(("change", "asked"), CHANGES)
def test_it_is_asked_again_when(change: Callable[[Cache], object], asked: int) -> None:
    world = lasting()
    world.decide(pod())
    change(world.cache)
    assert world.asked_for(pod()) == asked


NOT_LASTING: list[Any] = [
    pytest.param(frozenset({"usage"}), ("labels",), id="it reads the pods that are placed"),
    pytest.param(frozenset({"services"}), ("labels", "requests"), id="it reads the requests"),
]


@pytest.mark.parametrize(("pre_reads", "pod_reads"), NOT_LASTING)
def test_it_is_asked_each_time_if(pre_reads: frozenset[str], pod_reads: tuple[str, ...]) -> None:
    world = World(Spy(pre_reads, pod_reads))
    assert [world.asked_for(pod()) for _ in range(3)] == [2, 2, 2]


def test_an_answer_that_leaves_few_nodes_is_asked_for_each_time() -> None:
    world = lasting(OnlyNodes(frozenset({"b"})))
    mine = pod(labels={"mine": "yes"})
    assert [world.decide(mine).node for _ in range(3)] == ["b", "b", "b"]
