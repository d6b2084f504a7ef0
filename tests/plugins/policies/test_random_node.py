from collections import Counter
from collections.abc import Sequence

import pytest

import roost
from roost.cache import Cache
from roost.framework.cycle import Cycle
from roost.framework.plugin import Context, Plugin
from roost.framework.profile import Profile
from roost.plugins.policies.random_node import RandomNodeArgs
from roost.plugins.registry import REGISTRY
from roost.testing import node, pod

NODES = 50
PODS = 5000


def chosen(uids: Sequence[str], seed: int = 0, nodes: int = NODES) -> list[str | None]:
    cache = Cache()
    for number in range(nodes):
        cache.set_node(node(f"n{number:02}"))
    plugin: Plugin = REGISTRY["RandomNode"](RandomNodeArgs(seed=seed))
    cycle = Cycle(Profile.of([plugin]))
    return [cycle.decide(cache.pod_info(pod(uid=uid)), cache.view, Context()).node for uid in uids]


def uids(count: int) -> list[str]:
    return [f"8f1c{number:04}" for number in range(count)]


def test_all_nodes_are_chosen_about_equally_often() -> None:
    counts = Counter(chosen(uids(PODS)))
    expected = PODS / NODES
    chi_squared = sum((count - expected) ** 2 / expected for count in counts.values())
    assert len(counts) == NODES
    assert chi_squared < 85.4, "with 49 degrees of freedom even choices exceed this once in a thousand times"


def test_the_same_seed_gives_the_same_nodes() -> None:
    assert chosen(uids(50), seed=7) == chosen(uids(50), seed=7)


def test_another_seed_gives_other_nodes() -> None:
    same = sum(one == other for one, other in zip(chosen(uids(200)), chosen(uids(200), seed=1), strict=True))
    assert same < 20


def test_a_pod_keeps_its_node_when_a_node_that_it_is_not_on_goes() -> None:
    before, after = chosen(uids(100), nodes=NODES), chosen(uids(100), nodes=NODES - 1)
    assert [name for name in before if name != f"n{NODES - 1}"] == [
        now for now, was in zip(after, before, strict=True) if was != f"n{NODES - 1}"
    ]


def test_pods_that_differ_in_nothing_but_the_uid_go_to_different_nodes() -> None:
    assert len(set(chosen(uids(50)))) > 20


def test_a_pod_without_a_uid_goes_by_its_name() -> None:
    nodes = [node(f"n{number}") for number in range(20)]
    decisions = [roost.decide(pod(f"p{i}", uid=""), nodes, policy="RandomNode") for i in range(20)]
    assert len({decision.node for decision in decisions}) > 5


def test_only_nodes_that_fit_are_drawn() -> None:
    nodes = [node("full", cpu="0"), node("free"), node("cordoned", unschedulable=True)]
    assert {roost.decide(pod(uid=uid, cpu=1), nodes, policy="RandomNode").node for uid in uids(30)} == {"free"}


def test_load_is_ignored() -> None:
    busy = [pod(f"b{i}", cpu="100m", node_name="a") for i in range(30)]
    nodes = [node("a"), node("b")]
    with_load, without = (
        [roost.decide(pod(uid=uid), nodes, pods, policy="RandomNode").node for uid in uids(30)] for pods in (busy, ())
    )
    assert with_load == without


@pytest.mark.parametrize("seed", [0, -1, 2**63])
def test_any_whole_number_is_a_seed(seed: int) -> None:
    assert set(chosen(uids(20), seed=seed, nodes=2)) == {"n00", "n01"}
