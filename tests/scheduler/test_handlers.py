"""What the watches show, as the cache and the queue hear of it."""

from dataclasses import dataclass, field
from typing import Any

from roost.cache.cache import USAGE, Cache, Change
from roost.framework.cluster import Listing, Malformed, WatchEvent
from roost.framework.pod_info import PodInfo
from roost.scheduler.handlers import Handlers
from roost.scheduler.metrics import Metrics
from roost.scheduler.queue import SchedulingQueue
from roost.testing.builders import node, pod


@dataclass
class World:
    """Handlers with a real cache and queue; what they ask of the others is noted."""

    now: float = 0.0
    asked: list[tuple[str, list[int]]] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    notified: int = 0
    seconds_per_question: float = 0.0

    def __post_init__(self) -> None:
        self.cache, self.queue = Cache(), SchedulingQueue([])
        self.handlers = Handlers(
            self.cache,
            self.queue,
            ["roost"],
            clock=lambda: self.now,
            fits=self._fits,
            conditions=self,  # type: ignore[arg-type]
            recorder=self,  # type: ignore[arg-type]
            metrics=Metrics(),
            notify=self._notify,
        )
        self.handlers.replace_nodes(Listing([node(f"node-{i}") for i in range(4)], "1"))
        self.handlers.replace_pods(Listing([], "1"))
        self.handlers.wake_pods()
        self.now = 1.0

    def forget(self, uid: str) -> None:
        self.forgotten.append(uid)

    def _fits(self, queued: Any, slots: Any) -> bool:
        self.asked.append((queued.key, sorted(slots)))
        self.now += self.seconds_per_question
        return False

    def _notify(self) -> None:
        self.notified += 1

    def reject(self, *names: str) -> None:
        """Have pods wait that a plugin which looks at one node at a time rejected."""
        for name in names:
            self.queue.add(self.cache.pod_info(pod(name)), self.now)
        for queued in self.queue.pop(self.now, 99):
            self.queue._unschedulable._plugins = {"Local": _Local}
            self.queue.reject(queued, frozenset({"Local"}), self.now)

    def see(self, type_: str, *objects: Any) -> None:
        change = self.handlers.change_pods if objects[0].metadata.namespace else self.handlers.change_nodes
        change([WatchEvent(type_, obj, "2") for obj in objects])

    def placed(self, name: str, node_name: str, **fields: Any) -> PodInfo:
        self.see("ADDED", pod(name, node_name=node_name, scheduler_name="other", **fields))
        self.handlers.wake_pods()
        self.asked.clear()
        (found,) = [info for info in self.cache.pods if info.pod.name == name]
        return found


class _Local:
    reads = frozenset({"node", "usage"})
    filter_reads = None
    pod_reads = ("requests",)
    remember = True


def slot(world: World, node_name: str) -> int:
    return int(world.cache.view.rows_named(node_name)[0])


def test_many_changes_are_one_question_about_all_their_nodes() -> None:
    world = World()
    placed = [world.placed(f"tenant-{i}", f"node-{i % 3}").pod for i in range(9)]
    world.reject("waiting")
    world.see("DELETED", *placed)
    world.handlers.wake_pods()
    assert world.asked == [("default/waiting", [slot(world, f"node-{i}") for i in range(3)])]
    world.handlers.wake_pods()
    assert len(world.asked) == 1


def test_a_node_that_only_got_fuller_is_no_question() -> None:
    world = World()
    world.reject("waiting")
    world.see("ADDED", pod("tenant", node_name="node-1", scheduler_name="other"))
    world.handlers.wake_pods()
    assert world.asked == []


def test_a_pod_that_moves_frees_the_node_it_was_assumed_on() -> None:
    world = World()
    world.cache.assume(world.cache.pod_info(pod("web", cpu="1")), "node-1")
    world.reject("waiting")
    world.see("MODIFIED", pod("web", cpu="1", node_name="node-2"))
    world.handlers.wake_pods()
    assert world.asked == [("default/waiting", [slot(world, "node-1")])]


def test_a_pod_that_shrinks_on_its_node_frees_room() -> None:
    world = World()
    world.placed("tenant", "node-1", cpu="2")
    world.reject("waiting")
    world.see("MODIFIED", pod("tenant", node_name="node-1", scheduler_name="other", cpu="1"))
    world.handlers.wake_pods()
    assert world.asked == [("default/waiting", [slot(world, "node-1")])]


def test_waking_rests_four_times_as_long_as_it_took() -> None:
    world = World(seconds_per_question=0.5)
    tenants = [world.placed(f"tenant-{i}", "node-1").pod for i in range(3)]
    world.reject("a", "b")
    world.see("DELETED", tenants[0])
    world.handlers.wake_pods()
    assert (world.now, len(world.asked)) == (2.0, 2)
    world.see("DELETED", tenants[1])
    world.handlers.wake_pods()
    assert len(world.asked) == 2
    assert world.handlers.next_time() == 6.0
    world.now = 6.0
    world.handlers.wake_pods()
    assert len(world.asked) == 4
    assert world.handlers.next_time() is None


def test_an_undone_binding_is_a_change_like_others() -> None:
    world = World()
    world.reject("waiting")
    notified = world.notified
    world.handlers.take_notice(Change(USAGE, "node-1", slot(world, "node-1")), None)
    assert world.notified == notified + 1
    world.handlers.wake_pods()
    assert world.asked == [("default/waiting", [slot(world, "node-1")])]


def test_each_batch_is_announced_once() -> None:
    world = World()
    notified = world.notified
    world.see("ADDED", pod("a"), pod("b"), pod("c"))
    world.see("ADDED", node("new"))
    assert world.notified == notified + 2


def test_what_is_remembered_of_a_pod_goes_with_it() -> None:
    world = World()
    world.see("ADDED", pod("web", uid="1"))
    world.see("DELETED", pod("web", uid="1"))
    assert world.forgotten == ["1", "1"]
    world.see("DELETED", pod("unknown", uid="2"))
    assert world.forgotten == ["1", "1"]


def test_a_late_deletion_of_an_old_pod_does_not_touch_the_new_one() -> None:
    world = World()
    world.see("ADDED", pod("web", uid="2"))
    world.see("DELETED", pod("web", uid="1"))
    assert "default/web" in world.queue


def test_a_pod_of_another_uid_takes_the_place_of_one_that_was_assumed() -> None:
    world = World()
    world.cache.assume(world.cache.pod_info(pod("web", uid="1")), "node-1")
    queued = world.queue.add(world.cache.pod_info(pod("web", uid="1")), 0)
    world.see("ADDED", pod("web", uid="2"))
    assert queued.state == "gone"
    assert world.cache.node_of("default/web") is None
    assert world.queue.pop(9, 9)[0].info.uid == "2"


def test_a_node_that_is_gone_takes_no_more_pods() -> None:
    world = World()
    world.see("DELETED", node("node-1"))
    assert sorted(world.cache.node_names) == ["node-0", "node-2", "node-3"]


def test_a_pod_that_has_ended_or_is_going_waits_no_more() -> None:
    world = World()
    world.see("ADDED", pod("a"), pod("b"), pod("c"))
    world.see("MODIFIED", pod("a", status={"phase": "Failed"}))
    world.see("MODIFIED", pod("b", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}))
    assert [queued.key for queued in world.queue.pods()] == ["default/c"]


def test_a_pod_that_has_ended_frees_its_room_and_one_that_is_going_does_not() -> None:
    world = World()
    for name in ("a", "b"):
        world.placed(name, "node-1")
    world.see("MODIFIED", pod("a", node_name="node-1", status={"phase": "Succeeded"}))
    world.see("MODIFIED", pod("b", node_name="node-1", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}))
    assert [info.key for info in world.cache.pods] == ["default/b"]


def test_a_bound_pod_needs_its_condition_no_more() -> None:
    world = World()
    world.see("ADDED", pod("web", uid="1"))
    world.see("MODIFIED", pod("web", uid="1", node_name="node-1"))
    assert world.forgotten == ["1"]


def test_what_a_list_lacks_is_gone_but_not_what_could_not_be_read() -> None:
    world = World()
    world.see("ADDED", pod("waits"), pod("stays"), pod("odd"))
    for name in ("ran", "runs", "odd-ran"):
        world.placed(name, "node-1")
    listed = [pod("stays"), pod("runs", node_name="node-1", scheduler_name="other")]
    unreadable = [Malformed("default/odd", "?"), Malformed("default/odd-ran", "?")]
    world.handlers.replace_pods(Listing(listed, "9", unreadable))
    assert sorted(queued.key for queued in world.queue.pods()) == ["default/odd", "default/stays"]
    assert sorted(info.key for info in world.cache.pods) == ["default/odd-ran", "default/runs"]

    world.handlers.replace_nodes(Listing([node("node-0")], "9", [Malformed("node-1", "?")]))
    assert sorted(world.cache.node_names) == ["node-0", "node-1"]


def test_an_assigned_pod_that_cannot_be_read_is_reported_and_no_longer_ours() -> None:
    world = World()
    world.see("ADDED", pod("web"))
    world.see("MODIFIED", pod("web", node_name="node-1", cpu="some"))
    assert world.handlers._metrics.malformed == {"pod": 1}
    assert len(world.queue) == 0


def test_problems_are_remembered_but_not_all_of_them() -> None:
    world = World()
    for i in range(10_100):
        world.handlers.replace_pods(Listing([], "9", [Malformed(f"default/odd-{i}", "?")]))
    assert len(world.handlers._problems) == 10_000
