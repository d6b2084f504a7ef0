"""Scores by strategy, each against kube-scheduler's formula in Python's unbounded integers."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roost.framework.node_resources import ResourceSpec
from roost.plugins.intree.node_resources_fit import (
    NodeResourcesFit,
    NodeResourcesFitArgs,
    RatioParam,
    ScoringStrategy,
    ShapePoint,
    Strategy,
)
from roost.testing import node, pod

Rate = Callable[..., dict[str, int]]
Fields = dict[str, Any]
Shape = Sequence[tuple[int, int]]
GPU = "example.com/gpu"
MIB = 1 << 20
CPU_AND_MEMORY = (("cpu", 1), ("memory", 1))
CPU = (("cpu", 1),)
FULLER = ((0, 0), (100, 10))


def fit(strategy: Strategy, resources: Sequence[tuple[str, int]] = CPU, shape: Shape = FULLER) -> NodeResourcesFit:
    points = tuple(ShapePoint(utilization=utilization, score=score) for utilization, score in shape)
    specs = tuple(ResourceSpec(name=name, weight=weight) for name, weight in resources)
    ratio = RatioParam(shape=points) if strategy == "RequestedToCapacityRatio" else None
    return NodeResourcesFit(
        NodeResourcesFitArgs(
            scoring_strategy=ScoringStrategy(type=strategy, resources=specs, requested_to_capacity_ratio=ratio)
        )
    )


def score(rate: Rate, plugin: NodeResourcesFit, used: Fields, asked: Fields, **has: Any) -> int:
    """Return the score of a node with one pod on it."""
    return rate(plugin, pod(requests=asked), [node("n", **has)], [pod("placed", requests=used, node_name="n")])["n"]


# ---- each strategy by hand


@pytest.mark.parametrize(
    ("strategy", "used", "asked", "cpu", "expected"),
    [
        pytest.param("LeastAllocated", 0, 1000, 4000, 75, id="least: the share that stays free"),
        pytest.param("LeastAllocated", 1000, 1000, 3000, 33, id="least: truncated"),
        pytest.param("LeastAllocated", 3000, 1000, 4000, 0, id="least: full"),
        pytest.param("LeastAllocated", 5000, 0, 4000, 0, id="least: overfull is 0, not negative"),
        pytest.param("LeastAllocated", 0, 0, 0, 0, id="least: a node without any"),
        pytest.param("MostAllocated", 0, 1000, 4000, 25, id="most: the share that is used"),
        pytest.param("MostAllocated", 1000, 1000, 3000, 66, id="most: truncated"),
        pytest.param("MostAllocated", 5000, 0, 4000, 100, id="most: overfull is 100, not more"),
        pytest.param("MostAllocated", 0, 0, 0, 0, id="most: a node without any"),
        pytest.param("RequestedToCapacityRatio", 0, 1000, 4000, 25, id="ratio: up the line"),
        pytest.param("RequestedToCapacityRatio", 1000, 1000, 3000, 66, id="ratio: truncated"),
        pytest.param("RequestedToCapacityRatio", 5000, 0, 4000, 100, id="ratio: overfull is the end of the line"),
        pytest.param("RequestedToCapacityRatio", 0, 0, 0, 0, id="ratio: a node without any"),
    ],
)
def test_one_resource(rate: Rate, strategy: Strategy, used: int, asked: int, cpu: int, expected: int) -> None:
    assert score(rate, fit(strategy), {"cpu": f"{used}m"}, {"cpu": f"{asked}m"}, cpu=f"{cpu}m") == expected


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        pytest.param("LeastAllocated", (50 * 1 + 75 * 3) // 4, id="least"),
        pytest.param("MostAllocated", (50 * 1 + 25 * 3) // 4, id="most"),
        pytest.param("RequestedToCapacityRatio", 31, id="ratio: 31.25 rounds down"),
    ],
)
def test_resources_count_by_weight(rate: Rate, strategy: Strategy, expected: int) -> None:
    plugin = fit(strategy, (("cpu", 1), ("memory", 3)))
    assert (
        score(rate, plugin, {"cpu": "1", "memory": "1Gi"}, {"cpu": "1", "memory": "1Gi"}, cpu="4", memory="8Gi")
        == expected
    )


def test_the_example_of_kubernetes_documentation_for_the_ratio(rate: Rate) -> None:
    plugin = fit("RequestedToCapacityRatio", ((GPU, 5), ("memory", 1), ("cpu", 3)))
    used, asked = {GPU: 1, "memory": "256Mi", "cpu": 1}, {GPU: 2, "memory": "256Mi", "cpu": 2}
    expected = round((75 * 5 + 50 * 1 + 37 * 3) / 9)
    assert score(rate, plugin, used, asked, cpu=8, memory="1Gi", allocatable={GPU: 4}) == expected


def test_the_ratio_rounds_half_up(rate: Rate) -> None:
    plugin = fit("RequestedToCapacityRatio", CPU_AND_MEMORY)
    assert score(rate, plugin, {"cpu": 0, "memory": 0}, {"cpu": 1, "memory": "2Gi"}, cpu=100, memory="100Gi") == 2


@pytest.mark.parametrize(
    ("shape", "at"),
    [
        pytest.param([(0, 10), (100, 0)], {0: 100, 25: 75, 100: 0}, id="downwards"),
        pytest.param([(0, 0), (70, 10), (100, 0)], {35: 50, 70: 100, 85: 50, 100: 0}, id="up and down"),
        pytest.param(
            [(20, 3), (40, 9)], {0: 30, 20: 30, 21: 33, 30: 60, 40: 90, 100: 90}, id="flat outside the points"
        ),
        pytest.param([(50, 5)], {0: 50, 50: 50, 100: 50}, id="one point is a flat line"),
        pytest.param([(0, 10), (7, 0)], {1: 86, 2: 72, 6: 15}, id="steps down are truncated towards the upper end"),
        pytest.param([(0, 0), (7, 10)], {1: 14, 2: 28, 6: 85}, id="steps up are truncated downwards"),
    ],
)
def test_the_line_through_the_points(rate: Rate, shape: Shape, at: dict[int, int]) -> None:
    plugin = fit("RequestedToCapacityRatio", CPU, shape)
    scores = {percent: score(rate, plugin, {"cpu": 0}, {"cpu": percent}, cpu=100) for percent in at}
    assert scores == at


def test_a_resource_whose_rating_is_zero_does_not_pull_the_ratio_down(rate: Rate) -> None:
    plugin = fit("RequestedToCapacityRatio", (("cpu", 1), ("memory", 99)))
    assert score(rate, plugin, {"cpu": 0, "memory": 0}, {"cpu": 2, "memory": 0}, cpu=4, memory="8Gi") == 50


# ---- which resources count, and what of them


def test_by_default_the_free_shares_of_cpu_and_memory_count(rate: Rate) -> None:
    asked = {"cpu": 1, "memory": "4Gi", "ephemeral-storage": "1Gi"}
    has: Fields = {"cpu": 4, "memory": "8Gi", "allocatable": {"ephemeral-storage": "1Gi"}}
    assert score(rate, NodeResourcesFit(), {"cpu": 0, "memory": 0}, asked, **has) == (75 + 50) // 2


@pytest.mark.parametrize(
    ("used", "asked", "expected"),
    [
        pytest.param({"cpu": 0}, {}, 90, id="a pod without a request counts 100 milli-cores"),
        pytest.param({}, {"cpu": 0}, 90, id="so does a pod that is there"),
        pytest.param({"cpu": 0}, {"cpu": 0}, 100, id="a request of zero is a request"),
    ],
)
def test_missing_cpu_requests(rate: Rate, used: Fields, asked: Fields, expected: int) -> None:
    assert score(rate, fit("LeastAllocated"), used, asked, cpu=1) == expected


def test_missing_memory_requests_count_200_mebibytes(rate: Rate) -> None:
    plugin = fit("LeastAllocated", (("memory", 1),))
    assert score(rate, plugin, {"memory": "0"}, {}, memory="1000Mi") == 80
    assert score(rate, plugin, {}, {}, memory="1000Mi") == 60


def test_an_extended_resource_counts_only_for_pods_that_ask_for_it(rate: Rate) -> None:
    plugin = fit("MostAllocated", (("cpu", 1), (GPU, 3)))
    has: Fields = {"cpu": 4, "allocatable": {GPU: 4}}
    assert score(rate, plugin, {"cpu": 0, GPU: 2}, {"cpu": 1}, **has) == 25
    assert score(rate, plugin, {"cpu": 0, GPU: 2}, {"cpu": 1, GPU: 1}, **has) == (25 + 3 * 75) // 4


def test_a_node_without_the_resource_is_scored_by_the_others(rate: Rate) -> None:
    plugin = fit("MostAllocated", (("cpu", 1), (GPU, 3)))
    nodes = [node("gpu", cpu=4, allocatable={GPU: 2}), node("plain", cpu=4)]
    assert rate(plugin, pod(cpu=1, requests={GPU: 1}), nodes) == {"gpu": (25 + 3 * 50) // 4, "plain": 25}


@pytest.mark.parametrize("name", ["pods", GPU, "unheard-of"])
def test_what_kube_scheduler_does_not_count_scores_nothing(rate: Rate, name: str) -> None:
    """CPU, memory, ephemeral storage and scalar resources count; the number of pods does not."""
    assert score(rate, fit("MostAllocated", ((name, 1),)), {}, {}, pods=2, allocatable={GPU: 1}) == 0


# ---- beyond the range of exact floats


def reference(strategy: Strategy, resources: Sequence[tuple[int, int, int]]) -> int:
    """Score (requested, capacity, weight) of each resource as kube-scheduler does, without any limit of size."""
    rates = {
        "LeastAllocated": lambda requested, capacity: max(capacity - requested, 0) * 100 // capacity,
        "MostAllocated": lambda requested, capacity: min(requested, capacity) * 100 // capacity,
        "RequestedToCapacityRatio": lambda requested, capacity: min(requested * 100 // capacity, 100),
    }
    rated = [(rates[strategy](requested, capacity), weight) for requested, capacity, weight in resources if capacity]
    if strategy == "RequestedToCapacityRatio":
        rated = [(each, weight) for each, weight in rated if each > 0]
    weights = sum(weight for _, weight in rated) or 1
    total = sum(each * weight for each, weight in rated)
    return (2 * total + weights) // (2 * weights) if strategy == "RequestedToCapacityRatio" else total // weights


LIMIT = (1 << 53) // 100
AMOUNTS = st.one_of(st.integers(0, 20), st.integers(LIMIT - 50, LIMIT + 50), st.integers(0, 9 * 10**16))
STRATEGIES = st.sampled_from(["LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"])
RESOURCES = ("cpu", "memory", GPU)


@given(
    strategy=STRATEGIES,
    used=st.tuples(AMOUNTS, AMOUNTS, AMOUNTS),
    asked=st.tuples(AMOUNTS, AMOUNTS, AMOUNTS.filter(bool)),
    has=st.tuples(AMOUNTS, AMOUNTS, AMOUNTS),
    weights=st.tuples(*[st.integers(1, 100)] * 3),
)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_amounts_are_scored_as_with_unbounded_integers(
    rate: Rate,
    strategy: Strategy,
    used: Sequence[int],
    asked: Sequence[int],
    has: Sequence[int],
    weights: Sequence[int],
) -> None:
    plugin = fit(strategy, tuple(zip(RESOURCES, weights, strict=True)))
    cpu, memory, gpu = in_units(has)
    got = score(rate, plugin, requests(used), requests(asked), cpu=cpu, memory=memory, allocatable={GPU: gpu})
    assert got == reference(strategy, [(u + a, h, w) for u, a, h, w in zip(used, asked, has, weights, strict=True)])


def in_units(amounts: Sequence[int]) -> list[str]:
    return [f"{amounts[0]}m", str(amounts[1]), str(amounts[2])]


def requests(amounts: Sequence[int]) -> dict[str, str]:
    return dict(zip(RESOURCES, in_units(amounts), strict=True))
