"""The unit tests of k8s-spot-rescheduler, as recorded: orders, first fit, whether a node can be drained, labels."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.analysis.spot_world import moves, node, on_demand, plan, pod, refusals, spot

from roost.analysis.landing import landing_profile
from roost.analysis.node_pools import NodePools, read_node_label
from roost.analysis.spot_plan import emptiest_on_demand_first, fullest_spot_first
from roost.api.draining import DrainPod
from roost.cache import Cache
from roost.config.profiles import default_profile
from roost.errors import ConfigError
from roost.framework.cycle import Cycle
from roost.framework.plugin import Context

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "spot_rescheduler.json").read_text())
MAP = GOLDEN["node_map"]


def pods_on(described: dict[str, Any]) -> list[DrainPod]:
    name = described["name"]
    return [pod(f"{name}-{i}", name, cpu=f"{cpu}m") for i, cpu in enumerate(described["pods"])]


def pairs(label: str) -> dict[str, str]:
    key, value = label.split("=")
    return {key: value}


def test_x1_nodes_are_tried_in_the_recorded_order() -> None:
    described = [(one, MAP["on_demand_label"]) for one in MAP["on_demand"]]
    described += [(one, MAP["spot_label"]) for one in MAP["spot"]]
    nodes = [node(one["name"], cpu=f"{one['cpu']}m", labels=pairs(label)) for one, label in described]
    pools = NodePools(read_node_label(MAP["spot_label"], "spot"), read_node_label(MAP["on_demand_label"], "on demand"))
    found = plan(*nodes, *(p for one, _ in described for p in pods_on(one)), pools=pools).nodes
    assert emptiest_on_demand_first(found) == MAP["expected_on_demand_order"]
    assert fullest_spot_first(found) == MAP["expected_spot_order"]


@pytest.mark.parametrize("case", GOLDEN["find_spot_node"]["cases"], ids=lambda case: f"a pod of {case['pod_cpu']}m")
def test_x1_the_first_node_that_fits_is_found(case: dict[str, Any]) -> None:
    cache, described = Cache(), GOLDEN["find_spot_node"]["nodes_in_order"]
    for one in described:
        cache.set_node(spot(one["name"], cpu=f"{one['cpu']}m"))
        for placed in pods_on(one):
            cache.set_pod(placed)
    profile = landing_profile(default_profile(), [one["name"] for one in described], first_fit=True)
    asked = cache.pod_info(pod("new", cpu=f"{case['pod_cpu']}m"))
    assert Cycle(profile).decide(asked, cache.view, Context()).node == case["expected"]


@pytest.mark.parametrize("case", GOLDEN["can_drain"], ids=lambda case: f"pods of {case['pods']}")
def test_x1_a_node_can_be_drained_if_first_fit_places_all_its_pods(case: dict[str, Any]) -> None:
    nodes = [spot(one["name"], cpu=f"{one['cpu']}m") for one in case["spot_in_order"]]
    placed = [p for one in case["spot_in_order"] for p in pods_on(one)]
    leaving = pods_on({"name": "full", "pods": case["pods"]})
    found = plan(on_demand("full", cpu="2"), *nodes, *placed, *leaving, landing="fullest")
    if case["expected_error"]:
        assert found.drain is None
        assert "default/full-1 has no place on a spot node" in refusals(found)["full"]
        assert case["pods"][1] == case["replica"]["failed_pod_cpu"]
        return
    recorded = [(cpu, name) for cpu, name in case["replica"]["moves"]]
    assert [(case["pods"][int(name[-1])], to) for name, to in moves(found).items()] == recorded


@pytest.mark.parametrize("case", GOLDEN["add_pod"], ids=lambda case: f"pods of {case['pods']}")
def test_x1_a_node_s_requests_are_the_sum_of_its_pods(case: dict[str, Any]) -> None:
    described = {"name": "a", "pods": case["pods"]}
    (use,) = plan(spot("a", cpu=f"{case['allocatable']}m"), *pods_on(described)).nodes
    assert (use.requested, use.allocatable - use.requested) == (case["requested"], case["free"])


@pytest.mark.parametrize("case", GOLDEN["label_match"], ids=lambda case: case["label_flag"])
def test_x1_labels_match(case: dict[str, Any]) -> None:
    label = read_node_label(case["label_flag"], "spot")
    assert label.is_on(node("a", labels=case["node_labels"])) == case["match"]


@pytest.mark.parametrize("case", GOLDEN["label_validation"], ids=lambda case: case["value"])
@pytest.mark.parametrize("what", ["spot", "on demand"])
def test_x1_a_label_with_two_equals_signs_is_refused(case: dict[str, Any], what: str) -> None:
    if case["ok"]:
        assert read_node_label(case["value"], what).text == case["value"]
        return
    told = (
        f"the {what} node label is not correctly formatted: "
        f"expected '<label_name>' or '<label_name>=<label_value>', but got {case['value']}"
    )
    with pytest.raises(ConfigError) as error:
        read_node_label(case["value"], what)
    assert str(error.value) == told
