"""Hypothetical rows: what a plugin reads of a node with further pods is what it would read once they are there."""

import msgspec
import numpy as np
import pytest

from roost.api.devices import DeviceClass
from roost.api.meta import ObjectMeta
from roost.api.pod import Pod
from roost.cache import Cache
from roost.framework.changes import Copies
from roost.framework.measure import Measure, read_number
from roost.framework.view import WhatIf
from roost.testing import node, pod

LOAD = Measure("load", read_number, "load-at")


def owned(name: str, owner: str = "rs-1", node_name: str = "") -> Pod:
    reference = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": owner, "controller": True}
    return pod(name, node_name=node_name, metadata={"ownerReferences": [reference]})


@pytest.fixture
def cache() -> Cache:
    cache = Cache()
    for name, load, at in (("a", "1.5", "10"), ("b", "x", "99"), ("c", "3", "99")):
        cache.set_node(node(name, annotations={"load": load, "load-at": at}))
    cache.set_pod(owned("there", node_name="c"))
    cache.set_pod(owned("other", "rs-2", node_name="a"))
    return cache


def what_if(cache: Cache, one: Pod, *rows: tuple[int, int]) -> WhatIf:
    slots, times = zip(*rows, strict=True)
    changes = Copies(cache.pod_info(one), np.array(times, dtype=np.int64))
    return WhatIf(cache.view, np.array(slots, dtype=np.intp), changes)


def test_the_pods_added_count_for_their_controller(cache: Cache) -> None:
    view = what_if(cache, owned("new"), (2, 0), (2, 1), (2, 5), (0, 1))
    assert view.pods_of("rs-1").tolist() == [1, 2, 6, 1]
    assert view.pods_of("rs-2").tolist() == [0, 0, 0, 1]


def test_pods_of_no_controller_are_not_those_of_one_without_a_name(cache: Cache) -> None:
    view = what_if(cache, pod("lone"), (2, 3))
    assert view.pods_of("").tolist() == [0]
    assert view.pods_of("rs-1").tolist() == [1]


def test_asking_changes_nothing_in_the_cluster(cache: Cache) -> None:
    what_if(cache, owned("new"), (2, 1)).pods_of("rs-1")[:] = 7
    assert cache.view.pods_of("rs-1").tolist() == [0, 0, 1]


def test_it_is_what_the_cluster_says_once_the_pods_are_there(cache: Cache) -> None:
    ahead = what_if(cache, owned("new"), (1, 2))
    for name in ("first", "second"):
        cache.assume(cache.pod_info(owned(name)), "b")
    assert ahead.pods_of("rs-1").tolist() == [4], "a what-if view adds to the cluster as it is"
    assert cache.view.pods_of("rs-1").tolist() == [0, 2, 1]
    assert what_if(cache, owned("new"), (1, 0)).pods_of("rs-1").tolist() == [2]


def test_what_a_node_declares_and_which_resources_are_devices_is_as_in_the_cluster(cache: Cache) -> None:
    declaring = node("b")
    cache.set_node(
        msgspec.structs.replace(declaring, status=msgspec.structs.replace(declaring.status, declared_features=("F",)))
    )
    cache.set_device_class(DeviceClass(metadata=ObjectMeta(name="gpu")))
    view = what_if(cache, pod("new"), (1, 1), (0, 1), (1, 2))
    assert [set(view.feature_sets[id_]) for id_ in view.feature_set] == [{"F"}, set(), {"F"}]
    assert set(view.device_resources) == {"deviceclass.resource.kubernetes.io/gpu"}


def test_what_is_measured_is_that_of_the_node_behind_a_row(cache: Cache) -> None:
    cache.view.age(50)
    measured = what_if(cache, pod("new"), (2, 1), (0, 1), (1, 1), (2, 2)).measured(LOAD)
    assert measured.values.tolist()[:2] == [3.0, 1.5]
    assert measured.known.tolist() == [True, True, False, True]
    assert measured.fresh.tolist() == [True, False, True, True]
