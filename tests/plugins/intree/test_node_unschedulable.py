from collections.abc import Callable, Mapping
from typing import Any

import pytest

from roost.framework.status import Code, Status
from roost.plugins.intree.node_unschedulable import NodeUnschedulable
from roost.testing import node, pod

Judge = Callable[..., Mapping[str, Status]]
NODES = [node("open"), node("cordoned", unschedulable=True)]
TAINT = "node.kubernetes.io/unschedulable"


@pytest.mark.parametrize(
    ("tolerations", "rejected"),
    [
        pytest.param([], {"cordoned"}, id="a cordoned node takes no pods"),
        pytest.param([{"key": TAINT, "operator": "Exists"}], set(), id="but those that tolerate its taint"),
        pytest.param([{"operator": "Exists"}], set(), id="and those that tolerate everything"),
        pytest.param(
            [{"key": TAINT, "operator": "Exists", "effect": "NoSchedule"}], set(), id="the effect is NoSchedule"
        ),
        pytest.param([{"key": TAINT, "effect": "NoSchedule"}], set(), id="the taint's value is empty"),
        pytest.param([{"key": TAINT, "operator": "Exists", "effect": "NoExecute"}], {"cordoned"}, id="not NoExecute"),
        pytest.param([{"key": TAINT, "value": "true"}], {"cordoned"}, id="a toleration of another value does not help"),
        pytest.param([{"key": "spot", "operator": "Exists"}], {"cordoned"}, id="nor does one of another taint"),
    ],
)
def test_tolerations_of_a_cordoned_node(judge: Judge, tolerations: list[dict[str, Any]], rejected: set[str]) -> None:
    assert judge(NodeUnschedulable(), pod(tolerations=tolerations), NODES).keys() == rejected


def test_the_reason_is_kube_scheduler_s(judge: Judge) -> None:
    status = judge(NodeUnschedulable(), pod(), NODES)["cordoned"]
    assert (status.code, status.message) == (Code.UnschedulableAndUnresolvable, "node(s) were unschedulable")


def test_open_nodes_take_every_pod(judge: Judge) -> None:
    assert judge(NodeUnschedulable(), pod(), [node("a"), node("b")]) == {}
