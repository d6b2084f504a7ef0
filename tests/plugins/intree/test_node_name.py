from collections.abc import Callable, Mapping

from roost.framework.plugin import Plugin
from roost.framework.status import Code, Status
from roost.plugins.intree.node_name import NodeName
from roost.testing import node, pod

OTHER = "node(s) didn't match the requested node name"
Judge = Callable[..., Mapping[str, Status]]
NODES = [node("a"), node("b"), node("c")]


def test_a_pod_that_names_no_node_fits_every_node(judge: Judge) -> None:
    assert judge(NodeName(), pod(), NODES) == {}


def test_a_pod_that_names_a_node_fits_no_other(judge: Judge) -> None:
    rejected = judge(NodeName(), pod(node_name="b"), NODES)
    assert {name: (status.code, status.reasons) for name, status in rejected.items()} == {
        "a": (Code.UnschedulableAndUnresolvable, (OTHER,)),
        "c": (Code.UnschedulableAndUnresolvable, (OTHER,)),
    }


def test_a_pod_that_names_a_node_that_does_not_exist_fits_nowhere(judge: Judge) -> None:
    plugin: Plugin = NodeName()
    assert judge(plugin, pod(node_name="d"), NODES).keys() == {"a", "b", "c"}
