from collections.abc import Mapping, Sequence

import pytest
from msgspec.structs import replace

import roost
from roost.api.node import Node
from roost.api.pod import Pod
from roost.cache import Cache
from roost.config.profiles import default_profile
from roost.framework.cycle import Cycle
from roost.framework.decision import Decision, NodeScore, fit_error
from roost.framework.plugin import Context
from roost.framework.status import SUCCESS, Code, Status, unschedulable
from roost.testing import node, pod

SPOT = [{"key": "spot", "effect": "NoSchedule"}]
MIXED = [
    node("fits", cpu=8),
    node("small", cpu=1),
    node("spot", taints=SPOT),
    node("cordoned", unschedulable=True),
    node("cordoned-spot", unschedulable=True, taints=SPOT),
]


def decided(one: Pod, nodes: Sequence[Node] = MIXED, pods: Sequence[Pod] = ()) -> tuple[Decision, Cache]:
    cache = Cache()
    for each in nodes:
        cache.set_node(each)
    for each in pods:
        cache.set_pod(each)
    return Cycle(default_profile()).decide(cache.pod_info(one), cache.view, Context()), cache


# ---- the text of a pod that fits nowhere


@pytest.mark.parametrize(
    ("nodes", "reasons", "pre_filter", "text"),
    [
        pytest.param(0, {}, "", "no nodes available to schedule pods", id="no nodes"),
        pytest.param(2, {}, "", "0/2 nodes are available:", id="no reasons"),
        pytest.param(1, {"Too many pods": 1}, "", "0/1 nodes are available: 1 Too many pods.", id="one reason"),
        pytest.param(
            12, {"b": 2, "a": 10}, "", "0/12 nodes are available: 10 a, 2 b.", id="sorted as texts, the count included"
        ),
        pytest.param(12, {"b": 10, "a": 2}, "", "0/12 nodes are available: 10 b, 2 a.", id="so 10 stands before 2"),
        pytest.param(
            3, {"a": 3}, "no such claim", "0/3 nodes are available: no such claim.", id="a rejection beforehand"
        ),
    ],
)
def test_fit_error(nodes: int, reasons: Mapping[str, int], pre_filter: str, text: str) -> None:
    assert fit_error(nodes, reasons, pre_filter) == text


def test_each_node_counts_once_by_the_plugin_that_rejected_it_first() -> None:
    decision, _ = decided(pod(cpu=4), MIXED[1:])
    assert decision.message == (
        "0/4 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s), 2 node(s) were unschedulable."
        " no new claims to deallocate, preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling."
    )
    assert decision.rejected_by == {"NodeResourcesFit", "TaintToleration", "NodeUnschedulable"}
    assert (decision.outcome, decision.node, decision.feasible, decision.evaluated) == ("unschedulable", None, 0, 4)


def test_a_node_with_two_reasons_counts_for_both() -> None:
    decision, _ = decided(pod(cpu=4, memory="1Ti"), MIXED[:2])
    assert decision.reasons == {"Insufficient cpu": 1, "Insufficient memory": 2}


def test_nodes_left_out_beforehand_are_counted_as_such() -> None:
    fields = [{"key": "metadata.name", "operator": "In", "values": ["small"]}]
    rules = {"nodeSelectorTerms": [{"matchFields": fields}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": rules}}
    decision, _ = decided(pod(cpu=4, spec={"affinity": affinity}))
    assert decision.message == (
        "0/5 nodes are available: 1 Insufficient cpu, 4 node(s) didn't satisfy plugin(s) [NodeAffinity]."
        " no new claims to deallocate, preemption: 0/5 nodes are available: 5 Preemption is not helpful for scheduling."
    )
    assert decision.rejected_by == {"NodeResourcesFit", "NodeAffinity"}


def test_a_pod_rejected_beforehand_names_who_did_it() -> None:
    decision, _ = decided(pod(spec={"resourceClaims": [{"name": "gpu"}]}))
    assert decision.message == "0/5 nodes are available: spec.resourceClaims is not supported by Roost yet."
    assert decision.rejected_by == {"NotYetSupported"}
    assert decision.reasons == {"spec.resourceClaims is not supported by Roost yet": 5}


def test_without_nodes_nobody_rejected_the_pod() -> None:
    decision, _ = decided(pod(), [])
    assert (decision.message, decision.rejected_by) == ("no nodes available to schedule pods", frozenset())
    assert decision.freeze().verdicts == {}


# ---- the table


def test_a_decision_names_the_node_and_how_many_fit() -> None:
    decision, _ = decided(pod(cpu=1), [node("a"), node("b", cpu=8), node("c", unschedulable=True)])
    assert (decision.outcome, decision.node, decision.feasible, decision.evaluated) == ("scheduled", "b", 2, 3)
    assert decision.top == (NodeScore("b", decision.top[0].total), NodeScore("a", decision.top[1].total))
    assert (decision.message, decision.reasons) == ("", {})


def test_the_table_has_a_verdict_for_every_node_and_scores_for_those_that_fit() -> None:
    table = decided(pod(cpu=4))[0].freeze()
    assert {name: verdict.status.plugin for name, verdict in table.verdicts.items()} == {
        "fits": "",
        "small": "NodeResourcesFit",
        "spot": "TaintToleration",
        "cordoned": "NodeUnschedulable",
        "cordoned-spot": "NodeUnschedulable",
    }
    assert table.scores.keys() == {"fits"}
    assert table.verdicts["fits"].status == SUCCESS


def test_totals_are_the_sums_of_what_each_plugin_gave() -> None:
    decision, _ = decided(pod(cpu=1), [node("a", cpu=2), node("b", cpu=8)])
    table = decision.freeze()
    assert {name: row.total for name, row in table.scores.items()} == {best.node: best.total for best in decision.top}
    for row in table.scores.values():
        assert row.total == sum(row.weighted.values())
        assert row.weighted["TaintToleration"] == 300


def test_a_frozen_table_stays_true_when_pods_are_placed_and_nodes_change() -> None:
    decision, cache = decided(pod("web", cpu=1), [node("a", cpu=2), node("b", cpu=4)])
    table = decision.freeze()
    seen = ({**table.verdicts}, {name: (row.total, dict(row.raw)) for name, row in table.scores.items()})
    cache.assume(decision.pod, "b")
    for number in range(6):
        cycle_again = cache.pod_info(pod(f"p{number}", cpu=1))
        Cycle(default_profile()).decide(cycle_again, cache.view, Context())
        cache.assume(cycle_again, "b")
    cache.set_node(node("a", unschedulable=True))
    cache.remove_node("b")
    assert ({**table.verdicts}, {name: (row.total, dict(row.raw)) for name, row in table.scores.items()}) == seen


def test_a_table_frozen_of_a_remembered_answer_stays_true_as_well() -> None:
    cache = Cache()
    for one in (node("a", cpu=2), node("b", cpu=2)):
        cache.set_node(one)
    cycle = Cycle(default_profile())
    tables = []
    for number in range(5):
        decision = cycle.decide(cache.pod_info(pod(f"p{number}", cpu=1)), cache.view, Context())
        tables.append(decision.freeze())
        if decision.node is not None:
            cache.assume(decision.pod, decision.node)
    fitting = [[name for name, verdict in table.verdicts.items() if verdict.feasible] for table in tables]
    assert fitting == [["a", "b"], ["a", "b"], ["a", "b"], ["b"], []]
    assert [table.scores["b"].raw["NodeResourcesFit"] for table in tables[:4]] == [74, 74, 48, 48]


# ---- as values


def test_decisions_are_equal_if_all_that_they_say_is() -> None:
    one, other = decided(pod(cpu=1))[0], decided(pod(cpu=1))[0]
    assert one == other
    assert hash(one) == hash(other)
    assert one != decided(pod("other", cpu=1))[0]
    assert one != decided(pod(cpu=2))[0], "the totals differ"
    assert one != "a decision"
    assert replace(one, message="another") != one


def test_nodes_given_in_another_order_give_an_equal_decision() -> None:
    assert roost.decide(pod(cpu=4), MIXED) == roost.decide(pod(cpu=4), list(reversed(MIXED)))
    assert roost.decide(pod(cpu=9), MIXED) == roost.decide(pod(cpu=9), list(reversed(MIXED)))


def test_the_message_of_a_status_is_all_its_reasons() -> None:
    assert (SUCCESS.message, unschedulable("full").message) == ("", "full")
    assert Status(Code.Error, ("a", "b")).message == "a, b"
