import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.scheduler.fake_cluster import NODE, POD, FakeCluster
from tests.scheduler.live import running, until
from tests.scheduler.virtual_time import in_virtual_time

import roost
from roost.cache import Cache
from roost.config.arguments import make_plugin
from roost.errors import ConfigError
from roost.framework.cycle import Cycle
from roost.framework.decision import Table
from roost.framework.plugin import Context
from roost.framework.profile import Profile
from roost.plugins.intree.default_binder import DefaultBinder
from roost.plugins.intree.priority_sort import PrioritySort
from roost.plugins.policies.lucky import Lucky, LuckyArgs
from roost.testing import node, pod

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "sample_extender.json").read_text())
UNLUCKY = GOLDEN["all_rejected_example"]["FailedNodes"]["n0"]
NODES = [node(f"n{i}") for i in range(400)]


def tossed(ctx: Context = Context(), uid: str = "p-uid", nodes: list[Any] = NODES, **args: Any) -> Table:  # noqa: B008
    cache = Cache()
    for one in nodes:
        cache.set_node(one)
    cycle = Cycle(Profile.of([Lucky(LuckyArgs(**args))]))
    decision = cycle.decide(cache.pod_info(pod(uid=uid)), cache.view, ctx)
    assert decision.outcome != "error", decision.message
    return decision.freeze()


def kept(table: Table) -> set[str]:
    return {name for name, verdict in table.verdicts.items() if verdict.feasible}


def raw(table: Table) -> dict[str, int]:
    return {name: row.raw["Lucky"] for name, row in table.scores.items()}


def is_uniform(drawn: Counter[int], faces: int) -> bool:
    """Tell whether a chi-square test does not speak against it, at about one in 10,000."""
    expected = drawn.total() / faces
    chi_square = sum((drawn[face] - expected) ** 2 / expected for face in range(faces))
    freedom = faces - 1
    return set(drawn) <= set(range(faces)) and chi_square < freedom + 3.72 * (2 * freedom) ** 0.5 + 5


MODES = [pytest.param({}, id="default"), pytest.param({"compat": "original"}, id="original")]


@pytest.mark.parametrize("args", MODES)
@pytest.mark.parametrize("count", [1, 7, 400])
def test_l1_every_node_is_kept_or_has_the_reason(args: dict[str, Any], count: int) -> None:
    verdicts = tossed(nodes=NODES[:count], **args).verdicts
    assert len(verdicts) == count
    assert {v.status.reasons for v in verdicts.values() if not v.feasible} <= {(UNLUCKY,)}


def test_l1_a_pod_without_luck_is_told_so() -> None:
    decision = roost.decide(pod(), NODES[:1], policy=Profile.of([Lucky(LuckyArgs(pass_rate=0))]))
    assert decision.message == f"0/1 nodes are available: 1 {UNLUCKY}."


@pytest.mark.parametrize("args", MODES)
def test_l2_half_of_all_nodes_pass_and_scores_are_uniform_on_0_to_10(args: dict[str, Any]) -> None:
    tables = [tossed(Context(cycle=i), uid=f"p{i}", scale="extender", **args) for i in range(30)]
    share = sum(len(kept(table)) for table in tables) / (30 * len(NODES))
    assert abs(share - 0.5) < 0.02
    assert is_uniform(Counter(score for table in tables for score in raw(table).values()), 11)


def test_l2_the_recorded_draws_of_the_original_are_uniform_and_half_too() -> None:
    recorded = Counter({int(score): count for score, count in GOLDEN["score_distribution_1200"].items()})
    assert is_uniform(recorded, 11)
    assert abs(GOLDEN["filter_pass_fraction"] - 0.5) < 0.05


def test_scores_are_uniform_on_0_to_100_unless_for_an_extender() -> None:
    drawn = Counter(score for i in range(60) for score in raw(tossed(uid=f"p{i}")).values())
    assert is_uniform(drawn, 101)
    assert (min(drawn), max(drawn)) == (0, 100)


@pytest.mark.parametrize("args", MODES)
def test_l3_the_same_seed_gives_the_same_again(args: dict[str, Any]) -> None:
    ctx = Context(seed=5, cycle=9)
    assert tossed(ctx, **args) == tossed(ctx, **args)


def test_l3_a_retry_meets_the_same_luck_and_another_seed_or_pod_other_luck() -> None:
    first = tossed(Context(seed=1, cycle=1))
    assert tossed(Context(seed=1, cycle=2)) == first
    assert tossed(Context(seed=2, cycle=1)) != first
    assert tossed(Context(seed=1), uid="another") != first


def test_l3_a_seed_among_the_arguments_goes_before_that_of_the_driver() -> None:
    assert tossed(Context(seed=5), seed=1) == tossed(Context(seed=6), seed=1) == tossed(Context(seed=1))
    originally = [tossed(Context(seed=seed, cycle=3), seed=1, compat="original") for seed in (5, 6)]
    assert originally[0] == originally[1]


def test_as_the_original_every_attempt_is_a_new_throw() -> None:
    first = tossed(Context(seed=1, cycle=1), compat="original")
    assert tossed(Context(seed=1, cycle=2), compat="original") != first
    assert tossed(Context(seed=2, cycle=1), compat="original") != first
    assert tossed(Context(seed=1, cycle=1), uid="another", compat="original") != first


def test_the_luck_of_a_node_does_not_depend_on_the_others() -> None:
    some = tossed(nodes=NODES[100:200])
    alike = {name: score for name, score in raw(tossed()).items() if name in some.verdicts}
    assert raw(some) == alike


def test_passing_and_scoring_are_thrown_apart() -> None:
    drawn = [score for i in range(20) for score in raw(tossed(uid=f"p{i}")).values()]
    assert abs(sum(drawn) / len(drawn) - 50) < 2


@pytest.mark.parametrize(("rate", "share"), [(0, 0), (0.1, 0.1), (0.9, 0.9), (1, 1)])
def test_the_share_that_passes_is_an_argument(rate: float, share: float) -> None:
    passed = sum(len(kept(tossed(uid=f"p{i}", pass_rate=rate))) for i in range(10)) / (10 * len(NODES))
    assert abs(passed - share) < 0.03
    assert share not in (0, 1) or passed == share


@given(st.text(max_size=8), st.integers(), st.floats(0, 1))
def test_whatever_the_seed_scores_stay_within_the_scale(uid: str, seed: int, rate: float) -> None:
    for args, highest in (({}, 100), ({"scale": "extender"}, 10)):
        scores = raw(tossed(uid=uid, nodes=NODES[:20], seed=seed, pass_rate=rate, **args)).values()
        assert all(0 <= score <= highest for score in scores)


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ({"passRate": 1.5}, r"args\.passRate: must be from 0 to 1, not 1\.5$"),
        ({"passRate": -0.1}, r"args\.passRate: must be from 0 to 1, not -0\.1$"),
        ({"seed": "x"}, r"args\.seed: is a text, not a whole number"),
    ],
)
def test_wrong_arguments_are_refused(args: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        make_plugin("Lucky", Lucky, ("args", args))


# ---- live


@in_virtual_time
@pytest.mark.parametrize("args", MODES)
async def test_l3_in_the_live_loop_a_pod_without_luck_stays_so_unless_dice_are_thrown_anew(
    args: dict[str, Any],
) -> None:
    cluster, lucky = FakeCluster(), Lucky(LuckyArgs(seed=3, pass_rate=0.3, **args))
    cluster.add(NODE, node("n"))
    cluster.add(POD, pod("web"))
    async with running(cluster, [Profile.of([lucky, PrioritySort(), DefaultBinder()])]) as scheduler:
        await until(lambda: scheduler.queue.counts()["unschedulable"] == 1)
        for i in range(30):
            cluster.change(NODE, "n", metadata={"labels": {"change": str(i)}})
            await asyncio.sleep(15)
        assert bool(cluster.placements()) == (args != {})
