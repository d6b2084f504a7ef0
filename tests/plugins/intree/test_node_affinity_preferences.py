from collections.abc import Callable
from typing import Any

import pytest
from msgspec import convert

import roost
from roost.api.pod import Pod
from roost.config.profiles import profile_from_fragment
from roost.errors import ConfigError
from roost.plugins.intree.node_affinity import NodeAffinity, NodeAffinityArgs
from roost.testing import node, pod

Fields = dict[str, Any]
Rate = Callable[..., dict[str, int] | None]
NODES = [node("a", labels={"zone": "a", "disk": "ssd"}), node("b", labels={"zone": "b"}), node("c")]


def preference(weight: int, **labels: str) -> Fields:
    requirements = [{"key": key, "operator": "In", "values": [value]} for key, value in labels.items()]
    return {"weight": weight, "preference": {"matchExpressions": requirements}}


def preferring(*preferences: Fields) -> Pod:
    rules = {"preferredDuringSchedulingIgnoredDuringExecution": list(preferences)}
    return pod(spec={"affinity": {"nodeAffinity": rules}})


@pytest.mark.parametrize(
    ("preferences", "scores"),
    [
        pytest.param([preference(10, zone="a")], [10, 0, 0], id="the weight where the term matches"),
        pytest.param([preference(10, zone="a"), preference(7, disk="ssd")], [17, 0, 0], id="weights add up"),
        pytest.param([preference(10, zone="a", disk="hdd")], [0, 0, 0], id="all of a term must match"),
        pytest.param([preference(1, zone="a"), preference(100, zone="b")], [1, 100, 0], id="each node has its own sum"),
        pytest.param([preference(5)], [0, 0, 0], id="an empty term matches nothing"),
        pytest.param([preference(0, zone="a"), preference(3, zone="b")], [0, 3, 0], id="a weight of 0 adds nothing"),
        pytest.param(
            [
                {
                    "weight": 4,
                    "preference": {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["c"]}]},
                }
            ],
            [0, 0, 4],
            id="a node by its name",
        ),
    ],
)
def test_the_sum_of_matching_preferences(rate: Rate, preferences: list[Fields], scores: list[int]) -> None:
    assert rate(NodeAffinity(), preferring(*preferences), NODES) == dict(zip("abc", scores, strict=True))


@pytest.mark.parametrize(
    ("preferences", "scores"),
    [
        pytest.param([preference(10, zone="a")], [200, 0, 0], id="the highest sum is 100, times the weight of 2"),
        pytest.param([preference(3, zone="a"), preference(1, zone="b")], [200, 66, 0], id="shares are truncated"),
        pytest.param([preference(9, zone="x")], [0, 0, 0], id="nothing matches anywhere"),
    ],
)
def test_sums_are_scaled_to_the_highest(weigh: Rate, preferences: list[Fields], scores: list[int]) -> None:
    assert weigh(NodeAffinity(), preferring(*preferences), NODES) == dict(zip("abc", scores, strict=True))


def test_pods_without_preferences_are_not_scored(rate: Rate) -> None:
    assert rate(NodeAffinity(), pod(), NODES) is None
    assert rate(NodeAffinity(), pod(node_selector={"zone": "a"}), NODES) is None


def test_preferences_of_the_profile_add_to_those_of_the_pod(rate: Rate) -> None:
    rules = {"preferredDuringSchedulingIgnoredDuringExecution": [preference(5, zone="b")]}
    plugin = NodeAffinity(convert({"addedAffinity": rules}, NodeAffinityArgs))
    assert rate(plugin, pod(), NODES) == {"a": 0, "b": 5, "c": 0}
    assert rate(plugin, preferring(preference(2, zone="a")), NODES) == {"a": 2, "b": 5, "c": 0}


def test_only_nodes_that_fit_set_the_scale() -> None:
    nodes = [node("best", labels={"zone": "a"}, unschedulable=True), node("good", labels={"zone": "b"}), node("rest")]
    scores = roost.decide(preferring(preference(90, zone="a"), preference(1, zone="b")), nodes).freeze().scores
    assert {name: row.weighted["NodeAffinity"] for name, row in scores.items()} == {"good": 200, "rest": 0}


def test_a_misspelt_rule_in_the_added_affinity_is_refused() -> None:
    """Else a profile that should keep its pods off some nodes would do nothing, silently."""
    args = {"addedAffinity": {"requiredDuringScheduling": {"nodeSelectorTerms": []}}}
    with pytest.raises(ConfigError, match="requiredDuringScheduling"):
        profile_from_fragment({"pluginConfig": [{"name": "NodeAffinity", "args": args}]})
