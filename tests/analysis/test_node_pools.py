import pytest
from tests.analysis.spot_world import POOLS, node

from roost.analysis.node_pools import NodePools, read_node_label, why_unusable

KARPENTER = {"karpenter.sh/capacity-type": "spot"}
AKS_TAINT = {"key": "kubernetes.azure.com/scalesetpriority", "value": "spot", "effect": "NoSchedule"}
CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
LEAVING = {"key": "ToBeDeletedByClusterAutoscaler", "value": "1767225600", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("labels", "taints", "pool"),
    [
        pytest.param(KARPENTER, [], "spot", id="a known label marks a spot node"),
        pytest.param({}, [AKS_TAINT], "spot", id="so does a known taint"),
        pytest.param({"karpenter.sh/capacity-type": "on-demand"}, [], "on-demand", id="another value does not"),
        pytest.param({}, [], "on-demand", id="a node of which nothing is known is on-demand"),
        pytest.param({CONTROL_PLANE: ""}, [], None, id="the control plane is neither, by its label"),
        pytest.param({}, [{"key": CONTROL_PLANE, "effect": "NoSchedule"}], None, id="nor by its taint"),
    ],
)
def test_without_labels_the_known_marks_tell(labels: dict[str, str], taints: list[dict[str, str]], pool: str) -> None:
    assert NodePools().pool_of(node("a", labels=labels, taints=taints)) == pool


@pytest.mark.parametrize(
    ("labels", "pool"),
    [
        pytest.param({"pool": "spot"}, "spot", id="the spot label"),
        pytest.param({"pool": "on-demand"}, "on-demand", id="the on-demand label"),
        pytest.param({"pool": "gpu"}, None, id="another value of it"),
        pytest.param(KARPENTER, None, id="a known mark does not count beside labels that are given"),
    ],
)
def test_given_labels_tell(labels: dict[str, str], pool: str) -> None:
    assert POOLS.pool_of(node("a", labels=labels)) == pool


def test_a_node_with_both_labels_is_spot() -> None:
    pools = NodePools(read_node_label("spot", "spot"), read_node_label("worker", "on demand"))
    assert pools.pool_of(node("a", labels={"spot": "", "worker": ""})) == "spot"


def test_a_label_with_an_empty_value_needs_the_key() -> None:
    """The original took a node without the key for one with an empty value."""
    label = read_node_label("spot=", "spot")
    assert label.is_on(node("a", labels={"spot": ""}))
    assert not label.is_on(node("a", labels={"spot": "yes"}))
    assert not label.is_on(node("a"))


@pytest.mark.parametrize(
    ("how", "why"),
    [
        pytest.param({}, "", id="a ready node is usable"),
        pytest.param({"conditions": []}, "the node is not ready", id="one without conditions is not ready"),
        pytest.param(
            {"conditions": [{"type": "Ready", "status": "Unknown"}]}, "the node is not ready", id="nor one not heard of"
        ),
        pytest.param({"unschedulable": True}, "the node is cordoned", id="a cordoned node is left alone"),
        pytest.param(
            {"taints": [LEAVING]},
            "the node is being drained or removed already: it has the taint ToBeDeletedByClusterAutoscaler",
            id="so is one that the autoscaler removes",
        ),
    ],
)
def test_only_ready_and_schedulable_nodes_count(how: dict[str, object], why: str) -> None:
    assert why_unusable(node("a", **how)) == why
