"""Balance scores, each against kube-scheduler's formula written out in plain Python."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roost.api.node import Node
from roost.config.profiles import profile_from_fragment
from roost.errors import ConfigError
from roost.framework.node_resources import ResourceSpec
from roost.plugins.intree.node_resources_balanced_allocation import (
    NodeResourcesBalancedAllocation,
    NodeResourcesBalancedAllocationArgs,
)
from roost.testing import node, pod

Rate = Callable[..., dict[str, int] | None]
Amounts = Mapping[str, int]
GPU = "example.com/gpu"
NAMES = ("cpu", "memory", GPU)


def balanced(*names: str) -> NodeResourcesBalancedAllocation:
    resources = tuple(ResourceSpec(name=name) for name in names)
    return NodeResourcesBalancedAllocation(NodeResourcesBalancedAllocationArgs(resources=resources))


def machine(name: str, has: Amounts) -> Node:
    """A node with CPU in milli-cores and memory in bytes."""
    return node(name, cpu=f"{has.get('cpu', 0)}m", memory=has.get("memory", 0), allocatable={GPU: has.get(GPU, 0)})


def asking(name: str, amounts: Amounts, on: str = "") -> Any:
    requests = {key: f"{amount}m" if key == "cpu" else amount for key, amount in amounts.items()}
    return pod(name, requests=requests, node_name=on)


def scored(rate: Rate, names: Sequence[str], used: Amounts, asked: Amounts, has: Amounts) -> int | None:
    scores = rate(balanced(*names), asking("new", asked), [machine("n", has)], [asking("old", used, on="n")])
    return scores["n"] if scores is not None else None


# ---- the formula


def balance(fractions: Sequence[float]) -> int:
    if len(fractions) < 2:
        deviation = 0.0
    elif len(fractions) == 2:
        deviation = abs(fractions[0] - fractions[1]) / 2
    else:
        mean = sum(fractions) / len(fractions)
        deviation = math.sqrt(sum((fraction - mean) * (fraction - mean) for fraction in fractions) / len(fractions))
    return int((1 - deviation) * 100)


def share(used: int, capacity: int) -> float:
    return min(1.0, float(used) / float(capacity))


def reference(names: Sequence[str], used: Amounts, asked: Amounts, has: Amounts) -> int | None:
    if not any(asked.get(name, 0) for name in names):
        return None
    counted = [name for name in names if has.get(name, 0) and (name != GPU or asked.get(name, 0))]
    before, after = (
        balance([share(used.get(name, 0) + more.get(name, 0), has[name]) for name in counted]) for more in ({}, asked)
    )
    return 50 + (50 + after - before) // 2


AMOUNTS = st.fixed_dictionaries(
    {
        "cpu": st.integers(0, 100) | st.integers(0, 1 << 40),
        "memory": st.integers(0, 100) | st.integers(0, 1 << 61),
        GPU: st.integers(0, 8),
    }
)


@given(
    names=st.permutations(NAMES).flatmap(lambda names: st.integers(1, 3).map(lambda n: names[:n])),
    amounts=st.tuples(AMOUNTS, AMOUNTS, AMOUNTS),
)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_amounts_are_scored_by_the_formula(rate: Rate, names: Sequence[str], amounts: tuple[Amounts, ...]) -> None:
    used, asked, has = amounts
    assert scored(rate, names, used, asked, has) == reference(names, used, asked, has)


@given(cluster=st.lists(st.tuples(AMOUNTS, AMOUNTS), min_size=2, max_size=4), asked=AMOUNTS)
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nodes_that_lack_different_resources_are_scored_side_by_side(
    rate: Rate, cluster: list[tuple[Amounts, Amounts]], asked: Amounts
) -> None:
    nodes = [machine(f"n{i}", has) for i, (has, _) in enumerate(cluster)]
    placed = [asking(f"p{i}", used, on=f"n{i}") for i, (_, used) in enumerate(cluster)]
    scores = rate(balanced(*NAMES), asking("new", asked), nodes, placed)
    expected = {f"n{i}": reference(NAMES, used, asked, has) for i, (has, used) in enumerate(cluster)}
    assert scores == (None if None in expected.values() else expected)


# ---- by hand


@pytest.mark.parametrize(
    ("names", "used", "asked", "score"),
    [
        pytest.param(("cpu", "memory"), {}, {"cpu": 500, "memory": 50}, 75, id="a balance that stays is 75"),
        pytest.param(("cpu", "memory"), {}, {"cpu": 1000}, 50, id="all of one, none of the other is the worst"),
        pytest.param(("cpu", "memory"), {"cpu": 1000}, {"memory": 100}, 100, id="the opposite is the best"),
        pytest.param(("cpu", "memory"), {"cpu": 500}, {"memory": 50}, 87, id="half of it is half as good, truncated"),
        pytest.param(("cpu",), {}, {"cpu": 1000}, 75, id="one resource is always in balance"),
        pytest.param(NAMES, {}, {"cpu": 1000, GPU: 4}, 51, id="three resources: their standard deviation"),
        pytest.param(NAMES, {}, {"cpu": 1000, "memory": 100, GPU: 4}, 75, id="three in balance"),
        pytest.param(("cpu", "memory"), {"cpu": 5000, "memory": 500}, {"cpu": 1}, 75, id="overfull counts as full"),
    ],
)
def test_balance(rate: Rate, names: Sequence[str], used: Amounts, asked: Amounts, score: int) -> None:
    assert scored(rate, names, used, asked, {"cpu": 1000, "memory": 100, GPU: 4}) == score


def test_by_default_cpu_and_memory_are_balanced(rate: Rate) -> None:
    plugin = NodeResourcesBalancedAllocation()
    nodes = [machine("n", {"cpu": 1000, "memory": 100, GPU: 4})]
    assert rate(plugin, asking("new", {"cpu": 1000, GPU: 4}), nodes) == {"n": 50}


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({}, id="no requests"),
        pytest.param({"cpu": 0, "memory": 0}, id="requests of zero"),
        pytest.param({GPU: 1}, id="requests of other resources only"),
    ],
)
def test_pods_that_ask_for_none_of_the_resources_are_not_scored(rate: Rate, asked: Amounts) -> None:
    assert scored(rate, ("cpu", "memory"), {}, asked, {"cpu": 1000, "memory": 100, GPU: 4}) is None


def test_no_defaults_are_counted_for_what_is_not_asked_for(rate: Rate) -> None:
    """Unlike NodeResourcesFit: else the pod would use 20 % of the memory and not be as bad as it is."""
    assert scored(rate, ("cpu", "memory"), {}, {"cpu": 1000}, {"cpu": 1000, "memory": 1000 << 20}) == 50


def test_a_node_without_one_of_two_resources_is_in_balance(rate: Rate) -> None:
    nodes = [machine("cpu-only", {"cpu": 1000}), machine("both", {"cpu": 1000, "memory": 100})]
    assert rate(balanced("cpu", "memory"), asking("new", {"cpu": 1000}), nodes) == {"cpu-only": 75, "both": 50}


@pytest.mark.parametrize(
    ("resources", "problem"),
    [
        pytest.param(
            [{"name": "cpu"}, {"name": "cpu"}], "resources[1].name: resource 'cpu' is named twice", id="twice"
        ),
        pytest.param([{"name": "cpu", "weight": 101}], "resources[0].weight: ", id="too heavy"),
        pytest.param([{"name": "cpu", "weight": 2}], "resources[0].weight: ", id="balance knows no weights"),
    ],
)
def test_arguments_that_mean_nothing_are_refused_with_their_path(resources: list[dict[str, Any]], problem: str) -> None:
    args = {"name": "NodeResourcesBalancedAllocation", "args": {"resources": resources}}
    with pytest.raises(ConfigError) as caught:
        profile_from_fragment({"pluginConfig": [args]})
    assert str(caught.value).startswith(f"pluginConfig[0].args.{problem}")
