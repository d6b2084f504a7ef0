"""Lists that are taken over as a whole, after a watch was lost: what is not in them is gone."""

from typing import Any

from roost.api.pod import Pod
from roost.cache import Cache, Change
from roost.cache.cache import NODE, NODE_AND_USAGE, USAGE
from roost.framework.resources import CPU
from roost.testing import node, pod


def on(name: str, pod_name: str, **fields: Any) -> Pod:
    return pod(pod_name, node_name=name, **{"cpu": 1, **fields})


def used(cache: Cache) -> dict[str, int]:
    return {name: int(cache.view.usage[CPU, cache.view.slot(name)]) for name in sorted(cache.node_names)}


def filled() -> Cache:
    cache = Cache()
    cache.replace_nodes([node("a"), node("b")])
    cache.replace_pods([on("a", "p1"), on("b", "p2")])
    return cache


def test_a_list_of_nodes_replaces_what_was_known() -> None:
    cache = filled()
    changes = cache.replace_nodes([node("b", cpu="8"), node("c")])
    assert sorted(changes, key=lambda change: change.node_name) == [
        Change(NODE_AND_USAGE, "a", -1),
        Change(NODE, "b", 1),
        Change(NODE_AND_USAGE, "c", 0),
    ]
    assert used(cache) == {"b": 1000, "c": 0}


def test_a_list_that_says_the_same_changes_nothing() -> None:
    cache = filled()
    version = cache.view.journal.version
    assert cache.replace_nodes([node("b"), node("a")]) == []
    assert cache.replace_pods([on("b", "p2"), on("a", "p1")]) == []
    assert cache.view.journal.version == version


def test_an_empty_list_leaves_no_node_but_keeps_the_pods() -> None:
    cache = filled()
    cache.replace_nodes([])
    assert (cache.node_names, len(cache.pods)) == ([], 2)
    cache.replace_nodes([node("a")])
    assert used(cache) == {"a": 1000}


def test_a_list_of_pods_replaces_those_that_are_bound() -> None:
    cache = filled()
    changes = cache.replace_pods([on("b", "p2", cpu=2), on("b", "p3")])
    assert changes == [Change(USAGE, "a", 0), Change(USAGE, "b", 1), Change(USAGE, "b", 1)]
    assert used(cache) == {"a": 0, "b": 3000}


def test_assumed_pods_stay_since_their_binding_may_be_on_its_way() -> None:
    cache = filled()
    cache.assume(cache.pod_info(pod("assumed", cpu=2)), "a")
    cache.replace_pods([on("a", "p1")])
    assert cache.is_assumed("default/assumed")
    assert used(cache) == {"a": 3000, "b": 0}


def test_a_list_with_the_bound_pod_confirms_the_assumed_one() -> None:
    cache = filled()
    cache.assume(cache.pod_info(pod("assumed", cpu=2)), "a")
    cache.replace_pods([on("a", "assumed", cpu=2)])
    assert not cache.is_assumed("default/assumed")
    assert used(cache) == {"a": 2000, "b": 0}
    cache.replace_pods([])
    assert used(cache) == {"a": 0, "b": 0}
