"""Nodes in a request give the columns that the same nodes give in the watch cache, however they are spelled."""

import json
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from tests.extender.asking import WARMTH

from roost.api.node import Node
from roost.cache import Cache
from roost.errors import InvalidObject
from roost.extender.body_nodes import BodyNodes
from roost.extender.body_view import BodyView
from roost.framework.measure import Measure, read_number
from roost.framework.resources import CPU, MEMORY, ResourceIndex
from roost.testing import node, pod

COLD = Measure("cold", read_number)
NOW = 1_000_000.0


def raw(nodes: list[Any]) -> list[Raw]:
    return [Raw(json.dumps(msgspec.to_builtins(one)).encode()) for one in nodes]


def body_view(nodes: list[Any], **options: Any) -> BodyView:
    return BodyView(BodyNodes(raw(nodes)), ResourceIndex(), **{"stale_before": NOW - 600, **options})


texts = st.sampled_from(["a", "b", "é", "0", "1", "", "7.5", "hot"])
mappings = st.dictionaries(st.sampled_from(["zone", "warmth", "cold", "rack"]), texts, max_size=3)
quantities = st.sampled_from(["4", "500m", "1.5", "16Gi", 8, "0"])
amounts = st.dictionaries(st.sampled_from(["cpu", "memory", "pods", "example.com/gpu"]), quantities, max_size=4)
times = st.sampled_from([None, "2026-01-01T00:00:00Z", str(NOW), str(NOW - 700), "soon"])
taints = st.lists(
    st.sampled_from([{"key": "a", "effect": "NoSchedule"}, {"key": "b", "value": "c", "effect": "NoExecute"}]),
    max_size=2,
)


features = st.none() | st.lists(st.sampled_from(["A", "B"]), unique=True).map(tuple)


@st.composite
def nodes(draw: st.DrawFn) -> list[Node]:
    names = draw(st.lists(st.sampled_from("abcdeé"), unique=True, max_size=6))
    made = []
    for name in names:
        annotations, time = draw(mappings), draw(times)
        if time is not None:
            annotations["warmth-at"] = time
        one = node(
            name,
            labels=draw(mappings),
            annotations=annotations,
            taints=draw(taints),
            unschedulable=draw(st.booleans()),
            images=draw(st.dictionaries(st.sampled_from(["app:v1", "db:v2"]), st.integers(1, 9), max_size=2)),
        )
        status = msgspec.structs.replace(one.status, allocatable=draw(amounts), declared_features=draw(features))
        made.append(msgspec.structs.replace(one, status=status))
    return made


@given(nodes())
def test_the_columns_are_those_of_the_watch_cache(given_nodes: list[Node]) -> None:
    cache = Cache()
    for one in given_nodes:
        cache.set_node(one)
    live, view = cache.view, body_view(given_nodes)
    live.age(NOW - 600)
    assert (view.size, view.num_nodes, view.num_unschedulable) == (live.size, live.num_nodes, live.num_unschedulable)
    assert [view.name(row) for row in range(view.size)] == [live.name(row) for row in range(live.size)]
    assert [view.node(row) for row in range(view.size)] == [live.node(row) for row in range(live.size)]
    for name in live.resources.names:
        here, there = view.resources.row(name), live.resources.row(name)
        if here < len(view.allocatable):
            for column in ("allocatable", "divisor", "usage"):
                assert getattr(view, column)[here].tolist() == getattr(live, column)[there].tolist(), (name, column)
            assert view.nodes_with[here] == live.nodes_with[there]
    for column in ("alive", "rank", "name_hash", "unschedulable"):
        assert getattr(view, column).tolist() == getattr(live, column).tolist(), column
    assert [view.taint_sets[id_] for id_ in view.taint_set] == [live.taint_sets[id_] for id_ in live.taint_set]
    assert [view.feature_sets[i] for i in view.feature_set] == [live.feature_sets[i] for i in live.feature_set]
    for key in ("zone", "nowhere"):
        here, there = view.label(key), live.label(key)
        assert [here.values[id_] for id_ in here.ids] == [there.values[id_] for id_ in there.ids]
        assert (here.ids == 0).tolist() == (there.ids == 0).tolist()
    for measure in (WARMTH, COLD):
        for here, there in zip(
            msgspec.structs.astuple(view.measured(measure)),
            msgspec.structs.astuple(live.measured(measure)),
            strict=True,
        ):
            np.testing.assert_array_equal(here, there)
    assert view.unreadable == dict(live.unreadable)
    for image in ("app:v1", "nothing"):
        here, there = view.image(image), live.image(image)
        assert (here is None) == (there is None)
        assert here is None or there is None or here.present.tolist() == there.present.tolist()


def test_two_nodes_of_one_name_have_a_row_each() -> None:
    view = body_view([node("a"), node("b"), node("a", labels={"zone": "z"})])
    assert view.rows_named("a") == [0, 2]
    assert view.rank.tolist() == [0, 2, 1]
    assert view.label("zone").ids.tolist() == [0, 0, 1]


def test_the_pods_on_nodes_come_from_the_watch_cache_by_name() -> None:
    cache = Cache()
    for name in ("n1", "n2"):
        cache.set_node(node(name))
    owner = {"metadata": {"ownerReferences": [{"uid": "set", "controller": True}]}}
    cache.set_pod(pod("p", node_name="n2", cpu="500m", requests={"example.com/gpu": 1}, host_ports=[80], **owner))
    view = body_view([node("n2", allocatable={"example.com/gpu": 2}), node("n3"), node("n1")], placed=cache.view)
    assert view.usage[CPU].tolist() == [500, 0, 0]
    assert view.usage[view.resources.row("example.com/gpu")].tolist() == [1, 0, 0]
    assert view.pods_of("set").tolist() == [1, 0, 0]
    assert view.port_users("TCP", 80)["0.0.0.0"].tolist() == [1, 0, 0]


def test_without_a_watch_cache_no_pod_is_anywhere() -> None:
    view = body_view([node("n1")])
    assert view.usage.sum() == 0
    assert view.pods_of("set").tolist() == [0]
    assert view.port_users("TCP", 80) == {}


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        pytest.param(
            {"metadata": {"name": 5}},
            "Nodes.items[1].metadata.name: is a whole number, not a text",
            id="a name that is a number",
        ),
        pytest.param(7, "Nodes.items[1] is a whole number, not an object", id="a node that is a number"),
        pytest.param(None, "Nodes.items[1] is null, not an object", id="a node that is null"),
        pytest.param(
            {"metadata": {"labels": {"a": 1}}},
            "Nodes.items[1].metadata.labels.a: is a whole number, not a text",
            id="a label that is a number",
        ),
        pytest.param(
            {"metadata": {"name": "n"}, "status": {"allocatable": {"cpu": "x"}}},
            "node 'n' has an unreadable status.allocatable: quantity 'x' is not a number with an optional suffix such "
            "as 500m, 1.5 or 2Gi",
            id="an amount that is none",
        ),
        pytest.param(
            {"status": {"allocatable": {f"example.com/{i}": 1 for i in range(300)}}},
            "Nodes: status.allocatable names more than 256 different resources",
            id="more resources than anybody has",
        ),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(item: Any, sentence: str) -> None:
    def look() -> object:
        view = body_view([{"metadata": {"name": "good"}}, item])
        return view.label("zone"), view.allocatable

    with pytest.raises(InvalidObject) as told:
        look()
    assert str(told.value) == sentence


def test_null_is_as_good_as_nothing() -> None:
    view = body_view(
        [
            {
                "metadata": {"name": "n", "labels": None, "annotations": None},
                "spec": None,
                "status": {"allocatable": None},
            }
        ]
    )
    assert view.label("zone").ids.tolist() == [0]
    assert view.allocatable[MEMORY].tolist() == [0]
    assert view.measured(WARMTH).known.tolist() == [False]


def test_what_nobody_asks_for_is_not_read() -> None:
    view = body_view(
        [{"metadata": {"name": "n"}, "status": {"allocatable": {"cpu": "nonsense"}, "images": "nonsense"}}]
    )
    assert view.label("zone").ids.tolist() == [0]
    assert view.rank.tolist() == [0]
