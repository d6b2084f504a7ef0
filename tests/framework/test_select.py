"""Which of several best nodes wins: by name, by a hash of pod and node, or by dice with a seed."""

import random
from collections import Counter
from collections.abc import Sequence

import pytest

from roost.cache import Cache
from roost.framework.cycle import Cycle
from roost.framework.decision import Decision
from roost.framework.plugin import Context
from roost.framework.profile import Profile, Tie
from roost.framework.simple import lift
from roost.testing import node, pod

NAMES = [f"node-{number:02}" for number in range(20)]
TIES: list[Tie] = ["first", "spread", "random"]


class Label:
    """Scores what a label says."""

    def score(self, pod, node):
        return float(node.labels.get("score", 0))


def decide(tie: Tie, names: Sequence[str], uid: str = "u", context: Context = Context(), **scores: int) -> Decision:  # noqa: B008
    cache = Cache()
    for name in names:
        cache.set_node(node(name, labels={"score": str(scores.get(name.replace("-", "_"), 5))}))
    cycle = Cycle(Profile.of([lift(Label)()], tie=tie))
    return cycle.decide(cache.pod_info(pod(uid=uid)), cache.view, context)


def top(decision: Decision) -> list[str]:
    return [best.node for best in decision.top]


@pytest.mark.parametrize("tie", TIES)
def test_a_higher_score_wins_whatever_the_tie_rule(tie: Tie) -> None:
    for uid in "abcdefgh":
        decision = decide(tie, NAMES, uid, node_07=9, node_11=8, node_03=7)
        assert [(best.node, best.total) for best in decision.top] == [("node-07", 9), ("node-11", 8), ("node-03", 7)]


@pytest.mark.parametrize("tie", TIES)
def test_the_same_inputs_give_the_same_node(tie: Tie) -> None:
    context = Context(seed=3, cycle=8)
    assert decide(tie, NAMES, context=context) == decide(tie, NAMES, context=context)


@pytest.mark.parametrize("tie", TIES)
def test_the_order_in_which_nodes_came_does_not_matter(tie: Tie) -> None:
    expected = top(decide(tie, NAMES))
    for seed in range(10):
        assert top(decide(tie, random.Random(seed).sample(NAMES, len(NAMES)))) == expected


@pytest.mark.parametrize("tie", TIES)
def test_slots_that_were_freed_do_not_matter(tie: Tie) -> None:
    cache = Cache()
    for name in ["gone-1", *NAMES[:10], "gone-2", *NAMES[10:]]:
        cache.set_node(node(name))
    for name in ("gone-1", "gone-2"):
        cache.remove_node(name)
    decision = Cycle(Profile(tie=tie)).decide(cache.pod_info(pod(uid="u")), cache.view, Context())
    assert top(decision) == top(decide(tie, NAMES))


def test_first_is_the_smallest_name_by_bytes() -> None:
    assert top(decide("first", ["b", "a", "B", "ä"])) == ["B", "a", "b"]
    assert top(decide("first", ["n10", "n9", "n1"])) == ["n1", "n10", "n9"]


def test_spread_gives_pods_different_nodes_and_each_pod_its_own() -> None:
    chosen = Counter(decide("spread", NAMES, f"uid-{number}").node for number in range(600))
    assert chosen.keys() == set(NAMES)
    assert max(chosen.values()) < 3 * min(chosen.values())
    assert decide("spread", NAMES, "uid-1", Context(seed=1, cycle=1)) == decide(
        "spread", NAMES, "uid-1", Context(seed=9, cycle=9)
    )


def test_a_node_that_is_not_chosen_does_not_alter_who_is() -> None:
    for number in range(20):
        chosen = decide("spread", NAMES, f"uid-{number}").node
        rest = [name for name in NAMES if name == chosen or name > "node-09"]
        assert decide("spread", rest, f"uid-{number}").node == chosen


def test_random_is_fair_and_goes_by_seed_and_cycle_alone() -> None:
    cache, cycle = Cache(), Cycle(Profile(tie="random"))
    for name in NAMES:
        cache.set_node(node(name))

    def draws(seed: int, uid: str = "u") -> list[str | None]:
        info = cache.pod_info(pod(uid=uid))
        return [cycle.decide(info, cache.view, Context(seed=seed, cycle=number)).node for number in range(600)]

    counts = Counter(draws(seed=1))
    assert counts.keys() == set(NAMES)
    assert max(counts.values()) < 3 * min(counts.values())
    assert draws(seed=1) == draws(seed=1, uid="another pod")
    assert draws(seed=1) != draws(seed=2)


@pytest.mark.parametrize(("names", "count"), [([], 0), (["a"], 1), (["a", "b"], 2), (["a", "b", "c", "d"], 3)])
def test_up_to_three_of_the_best_are_named(names: list[str], count: int) -> None:
    assert len(decide("first", names).top) == count


def test_large_scores_do_not_overflow_the_order() -> None:
    class Huge:
        scale = "rank"

        def score(self, pod, node):
            return 2**31 - (node.name != "node-19")

    cache = Cache()
    for name in NAMES:
        cache.set_node(node(name))
    cycle = Cycle(Profile.of([lift(Huge)()]))
    decision = cycle.decide(cache.pod_info(pod()), cache.view, Context())
    assert [(best.node, best.total) for best in decision.top] == [
        ("node-19", 2**31),
        ("node-00", 2**31 - 1),
        ("node-01", 2**31 - 1),
    ]
