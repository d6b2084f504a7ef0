"""Why a pod goes where it goes, or nowhere: groups with numbers, the ranking, what decided."""

import re

import pytest
from tests.analysis.explaining import Object, World, a_node, a_pod

from roost.analysis.amounts import spelled, written

TAINT = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}


def test_nodes_that_fail_are_grouped_by_their_first_failing_rule_those_that_lack_least_first() -> None:
    nodes = [
        a_node("small", cpu="1"),
        a_node("full"),
        a_node("tainted", taints=[TAINT]),
        a_node("closed", cordoned=True),
    ]
    explanation = World(nodes, [a_pod("there", on="full", cpu="3500m")]).explain(a_pod("new", cpu="2"))
    assert [(group.status.plugin, [one.node for one in group.nodes]) for group in explanation.groups] == [
        ("NodeResourcesFit", ["full"]),
        ("NodeResourcesFit", ["small"]),
        ("NodeUnschedulable", ["closed"]),
        ("TaintToleration", ["tainted"]),
    ]
    assert explanation.node is None


def test_numbers_are_what_is_asked_free_and_missing() -> None:
    explanation = World([a_node("n")], [a_pod("there", on="n", cpu="3500m")]).explain(a_pod("new", cpu="2"))
    (need,) = explanation.groups[0].nodes[0].missing
    assert (need.resource, need.asked, need.free, need.allocatable, need.missing) == ("cpu", 2000, 500, 4000, 1500)


@pytest.mark.parametrize(
    ("node", "asked", "detail"),
    [
        pytest.param(a_node("n", taints=[TAINT]), {}, "taint gpu=yes:NoSchedule", id="the taint is named"),
        pytest.param(
            a_node("n", disk="hdd"),
            {"nodeSelector": {"disk": "ssd"}},
            "wants disk=ssd, has disk=hdd",
            id="the label that differs is named",
        ),
        pytest.param(
            a_node("n"),
            {"nodeSelector": {"disk": "ssd"}},
            "wants disk=ssd, has no such label",
            id="the label that is missing is named",
        ),
        pytest.param(a_node("n"), {"ports": [80]}, "host port 80/TCP in use", id="the port is named"),
        pytest.param(a_node("n", cordoned=True), {}, "the node is cordoned", id="a cordon is called so"),
    ],
)
def test_what_a_rule_saw(node: Object, asked: Object, detail: str) -> None:
    explanation = World([node], [a_pod("there", on="n", ports=[80])]).explain(a_pod("new", **asked))
    assert explanation.groups[0].nodes[0].detail == detail


def test_the_chosen_node_comes_first_and_what_decided_is_said() -> None:
    explanation = World([a_node("a"), a_node("b")], [a_pod("there", on="a", cpu="2")]).explain(a_pod("new", cpu="1"))
    assert [one.node for one in explanation.ranked] == ["b", "a"]
    first, second = explanation.ranked
    assert sum(first.weighted.values()) == first.total
    assert explanation.why.startswith(f"b is {first.total - second.total} ahead of a: NodeResourcesFit +")


@pytest.mark.parametrize(
    ("nodes", "why"),
    [
        pytest.param(
            [a_node("b"), a_node("a")], "2 nodes have the highest total of .*: the first name wins", id="a tie"
        ),
        pytest.param(
            [a_node("a"), a_node("b", cordoned=True)], "a is the only one of 2 nodes that fits", id="only one fits"
        ),
    ],
)
def test_why_one_node_wins(nodes: list[Object], why: str) -> None:
    assert re.match(why, World(nodes).explain(a_pod("new")).why)


def test_the_matrix_has_every_node_and_every_rule_that_was_asked() -> None:
    nodes = [a_node("b", cpu="1", taints=[TAINT]), a_node("a")]
    matrix = World(nodes).explain(a_pod("new", cpu="2")).matrix
    assert [line.node for line in matrix.lines] == ["a", "b"]
    fails = {rule: matrix.texts[code] for rule, code in zip(matrix.rules, matrix.lines[1].cells, strict=True) if code}
    assert fails["TaintToleration"] == "node(s) had untolerated taint(s): taint gpu=yes:NoSchedule"
    assert fails["NodeResourcesFit"].startswith("Insufficient cpu: cpu: asks for 2, 1 free of 1, 1 missing")
    assert matrix.lines[0].total is not None
    assert matrix.lines[1].total is None


def test_a_gated_pod_is_told_what_would_be_decided_without_the_gate() -> None:
    explanation = World([a_node("a")]).explain(a_pod("new", schedulingGates=[{"name": "wait"}]))
    assert explanation.gate is not None
    assert (explanation.answer["result"], explanation.node) == ("gated", "a")


@pytest.mark.parametrize(
    ("resource", "amount", "people", "manifests"),
    [
        pytest.param("cpu", 1500, "1500m", "1500m", id="parts of a core"),
        pytest.param("cpu", 2000, "2", "2", id="whole cores"),
        pytest.param("memory", 1536 << 20, "1.5Gi", "1536Mi", id="memory is never rounded up in a manifest"),
        pytest.param("memory", 1000, "1000", "1000", id="a few bytes"),
        pytest.param("memory", (1 << 30) + 1, "1Gi", "1Gi", id="memory is rounded down where that loses little"),
        pytest.param("example.com/gpu", 3, "3", "3", id="devices"),
    ],
)
def test_amounts_are_written(resource: str, amount: int, people: str, manifests: str) -> None:
    assert (written(resource, amount), spelled(resource, amount)) == (people, manifests)
