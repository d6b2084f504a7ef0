from typing import Any

import pytest
from tests.analysis.spot_world import DAEMON_SET, WAITING, budget, moves, node, on_demand, plan, pod, refusals, spot

from roost.analysis.node_pools import NodePools
from roost.framework.decision import NodeScore

ANTI_AFFINITY = {
    "podAntiAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": "pool", "labelSelector": {"matchLabels": {"app": "web"}}}
        ]
    }
}


def test_the_emptiest_node_whose_pods_all_fit_is_drained() -> None:
    found = plan(
        on_demand("busy"), on_demand("calm"), spot("s"),
        pod("a", "busy", cpu="3"), pod("b", "calm", cpu="1"), pod("c", "calm", cpu="500m"),
    )  # fmt: skip
    assert found.drain is not None
    assert found.drain.node == "calm"
    assert moves(found) == {"b": "s", "c": "s"}
    assert found.refusals == ()


def test_every_move_says_why_there() -> None:
    found = plan(on_demand("a"), spot("s"), spot("t"), pod("web", "a", cpu="1"), pod("load", "s", cpu="2"))
    assert found.drain is not None
    (move,) = found.drain.moves
    assert (move.decision.feasible, move.decision.evaluated) == (2, 3)
    assert [one.node for one in move.decision.top] == ["t", "s"]
    assert isinstance(move.decision.top[0], NodeScore)


def test_pods_placed_earlier_in_the_plan_take_up_room() -> None:
    found = plan(
        on_demand("a", cpu="8"), spot("s", cpu="2"), spot("t", cpu="2"),
        *(pod(f"p{i}", "a", cpu="1500m") for i in range(2)),
    )  # fmt: skip
    assert set(moves(found).values()) == {"s", "t"}


def test_x2_nothing_is_drained_while_pods_fit_nowhere() -> None:
    waiting = pod("big", status={"phase": "Pending", "conditions": [WAITING]})
    found = plan(on_demand("a"), spot("s"), pod("web", "a"), waiting)
    assert found.drain is None
    assert found.held == "the pod default/big fits nowhere; no node is drained while pods wait for room"


@pytest.mark.parametrize(
    "how",
    [
        pytest.param({"status": {"phase": "Pending"}}, id="a pod that nobody has looked at yet"),
        pytest.param(
            {"status": {"phase": "Pending", "conditions": [WAITING | {"reason": "SchedulingGated"}]}}, id="a gated pod"
        ),
        pytest.param({"status": {"phase": "Failed", "conditions": [WAITING]}}, id="a pod that has ended"),
    ],
)
def test_other_pending_pods_hold_nothing(how: dict[str, Any]) -> None:
    assert moves(plan(on_demand("a"), spot("s"), pod("web", "a"), pod("other", **how))) == {"web": "s"}


def test_x3_a_node_with_one_pod_without_a_place_is_not_touched() -> None:
    found = plan(on_demand("a"), spot("s", cpu="2"), pod("big", "a", cpu="3"), pod("small", "a", cpu="100m"))
    assert found.drain is None
    assert refusals(found) == {
        "a": "default/big has no place on a spot node: 0/2 nodes are available: 1 Insufficient cpu, "
        "1 node(s) are no spot nodes that can take pods."
    }


def test_x3_what_was_planned_for_it_is_undone_for_the_next_node() -> None:
    found = plan(
        on_demand("a"), on_demand("b"), spot("s", cpu="2"),
        pod("a1", "a", cpu="1500m"), pod("a2", "a", cpu="600m"),
        pod("b1", "b", cpu="2"), pod("b-rest", "b", owner=DAEMON_SET, cpu="1"),
    )  # fmt: skip
    assert list(refusals(found)) == ["a"]
    assert moves(found) == {"b1": "s"}


def test_x5_a_plan_drains_one_node() -> None:
    found = plan(on_demand("a"), on_demand("b"), spot("s"), pod("x", "a", cpu="1"), pod("y", "b", cpu="1"))
    assert moves(found) == {"x": "s"}


@pytest.mark.parametrize(
    ("how", "why"),
    [
        pytest.param({"node_selector": {"pool": "on-demand"}}, "node affinity/selector", id="it asks for on-demand"),
        pytest.param({"spec": {"affinity": ANTI_AFFINITY}}, "pod anti-affinity rules", id="it avoids a pod there"),
        pytest.param(
            {"spec": {"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "d"}}]}},
            "volume claims",
            id="volume claims",
        ),
        pytest.param({"host_ports": [80]}, "free ports", id="its host port is taken"),
    ],
)
def test_a_pod_is_moved_only_where_the_decision_core_lets_it(how: dict[str, Any], why: str) -> None:
    taken = pod("taken", "s", host_ports=[80], labels={"app": "web"})
    found = plan(on_demand("a"), spot("s"), pod("web", "a", **how), taken)
    assert found.drain is None
    assert why in refusals(found)["a"]


@pytest.mark.parametrize(
    ("namespace", "labels", "is_kept_away"),
    [
        pytest.param("default", {"app": "web"}, True, id="a pod that the rule selects"),
        pytest.param("default", {"app": "api"}, False, id="a pod that it does not select"),
        pytest.param("shop", {"app": "web"}, False, id="a pod of another namespace"),
    ],
)
def test_a_pod_that_others_keep_away_has_no_certain_place(
    namespace: str, labels: dict[str, str], is_kept_away: bool
) -> None:
    lonely = pod("lonely", "s", spec={"affinity": ANTI_AFFINITY})
    found = plan(on_demand("a"), spot("s"), lonely, pod("web", "a", namespace=namespace, labels=labels))
    assert (found.drain is None) == is_kept_away
    if is_kept_away:
        told = "has no place that is certain: default/lonely has required anti-affinity against it"
        assert told in refusals(found)["a"]


def test_a_spot_taint_must_be_tolerated() -> None:
    taint = {"key": "kubernetes.azure.com/scalesetpriority", "value": "spot", "effect": "NoSchedule"}
    nodes = [node("a"), node("s", taints=[taint])]
    tolerates = [{"key": taint["key"], "operator": "Exists"}]
    assert plan(*nodes, pod("web", "a"), pools=NodePools()).drain is None
    assert moves(plan(*nodes, pod("web", "a", tolerations=tolerates), pools=NodePools())) == {"web": "s"}


@pytest.mark.parametrize(
    "how",
    [
        pytest.param({"conditions": []}, id="not ready"),
        pytest.param({"unschedulable": True}, id="cordoned"),
        pytest.param({"taints": [{"key": "ToBeDeletedByClusterAutoscaler", "effect": "NoSchedule"}]}, id="leaving"),
    ],
)
def test_nodes_that_are_out_of_use_neither_give_nor_take(how: dict[str, Any]) -> None:
    tolerant = [{"operator": "Exists"}]
    found = plan(on_demand("a"), spot("s", **how), pod("web", "a", tolerations=tolerant))
    assert found.held == "there is no spot node that can take pods; --spot-node-label says which label they have"
    found = plan(on_demand("a", **how), spot("s"), pod("web", "a"))
    assert "the node is" in refusals(found)["a"]


def test_pods_that_stay_are_named_and_finished_ones_are_nothing() -> None:
    found = plan(
        on_demand("a"), spot("s"), pod("web", "a"), pod("proxy", "a", owner=DAEMON_SET),
        pod("done", "a", cpu="4", owner=None, status={"phase": "Succeeded"}),
    )  # fmt: skip
    assert found.drain is not None
    assert [(stay.pod, stay.why) for stay in found.drain.stays] == [("default/proxy", "belongs to a DaemonSet")]
    assert [(use.name, use.pods, use.requested) for use in found.nodes] == [("a", 2, 0), ("s", 0, 0)]


def test_finished_pods_on_a_spot_node_take_no_room() -> None:
    done = pod("done", "s", cpu="4", status={"phase": "Failed"})
    assert moves(plan(on_demand("a"), spot("s"), pod("web", "a", cpu="4"), done)) == {"web": "s"}


@pytest.mark.parametrize(
    ("objects", "why"),
    [
        pytest.param([pod("web", "a", owner=None)], "default/web has no controller", id="a pod of nobody"),
        pytest.param([pod("web", "a"), budget("all", 0)], "its disruption budget all", id="a budget"),
        pytest.param([], "there is nothing to move", id="an empty node"),
        pytest.param([pod("proxy", "a", owner=DAEMON_SET)], "there is nothing to move", id="nothing but DaemonSets"),
    ],
)
def test_a_node_that_is_left_alone_says_why(objects: list[Any], why: str) -> None:
    assert why in refusals(plan(on_demand("a"), spot("s"), *objects))["a"]


def test_a_plan_does_not_depend_on_the_order_of_lists() -> None:
    objects = [on_demand("a"), spot("s"), spot("t"), *(pod(f"p{i}", "a", cpu="500m") for i in range(5))]
    assert moves(plan(*objects)) == moves(plan(*reversed(objects)))


@pytest.mark.parametrize(
    ("objects", "held"),
    [
        pytest.param([spot("s")], "there is no on-demand node; --on-demand-node-label", id="no on-demand node"),
        pytest.param(
            [on_demand("a")], "there is no spot node that can take pods; --spot-node-label", id="no spot node"
        ),
    ],
)
def test_without_both_pools_there_is_nothing_to_do(objects: list[Any], held: str) -> None:
    assert plan(*objects).held.startswith(held)


def test_nothing_is_drained_while_a_pod_cannot_be_read() -> None:
    found = plan(on_demand("a"), spot("s"), pod("web", "a"), pod("odd", "s", cpu="many"))
    assert found.held.startswith("pod default/odd cannot be read: container 'app' requests cpu: quantity 'many' is not")
    assert plan(on_demand("a"), spot("s"), unreadable=["Pod x/y cannot be read: no"]).held.startswith("Pod x/y cannot")


def test_a_node_that_cannot_be_read_is_left_alone() -> None:
    found = plan(on_demand("a", cpu="some"), spot("s"), pod("web", "a"))
    assert refusals(found)["a"].startswith("the node cannot be read: ")
