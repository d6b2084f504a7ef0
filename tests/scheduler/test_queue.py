"""The scheduling queue: order, backoff, and what brings a rejected pod back. No pod is ever lost."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from roost.api.pod import Pod
from roost.cache.cache import Cache, Change
from roost.framework.plugin import Plugin
from roost.framework.pod_info import PodInfo
from roost.framework.profile import Profile
from roost.framework.status import Status, unresolvable
from roost.scheduler.queue import SchedulingQueue
from roost.scheduler.queued_pod import QueuedPod
from roost.scheduler.unschedulable import Fits
from roost.testing.builders import pod

NODE_ADDED = Change(frozenset({"node", "usage"}), "node-1", 0)
NODE_CHANGED = Change(frozenset({"node"}), "node-1", 0)
NODE_GONE = Change(frozenset({"node", "usage"}), "node-1", -1)
ROOM_FREED = Change(frozenset({"usage"}), "node-1", 0)

_cache = Cache()


class Gates(Plugin):
    name = "Gates"

    def pre_enqueue(self, pod: Pod) -> Status | None:
        return unresolvable("gated") if pod.spec.scheduling_gates else None


class Room(Plugin):
    name = "Room"
    reads = frozenset({"usage"})
    pod_reads = ("requests",)

    def filter(self, *_: Any) -> None:
        return None


class Taints(Plugin):
    name = "Taints"
    reads = frozenset({"node"})
    pod_reads = ("tolerations", "annotations")

    def filter(self, *_: Any) -> None:
        return None


class Neighbours(Plugin):
    """A plugin that looks beyond single nodes."""

    name = "Neighbours"
    reads = frozenset({"usage", "neighbours"})
    pod_reads = ("labels",)

    def filter(self, *_: Any) -> None:
        return None


def make_queue(**limits: float) -> SchedulingQueue:
    return SchedulingQueue([Profile.of([Gates(), Room(), Taints(), Neighbours()])], **limits)


def info(name: str = "pod", **fields: Any) -> PodInfo:
    return _cache.pod_info(pod(name, **fields))


def names(popped: list[QueuedPod]) -> list[str]:
    return [queued.info.pod.name for queued in popped]


def rejected(queue: SchedulingQueue, name: str, *plugins: str, now: float = 0.0, **fields: Any) -> QueuedPod:
    """Put a pod through an attempt in which plugins reject it."""
    queue.add(info(name, **fields), now)
    (queued,) = queue.pop(now, 1)
    queue.reject(queued, frozenset(plugins), now)
    return queued


def no(_: QueuedPod, slots: Sequence[int]) -> bool:
    return False


def yes(_: QueuedPod, slots: Sequence[int]) -> bool:
    return True


class TestOrder:
    def test_higher_priority_first_then_earlier_arrival(self) -> None:
        queue = make_queue()
        for now, (name, priority) in enumerate([("a", 0), ("b", 5), ("c", None), ("d", 5), ("e", -1)]):
            queue.add(info(name, priority=priority), now)
        assert names(queue.pop(10, 10)) == ["b", "d", "a", "c", "e"]

    def test_pods_that_arrive_together_keep_their_order(self) -> None:
        queue = make_queue()
        for name in ("z", "a", "m"):
            queue.add(info(name), 0)
        assert names(queue.pop(0, 2)) == ["z", "a"]
        assert names(queue.pop(0, 2)) == ["m"]

    def test_a_queue_sort_plugin_decides_the_order(self) -> None:
        class Shortest(Plugin):
            name = "Shortest"

            def queue_sort(self, pod: Pod, arrival: float) -> tuple[Any, ...]:
                return (len(pod.name),)

        queue = SchedulingQueue([Profile.of([Shortest()])])
        for name in ("long-name", "x", "name"):
            queue.add(info(name), 0)
        assert names(queue.pop(0, 9)) == ["x", "name", "long-name"]

    def test_a_pod_that_failed_goes_behind_those_that_came_before_its_last_attempt_ended(self) -> None:
        queue = make_queue()
        queue.add(info("old"), 0)
        (old,) = queue.pop(0, 1)
        queue.add(info("new"), 3)
        queue.reject(old, frozenset({"Room"}), 4)
        queue.wake([ROOM_FREED], 9, yes)
        assert names(queue.pop(9, 9)) == ["new", "old"]

    def test_many_deleted_pods_leave_no_entries_behind(self) -> None:
        queue = make_queue()
        for i in range(5000):
            queue.add(info(f"pod-{i}"), i)
            queue.delete(f"default/pod-{i}")
        assert len(queue._active) < 1100
        assert queue.counts() == {"active": 0, "backoff": 0, "unschedulable": 0, "gated": 0}

    def test_the_order_holds_after_most_pods_were_deleted(self) -> None:
        queue = make_queue()
        for i in range(6000):
            queue.add(info(f"pod-{i}", priority=i * 7919 % 6007), i)
        for i in range(6000):
            if i % 20:
                queue.delete(f"default/pod-{i}")
        priorities = [queued.info.pod.spec.priority for queued in queue.pop(9999, 9999)]
        assert len(priorities) == 300
        assert priorities == sorted(priorities, reverse=True)


class TestGates:
    def test_a_gated_pod_waits_and_enters_when_its_gate_is_gone(self) -> None:
        queue = make_queue()
        queue.add(info("pod", gates=["first", "second"]), 0)
        assert queue.counts()["gated"] == 1
        assert queue.pop(0, 1) == []
        queue.add(info("pod", gates=["second"]), 1)
        assert queue.pop(1, 1) == []
        queue.add(info("pod"), 9)
        (queued,) = queue.pop(9, 1)
        assert (queued.added, queued.arrival) == (9, 9)

    def test_changes_of_the_cluster_and_time_do_not_open_gates(self) -> None:
        queue = make_queue()
        queue.add(info("pod", gates=["gate"]), 0)
        queue.wake([NODE_ADDED], 1, yes)
        assert queue.pop(10_000, 1) == []
        assert queue.next_time() is None


class TestBackoff:
    def test_it_doubles_from_one_second_to_ten(self) -> None:
        queue = make_queue()
        queue.add(info(), 0)
        now, waits = 0.0, []
        for _ in range(6):
            (queued,) = queue.pop(now, 1)
            queue.fail(queued, now)
            waits.append(queued.ready_at - now)
            now = queued.ready_at
        assert waits == [1, 2, 4, 8, 10, 10]

    def test_a_failed_pod_is_not_tried_early(self) -> None:
        queue = make_queue()
        queue.add(info(), 0)
        queue.fail(queue.pop(0, 1)[0], 0)
        assert queue.pop(0.9, 1) == []
        assert queue.next_time() == 1.0
        assert names(queue.pop(1.0, 1)) == ["pod"]

    def test_a_woken_pod_is_tried_early_when_nothing_else_is_to_do(self) -> None:
        queue = make_queue()
        rejected(queue, "woken", "Room")
        queue.add(info("active"), 0)
        queue.wake([ROOM_FREED], 0.1, yes)
        assert queue.counts()["backoff"] == 1
        assert names(queue.pop(0.2, 9)) == ["active"]
        assert names(queue.pop(0.2, 9)) == ["woken"]

    def test_pods_taken_early_come_in_order_of_priority(self) -> None:
        queue = make_queue()
        for now, name, priority in ((0.0, "low", 1), (0.5, "high", 9), (0.6, "middle", 5)):
            rejected(queue, name, "Room", priority=priority, now=now)
        queue.wake([ROOM_FREED], 0.7, yes)
        assert names(queue.pop(0.8, 9)) == ["high", "middle", "low"]

    def test_the_server_may_ask_for_more_patience(self) -> None:
        queue = make_queue()
        queue.add(info(), 0)
        queue.fail(queue.pop(0, 1)[0], 0, retry_after=7)
        assert queue.next_time() == 7

    def test_a_blameless_pod_waits_a_second_each_time(self) -> None:
        queue = make_queue()
        queue.add(info(), 0)
        for now in range(5):
            queue.fail(queue.pop(now, 1)[0], now, blameless=True)
            assert queue.next_time() == now + 1

    def test_a_rejection_forgives_errors(self) -> None:
        queue = make_queue()
        queue.add(info(), 0)
        queue.fail(queue.pop(0, 1)[0], 0)
        queue.fail(queue.pop(1, 1)[0], 1)
        (queued,) = queue.pop(3, 1)
        queue.reject(queued, frozenset({"Room"}), 3)
        assert (queued.errors, queued.rejections, queued.ready_at) == (0, 1, 4)
        assert queued.rejected_by == {"Room"}
        queue.wake([ROOM_FREED], 9, yes)
        queue.fail(queue.pop(9, 1)[0], 9)
        assert queued.rejected_by == frozenset()


class TestWaking:
    @pytest.mark.parametrize(
        ("rejectors", "change", "woken"),
        [
            (["Room"], ROOM_FREED, True),
            (["Room"], NODE_ADDED, True),
            (["Room"], NODE_CHANGED, False),
            (["Taints"], NODE_CHANGED, True),
            (["Taints"], ROOM_FREED, False),
            (["Room", "Taints"], ROOM_FREED, True),
            (["Room"], NODE_GONE, False),
            (["Neighbours"], NODE_GONE, True),
            (["Neighbours"], NODE_CHANGED, False),
            (["Neighbours"], Change(frozenset({"neighbours"}), "", -1), True),
            (["Unknown"], NODE_CHANGED, True),
            ([], NODE_ADDED, True),
        ],
    )
    def test_only_changes_that_a_rejector_reads_wake(self, rejectors: list[str], change: Change, woken: bool) -> None:
        queue = make_queue()
        rejected(queue, "pod", *rejectors)
        assert queue.wake([change], 5, yes) == woken
        assert names(queue.pop(5, 1)) == ["pod"] * woken

    def test_the_changed_node_decides_for_rejectors_that_look_at_one_node(self) -> None:
        queue = make_queue()
        rejected(queue, "local", "Room", "Taints")
        rejected(queue, "beyond", "Room", "Neighbours")
        assert queue.wake([ROOM_FREED], 5, no) == 1
        assert names(queue.pop(5, 9)) == ["beyond"]

    def test_pods_that_look_alike_are_asked_about_once(self) -> None:
        queue = make_queue()
        for i in range(50):
            queue.add(info(f"pod-{i}"), 0)
        for queued in queue.pop(0, 50):
            queued.info.kind = "alike"
            queue.reject(queued, frozenset({"Room"}), 0)
        asked: list[str] = []

        def fits(queued: QueuedPod, slots: Sequence[int]) -> bool:
            asked.append(queued.key)
            return True

        assert queue.wake([ROOM_FREED], 5, fits) == 50
        assert len(asked) == 1

    def test_after_five_minutes_a_pod_is_tried_anyway(self) -> None:
        queue = make_queue()
        rejected(queue, "pod", "Room", now=100)
        assert queue.next_time() == 400
        assert queue.pop(399, 1) == []
        (queued,) = queue.pop(400, 1)
        assert queued.flushed
        queue.reject(queued, frozenset({"Room"}), 400)
        assert not queued.flushed

    def test_a_change_during_the_attempt_is_not_missed(self) -> None:
        queue = make_queue()
        queue.add(info(), 0)
        (queued,) = queue.pop(0, 1)
        queue.wake([ROOM_FREED], 0.1, yes)
        queue.reject(queued, frozenset({"Room"}), 0.2)
        assert queued.state == "backoff"

    @pytest.mark.parametrize(("change", "fits"), [(NODE_CHANGED, yes), (ROOM_FREED, no)])
    def test_a_change_during_the_attempt_that_does_not_help_is_no_reason(self, change: Change, fits: Fits) -> None:
        queue = make_queue()
        queue.add(info(), 0)
        (queued,) = queue.pop(0, 1)
        queue.wake([change], 0.1, fits)
        queue.reject(queued, frozenset({"Room"}), 0.2)
        assert queued.state == "unschedulable"

    def test_a_change_before_the_attempt_is_no_reason(self) -> None:
        queue = make_queue()
        queue.add(info("other"), 0)
        queue.add(info("pod"), 0)
        (other,) = queue.pop(0, 1)
        queue.wake([ROOM_FREED], 0.1, yes)
        (queued,) = queue.pop(0.2, 1)
        queue.reject(queued, frozenset({"Room"}), 0.3)
        assert queued.state == "unschedulable"
        queue.reject(other, frozenset({"Room"}), 0.3)
        assert other.state == "backoff"

    def test_changes_are_forgotten_when_no_attempt_needs_them(self) -> None:
        queue = make_queue()
        for i in range(10):
            queue.add(info(f"pod-{i}"), 0)
        slow = queue.pop(0, 1)[0]
        for _ in range(5000):
            queue.wake([ROOM_FREED], 1, yes)
        quick = queue.pop(2, 1)[0]
        queue.done(slow)
        assert len(queue._missed) == 0
        queue.wake([ROOM_FREED], 3, yes)
        queue.reject(quick, frozenset({"Room"}), 3)
        assert quick.state == "backoff"


class TestUpdates:
    def test_a_new_status_does_not_wake(self) -> None:
        queue = make_queue()
        queued = rejected(queue, "pod", "Room")
        conditions = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]
        queue.add(info("pod", status={"conditions": conditions}), 5)
        assert queued.state == "unschedulable"
        assert queued.info.pod.status.conditions

    @pytest.mark.parametrize(
        ("fields", "rejector", "woken"),
        [
            ({"tolerations": [{"operator": "Exists"}]}, "Taints", True),
            ({"cpu": "1m"}, "Room", True),
            ({"labels": {"a": "b"}}, "Room", True),
            ({"metadata": {"annotations": {"a": "b"}}}, "Room", False),
            ({"metadata": {"annotations": {"a": "b"}}}, "Taints", True),
        ],
    )
    def test_what_is_new_decides_whether_it_wakes(self, fields: dict[str, Any], rejector: str, woken: bool) -> None:
        queue = make_queue()
        queued = rejected(queue, "pod", rejector)
        queue.add(info("pod", **fields), 5)
        assert queued.state == ("active" if woken else "unschedulable")

    def test_an_update_during_the_attempt_brings_the_pod_back_if_it_is_rejected(self) -> None:
        queue = make_queue()
        queue.add(info(), 0)
        (queued,) = queue.pop(0, 1)
        queue.add(info(cpu="1m"), 0.1)
        queue.reject(queued, frozenset({"Room"}), 0.2)
        assert queued.state == "backoff"
        assert queued.info.requests.effective == {"cpu": 1}

    def test_a_pod_whose_attempt_was_overtaken_is_active_again_at_no_cost(self) -> None:
        queue = make_queue()
        queue.add(info(), 0)
        (queued,) = queue.pop(0, 1)
        queue.again(queued)
        assert (queued.state, queued.attempts) == ("active", 0)

    def test_an_active_pod_takes_its_new_priority_at_once(self) -> None:
        queue = make_queue()
        queue.add(info("a"), 0)
        queue.add(info("b"), 1)
        queue.add(info("b", priority=7), 2)
        assert names(queue.pop(3, 9)) == ["b", "a"]

    def test_a_pod_of_the_same_name_but_another_uid_is_another_pod(self) -> None:
        queue = make_queue()
        old = rejected(queue, "pod", "Room", uid="1")
        new = queue.add(info("pod", uid="2"), 5)
        assert (old.state, new.state) == ("gone", "active")
        assert names(queue.pop(5, 9)) == ["pod"]


class TestDeletion:
    def test_a_pod_deleted_during_its_attempt_does_not_come_back(self) -> None:
        queue = make_queue()
        queue.add(info(), 0)
        (queued,) = queue.pop(0, 1)
        assert queue.delete("default/pod") is queued
        queue.reject(queued, frozenset({"Room"}), 1)
        queue.fail(queued, 1)
        queue.again(queued)
        queue.done(queued)
        assert queued.state == "gone"
        assert len(queue) == 0
        assert queue.next_time() is None

    def test_an_unknown_pod_is_nothing_to_delete(self) -> None:
        assert make_queue().delete("default/pod") is None


def test_pods_that_are_bound_are_counted_nowhere_until_they_are_seen_bound() -> None:
    queue = make_queue()
    queue.add(info(), 0)
    (queued,) = queue.pop(0, 1)
    queue.done(queued)
    assert "default/pod" in queue
    assert set(queue.counts().values()) == {0}
    queue.delete("default/pod")
    assert "default/pod" not in queue


def test_arrivals_and_rejections_are_counted_by_kube_schedulers_names() -> None:
    queue = make_queue()
    rejected(queue, "a", "Room", "Taints")
    rejected(queue, "b", "Room")
    assert queue.rejections() == {("Room", "roost"): 2, ("Taints", "roost"): 1}
    queue.wake([NODE_ADDED], 0.5, yes)
    queue.pop(0.5, 9)
    assert queue.incoming == {
        ("active", "UnschedulablePodAdd"): 2,
        ("unschedulable", "ScheduleAttemptFailure"): 2,
        ("backoff", "NodeAdd"): 2,
        ("active", "PopFromBackoffQ"): 2,
    }


class QueueMachine(RuleBasedStateMachine):
    """Whatever happens in whatever order: every pod is in one place, and the order holds."""

    @initialize()
    def begin(self) -> None:
        self.queue = make_queue()
        self.now = 0.0
        self.known: dict[str, QueuedPod] = {}
        self.attempts: dict[str, QueuedPod] = {}
        self.uid = 0

    @rule(name=st.sampled_from("abcdef"), priority=st.integers(0, 2), gated=st.booleans())
    def add(self, name: str, priority: int, gated: bool) -> None:
        key = f"default/{name}"
        if key in self.known:
            return
        self.uid += 1
        fields = {"gates": ["gate"]} if gated else {}
        self.known[key] = self.queue.add(info(name, priority=priority, uid=str(self.uid), **fields), self.now)

    @precondition(lambda self: self.known)
    @rule(data=st.data(), cpu=st.integers(1, 3))
    def update(self, data: st.DataObject, cpu: int) -> None:
        queued = self.known[data.draw(st.sampled_from(sorted(self.known)))]
        old = queued.info.pod
        fields = {"priority": old.spec.priority, "uid": old.metadata.uid}
        assert self.queue.add(info(old.name, cpu=cpu, **fields), self.now) is queued

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.known)))
        assert self.queue.delete(key) is self.known.pop(key)
        self.attempts.pop(key, None)

    @rule(limit=st.integers(1, 4))
    def pop(self, limit: int) -> None:
        active = self.queue.active
        popped = self.queue.pop(self.now, limit)
        assert len(popped) >= min(active, limit)
        assert [q.sort_key for q in popped] == sorted(q.sort_key for q in popped)
        for queued in popped:
            assert self.known[queued.key] is queued
            assert queued.key not in self.attempts
            self.attempts[queued.key] = queued

    @precondition(lambda self: self.attempts)
    @rule(
        data=st.data(),
        end=st.sampled_from(["reject", "fail", "done", "again"]),
        plugins=st.sets(st.sampled_from(["Room", "Taints", "Neighbours", "Unknown"])),
    )
    def end_attempt(self, data: st.DataObject, end: str, plugins: set[str]) -> None:
        queued = self.attempts.pop(data.draw(st.sampled_from(sorted(self.attempts))))
        if end == "reject":
            self.queue.reject(queued, frozenset(plugins), self.now)
        elif end == "fail":
            self.queue.fail(queued, self.now)
        elif end == "done":
            self.queue.done(queued)
            self.attempts.update({queued.key: queued} if self.now % 2 else {})
        elif queued.state == "deciding":
            self.queue.again(queued)

    @rule(change=st.sampled_from([NODE_ADDED, NODE_CHANGED, NODE_GONE, ROOM_FREED]), fits=st.sampled_from([yes, no]))
    def wake(self, change: Change, fits: Fits) -> None:
        self.queue.wake([change], self.now, fits)

    @rule(seconds=st.sampled_from([0.5, 1.0, 11.0, 301.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def every_pod_is_in_exactly_one_place(self) -> None:
        queue = self.queue
        assert {q.key for q in queue.pods()} == set(self.known)
        places = {
            "active": {e[-1].key for e in queue._active if e[-1].ticket == e[-2]},
            "backoff": {e[-1].key for e in (*queue._backoff, *queue._error_backoff) if e[-1].ticket == e[-2]},
            "unschedulable": {q.key for q in queue._unschedulable},
            "deciding": set(queue._deciding),
        }
        for key, queued in self.known.items():
            found = [place for place, keys in places.items() if key in keys]
            assert found == ([queued.state] if queued.state in places else [])
        for state, count in queue.counts().items():
            assert count == sum(queued.state == state for queued in self.known.values())

    @invariant()
    def whoever_waits_will_be_looked_at_again(self) -> None:
        waits = any(q.state in ("backoff", "unschedulable") for q in self.known.values())
        assert (self.queue.next_time() is not None) or not waits


QueueMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestQueueMachine = QueueMachine.TestCase
