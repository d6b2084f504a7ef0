from typing import Any

import pytest
from msgspec.structs import replace

from roost.api.node import Node
from roost.api.pod import Pod
from roost.cache import Cache, Change
from roost.cache.cache import ANNOTATIONS, NODE, NODE_AND_USAGE, POD_LABELS, USAGE
from roost.errors import InvalidObject
from roost.framework.resources import CPU, PODS
from roost.testing import node, pod


def cache_of(*nodes: Node, pods: tuple[Pod, ...] = ()) -> Cache:
    cache = Cache()
    for one in nodes:
        cache.set_node(one)
    for one in pods:
        cache.set_pod(one)
    return cache


def used(cache: Cache, name: str) -> tuple[int, int]:
    """Return (pods, milli-cores) that count on a node."""
    slot = cache.view.slot(name)
    assert slot is not None
    return int(cache.view.usage[PODS, slot]), int(cache.view.usage[CPU, slot])


def on(node_name: str, name: str = "pod", **fields: Any) -> Pod:
    return pod(name, node_name=node_name, **{"cpu": 1, **fields})


# ---- nodes


def test_a_new_node_changes_everything_and_an_update_only_the_node() -> None:
    cache = cache_of(node("a"))
    assert cache.set_node(node("b")) == Change(NODE_AND_USAGE, "b", 1)
    assert cache.set_node(node("b", cpu="8")) == Change(NODE, "b", 1)
    assert sorted(cache.node_names) == ["a", "b"]


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(node("a", labels={"zone": "b"}), id="labels"),
        pytest.param(node("a", taints=[{"key": "x", "effect": "NoSchedule"}]), id="taints"),
        pytest.param(node("a", unschedulable=True), id="cordoning"),
        pytest.param(node("a", images={"app": 5}), id="images"),
        pytest.param(node("a", memory="1Gi"), id="allocatable"),
    ],
)
def test_what_plugins_may_read_is_a_change(changed: Node) -> None:
    cache = cache_of(node("a"))
    assert cache.set_node(changed) == Change(NODE, "a", 0)
    assert cache.set_node(changed) is None
    assert cache.view.node(0) == changed


def test_annotations_alone_are_a_change_for_those_who_read_them() -> None:
    cache = cache_of(node("a"))
    marks = cache.view.journal.marks(["node", "usage"])
    loaded = node("a", annotations={"load": "high"})
    assert cache.set_node(loaded) == Change(ANNOTATIONS, "a", 0)
    assert cache.set_node(loaded) is None
    assert cache.view.node(0) == loaded
    assert cache.view.journal.marks(["node", "usage"]) == marks


def test_a_heartbeat_is_no_change_and_makes_nothing_stale() -> None:
    cache = cache_of(node("a"))
    version = cache.view.journal.version
    beating = replace(node("a"), metadata=replace(node("a").metadata, resource_version="7"))
    assert cache.set_node(beating) is None
    assert cache.view.journal.version == version


def test_a_malformed_node_leaves_the_cache_as_it_was() -> None:
    cache = cache_of(node("a"))
    with pytest.raises(InvalidObject, match="node 'a'"):
        cache.set_node(node("a", memory="x"))
    with pytest.raises(InvalidObject, match="node 'b'"):
        cache.set_node(node("b", pods="many"))
    assert cache.node_names == ["a"]
    assert cache.view.node(0) == node("a")
    assert cache.set_node(node("b")) == Change(NODE_AND_USAGE, "b", 1)


def test_a_node_that_goes_takes_its_slot_but_not_its_pods() -> None:
    cache = cache_of(node("a"), node("b"), pods=(on("a"),))
    assert cache.remove_node("a") == Change(NODE_AND_USAGE, "a", -1)
    assert cache.remove_node("a") is None
    assert cache.node_names == ["b"]
    assert cache.node_of("default/pod") == "a"


def test_a_node_that_comes_back_has_its_pods_again() -> None:
    cache = cache_of(node("a"), pods=(on("a", "p1", cpu="1"), on("a", "p2", cpu="500m", host_ports=[80])))
    cache.remove_node("a")
    cache.set_node(node("other"))
    cache.set_node(node("a"))
    assert used(cache, "a") == (2, 1500)
    assert used(cache, "other") == (0, 0)
    assert cache.view.port_users("TCP", 80)["0.0.0.0"].tolist() == [0, 1]


def test_pods_that_come_or_go_while_their_node_is_gone_count_when_it_is_back() -> None:
    cache = cache_of(node("a"), pods=(on("a", "stays"), on("a", "goes")))
    cache.remove_node("a")
    assert cache.remove_pod(on("a", "goes")) == Change(USAGE, "a", -1)
    assert cache.set_pod(on("a", "comes", cpu=2)) == Change(USAGE, "a", -1)
    cache.set_node(node("a"))
    assert used(cache, "a") == (2, 3000)


def test_pods_on_a_node_that_is_not_known_yet_count_when_it_appears() -> None:
    cache = Cache()
    assert cache.set_pod(on("late")) == Change(USAGE, "late", -1)
    cache.assume(cache.pod_info(pod("assumed", cpu=2)), "late")
    cache.set_node(node("late"))
    assert used(cache, "late") == (2, 3000)


# ---- pods


def test_a_pod_counts_from_when_it_is_seen_until_it_is_gone() -> None:
    cache = cache_of(node("a"))
    assert cache.set_pod(on("a")) == Change(USAGE, "a", 0)
    assert used(cache, "a") == (1, 1000)
    assert cache.set_pod(on("a")) is None
    assert cache.set_pod(on("a", labels={"app": "web"})) == Change(POD_LABELS, "a", 0)
    assert cache.remove_pod(on("a")) == Change(USAGE, "a", 0)
    assert used(cache, "a") == (0, 0)
    assert cache.remove_pod(on("a")) is None


def test_a_pod_without_requests_takes_a_place_and_counts_in_scores() -> None:
    cache = cache_of(node("a"), pods=(pod(node_name="a"),))
    assert used(cache, "a") == (1, 0)
    assert cache.view.usage[-2:, 0].tolist() == [100, 200 << 20]


def test_a_pod_that_is_resized_counts_as_it_is_now() -> None:
    cache = cache_of(node("a"), pods=(on("a"),))
    assert cache.set_pod(on("a", cpu=3)) == Change(USAGE, "a", 0)
    assert used(cache, "a") == (1, 3000)


def test_what_the_kubelet_has_granted_counts_beside_the_spec() -> None:
    status = {"containerStatuses": [{"name": "app", "resources": {"requests": {"cpu": "2"}}}]}
    cache = cache_of(node("a"), pods=(on("a", cpu=1, status=status),))
    assert used(cache, "a") == (1, 2000)


def test_a_pod_of_another_uid_is_another_pod() -> None:
    cache = cache_of(node("a"), pods=(on("a", uid="new", cpu=2),))
    assert cache.remove_pod(on("a", uid="old")) is None
    assert used(cache, "a") == (1, 2000)
    assert cache.set_pod(on("a", uid="next", cpu=2)) == Change(USAGE, "a", 0)
    cache.set_pod(on("a", uid="newer", cpu=3))
    assert used(cache, "a") == (1, 3000)


def test_a_malformed_pod_leaves_the_cache_as_it_was() -> None:
    cache = cache_of(node("a"), pods=(on("a"),))
    with pytest.raises(InvalidObject, match="container 'app' requests cpu"):
        cache.set_pod(on("a", cpu="lots"))
    assert used(cache, "a") == (1, 1000)
    assert cache.node_of("default/pod") == "a"


# ---- assumed pods


def test_an_assumed_pod_counts_before_it_is_bound() -> None:
    cache = cache_of(node("a"))
    cache.assume(cache.pod_info(pod(cpu=1)), "a")
    assert used(cache, "a") == (1, 1000)
    assert (cache.is_assumed("default/pod"), cache.node_of("default/pod")) == (True, "a")


def test_a_pod_cannot_be_assumed_twice() -> None:
    cache = cache_of(node("a"), node("b"))
    info = cache.pod_info(pod(cpu=1))
    cache.assume(info, "a")
    with pytest.raises(ValueError, match="default/pod is already on node a"):
        cache.assume(info, "b")
    assert (used(cache, "a"), used(cache, "b")) == ((1, 1000), (0, 0))


def test_the_bound_pod_confirms_the_assumed_one() -> None:
    cache = cache_of(node("a"))
    cache.assume(cache.pod_info(pod(cpu=1)), "a")
    version = cache.view.journal.version
    assert cache.set_pod(on("a", labels={"topology.kubernetes.io/zone": "z1"})) == Change(POD_LABELS, "a", 0)
    assert not cache.is_assumed("default/pod")
    assert (used(cache, "a"), cache.view.journal.version) == ((1, 1000), version)
    assert cache.pods[0].pod.labels == {"topology.kubernetes.io/zone": "z1"}


@pytest.mark.parametrize(
    ("bound", "a", "b"),
    [
        pytest.param(on("b"), (0, 0), (1, 1000), id="on another node"),
        pytest.param(on("a", uid="other", cpu=2), (1, 2000), (0, 0), id="of another uid"),
        pytest.param(on("a", cpu=3), (1, 3000), (0, 0), id="with other requests"),
    ],
)
def test_a_bound_pod_that_is_not_the_assumed_one_takes_its_place(bound: Pod, a: Any, b: Any) -> None:
    cache = cache_of(node("a"), node("b"))
    info = cache.pod_info(pod(cpu=1))
    cache.assume(info, "a")
    assert cache.set_pod(bound) is not None
    assert (used(cache, "a"), used(cache, "b"), cache.is_assumed("default/pod")) == (a, b, False)
    assert cache.forget(info) is None, "what is bound is not forgotten"
    assert (used(cache, "a"), used(cache, "b")) == (a, b)


def test_host_ports_that_a_webhook_added_at_binding_are_taken() -> None:
    cache = cache_of(node("a"))
    cache.assume(cache.pod_info(pod(cpu=1)), "a")
    assert cache.set_pod(on("a", host_ports=[80])) == Change(USAGE, "a", 0)
    assert cache.view.port_users("TCP", 80)["0.0.0.0"].tolist() == [1]
    assert used(cache, "a") == (1, 1000)


def test_forgetting_undoes_assuming_once() -> None:
    cache = cache_of(node("a"))
    info = cache.pod_info(pod(cpu=1, host_ports=[80]))
    cache.assume(info, "a")
    assert cache.forget(info) == Change(USAGE, "a", 0)
    assert (used(cache, "a"), cache.node_of("default/pod"), cache.pods) == ((0, 0), None, [])
    assert not cache.view.port_users("TCP", 80)
    assert cache.forget(info) is None


def test_forgetting_does_not_touch_a_pod_of_the_same_name_and_another_uid() -> None:
    cache = cache_of(node("a"))
    old = cache.pod_info(pod(uid="old", cpu=1))
    cache.assume(cache.pod_info(pod(uid="new", cpu=2)), "a")
    assert cache.forget(old) is None
    assert used(cache, "a") == (1, 2000)


# ---- what pods ask for


def test_pods_of_one_shape_share_their_requests() -> None:
    cache = Cache()
    one, other = (cache.pod_info(pod(name, cpu="1", labels={"app": name})) for name in ("a", "b"))
    assert one.requests is other.requests
    assert cache.pod_info(pod(cpu="2")).requests is not one.requests


def test_requests_are_added_once_more_resources_are_known() -> None:
    cache = cache_of(node("a"))
    early = cache.pod_info(pod("early", cpu=1))
    cache.set_node(node("b", allocatable={"example.com/gpu": 1}))
    cache.assume(early, "b")
    assert used(cache, "b") == (1, 1000)
    assert cache.view.usage[cache.view.resources.rows["example.com/gpu"]].tolist() == [0, 0]
