"""How many pods of one controller are on each node, through the cache that counts them."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from roost.api.pod import Pod
from roost.cache import Cache
from roost.cache.owners import Owners
from roost.testing import node, pod


def owned(name: str, owner: str = "rs-1", node_name: str = "a", **metadata: Any) -> Pod:
    reference = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": owner, "controller": True}
    return pod(name, node_name=node_name, metadata={"ownerReferences": [reference], **metadata})


def counts(cache: Cache, owner: str = "rs-1") -> dict[str, int]:
    column = cache.view.pods_of(owner)
    return {cache.view.name(row): int(count) for row, count in enumerate(column) if cache.view.alive[row] and count}


def with_nodes(*names: str) -> Cache:
    cache = Cache()
    for name in names:
        cache.set_node(node(name))
    return cache


def test_pods_count_for_their_controller_alone() -> None:
    cache = with_nodes("a", "b")
    for one in (owned("1"), owned("2"), owned("3", node_name="b"), owned("4", "rs-2"), pod("5", node_name="a")):
        cache.set_pod(one)
    assert counts(cache) == {"a": 2, "b": 1}
    assert counts(cache, "rs-2") == {"a": 1}
    assert counts(cache, "nobody") == counts(cache, "") == {}


def test_an_owner_that_is_not_the_controller_does_not_count() -> None:
    cache = with_nodes("a")
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "c-1"}
    cache.set_pod(pod("1", node_name="a", metadata={"ownerReferences": [reference]}))
    assert counts(cache, "c-1") == {}


def test_a_pod_counts_from_when_it_is_assumed_and_once() -> None:
    cache = with_nodes("a")
    info = cache.pod_info(owned("1", node_name=""))
    cache.assume(info, "a")
    assert counts(cache) == {"a": 1}
    cache.set_pod(owned("1"))
    assert counts(cache) == {"a": 1}
    cache.assume(cache.pod_info(owned("2", node_name="")), "a")
    cache.forget(cache.pod_info(owned("2", node_name="")))
    assert counts(cache) == {"a": 1}


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        pytest.param(owned("1", deletionTimestamp="2026-01-01T00:00:00Z"), {}, id="is being deleted"),
        pytest.param(owned("1", "rs-2"), {}, id="is adopted by another controller"),
        pytest.param(pod("1", node_name="a"), {}, id="is orphaned"),
        pytest.param(owned("1", labels={"x": "y"}), {"a": 1}, id="gets a label"),
    ],
)
def test_a_pod_counts_until_it(then: Pod, expected: dict[str, int]) -> None:
    cache = with_nodes("a")
    cache.set_pod(owned("1"))
    before = cache.view.journal.marks(["usage"])
    cache.set_pod(then)
    assert counts(cache) == expected
    assert bool(cache.view.journal.since(["usage"], before)) == (expected != {"a": 1}), "readers of usage are told"
    cache.remove_pod(then)
    assert counts(cache) == {}


def test_a_node_that_comes_back_has_its_pods_again() -> None:
    cache = with_nodes("a", "b")
    for one in (owned("1"), owned("2", node_name="b")):
        cache.set_pod(one)
    cache.remove_node("a")
    assert counts(cache) == {"b": 1}
    cache.set_node(node("c"))
    assert counts(cache) == {"b": 1}
    cache.set_node(node("a"))
    assert counts(cache) == {"a": 1, "b": 1}


def test_a_controller_without_pods_is_forgotten() -> None:
    owners = Owners()
    owners.add(3, "rs-1", 1)
    owners.add(3, "rs-1", -1)
    owners.add(4, "rs-2", 2)
    owners.add(4, "rs-2", -2)
    assert owners._counts == {}


def test_a_column_is_the_asker_s_own() -> None:
    owners = Owners()
    owners.add(0, "rs-1", 1)
    owners.count("rs-1", 2)[:] = 7
    assert owners.count("rs-1", 2).tolist() == [1, 0]


OWNERS = st.sampled_from(["", "rs-1", "rs-2"])
NODE_NAMES = st.sampled_from(["a", "b", "c"])
POD_NAMES = st.sampled_from([f"p{i}" for i in range(6)])


class Events(RuleBasedStateMachine):
    """A cache under events in any order, beside the pods that should be there."""

    @initialize()
    def start(self) -> None:
        self.cache, self.pods, self.nodes = Cache(), dict[str, Pod](), set[str]()

    @rule(name=POD_NAMES, owner=OWNERS, node_name=NODE_NAMES, leaving=st.booleans())
    def set_pod(self, name: str, owner: str, node_name: str, leaving: bool) -> None:
        metadata = {"deletionTimestamp": "2026-01-01T00:00:00Z"} if leaving else {}
        one = owned(name, owner, node_name, **metadata) if owner else pod(name, node_name=node_name, metadata=metadata)
        self.pods[one.key] = one
        self.cache.set_pod(one)

    @rule(name=POD_NAMES)
    def remove_pod(self, name: str) -> None:
        gone = self.pods.pop(f"default/{name}", None)
        if gone is not None:
            self.cache.remove_pod(gone)

    @rule(name=NODE_NAMES)
    def set_node(self, name: str) -> None:
        self.nodes.add(name)
        self.cache.set_node(node(name))

    @rule(name=NODE_NAMES)
    def remove_node(self, name: str) -> None:
        self.nodes.discard(name)
        self.cache.remove_node(name)

    @invariant()
    def counts_are_what_counting_all_pods_anew_gives(self) -> None:
        for owner in ("rs-1", "rs-2"):
            there = [
                one.spec.node_name
                for one in self.pods.values()
                if not one.is_terminating and any(ref.uid == owner for ref in one.metadata.owner_references or ())
            ]
            assert counts(self.cache, owner) == Counter(name for name in there if name in self.nodes)


Events.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
test_whatever_happens_the_counts_are_true = Events.TestCase
