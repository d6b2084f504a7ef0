import numpy as np
import pytest

from roost.cache import Cache
from roost.cache.columns import EXACT_CAPACITY, Columns, name_hash
from roost.errors import InvalidObject
from roost.framework.resources import CPU, MEMORY, NONZERO_CPU, NONZERO_MEMORY, PODS
from roost.testing import node, pod

GPU = "example.com/gpu"


def with_nodes(*names: str) -> Columns:
    view = Columns()
    for name in names:
        view.add_node(node(name))
    return view


def names_by_slot(view: Columns) -> list[str | None]:
    return [view.name(slot) if view.alive[slot] else None for slot in range(view.size)]


def amounts(view: Columns, resource: str) -> list[int]:
    return view.allocatable[view.resources.rows[resource]].tolist()


# ---- slots


def test_nodes_take_slots_in_the_order_in_which_they_come() -> None:
    assert names_by_slot(with_nodes("b", "a", "c")) == ["b", "a", "c"]


def test_a_freed_slot_is_reused_and_the_others_stay() -> None:
    view = with_nodes("a", "b", "c")
    view.remove_node(1)
    assert names_by_slot(view) == ["a", None, "c"]
    assert view.add_node(node("d")) == 1
    assert names_by_slot(view) == ["a", "d", "c"]
    assert (view.size, view.num_nodes) == (3, 3)


def test_a_reused_slot_has_nothing_of_the_node_before() -> None:
    view = Columns()
    before = node("old", taints=[{"key": "spot", "effect": "NoSchedule"}], unschedulable=True, labels={"zone": "a"})
    slot = view.add_node(before)
    assert view.label("zone").ids[slot] != 0
    view.remove_node(slot)
    assert view.label("zone").ids[slot] == 0
    assert view.add_node(node("new")) == slot
    assert view.taint_sets[view.taint_set[slot]] == ()
    assert (bool(view.unschedulable[slot]), view.num_unschedulable) == (False, 0)
    assert view.label("zone").ids[slot] == 0
    assert view.usage[:, slot].tolist() == [0] * len(view.resources)


def test_a_node_that_is_gone_is_known_no_more() -> None:
    view = with_nodes("a", "b")
    view.remove_node(0)
    assert (view.slot("a"), view.rows_named("a"), view.slot("b"), view.rows_named("b")) == (None, (), 1, (1,))
    with pytest.raises(KeyError, match="no node in slot 0"):
        view.node(0)


def test_more_nodes_than_there_is_room_for_at_first() -> None:
    cache = Cache()
    for number in range(200):
        cache.set_node(node(f"n{number:03}", cpu=number + 1, labels={"parity": str(number % 2)}, images={"app": 5}))
        if number == 10:
            assert cache.view.label("parity").ids.shape == (11,)
            cache.set_pod(pod("early", cpu=1, host_ports=[80], node_name="n003"))
    view = cache.view
    assert view.size == view.num_nodes == 200
    assert view.allocatable[CPU].tolist() == [1000 * (number + 1) for number in range(200)]
    assert view.usage[CPU].nonzero()[0].tolist() == view.port_users("TCP", 80)["0.0.0.0"].nonzero()[0].tolist() == [3]
    assert [view.label("parity").values[index] for index in view.label("parity").ids[-2:]] == ["0", "1"]
    image = view.image("app")
    assert image is not None
    assert (image.num_nodes, bool(image.present.all())) == (200, True)


# ---- what columns hold


def test_cpu_is_in_milli_cores_and_all_else_in_base_units() -> None:
    view = Columns()
    view.add_node(node("a", cpu="1500m", memory="2Gi", pods=10, allocatable={GPU: 3}))
    assert view.allocatable[[PODS, CPU, MEMORY], 0].tolist() == [10, 1500, 2 << 30]
    assert amounts(view, GPU) == [3]


def test_what_counts_for_scores_has_the_same_capacity() -> None:
    view = with_nodes("a")
    assert view.allocatable[NONZERO_CPU].tolist() == view.allocatable[CPU].tolist()
    assert view.allocatable[NONZERO_MEMORY].tolist() == view.allocatable[MEMORY].tolist()


def test_a_resource_that_comes_late_is_zero_on_the_nodes_that_are_there() -> None:
    view = with_nodes("a", "b")
    view.add_node(node("c", allocatable={GPU: 4}))
    assert amounts(view, GPU) == [0, 0, 4]
    assert view.divisor[view.resources.rows[GPU]].tolist() == [1, 1, 4]
    assert view.nodes_with[view.resources.rows[GPU]] == 1


def test_a_resource_that_comes_with_a_pod_is_zero_on_all_nodes() -> None:
    cache = Cache()
    cache.set_node(node("a"))
    cache.set_pod(pod(requests={GPU: 2}, node_name="a"))
    row = cache.view.resources.rows[GPU]
    assert cache.view.allocatable[row].tolist() == [0]
    assert cache.view.usage[row].tolist() == [2]
    cache.set_node(node("a", allocatable={GPU: 8}))
    assert (cache.view.allocatable[row].tolist(), cache.view.usage[row].tolist()) == ([8], [2])


def test_more_resources_than_there_is_room_for_at_first() -> None:
    cache = Cache()
    cache.set_node(node("a", allocatable={"example.com/r0": 9}))
    cache.set_node(node("b"))
    for number in range(40):
        cache.set_pod(pod(f"p{number}", requests={f"example.com/r{number}": number + 1}, node_name="a"))
    view = cache.view
    rows = [view.resources.rows[f"example.com/r{number}"] for number in range(40)]
    assert view.usage[rows, 0].tolist() == list(range(1, 41))
    assert view.usage[rows, 1].tolist() == [0] * 40
    assert view.allocatable[rows, 0].tolist() == [9] + [0] * 39
    assert view.divisor[rows, 0].tolist() == [9] + [1] * 39
    assert view.nodes_with[rows].tolist() == [1] + [0] * 39


def test_a_resource_that_a_node_loses_is_zero_again() -> None:
    view = Columns()
    slot = view.add_node(node("a", allocatable={GPU: 4}))
    view.update_node(slot, node("a"))
    assert amounts(view, GPU) == [0]
    assert view.nodes_with[view.resources.rows[GPU]] == 0


def test_an_empty_slot_rejects_nothing_and_is_counted_nowhere() -> None:
    view = with_nodes("a", "b")
    view.remove_node(0)
    assert (view.usage[:, 0] < view.allocatable[:, 0]).all()
    assert view.nodes_with[CPU] == 1
    assert view.alive.tolist() == [False, True]


def test_nodes_are_ranked_by_name_bytewise() -> None:
    view = with_nodes("b", "a-1", "ä", "a", "B", "a.1")
    by_rank = sorted(range(view.size), key=lambda slot: view.rank[slot])
    assert [view.name(slot) for slot in by_rank] == ["B", "a", "a-1", "a.1", "b", "ä"]
    view.remove_node(1)
    view.add_node(node("aa"))
    by_rank = sorted(range(view.size), key=lambda slot: view.rank[slot])
    assert [view.name(slot) for slot in by_rank] == ["B", "a", "a.1", "aa", "b", "ä"]


def test_nodes_with_equal_taints_share_a_set() -> None:
    spot = [{"key": "spot", "effect": "NoSchedule"}]
    view = Columns()
    for name, taints in (("a", spot), ("b", []), ("c", spot)):
        view.add_node(node(name, taints=taints))
    assert view.taint_set[0] == view.taint_set[2] != view.taint_set[1]
    assert [taint.key for taint in view.taint_sets[view.taint_set[0]]] == ["spot"]


def test_taints_that_no_node_has_any_more_are_forgotten() -> None:
    """The cluster autoscaler's taints hold a time, so there is no end to different ones."""
    view = with_nodes("a", "b")
    for second in range(2000):
        draining = [{"key": "ToBeDeletedByClusterAutoscaler", "value": str(second), "effect": "NoSchedule"}]
        view.update_node(second % 2, node("ab"[second % 2], taints=draining))
    assert [view.taint_sets[index][0].value for index in view.taint_set] == ["1998", "1999"]
    assert len(view.taint_sets) < 1000


def test_cordoned_nodes_are_counted() -> None:
    view = with_nodes("a", "b")
    view.update_node(0, node("a", unschedulable=True))
    view.add_node(node("c", unschedulable=True))
    assert (view.unschedulable.tolist(), view.num_unschedulable) == ([True, False, True], 2)
    view.update_node(0, node("a"))
    view.remove_node(2)
    assert view.num_unschedulable == 0


def test_the_hash_of_a_name_is_the_same_in_every_process() -> None:
    assert name_hash("node-1") == 0x29EBA4BC55B7578F
    view = with_nodes("node-1")
    assert int(view.name_hash[0]) == name_hash("node-1")


@pytest.mark.parametrize(("bytes_there", "exact"), [(EXACT_CAPACITY, True), (EXACT_CAPACITY + 1, False)])
def test_where_floats_could_round_otherwise_than_integers_the_view_says_so(bytes_there: int, exact: bool) -> None:
    view = with_nodes("a")
    view.add_node(node("huge", memory=bytes_there))
    assert view.float_is_exact is exact


def test_nodes_that_come_or_go_and_images_that_change_are_epochs() -> None:
    """The share of nodes that have an image alters with each, and with it the score of all others."""
    view = with_nodes("a")
    passed = []
    for event in (
        lambda: view.add_node(node("b", images={"app": 5})),
        lambda: view.update_node(1, node("b", images={"app": 5}, cpu=8)),
        lambda: view.update_node(1, node("b", images={"app": 5, "web": 7}, cpu=8)),
        lambda: view.remove_node(0),
    ):
        before = view.journal.marks(("nodes", "images"))
        event()
        now = view.journal.marks(("nodes", "images"))
        passed.append(tuple(after > was for after, was in zip(now, before, strict=True)))
    nodes, images = (True, False), (False, True)
    assert passed == [nodes, (False, False), images, nodes]


# ---- nodes that cannot be read


def test_a_malformed_node_is_named_and_changes_nothing() -> None:
    view = with_nodes("a")
    before = (view.size, view.num_nodes, view.journal.version, view.allocatable.copy())
    with pytest.raises(InvalidObject, match=r"node 'b' has an unreadable status.allocatable: quantity 'lots'"):
        view.add_node(node("b", memory="lots"))
    assert (view.size, view.num_nodes, view.journal.version) == before[:3]
    assert view.slot("b") is None
    assert np.array_equal(view.allocatable, before[3])


def test_a_malformed_update_leaves_the_node_as_it_was() -> None:
    view = Columns()
    slot = view.add_node(node("a", labels={"zone": "a"}, images={"app": 5}))
    version = view.journal.version
    with pytest.raises(InvalidObject, match="node 'a'"):
        view.update_node(slot, node("a", cpu="x", labels={"zone": "b"}, unschedulable=True))
    assert view.node(slot).labels == {"zone": "a"}
    assert (view.allocatable[CPU, slot], view.num_unschedulable, view.journal.version) == (4000, 0, version)
    assert view.image("app") is not None
