"""What a cycle remembers: a plugin is asked again only for rows that changed in a way that it reads."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.api.node import Node
from roost.api.pod import Pod
from roost.cache import Cache
from roost.framework.cycle import Cycle
from roost.framework.decision import Decision
from roost.framework.plugin import Context, PartialScores, Plugin, Scale, Scores, Verdicts, default_normalize
from roost.framework.pod_info import PodInfo
from roost.framework.profile import Profile, Scorer
from roost.framework.resources import PODS, Int64
from roost.framework.status import unschedulable
from roost.framework.view import Rows, View
from roost.testing import node, pod

NOT_NAMED = unschedulable("the node is not named")


class Spy(Plugin):
    """Notes about which nodes it is asked; rejects the rows with a label `no`, scores the pods placed."""

    name = "Spy"

    def __init__(self, *reads: str, pod_reads: tuple[str, ...] = ("labels",), remember: bool = True) -> None:
        super().__init__()
        self.reads = frozenset(reads)  # type: ignore[misc]
        self.pod_reads = pod_reads  # type: ignore[misc]
        self.remember = remember
        self.asked: list[set[str]] = []

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        numbers = np.arange(view.size)[rows]
        self.asked.append({view.name(row) for row in numbers if view.alive[row]})
        return Verdicts.rejecting(view.label("no").ids[rows] > 0, NOT_NAMED)

    def asked_last(self) -> set[str]:
        """Return which nodes were asked about since the last time; none if not at all."""
        names = set().union(*self.asked)
        self.asked.clear()
        return names


class World:
    def __init__(self, plugin: Plugin, *nodes: Node, memory_limit: int = 64 << 20) -> None:
        self.cache = Cache()
        for one in nodes:
            self.cache.set_node(one)
        self.cycle = Cycle(Profile.of([plugin]), memory_limit=memory_limit)

    def decide(self, one: Pod | None = None) -> Decision:
        return self.cycle.decide(self.cache.pod_info(one or pod()), self.cache.view, Context())

    def fitting(self) -> set[str]:
        return {name for name, verdict in self.decide().freeze().verdicts.items() if verdict.feasible}


NAMES = [f"n{number}" for number in range(9)]
NINE = [node(name) for name in NAMES]
EVERY = set(NAMES)


def remembering(*reads: str, pod_reads: tuple[str, ...] = ("labels",)) -> tuple[Spy, World]:
    """Return a plugin whose answer about nine nodes is remembered, since it was asked twice."""
    spy = Spy(*reads, pod_reads=pod_reads)
    world = World(spy, *NINE)
    world.decide()
    world.decide()
    spy.asked_last()
    return spy, world


def test_an_answer_is_remembered_from_the_second_sight_on() -> None:
    spy = Spy("node")
    world = World(spy, *NINE)
    asked = []
    for _ in range(4):
        world.decide()
        asked.append(spy.asked_last())
    assert asked == [EVERY, EVERY, set(), set()]


CHANGES = [
    pytest.param(lambda cache: cache.set_node(node("n3", labels={"x": "y"})), {"n3"}, set(), {"n3"}, id="labels"),
    pytest.param(lambda cache: cache.set_node(node("n3", cpu="9")), {"n3"}, set(), {"n3"}, id="allocatable"),
    pytest.param(lambda cache: cache.set_pod(pod("p", node_name="n4")), set(), {"n4"}, {"n4"}, id="a pod placed"),
    pytest.param(lambda cache: cache.set_node(node("new")), {"new"}, {"new"}, {"new"}, id="a new node"),
    pytest.param(lambda cache: cache.remove_node("n3"), set(), set(), set(), id="a node that goes"),
    pytest.param(lambda cache: cache.set_node(node("n3")), set(), set(), set(), id="a heartbeat"),
    pytest.param(lambda cache: cache.set_pod(pod("p", node_name="?")), set(), set(), set(), id="a pod on none of them"),
    pytest.param(lambda cache: cache.view.journal.bump("images"), set(), set(), set(), id="an epoch that none reads"),
]


@pytest.mark.parametrize(("change", "of_node", "of_usage", "of_both"), CHANGES)
def test_only_rows_that_changed_for_the_reader_are_asked_again(
    change: Callable[[Cache], object], of_node: set[str], of_usage: set[str], of_both: set[str]
) -> None:
    for reads, expected in ((("node",), of_node), (("usage",), of_usage), (("node", "usage"), of_both)):
        spy, world = remembering(*reads)
        change(world.cache)
        world.decide()
        assert spy.asked_last() == expected, f"a reader of {' and '.join(reads)}"
        world.decide()
        assert spy.asked_last() == set(), "once is enough"


def test_readers_of_an_epoch_are_asked_about_every_node_when_it_moves() -> None:
    spy, world = remembering("node", "images")
    world.cache.set_node(node("n1", images={"app": 5}))
    world.decide()
    assert spy.asked_last() == EVERY


def test_where_much_has_changed_every_node_is_asked_about_at_once() -> None:
    spy, world = remembering("node")
    for name in NAMES[:5]:
        world.cache.set_node(node(name, labels={"x": "y"}))
    world.decide()
    assert spy.asked == [EVERY]


def test_what_is_remembered_is_what_would_be_answered_now() -> None:
    _, world = remembering("node")
    assert world.fitting() == EVERY
    world.cache.set_node(node("n3", labels={"no": "way"}))
    assert world.fitting() == EVERY - {"n3"}
    world.cache.remove_node("n3")
    world.cache.set_node(node("in its slot"))
    assert world.fitting() == EVERY - {"n3"} | {"in its slot"}
    world.cache.set_node(node("n0", labels={"no": "way"}))
    for number in range(9, 150):
        world.cache.set_node(node(f"n{number}", labels={"no": "way"} if number % 2 else None))
    assert world.fitting() == EVERY - {"n0", "n3"} | {"in its slot"} | {f"n{number}" for number in range(10, 150, 2)}


@pytest.mark.parametrize(
    "reads", [pytest.param(("node", "usage"), id="everything"), pytest.param(("usage",), id="usage only")]
)
def test_an_answer_grows_with_the_cluster(reads: tuple[str, ...]) -> None:
    _, world = remembering(*reads)
    for number in range(100):
        world.cache.set_node(node(f"late{number}"))
    assert len(world.fitting()) == 109
    assert world.decide().feasible == 109


class OnlyForWeb(Plugin):
    """Rejects pods on account of what they are; what the nodes are does not matter."""

    name = "OnlyForWeb"
    reads = frozenset()
    pod_reads = ("labels",)

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        return Verdicts.rejecting(np.full(view.size, pod.pod.labels.get("app") != "web")[rows], NOT_NAMED)


def test_a_filter_that_reads_nothing_of_nodes_is_asked_about_new_nodes_all_the_same() -> None:
    world = World(OnlyForWeb(), *NINE)
    for _ in range(3):
        assert world.fitting() == set()
    world.cache.set_node(node("new"))
    assert world.fitting() == set()


# ---- what is read of the pod


@pytest.mark.parametrize(
    ("other", "known"),
    [
        pytest.param(pod("other", uid="u"), True, id="another name and uid"),
        pytest.param(pod(cpu=3, priority=7), True, id="what the plugin does not read"),
        pytest.param(pod(labels={"app": "web"}), False, id="what it reads"),
    ],
)
def test_an_answer_is_shared_by_pods_that_look_alike_to_the_plugin(other: Pod, known: bool) -> None:
    spy, world = remembering("node")
    world.decide(other)
    assert spy.asked_last() == (set() if known else EVERY)


def test_several_parts_are_one_key() -> None:
    spy, world = remembering("node", pod_reads=("labels", "requests"))
    world.decide(pod(cpu=1))
    assert spy.asked_last() == EVERY
    world.decide(pod("again"))
    assert spy.asked_last() == set()


def test_a_plugin_that_is_not_to_be_remembered_is_asked_each_time_about_what_still_fits() -> None:
    first, second = Spy("node"), Spy("node", remember=False)
    second.name = "Second"  # type: ignore[misc]
    world = World(first, node("a"), node("b", labels={"no": "way"}), node("c"))
    world.cycle = Cycle(Profile.of([first, second]))
    for _ in range(3):
        world.decide()
        assert second.asked_last() == {"a", "c"}


# ---- scores


class Crowd(Plugin):
    """Scores the pods placed, and normalises them to the share of the fullest."""

    name = "Crowd"
    reads = frozenset({"usage"})
    pod_reads = ()

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        return view.usage[PODS][rows].copy()

    def normalize(self, ctx: Context, pod: PodInfo, scores: np.ndarray) -> np.ndarray:
        return 100 * scores // max(1, int(scores.max()))


def test_normalised_scores_follow_what_changes_and_which_nodes_fit() -> None:
    world = World(Crowd(), *(node(name) for name in "abcdefghij"))

    def scores() -> dict[str, int]:
        """Return the scores that are not zero."""
        return {name: row.total for name, row in world.decide().freeze().scores.items() if row.total}

    for expected, event in (
        ({}, lambda: world.cache.set_pod(pod("p1", node_name="a"))),
        ({"a": 100}, lambda: world.cache.set_pod(pod("p2", node_name="b"))),
        ({"a": 100, "b": 100}, lambda: world.cache.set_pod(pod("p3", node_name="b"))),
        ({"a": 50, "b": 100}, lambda: world.cache.remove_node("b")),
        ({"a": 100}, lambda: world.cache.set_node(node("b"))),
        ({"a": 50, "b": 100}, lambda: None),
    ):
        assert scores() == scores() == expected
        event()


# ---- how much


def test_the_memory_stays_within_its_limit_though_answers_grow() -> None:
    """As long as every node fits a verdict takes next to nothing; when a node is full it takes 3 bytes a node."""
    nodes = [node(f"n{number}") for number in range(1000)]
    world = World(Spy("node"), *nodes, memory_limit=100_000)
    pods = [pod(labels={"app": str(number)}) for number in range(100)]
    for one in (*pods, *pods):
        world.decide(one)
    world.cache.set_node(node("n0", labels={"no": "way"}))
    for one in (*pods, *pods):
        world.decide(one)
    assert 1 < len(world.cycle.filters[0].memory) <= 100_000 // 3000 + 1


# ---- what a plugin reads where it rejects


def test_a_filter_that_reads_less_than_the_plugin_is_asked_again_for_less() -> None:
    spy = Spy("nodes", "usage")
    spy.filter_reads = frozenset({"usage"})
    world = World(spy, *NINE)
    world.decide()
    world.decide()
    spy.asked_last()
    world.cache.set_node(node("n0", labels={"x": "y"}))
    world.decide()
    assert spy.asked_last() == set()
    world.cache.set_pod(pod("p", node_name="n1"))
    world.decide()
    assert spy.asked_last() == {"n1"}
    world.cache.set_node(node("n9"))
    world.decide()
    assert spy.asked_last() == {"n9"}


# ---- how scores count


class Scaled(Plugin):
    """Scores every node with one number; normalising would double it."""

    name = "Scaled"
    reads = frozenset()
    pod_reads = ()

    def __init__(self, scale: Scale, score: int, *idle_at: str) -> None:
        super().__init__()
        self.scale = scale
        self.number = score
        self.idle_at = frozenset(idle_at)

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        return self.number

    def normalize(self, ctx: Context, pod: PodInfo, scores: Int64) -> Int64:
        return scores * 2


def total(plugin: Plugin, weight: int) -> int:
    cache = Cache()
    cache.set_node(node("n"))
    decision = Cycle(Profile(score=(Scorer(plugin, weight),))).decide(cache.pod_info(pod()), cache.view, Context())
    assert decision.outcome == "scheduled", decision.message
    return decision.top[0].total


@pytest.mark.parametrize(
    ("plugin", "counted"),
    [
        pytest.param(Scaled("percent", 7, "normalize"), 7, id="of 0 to 100 as it is"),
        pytest.param(Scaled("extender", 7, "normalize"), 70, id="of 0 to 10 ten times"),
        pytest.param(Scaled("rank", 700, "normalize"), 700, id="of a rank as it is"),
        pytest.param(Scaled("percent", 7), 14, id="of 0 to 100 normalised"),
        pytest.param(Scaled("extender", 5), 100, id="of 0 to 10 normalised, ten times"),
    ],
)
@pytest.mark.parametrize("weight", [1, 3])
def test_a_score_counts_times_the_weight(plugin: Plugin, weight: int, counted: int) -> None:
    assert total(plugin, weight) == counted * weight


@pytest.mark.parametrize(("scale", "beyond"), [("percent", 101), ("extender", 11), ("extender", -1)])
def test_a_score_beyond_its_scale_is_an_error_that_says_so(scale: Scale, beyond: int) -> None:
    cache = Cache()
    cache.set_node(node("n"))
    cycle = Cycle(Profile.of([Scaled(scale, beyond, "normalize")]))
    decision = cycle.decide(cache.pod_info(pod()), cache.view, Context())
    highest = 10 if scale == "extender" else 100
    assert decision.outcome == "error"
    assert f"it returned a score of {beyond}, not 0 to {highest}" in decision.message


class Partial(Plugin):
    """Scores by pods placed; nodes that are not of a zone are ignored."""

    name = "Partial"
    reads = frozenset({"node", "usage"})

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores | PartialScores:
        raw, ignored = view.usage[PODS][rows].copy(), view.label("zone").ids[rows] == 0
        return PartialScores(raw, ignored) if ignored.any() else raw

    def normalize(self, ctx: Context, pod: PodInfo, scores: Int64) -> Int64:
        return default_normalize(scores, reverse=True)


def test_nodes_that_a_scorer_ignores_count_nothing_and_are_no_part_of_normalising() -> None:
    world = World(Partial(), node("in", labels={"zone": "a"}), node("out"))

    def totals() -> dict[str, int]:
        return {name: row.total for name, row in world.decide().freeze().scores.items()}

    world.cache.set_pod(pod("p", node_name="out"))
    assert [totals() for _ in range(3)] == [{"in": 100, "out": 0}] * 3
    for number in range(8):
        world.cache.set_node(node(f"more{number}", labels={"zone": "a"}))
    world.cache.set_pod(pod("q", node_name="in"))
    assert {name: total for name, total in totals().items() if not name.startswith("more")} == {"in": 0, "out": 0}
    world.cache.set_node(node("out", labels={"zone": "b"}))
    assert totals()["more0"] == 100
    assert totals()["out"] == 0
    world.cache.set_node(node("in"))
    world.cache.remove_pod(pod("p", node_name="out"))
    assert [totals()[name] for name in ("in", "out")] == [0, 100]


def test_where_all_nodes_are_ignored_nothing_is_normalised() -> None:
    table = World(Partial(), node("a"), node("b")).decide().freeze()
    assert {name: row.total for name, row in table.scores.items()} == {"a": 0, "b": 0}


class Ranged(Plugin):
    """Scores nodes by a label, rejects those without one, and normalises as the default does."""

    name = "Ranged"
    reads = frozenset({"node"})
    pod_reads = ("labels",)

    def __init__(self, *, by_range: bool, reverse: bool) -> None:
        super().__init__()
        self.normalizes_by_range = by_range  # type: ignore[misc]
        self.reverse = reverse

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        return Verdicts.rejecting(view.label("score").ids[rows] == 0, NOT_NAMED)

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        column = view.label("score")
        return np.array([int(value or 0) for value in column.values])[column.ids][rows]

    def normalize(self, ctx: Context, pod: PodInfo, scores: Int64) -> Int64:
        return default_normalize(scores, reverse=self.reverse)


@given(st.lists(st.none() | st.integers(0, 3000), min_size=1, max_size=8), st.booleans())
def test_normalising_by_range_comes_to_the_same(scores: list[int | None], reverse: bool) -> None:
    labels = [None if score is None else {"score": str(score)} for score in scores]
    nodes = [node(f"n{number}", labels=these) for number, these in enumerate(labels)]
    found = []
    for by_range in (True, False):
        world = World(Ranged(by_range=by_range, reverse=reverse), *nodes)
        found += [dict(world.decide().freeze().scores) for _ in range(3)]
    assert all(one == found[0] for one in found)
