"""Nodes for a demo."""

from collections import Counter

import msgspec
from tests.apiserver.building import new_store

from roost.api.node import Node
from roost.api.quantity import milli_value
from roost.apiserver.nodes import build_nodes
from roost.apiserver.resources import NODE


def label_counts(count: int, name: str, **how: float) -> Counter[str]:
    return Counter(node["metadata"]["labels"][name] for node in build_nodes(count, **how))  # type: ignore[arg-type]


def test_the_same_arguments_give_the_same_nodes() -> None:
    assert list(build_nodes(20)) == list(build_nodes(20))


def test_nodes_are_spread_evenly_over_zones() -> None:
    assert set(label_counts(12, "topology.kubernetes.io/zone").values()) == {4}
    assert set(label_counts(12, "topology.kubernetes.io/region")) == {"eu-west-1"}


def test_the_share_of_spot_nodes_is_as_asked() -> None:
    assert label_counts(20, "karpenter.sh/capacity-type", spot_share=0.3) == {"spot": 6, "on-demand": 14}
    assert label_counts(5, "karpenter.sh/capacity-type", spot_share=0.0) == {"on-demand": 5}
    assert label_counts(5, "karpenter.sh/capacity-type", spot_share=1.0) == {"spot": 5}


def test_spot_is_cheaper_and_every_node_has_a_price() -> None:
    prices = {"spot": set(), "on-demand": set()}
    for node in build_nodes(40, spot_share=0.5):
        labels = node["metadata"]["labels"]
        if labels["node.kubernetes.io/instance-type"] == "m5.xlarge":
            prices[labels["karpenter.sh/capacity-type"]].add(float(labels["roost.dev/price-per-hour"]))
    assert prices == {"spot": {0.0672}, "on-demand": {0.192}}


def test_they_can_be_stored_and_read() -> None:
    store = new_store()
    for node in build_nodes(10):
        value = msgspec.convert(store.create(NODE, node).object, Node)
        allocatable, capacity = value.status.allocatable or {}, value.status.capacity or {}
        assert 0 < milli_value(allocatable["cpu"]) < milli_value(capacity["cpu"])
