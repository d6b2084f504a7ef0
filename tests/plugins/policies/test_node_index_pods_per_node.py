"""NodeIndex with `podsPerNode`: N pods of one controller on each node, one node after the other."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.scheduler.fake_cluster import NODE, POD, FakeCluster
from tests.scheduler.live import running, until
from tests.scheduler.virtual_time import in_virtual_time

import roost
from roost.api.node import Node
from roost.api.pod import Pod
from roost.cache import Cache
from roost.config.profiles import profile_from_fragment
from roost.framework.cycle import Cycle
from roost.framework.plugin import Context
from roost.framework.profile import Profile
from roost.framework.status import Status
from roost.plugins.policies.node_index import NodeIndex, NodeIndexArgs
from roost.testing import node, pod

Judge = Callable[..., Mapping[str, Status]]
FRONT = "rs-front"
PER_NODE = pytest.mark.parametrize("per_node", [1, 2, 3])


def owned(name: str, owner: str = FRONT, *, metadata: Mapping[str, Any] | None = None, **fields: Any) -> Pod:
    reference = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": owner, "controller": True}
    return pod(name, metadata={"ownerReferences": [reference], **(metadata or {})}, **fields)


def profile(per_node: int, **args: Any) -> Profile:
    return profile_from_fragment(
        {
            "plugins": {
                "filter": {"enabled": [{"name": "NodeIndex"}]},
                "score": {"enabled": [{"name": "NodeIndex"}], "disabled": [{"name": "*"}]},
            },
            "pluginConfig": [{"name": "NodeIndex", "args": {"podsPerNode": per_node, **args}}],
        }
    )


def filled(names: Sequence[str], per_node: int, pods: int) -> list[str | None]:
    """Return where so many pods go, one after the other; None once all nodes are full."""
    placements: list[str | None] = [name for name in names for _ in range(per_node)][:pods]
    return placements + [None] * (pods - len(placements))


# ---- simulated


@PER_NODE
@pytest.mark.parametrize("order", ["ascending", "descending"])
def test_pods_of_a_controller_fill_node_by_node_and_those_beyond_wait(per_node: int, order: str) -> None:
    names = [f"n{i}" for i in range(4)]
    nodes = [node(name) for name in random.Random(per_node).sample(names, 4)]
    simulated = roost.simulate(nodes, [owned(f"p{i:02}") for i in range(14)], policy=profile(per_node, order=order))
    in_order = names if order == "ascending" else names[::-1]
    assert list(simulated.placements.values()) == filled(in_order, per_node, 14)
    pods = "1 pod" if per_node == 1 else f"{per_node} pods"
    unplaced = {decision.message for decision in simulated.decisions if decision.node is None}
    assert unplaced == {f"0/4 nodes are available: 4 node(s) already have {pods} of the same controller."}


def test_each_controller_has_its_own_pods_per_node() -> None:
    pods = [owned(f"{owner}-{i}", owner) for i in range(4) for owner in ("rs-1", "rs-2")]
    placed = roost.simulate([node("a"), node("b")], pods, policy=profile(2)).placements
    for owner in ("rs-1", "rs-2"):
        assert [placed[f"default/{owner}-{i}"] for i in range(4)] == ["a", "a", "b", "b"]


def test_pods_without_a_controller_are_only_ordered() -> None:
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "c-1"}
    pods = [
        *(pod(f"p{i}") for i in range(5)),
        *(pod(f"q{i}", metadata={"ownerReferences": [reference]}) for i in (1, 2)),
    ]
    placed = roost.simulate([node("a"), node("b")], pods, policy=profile(1)).placements
    assert set(placed.values()) == {"a"}


@PER_NODE
def test_nodes_that_lack_resources_are_passed_over(per_node: int) -> None:
    nodes = [node("a", cpu="1500m"), node("b", cpu="500m"), node("c", unschedulable=True), node("d"), node("e")]
    placed = roost.simulate(nodes, [owned(f"p{i}", cpu="1") for i in range(8)], policy=profile(per_node)).placements
    first: list[str | None] = ["a"]  # room for one such pod only
    expected = (first + ["d"] * per_node + ["e"] * per_node + [None] * 8)[:8]
    assert list(placed.values()) == expected


def test_pods_that_are_being_deleted_do_not_count() -> None:
    leaving = owned("old", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}, node_name="a")
    there = owned("there", node_name="b")
    assert roost.decide(owned("new"), [node("a"), node("b")], [leaving, there], policy=profile(1)).node == "a"
    assert roost.decide(owned("new"), [node("b"), node("c")], [leaving, there], policy=profile(1)).node == "c"


@PER_NODE
def test_losing_all_but_one_pod_of_a_node_leaves_it_one(per_node: int) -> None:
    """What the policy is for: a node that has any pod of the proxy keeps its traffic."""
    placed = roost.simulate([node("a"), node("b")], [owned(f"p{i}") for i in range(2 * per_node)], profile(per_node))
    per = Counter(placed.placements.values())
    assert all(count - (per_node - 1) == 1 for count in per.values())


# ---- ahead and one by one


def one_by_one(nodes: Sequence[Node], pods: Sequence[Pod], used: Profile) -> list[str | None]:
    cache, cycle, placed = Cache(), Cycle(used), list[str | None]()
    for one in nodes:
        cache.set_node(one)
    for one in pods:
        info = cache.pod_info(one)
        decision = cycle.decide(info, cache.view, Context())
        placed.append(decision.node)
        if decision.node is not None:
            cache.assume(info, decision.node)
    return placed


def test_identical_pods_are_decided_ahead() -> None:
    assert profile(2).can_look_ahead
    assert Profile.of([NodeIndex()]).can_look_ahead


owners = st.sampled_from(["rs-1", "rs-2"])
worlds = st.tuples(
    st.lists(st.sampled_from(["0", "1", "2500m", "9"]), min_size=1, max_size=6),
    st.lists(st.tuples(owners, st.sampled_from(["1", "2"])), min_size=1, max_size=20),
    st.integers(1, 4),
)


@given(worlds, st.sampled_from([{}, {"order": "descending"}, {"maxScore": 2}, {"compat": "original"}]))
@settings(deadline=None)
def test_pods_decided_ahead_go_where_they_go_one_by_one(
    world: tuple[list[str], list[tuple[str, str]], int], args: dict[str, Any]
) -> None:
    rooms, asked, per_node = world
    nodes = [node(f"n{i}", cpu=room) for i, room in enumerate(rooms)]
    runs = sorted(asked)  # neighbours alike
    pods = [owned(f"p{i:02}", owner, cpu=cpu) for i, (owner, cpu) in enumerate(runs)]
    used = profile(per_node, **args)
    ahead = roost.simulate(nodes, pods, policy=used).placements
    assert list(ahead.values()) == one_by_one(nodes, pods, used)
    counts = Counter((ahead[one.key], owner) for one, (owner, _) in zip(pods, runs, strict=True) if ahead[one.key])
    assert max(counts.values(), default=0) <= per_node


def test_many_pods_on_many_nodes() -> None:
    names = [f"n{i:03}" for i in range(300)]
    pods = [owned(f"p{i:04}") for i in range(1000)]
    placed = roost.simulate([node(name) for name in names], pods, policy=profile(3)).placements
    assert list(placed.values()) == filled(names, 3, 1000)


# ---- what it is asked, and when


def test_it_filters_only_with_pods_per_node_and_normalises_only_as_the_original(judge: Judge) -> None:
    plain, limited = NodeIndex(), NodeIndex(NodeIndexArgs(pods_per_node=1))
    assert plain.idle_at == {"filter", "normalize"}
    assert limited.idle_at == {"normalize"}
    assert NodeIndex(NodeIndexArgs(compat="original")).idle_at == {"filter"}
    there = [owned("there", node_name="a")]
    assert judge(plain, owned("new"), [node("a"), node("b")], there) == {}
    rejected = judge(limited, owned("new"), [node("a"), node("b")], there)
    assert {name: status.message for name, status in rejected.items()} == {
        "a": "node(s) already have 1 pod of the same controller"
    }


def test_a_profile_does_not_use_the_filter_without_pods_per_node() -> None:
    named = {
        "filter": {"enabled": [{"name": "NodeIndex"}]},
        "score": {"enabled": [{"name": "NodeIndex"}], "disabled": [{"name": "*"}]},
    }
    assert not any(plugin.name == "NodeIndex" for plugin in profile_from_fragment({"plugins": named}).filter)
    assert any(plugin.name == "NodeIndex" for plugin in profile(1).filter)


# ---- live


def front(count: int, per_node: int, *names: str) -> tuple[FakeCluster, Profile]:
    cluster = FakeCluster()
    for name in names:
        cluster.add(NODE, node(name))
    for i in range(count):
        cluster.add(POD, owned(f"p{i}"))
    return cluster, profile(per_node)


def names_of(cluster: FakeCluster) -> Counter[str]:
    return Counter(cluster.placements().values())


@in_virtual_time
@PER_NODE
async def test_in_the_live_loop_the_nodes_fill_one_after_the_other(per_node: int) -> None:
    cluster, used = front(2 * per_node + 1, per_node, "a", "b", "c")
    async with running(cluster, [used]):
        await until(lambda: len(cluster.placements()) == 2 * per_node + 1)
    assert names_of(cluster) == {"a": per_node, "b": per_node, "c": 1}


@in_virtual_time
@PER_NODE
async def test_a_new_pod_fills_the_first_gap_that_a_deleted_one_left(per_node: int) -> None:
    cluster, used = front(3 * per_node, per_node, "a", "b", "c")
    async with running(cluster, [used]):
        await until(lambda: len(cluster.placements()) == 3 * per_node)
        for node_name in ("c", "b"):
            cluster.remove(POD, next(key for key, name in cluster.placements().items() if name == node_name))
        await asyncio.sleep(1)
        cluster.add(POD, owned("new"))
        await until(lambda: "default/new" in cluster.placements())
        assert cluster.placements()["default/new"] == "b"


@in_virtual_time
@pytest.mark.parametrize("leaves", ["is gone", "is being deleted"])
async def test_a_pod_that_found_all_nodes_full_is_woken_when_one_of_its_siblings(leaves: str) -> None:
    cluster, used = front(3, 1, "a", "b")
    async with running(cluster, [used]) as scheduler:
        await until(lambda: scheduler.queue.counts()["unschedulable"] == 1)
        waiting = next(key for key in ("default/p0", "default/p1", "default/p2") if key not in cluster.placements())
        on_b = next(key for key, name in cluster.placements().items() if name == "b")
        await asyncio.sleep(20)
        if leaves == "is gone":
            cluster.remove(POD, on_b)
        else:
            cluster.change(POD, on_b, metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
        assert await until(lambda: cluster.placements().get(waiting) == "b") < 1


@in_virtual_time
async def test_a_new_node_wakes_it_too_but_nothing_else_does() -> None:
    cluster, used = front(2, 1, "a")
    cluster.add(POD, owned("stranger", "rs-other", node_name="a", scheduler_name="other"))
    async with running(cluster, [used]) as scheduler:
        await until(lambda: scheduler.queue.counts()["unschedulable"] == 1)
        attempts = scheduler.metrics.total("unschedulable")
        cluster.add(POD, pod("lone", node_name="a", scheduler_name="other"))
        await asyncio.sleep(5)
        cluster.remove(POD, "default/stranger")
        cluster.change(NODE, "a", metadata={"labels": {"x": "y"}})
        await asyncio.sleep(15)
        assert scheduler.metrics.total("unschedulable") == attempts
        cluster.add(NODE, node("b"))
        await until(lambda: sorted(cluster.placements().values()) == ["a", "a", "b"], seconds=5)
