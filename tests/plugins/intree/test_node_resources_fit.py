from collections.abc import Callable, Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from roost.api.node import NodeStatus
from roost.config.profiles import profile_from_fragment
from roost.errors import ConfigError
from roost.framework.status import Code, Status
from roost.plugins.intree.node_resources_fit import NodeResourcesFit, NodeResourcesFitArgs
from roost.testing import node, pod

Judge = Callable[..., Mapping[str, Status]]
Fields = dict[str, Any]
GPU = "example.com/gpu"
FULL = Code.Unschedulable
NO_CPU, NO_MEMORY, NO_GPU = "Insufficient cpu", "Insufficient memory", f"Insufficient {GPU}"
TOO_SMALL = Code.UnschedulableAndUnresolvable


def verdict(judge: Judge, used: Fields, asked: Fields, has: Fields, **args: Any) -> tuple[Code, list[str]] | None:
    """Return why a pod does not fit on a node with one pod on it; None if it fits."""
    placed = [pod("placed", requests=used, node_name="n")]
    rejected = judge(NodeResourcesFit(NodeResourcesFitArgs(**args)), pod(requests=asked), [node("n", **has)], placed)
    return (rejected["n"].code, list(rejected["n"].reasons)) if rejected else None


@pytest.mark.parametrize(
    ("used", "asked", "has", "expected"),
    [
        pytest.param({}, {}, {}, None, id="a pod that asks for nothing fits on a node with room for a pod"),
        pytest.param({"cpu": "3"}, {"cpu": "1"}, {"cpu": "4"}, None, id="exactly what is free"),
        pytest.param({"cpu": "3"}, {"cpu": "1001m"}, {"cpu": "4"}, (FULL, [NO_CPU]), id="a milli-core more"),
        pytest.param({}, {"cpu": "4001m"}, {"cpu": "4"}, (TOO_SMALL, [NO_CPU]), id="more than there is"),
        pytest.param({"memory": "1"}, {"memory": "1Gi"}, {"memory": "1Gi"}, (FULL, [NO_MEMORY]), id="a byte more"),
        pytest.param({}, {"memory": "3Gi"}, {"memory": "3Gi"}, None, id="a request beyond 32 bits"),
        pytest.param({"cpu": "3M"}, {"cpu": "3M"}, {"cpu": "6M"}, None, id="milli-cores beyond 32 bits"),
        pytest.param(
            {"memory": "7Ei"}, {"memory": "1"}, {"memory": "7Ei"}, (FULL, [NO_MEMORY]), id="a byte more than 7 EiB"
        ),
        pytest.param(
            {},
            {"ephemeral-storage": "2Gi"},
            {"allocatable": {"ephemeral-storage": "1Gi"}},
            (TOO_SMALL, ["Insufficient ephemeral-storage"]),
            id="ephemeral storage",
        ),
        pytest.param(
            {"hugepages-2Mi": "2Mi"},
            {"hugepages-2Mi": "2Mi"},
            {"allocatable": {"hugepages-2Mi": "2Mi"}},
            (FULL, ["Insufficient hugepages-2Mi"]),
            id="huge pages",
        ),
        pytest.param({GPU: 1}, {GPU: 1}, {"allocatable": {GPU: 2}}, None, id="an extended resource that is free"),
        pytest.param({GPU: 2}, {GPU: 1}, {"allocatable": {GPU: 2}}, (FULL, [NO_GPU]), id="or taken"),
        pytest.param({}, {GPU: 1}, {}, (TOO_SMALL, [NO_GPU]), id="one that no node has"),
        pytest.param({}, {GPU: 0}, {}, None, id="or none of it"),
        pytest.param({GPU: 5}, {}, {}, None, id="a pod there that uses what the node does not have"),
        pytest.param({"cpu": "8"}, {}, {"cpu": "4"}, None, id="an overfull node takes a pod that asks for nothing"),
        pytest.param({"cpu": "8"}, {"cpu": "1m"}, {"cpu": "4"}, (FULL, [NO_CPU]), id="but no other"),
        pytest.param({}, {}, {"pods": 1}, (FULL, ["Too many pods"]), id="no room for a pod"),
        pytest.param({}, {}, {"pods": 0}, (FULL, ["Too many pods"]), id="a node that takes no pods"),
        pytest.param(
            {"cpu": "4", GPU: 1},
            {"cpu": "1", "memory": "1Gi", GPU: 1},
            {"cpu": "4", "pods": 1, "allocatable": {GPU: 1}},
            (FULL, ["Too many pods", NO_CPU, NO_GPU]),
            id="several reasons at once",
        ),
        pytest.param(
            {"cpu": "4"},
            {"cpu": "1", "memory": "17Gi"},
            {"cpu": "4"},
            (TOO_SMALL, [NO_CPU, NO_MEMORY]),
            id="one thing that is too small decides",
        ),
    ],
)
def test_room(judge: Judge, used: Fields, asked: Fields, has: Fields, expected: tuple[Code, list[str]] | None) -> None:
    assert verdict(judge, used, asked, has) == expected


def test_a_node_that_says_nothing_of_what_it_has_takes_no_pods(judge: Judge) -> None:
    empty = replace(node("n"), status=NodeStatus())
    rejected = judge(NodeResourcesFit(), pod(cpu="1"), [empty])
    assert rejected["n"].reasons == ("Too many pods", "Insufficient cpu")


def test_nodes_are_judged_each_by_its_own_room(judge: Judge) -> None:
    nodes = [node("small", cpu="1"), node("full", cpu="2"), node("fits", cpu="2"), node("packed", pods=0)]
    rejected = judge(NodeResourcesFit(), pod(cpu="2"), nodes, [pod("a", cpu="1m", node_name="full")])
    assert {name: (status.code, status.message) for name, status in rejected.items()} == {
        "small": (TOO_SMALL, "Insufficient cpu"),
        "full": (FULL, "Insufficient cpu"),
        "packed": (FULL, "Too many pods"),
    }


def test_many_resources_at_once(judge: Judge) -> None:
    """Reasons are combined per node; with many resources they are found in another way, which must say the same."""
    names = [f"example.com/r{i:02}" for i in range(20)]
    nodes = [
        node("none"),
        node("odd", allocatable=dict.fromkeys(names[1::2], 1)),
        node("all", allocatable=dict.fromkeys(names, 1)),
    ]
    rejected = judge(NodeResourcesFit(), pod(requests=dict.fromkeys(names, 1)), nodes)
    assert sorted(rejected["none"].reasons) == [f"Insufficient {name}" for name in names]
    assert sorted(rejected["odd"].reasons) == [f"Insufficient {name}" for name in names[::2]]
    assert rejected.keys() == {"none", "odd"}


@pytest.mark.parametrize(
    ("args", "asked", "ignored"),
    [
        pytest.param({"ignored_resources": (GPU,)}, {GPU: 1}, True, id="by name"),
        pytest.param({"ignored_resources": ("example.com/tpu",)}, {GPU: 1}, False, id="by another name"),
        pytest.param({"ignored_resource_groups": ("example.com",)}, {GPU: 1}, True, id="by group"),
        pytest.param({"ignored_resource_groups": ("example.org",)}, {GPU: 1}, False, id="by another group"),
        pytest.param({"ignored_resources": ("cpu",)}, {"cpu": "5"}, False, id="only extended resources are ignored"),
        pytest.param({"ignored_resources": ("hugepages-2Mi",)}, {"hugepages-2Mi": "2Mi"}, False, id="not huge pages"),
        pytest.param(
            {"ignored_resource_groups": ("kubernetes.io",)}, {"kubernetes.io/x": 1}, False, id="nor native ones"
        ),
    ],
)
def test_ignored_resources(judge: Judge, args: Fields, asked: Fields, ignored: bool) -> None:
    assert (verdict(judge, {}, asked, {"cpu": "4"}, **args) is None) is ignored


def test_what_else_is_asked_counts_beside_an_ignored_resource(judge: Judge) -> None:
    asked = {GPU: 1, "memory": "17Gi"}
    assert verdict(judge, {}, asked, {}, ignored_resources=(GPU,)) == (TOO_SMALL, [NO_MEMORY])


# ---- arguments


def ratio(*shape: tuple[int, int]) -> Fields:
    points = [{"utilization": utilization, "score": score} for utilization, score in shape]
    return {"type": "RequestedToCapacityRatio", "requestedToCapacityRatio": {"shape": points}}


def weighing(*resources: Fields) -> Fields:
    return {"scoringStrategy": {"resources": list(resources)}}


SHAPE = "scoringStrategy.requestedToCapacityRatio.shape"


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        pytest.param(
            {"scoringStrategy": {"type": "Best"}}, "scoringStrategy.type: 'Best' is none of Least", id="strategy"
        ),
        pytest.param(weighing({"name": "cpu", "weight": 101}), "scoringStrategy.resources[0].weight: 101", id="heavy"),
        pytest.param(weighing({"name": "cpu", "weight": -1}), "scoringStrategy.resources[0].weight: -1", id="negative"),
        pytest.param(
            weighing({"name": "cpu"}, {"name": "cpu"}),
            "scoringStrategy.resources[1].name: resource 'cpu' is",
            id="twice",
        ),
        pytest.param({"scoringStrategy": {"type": ratio()["type"]}}, f"{SHAPE}: Requested", id="no shape"),
        pytest.param({"scoringStrategy": ratio()}, f"{SHAPE}: Requested", id="an empty shape"),
        pytest.param(
            {"scoringStrategy": ratio((0, 0), (101, 10))}, f"{SHAPE}[1].utilization: 101 is not", id="over 100 %"
        ),
        pytest.param({"scoringStrategy": ratio((0, 11))}, f"{SHAPE}[0].score: 11 is not", id="a score over 10"),
        pytest.param(
            {"scoringStrategy": ratio((9, 1), (9, 2))}, f"{SHAPE}[1].utilization: must be", id="no way forward"
        ),
        pytest.param({"ignoredResources": "gpu"}, "ignoredResources: is a text, not a list", id="a text for a list"),
        pytest.param({"ignoredResource": []}, "ignoredResource: unknown field; did you mean", id="a field misspelt"),
        pytest.param(
            {"ignoredResourceGroups": [GPU]}, "ignoredResourceGroups", id="a resource where a group is asked for"
        ),
    ],
)
def test_arguments_that_mean_nothing_are_refused_with_their_path(args: Fields, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        profile_from_fragment({"pluginConfig": [{"name": "NodeResourcesFit", "args": args}]})
    assert str(caught.value).startswith(f"pluginConfig[0].args.{problem}")


def test_no_weight_and_a_weight_of_zero_are_a_weight_of_one() -> None:
    profile = profile_from_fragment(
        {"pluginConfig": [{"name": "NodeResourcesFit", "args": weighing({"name": "cpu", "weight": 0}, {"name": GPU})}]}
    )
    assert "NodeResourcesFit" in [plugin.name for plugin in profile.filter]
