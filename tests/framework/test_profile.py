from typing import Any

import numpy as np
import pytest

from roost.config.profiles import default_profile
from roost.framework.plugin import Context, Plugin, PreFilterAnswer, Scores, Verdicts
from roost.framework.pod_info import PodInfo
from roost.framework.profile import Profile, Tie
from roost.framework.simple import lift
from roost.framework.status import SKIP, Status
from roost.framework.view import Rows, View


class Filtering(Plugin):
    name = "Filtering"
    reads = frozenset({"node"})

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        return None


class Scoring(Plugin):
    name = "Scoring"
    weight = 5
    reads = frozenset({"node", "usage"})
    pre_reads = frozenset()

    def pre_score(self, ctx: Context, pod: PodInfo, view: View) -> Status | None:
        return SKIP

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        return 1


class Normalizing(Scoring):
    name = "Normalizing"

    def normalize(self, ctx: Context, pod: PodInfo, scores: np.ndarray) -> np.ndarray:
        return scores


class Sorting(Plugin):
    name = "Sorting"

    def __init__(self, last: bool = False) -> None:
        super().__init__()
        self.last = last

    def queue_sort(self, pod: Any, arrival: float) -> tuple[float]:
        return (-arrival if self.last else arrival,)


class Dicey:
    remember = False

    def score(self, pod, node):
        return 1


def test_a_plugin_is_used_at_every_point_that_it_implements_with_its_own_weight() -> None:
    filtering, scoring = Filtering(), Scoring()
    profile = Profile.of([scoring, filtering], scheduler_name="mine", tie="spread")
    assert (profile.filter, profile.pre_score) == ((filtering,), (scoring,))
    assert [(scorer.plugin, scorer.weight) for scorer in profile.score] == [(scoring, 5)]
    assert (profile.scheduler_name, profile.tie, profile.bind, profile.pre_filter) == ("mine", "spread", (), ())


def test_plugins_are_asked_in_the_order_given() -> None:
    plugins = [Filtering(), Filtering(), Filtering()]
    assert Profile.of(plugins).filter == tuple(plugins)


def test_the_first_that_can_sorts_the_queue() -> None:
    first, second = Sorting(), Sorting(last=True)
    assert Profile.of([Filtering(), first, second]).queue_sort is first
    assert Profile.of([Filtering()]).queue_sort is None


def test_a_plugin_is_not_used_where_it_says_that_it_is_idle() -> None:
    class Choosy(Normalizing):
        name = "Choosy"

        def __init__(self, *idle_at: str) -> None:
            super().__init__()
            self.idle_at = frozenset(idle_at)

        def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
            return None

    def used(plugin: Plugin) -> tuple[int, int, int]:
        profile = Profile.of([plugin])
        return len(profile.filter), len(profile.pre_score), len(profile.score)

    assert used(Choosy()) == (1, 1, 1)
    assert used(Choosy("filter", "preScore")) == (0, 0, 1)
    assert used(Choosy("score")) == (1, 1, 0)
    assert not Profile.of([Choosy()]).can_look_ahead
    assert Profile.of([Choosy("normalize")]).can_look_ahead


# ---- looking ahead


@pytest.mark.parametrize(
    ("plugins", "possible"),
    [
        pytest.param([], True, id="nothing speaks against it"),
        pytest.param([Filtering(), Scoring()], True, id="filters and scores that are local"),
        pytest.param([Normalizing()], False, id="a score that pods placed change and that is normalised"),
        pytest.param([lift(Dicey)()], False, id="an answer that is not to be remembered"),
    ],
)
def test_when_pods_may_be_decided_ahead(plugins: list[Plugin], possible: bool) -> None:
    assert Profile.of(plugins).can_look_ahead is possible


class LooksFurther(Filtering):
    """A filter that looks beyond a node, and can skip pods by what placed pods do not change."""

    name = "LooksFurther"
    remember = False
    pre_reads = frozenset({"node"})

    def pre_filter(self, ctx: Context, pod: PodInfo, view: View) -> PreFilterAnswer:
        return None


class LooksAround(LooksFurther):
    pre_reads = frozenset({"usage"})


@pytest.mark.parametrize(("plugin", "possible"), [(LooksFurther(), True), (LooksAround(), False)], ids=repr)
def test_a_plugin_that_looks_beyond_a_node_is_no_hindrance_if_it_can_skip_pods(plugin: Plugin, possible: bool) -> None:
    assert Profile.of([plugin]).can_look_ahead is possible


def test_a_normalised_score_that_pods_placed_do_not_change_is_no_hindrance() -> None:
    class OfNodes(Normalizing):
        reads = frozenset({"node"})

    assert Profile.of([OfNodes()]).can_look_ahead


@pytest.mark.parametrize(("tie", "possible"), [("first", True), ("spread", False), ("random", False)])
def test_ties_that_depend_on_the_pod_or_on_dice_are_decided_one_by_one(tie: Tie, possible: bool) -> None:
    assert Profile.of([Filtering()], tie=tie).can_look_ahead is possible


def test_the_default_profile_can_look_ahead() -> None:
    assert default_profile().can_look_ahead
