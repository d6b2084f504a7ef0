import pytest

from roost.api.pod import Pod
from roost.bench.placement import over_capacity
from roost.testing import node, pod


@pytest.mark.parametrize(
    ("pods", "full"),
    [
        pytest.param([pod(node_name="n", cpu="1"), pod(node_name="n", cpu="1")], [], id="exactly full is fine"),
        pytest.param([pod(node_name="n", cpu="1"), pod(node_name="n", cpu="1001m")], ["n"], id="a milli-core too much"),
        pytest.param([pod(node_name="n")] * 4, ["n"], id="a pod too much"),
        pytest.param([pod(node_name="n", requests={"example.com/gpu": "1"})], ["n"], id="what the node does not have"),
        pytest.param([pod(cpu="9")], [], id="pods without a node count nowhere"),
        pytest.param([pod(node_name="gone", cpu="9")], [], id="nor do those on a node that is gone"),
        pytest.param([pod(node_name="n", cpu="9", status={"phase": "Succeeded"})], [], id="nor those that have ended"),
    ],
)
def test_a_node_that_holds_too_much_is_named(pods: list[Pod], full: list[str]) -> None:
    nodes = [node("n", cpu="2", memory="1Gi", pods=3), node("empty", cpu="0", memory="0", pods=0)]
    assert over_capacity(nodes, pods) == full
