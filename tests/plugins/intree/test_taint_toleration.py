from collections.abc import Callable, Hashable, Mapping
from typing import Any

import pytest

import roost
from roost.cache import Cache
from roost.framework.status import Code, Status
from roost.plugins.intree.taint_toleration import TaintToleration
from roost.testing import node, pod

Fields = dict[str, Any]
Judge = Callable[..., Mapping[str, Status]]
Rate = Callable[..., dict[str, int]]


def taint(key: str, effect: str = "NoSchedule", value: str = "") -> Fields:
    return {"key": key, "value": value, "effect": effect}


def soft(*keys: str) -> list[Fields]:
    return [taint(key, "PreferNoSchedule") for key in keys]


SPOT = {"key": "spot", "operator": "Exists"}
GPU = {"key": "gpu", "operator": "Exists"}


@pytest.mark.parametrize(
    ("taints", "tolerations", "fits"),
    [
        pytest.param([], [], True, id="no taints"),
        pytest.param([taint("spot")], [], False, id="NoSchedule keeps pods away"),
        pytest.param([taint("spot", "NoExecute")], [], False, id="NoExecute keeps pods away"),
        pytest.param([taint("spot", "PreferNoSchedule")], [], True, id="PreferNoSchedule does not"),
        pytest.param([taint("spot")], [SPOT], True, id="a tolerated taint"),
        pytest.param([taint("spot")], [SPOT | {"effect": "NoExecute"}], False, id="tolerated for another effect"),
        pytest.param([taint("spot"), taint("gpu")], [SPOT], False, id="every hard taint must be tolerated"),
        pytest.param([taint("spot"), taint("gpu")], [GPU, SPOT], True, id="by any toleration, in any order"),
        pytest.param([taint("spot"), taint("spot", "NoExecute")], [SPOT], True, id="one toleration for two effects"),
        pytest.param([taint("spot", value="a")], [{"key": "spot", "value": "b"}], False, id="another value"),
        pytest.param([taint("spot"), *soft("x")], [SPOT], True, id="a soft taint beside a tolerated one"),
        pytest.param([taint("spot")], [{"operator": "Exists"}], True, id="everything is tolerated"),
    ],
)
def test_hard_taints(judge: Judge, taints: list[Fields], tolerations: list[Fields], fits: bool) -> None:
    rejected = judge(TaintToleration(), pod(tolerations=tolerations), [node("tainted", taints=taints), node("free")])
    assert rejected.keys() == (set() if fits else {"tainted"})


def test_the_reason_is_kube_scheduler_s_and_evicting_could_not_help(judge: Judge) -> None:
    status = judge(TaintToleration(), pod(), [node("a", taints=[taint("spot")])])["a"]
    assert (status.code, status.message) == (Code.UnschedulableAndUnresolvable, "node(s) had untolerated taint(s)")


@pytest.mark.parametrize(
    ("taints", "tolerations", "count"),
    [
        pytest.param([], [], 0, id="no taints"),
        pytest.param(soft("a", "b", "c"), [], 3, id="each counts"),
        pytest.param(soft("a", "spot"), [SPOT], 1, id="tolerated ones do not"),
        pytest.param(soft("spot"), [SPOT | {"effect": "PreferNoSchedule"}], 0, id="tolerated for this very effect"),
        pytest.param(soft("spot"), [SPOT | {"effect": "NoSchedule"}], 1, id="tolerated for another effect only"),
        pytest.param([taint("a"), taint("b", "NoExecute"), *soft("c")], [], 1, id="hard taints do not count"),
    ],
)
def test_soft_taints_are_counted(rate: Rate, taints: list[Fields], tolerations: list[Fields], count: int) -> None:
    scores = rate(TaintToleration(), pod(tolerations=tolerations), [node("a", taints=taints), node("b")])
    assert scores == {"a": count, "b": 0}


@pytest.mark.parametrize(
    ("counts", "scores"),
    [
        pytest.param([0, 0], [300, 300], id="none anywhere: 100 times the weight of 3"),
        pytest.param([2, 2], [0, 0], id="equally many everywhere"),
        pytest.param([0, 1], [300, 0], id="the most is 0"),
        pytest.param([0, 1, 3], [300, 201, 0], id="in between it is truncated first: 100 - 33, times 3"),
        pytest.param([1, 3], [201, 0], id="the fewest is less than 100 if it is not none"),
    ],
)
def test_fewer_soft_taints_are_better(weigh: Rate, counts: list[int], scores: list[int]) -> None:
    nodes = [node(f"n{i}", taints=soft("a", "b", "c")[:count]) for i, count in enumerate(counts)]
    assert list(weigh(TaintToleration(), pod(), nodes).values()) == scores


def test_only_nodes_that_fit_set_the_scale() -> None:
    """A node with most soft taints that is rejected must not make the others look alike."""
    nodes = [node("best"), node("fair", taints=soft("a")), node("rejected", taints=[taint("x"), *soft("a", "b", "c")])]
    scores = roost.decide(pod(), nodes).freeze().scores
    assert {name: row.weighted["TaintToleration"] for name, row in scores.items()} == {"best": 300, "fair": 0}


def test_nodes_with_equal_taints_in_another_order_are_judged_alike(rate: Rate) -> None:
    nodes = [node("a", taints=soft("x", "y")), node("b", taints=soft("y", "x"))]
    assert rate(TaintToleration(), pod(tolerations=[{"key": "x", "operator": "Exists"}]), nodes) == {"a": 1, "b": 1}


def key(cache: Cache, plugin: TaintToleration, *keys: str) -> Hashable:
    tolerations = [{"key": key, "operator": "Exists"} for key in keys]
    return plugin.remember_by(cache.pod_info(pod(tolerations=tolerations)), cache.view)


def test_pods_are_alike_to_it_that_tolerate_the_same_of_the_taints_there_are() -> None:
    cache, plugin = Cache(), TaintToleration()
    cache.set_node(node("a", taints=[taint("spot"), *soft("old")]))
    assert key(cache, plugin) == key(cache, plugin, "gpu")
    assert key(cache, plugin, "spot", "gpu") == key(cache, plugin, "spot")
    assert len({key(cache, plugin), key(cache, plugin, "spot"), key(cache, plugin, "old")}) == 3


def test_a_taint_that_comes_tells_pods_apart_that_were_alike() -> None:
    cache, plugin = Cache(), TaintToleration()
    cache.set_node(node("a", taints=[taint("spot")]))
    before = key(cache, plugin, "spot")
    cache.set_node(node("b", taints=[taint("gpu")]))
    assert key(cache, plugin, "spot", "gpu") == before
    assert key(cache, plugin, "spot") != before


def test_with_very_many_taints_pods_are_told_apart_by_their_text() -> None:
    cache, plugin = Cache(), TaintToleration()
    cache.set_node(node("a", taints=[taint(f"taint-{number}") for number in range(2000)]))
    assert key(cache, plugin) is None
    assert not roost.decide(pod(), [node("a", taints=[taint(f"taint-{number}") for number in range(2000)])]).node
