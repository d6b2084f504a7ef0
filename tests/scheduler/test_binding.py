"""The binding cycle: whatever the API server answers, or does not, every pod is bound at most once and never lost."""

import asyncio
from typing import Any

import pytest
from tests.scheduler.fake_cluster import LOST, NODE, POD, FakeCluster
from tests.scheduler.live import running, turns, until
from tests.scheduler.virtual_time import in_virtual_time

from roost.errors import ApiError, Conflict, Forbidden, TooManyRequests, Unreachable
from roost.framework.cluster import Cluster
from roost.framework.plugin import Plugin
from roost.framework.pod_info import PodInfo
from roost.framework.profile import Profile
from roost.framework.status import SKIP, Status, unschedulable
from roost.plugins.intree.default_binder import DefaultBinder
from roost.plugins.intree.node_resources_fit import NodeResourcesFit
from roost.testing.builders import node, pod

WEB = "default/web"
BROKEN = ApiError("etcdserver: request timed out", status=500)


def one_node_one_pod() -> FakeCluster:
    cluster = FakeCluster()
    cluster.add(NODE, node("node-1"))
    cluster.add(POD, pod("web", cpu="1"))
    return cluster


def assert_bound_once(cluster: FakeCluster, key: str = WEB) -> None:
    assert cluster.bindings[key] == 1
    assert len(cluster.events("Scheduled", key.split("/")[1])) == 1


# ---- the outcome is not known


@in_virtual_time
async def test_a_binding_whose_answer_was_lost_is_found_out_and_not_posted_again() -> None:
    cluster = one_node_one_pod()
    cluster.fail("bind", LOST, after=True)
    async with running(cluster) as scheduler:
        await until(lambda: len(cluster.events("Scheduled")) == 1)
        assert cluster.asked("bind") == 1
        assert not scheduler.cache.is_assumed(WEB)
    assert_bound_once(cluster)
    assert scheduler.metrics.total("scheduled") == 1


@in_virtual_time
async def test_a_binding_that_was_lost_before_it_took_effect_is_tried_again_after_a_second() -> None:
    cluster = one_node_one_pod()
    cluster.fail("bind", LOST)
    async with running(cluster) as scheduler:
        seconds = await until(lambda: bool(cluster.placements()))
        assert 1.1 < seconds < 1.3
        assert cluster.asked("get", POD, WEB) == 2
    assert_bound_once(cluster)
    assert scheduler.metrics.total("error") == 1


@in_virtual_time
async def test_an_error_of_the_server_leaves_open_what_happened_too() -> None:
    cluster = one_node_one_pod()
    cluster.fail("bind", BROKEN, after=True)
    async with running(cluster):
        await until(lambda: len(cluster.events("Scheduled")) == 1)
        assert cluster.asked("bind") == 1
    assert_bound_once(cluster)


@in_virtual_time
async def test_a_binding_that_takes_effect_after_the_first_look_is_seen_at_the_second() -> None:
    cluster = one_node_one_pod()
    cluster.fail("bind", LOST)
    async with running(cluster):
        await until(lambda: cluster.asked("get", POD, WEB) == 1)
        cluster.place(WEB, "node-1")
        await until(lambda: len(cluster.events("Scheduled")) == 1)
    assert cluster.asked("bind") == 1
    assert cluster.asked("get", POD, WEB) == 2


@in_virtual_time
async def test_the_outcome_is_asked_for_until_the_api_server_tells() -> None:
    cluster = one_node_one_pod()
    cluster.fail("bind", LOST, after=True)
    cluster.fail("get", Unreachable("connection refused"), times=5)
    cluster.fail("get", BROKEN, times=2)
    async with running(cluster) as scheduler:
        await until(lambda: cluster.asked("get", POD, WEB) == 8)
        await until(lambda: len(cluster.events("Scheduled")) == 1)
        assert cluster.asked("bind") == 1
        assert scheduler.cache.node_of(WEB) == "node-1"
    assert_bound_once(cluster)


@in_virtual_time
async def test_a_pod_stays_assumed_while_its_outcome_is_unknown() -> None:
    cluster = one_node_one_pod()
    cluster.fail("bind", LOST)
    cluster.fail("get", Unreachable("connection refused"), times=5)
    async with running(cluster) as scheduler:
        await until(lambda: cluster.asked("get", POD, WEB) == 3)
        assert scheduler.cache.is_assumed(WEB)
        await until(lambda: bool(cluster.placements()))
    assert_bound_once(cluster)


@in_virtual_time
async def test_without_the_right_to_read_a_lost_binding_is_tried_again() -> None:
    cluster = one_node_one_pod()
    cluster.fail("bind", LOST, after=True)
    cluster.fail("get", Forbidden("may not get pods", status=403), times=9)
    async with running(cluster):
        await until(lambda: bool(cluster.placements()))
        await asyncio.sleep(5)
    assert cluster.bindings[WEB] == 1


@in_virtual_time
async def test_a_timeout_in_a_bind_plugin_is_an_unknown_outcome() -> None:
    cluster = one_node_one_pod()
    cluster.fail("bind", TimeoutError(), after=True)
    async with running(cluster):
        await until(lambda: len(cluster.events("Scheduled")) == 1)
    assert_bound_once(cluster)


# ---- the pod is not what it was


@in_virtual_time
async def test_a_pod_that_somebody_else_bound_first_is_left_to_them() -> None:
    cluster = one_node_one_pod()
    cluster.add(NODE, node("node-2"))
    cluster.fail("bind", None, seconds=1)
    async with running(cluster) as scheduler:
        await until(lambda: cluster.asked("bind") == 1)
        cluster.place(WEB, "node-2")
        await until(lambda: not scheduler.binder.lane.busy)
        assert scheduler.cache.node_of(WEB) == "node-2"
        assert WEB not in scheduler.queue
    assert cluster.bindings[WEB] == 0
    assert cluster.events("Scheduled") == []


@in_virtual_time
async def test_a_conflict_that_turns_out_to_be_our_own_binding_counts_as_done() -> None:
    cluster = one_node_one_pod()
    cluster.fail("bind", Conflict("already assigned", status=409), after=True)
    async with running(cluster):
        await until(lambda: len(cluster.events("Scheduled")) == 1)
    assert_bound_once(cluster)


@in_virtual_time
async def test_a_conflict_about_an_unbound_pod_is_tried_again() -> None:
    cluster = one_node_one_pod()
    cluster.fail("bind", Conflict("the object has been modified", status=409))
    async with running(cluster):
        await until(lambda: bool(cluster.placements()))
        assert len(cluster.events("FailedScheduling", "web")) <= 1
    assert_bound_once(cluster)


@in_virtual_time
async def test_a_pod_deleted_while_it_is_bound_frees_its_room() -> None:
    cluster = one_node_one_pod()
    cluster.fail("bind", None, seconds=1)
    async with running(cluster) as scheduler:
        await until(lambda: cluster.asked("bind") == 1)
        assert scheduler.cache.node_of(WEB) == "node-1"
        cluster.remove(POD, WEB)
        await until(lambda: scheduler.binder.lane.is_empty)
        assert scheduler.cache.node_of(WEB) is None
        assert len(scheduler.queue) == 0
    assert cluster.events("FailedScheduling") == []


@in_virtual_time
async def test_a_pod_deleted_and_created_anew_while_it_is_bound_is_another_pod() -> None:
    cluster = one_node_one_pod()
    cluster.fail("bind", None, seconds=1)
    async with running(cluster) as scheduler:
        await until(lambda: cluster.asked("bind") == 1)
        cluster.remove(POD, WEB)
        cluster.add(POD, pod("web", cpu="2"))
        await until(lambda: bool(cluster.placements()))
        await turns(20)
        assert [info.uid for info in scheduler.cache.pods] == [cluster.pod(WEB)["metadata"]["uid"]]
    assert_bound_once(cluster)


@in_virtual_time
async def test_a_pod_that_is_being_deleted_is_dropped() -> None:
    cluster = one_node_one_pod()
    cluster.fail("bind", None, seconds=1)
    async with running(cluster) as scheduler:
        await until(lambda: cluster.asked("bind") == 1)
        cluster.change(POD, WEB, metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
        await until(lambda: scheduler.binder.lane.is_empty)
        assert len(scheduler.queue) == 0
        assert scheduler.cache.pods == []
    assert cluster.placements() == {}


@in_virtual_time
@pytest.mark.parametrize("fate", ["deleted", "recreated", "bound elsewhere", "being deleted"])
async def test_what_became_of_a_pod_is_found_out_also_while_the_watches_are_silent(fate: str) -> None:
    cluster = one_node_one_pod()
    cluster.fail("bind", None, seconds=1)
    async with running(cluster) as scheduler:
        await until(lambda: cluster.asked("bind") == 1)
        cluster.fail("watch", Unreachable("connection refused"), times=1000)
        cluster.cut_watches()
        match fate:
            case "deleted":
                cluster.remove(POD, WEB)
            case "recreated":
                cluster.remove(POD, WEB)
                cluster.add(POD, pod("web"))
            case "bound elsewhere":
                cluster.place(WEB, "node-2")
            case "being deleted":
                cluster.change(POD, WEB, metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
        await until(lambda: scheduler.binder.is_idle)
        assert scheduler.cache.pods == []
        assert len(scheduler.queue) == 0
        await asyncio.sleep(20)
    assert cluster.asked("bind") == 1
    assert cluster.events("FailedScheduling") == []


@in_virtual_time
async def test_what_is_asked_while_nobody_answers_is_asked_ever_more_rarely() -> None:
    cluster = one_node_one_pod()
    cluster.fail("bind", LOST, after=True)
    cluster.fail("get", Unreachable("connection refused"), times=1000)
    async with running(cluster):
        await asyncio.sleep(100)
        assert 50 <= cluster.asked("get", POD, WEB) <= 60
        cluster._faults.clear()


# ---- the API server is busy, broken or away


@in_virtual_time
@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (BROKEN, 1.2),
        (TooManyRequests("too many requests", status=429, retry_after=5.0), 5.0),
        (TooManyRequests("too many requests", status=429), 1.0),
        (Unreachable("connection refused"), 1.0),
    ],
)
async def test_an_interrupted_binding_is_tried_again(error: ApiError, seconds: float) -> None:
    cluster = one_node_one_pod()
    cluster.fail("bind", error)
    async with running(cluster) as scheduler:
        waited = await until(lambda: bool(cluster.placements()))
        assert seconds - 0.1 < waited < seconds + 0.1
        assert scheduler.metrics.total("error") == 1
    assert_bound_once(cluster)
    assert cluster.events("FailedScheduling") == []
    assert cluster.asked("patch status") == 0


@in_virtual_time
async def test_errors_that_go_on_are_told_to_the_pod() -> None:
    cluster = one_node_one_pod()
    cluster.fail("bind", ApiError("failed calling webhook", status=500), times=4)
    async with running(cluster) as scheduler:
        await until(lambda: scheduler.metrics.total("error") == 2)
        assert cluster.events("FailedScheduling") == []
        await until(lambda: bool(cluster.placements()))
    (event,) = cluster.events("FailedScheduling")
    assert event["note"] == "binding to node-1 failed: failed calling webhook"
    assert cluster.asked("patch status") == 1


@in_virtual_time
async def test_after_an_outage_everything_is_bound_once_and_soon() -> None:
    cluster = FakeCluster(latency=0.01)
    for i in range(10):
        cluster.add(NODE, node(f"node-{i}"))
    for i in range(400):
        cluster.add(POD, pod(f"pod-{i}", cpu="10m"))
    async with running(cluster) as scheduler:
        await until(lambda: len(cluster.placements()) > 50)
        cluster.is_up = False
        cluster.cut_watches()
        await until(lambda: scheduler.metrics.total("error") > 0)
        await asyncio.sleep(20)
        known = len(cluster.placements())
        assert known < 400
        assert cluster.asked("bind") <= known + 128 + 22  # those under way when it went, then one a second
        cluster.is_up = True
        waited = await until(lambda: len(cluster.placements()) == 400)
        assert waited < 15
        await until(lambda: scheduler.queue.counts()["active"] == 0 and not len(scheduler.queue))
    assert set(cluster.bindings.values()) == {1}
    assert len(cluster.events("Scheduled")) == 400


@in_virtual_time
@pytest.mark.parametrize(("asked_for", "seconds"), [(7.0, 7.0), (None, 1.0)])
async def test_nothing_is_bound_while_the_api_server_has_too_many_requests(
    asked_for: float | None, seconds: float
) -> None:
    cluster, loop = FakeCluster(latency=0.01), asyncio.get_running_loop()
    cluster.add(NODE, node("node-1", pods=500))
    for i in range(400):
        cluster.add(POD, pod(f"pod-{i}", cpu="1m"))
    cluster.fail("bind", TooManyRequests("patience", status=429, retry_after=asked_for), times=128)
    async with running(cluster):
        await until(lambda: cluster.asked("bind") == 128)
        began = loop.time()
        await asyncio.sleep(seconds - 0.1)
        assert cluster.asked("bind") == 128
        await until(lambda: cluster.asked("bind") == 129)  # one goes ahead
        await until(lambda: len(cluster.placements()) == 400)
        assert loop.time() - began < seconds + 2.0
    assert set(cluster.bindings.values()) == {1}


@in_virtual_time
async def test_a_slow_binding_holds_up_nobody() -> None:
    cluster = one_node_one_pod()
    cluster.fail("bind", None, seconds=30, concerns=lambda key: key == WEB)
    async with running(cluster) as scheduler:
        await until(lambda: cluster.asked("bind") == 1)
        assert [queued.state for queued in scheduler.queue.pods()] == ["binding"]
        cluster.add(POD, pod("quick"))
        assert await until(lambda: "default/quick" in cluster.placements()) < 0.1
        await until(lambda: WEB in cluster.placements())


@in_virtual_time
async def test_a_refused_binding_is_said_in_event_and_condition() -> None:
    cluster = one_node_one_pod()
    cluster.fail("bind", Forbidden("pods/binding is forbidden", status=403))
    async with running(cluster):
        await until(lambda: bool(cluster.placements()))
    (event,) = cluster.events("FailedScheduling", "web")
    assert event["note"] == "binding to node-1 failed: pods/binding is forbidden"
    assert cluster.asked("patch status") == 1


@in_virtual_time
async def test_room_that_a_failed_binding_gives_back_helps_others() -> None:
    cluster = FakeCluster()
    cluster.add(NODE, node("node-1", cpu="1"))
    cluster.add(POD, pod("first", cpu="1", priority=1))
    cluster.add(POD, pod("second", cpu="1"))
    cluster.fail("bind", Forbidden("no", status=403), times=99, concerns=lambda key: key == "default/first")
    async with running(cluster):
        await until(lambda: "default/second" in cluster.placements())


# ---- plugins in the binding cycle


class Steps(Plugin):
    """Notes every step; rejects or raises at one of them."""

    name = "Steps"
    reads = frozenset()

    def __init__(self, log: list[str], at: str = "", answer: Any = None, label: str = "") -> None:
        super().__init__()
        self.log, self.at, self.answer, self.label = log, at, answer, label

    async def _step(self, name: str) -> Status | None:
        self.log.append(name + self.label)
        if name != self.at:
            return None
        if isinstance(self.answer, Exception):
            raise self.answer
        answer: Status = self.answer
        return answer

    async def reserve(self, cluster: Cluster, pod: PodInfo, node_name: str) -> Status | None:
        return await self._step("reserve")

    async def unreserve(self, cluster: Cluster, pod: PodInfo, node_name: str) -> None:
        await self._step("unreserve")

    async def permit(self, cluster: Cluster, pod: PodInfo, node_name: str) -> Status | None:
        return await self._step("permit")

    async def pre_bind(self, cluster: Cluster, pod: PodInfo, node_name: str) -> Status | None:
        return await self._step("pre_bind")

    async def bind(self, cluster: Cluster, pod: PodInfo, node_name: str) -> Status | None:
        await self._step("bind")
        return SKIP

    async def post_bind(self, cluster: Cluster, pod: PodInfo, node_name: str) -> None:
        await self._step("post_bind")


def with_steps(*steps: Plugin) -> list[Profile]:
    return [Profile.of([NodeResourcesFit(), *steps, DefaultBinder()])]


@in_virtual_time
async def test_the_steps_come_in_order_and_a_bind_plugin_may_pass() -> None:
    cluster, log = one_node_one_pod(), []
    async with running(cluster, with_steps(Steps(log))):
        await until(lambda: len(log) == 5)
    assert log == ["reserve", "permit", "pre_bind", "bind", "post_bind"]
    assert_bound_once(cluster)


class Guard(Plugin):
    """Stands at one extension point only and rejects the first time."""

    name = "Guard"
    reads = frozenset({"node"})

    def __init__(self, point: str) -> None:
        super().__init__()
        self.asked = 0
        setattr(self, point, self._judge)

    async def _judge(self, cluster: Cluster, pod: PodInfo, node_name: str) -> Status | None:
        self.asked += 1
        await asyncio.sleep(1)
        return unschedulable("not yet") if self.asked == 1 else None

    async def unreserve(self, cluster: Cluster, pod: PodInfo, node_name: str) -> None:
        pass


@in_virtual_time
@pytest.mark.parametrize("point", ["reserve", "permit", "pre_bind"])
async def test_one_extension_point_is_enough_to_hold_a_binding(point: str) -> None:
    cluster, guard = one_node_one_pod(), Guard(point)
    profile = Profile(filter=(NodeResourcesFit(),), bind=(DefaultBinder(),), **{point: (guard,)})
    async with running(cluster, [profile]) as scheduler:
        await until(lambda: scheduler.queue.counts()["unschedulable"] == 1)
        assert cluster.asked("bind") == 0
        await asyncio.sleep(5)
        cluster.change(NODE, "node-1", metadata={"labels": {"new": "label"}})
        await until(lambda: guard.asked == 2)
        cluster.change(NODE, "node-1", metadata={"labels": {"newer": "label"}})
        await until(lambda: bool(cluster.placements()))
    assert_bound_once(cluster)


@in_virtual_time
async def test_a_pod_that_permit_keeps_rejecting_is_not_woken_by_its_own_leaving() -> None:
    cluster = FakeCluster()
    cluster.add(NODE, node("node-1", cpu="1"))
    cluster.add(POD, pod("never", cpu="1", priority=1))
    cluster.add(POD, pod("other", cpu="1"))

    class Never(Steps):
        name = "Never"
        reads = frozenset({"usage"})

        async def permit(self, cluster: Cluster, pod: PodInfo, node_name: str) -> Status | None:
            self.log.append(pod.key)
            await asyncio.sleep(0.01)
            return unschedulable("never") if pod.pod.name == "never" else None

    log: list[str] = []
    async with running(cluster, with_steps(Never(log))):
        await until(lambda: "default/other" in cluster.placements())
        await asyncio.sleep(100)
    assert log.count("default/never") == 1


@in_virtual_time
async def test_once_permitted_only_an_error_brings_a_pod_back() -> None:
    cluster, log = one_node_one_pod(), []

    class Slow(Steps):
        name = "Slow"

        async def pre_bind(self, cluster: Cluster, pod: PodInfo, node_name: str) -> Status | None:
            await asyncio.sleep(5)
            return None

    async with running(cluster, with_steps(Slow(log))) as scheduler:
        await until(lambda: "permit" in log)
        assert [queued.state for queued in scheduler.queue.pods()] == ["binding"]
        await until(lambda: bool(cluster.placements()))


@in_virtual_time
@pytest.mark.parametrize("at", ["reserve", "permit", "pre_bind"])
async def test_a_rejection_is_undone_in_reverse_and_waits_for_a_change(at: str) -> None:
    cluster, log = one_node_one_pod(), []
    steps = [Steps(log, label=" 1"), Steps(log, at, unschedulable("not today"), label=" 2")]
    async with running(cluster, with_steps(*steps)) as scheduler:
        await until(lambda: scheduler.queue.counts()["unschedulable"] == 1)
        assert scheduler.cache.node_of(WEB) is None
        await asyncio.sleep(20)
    assert log[-2:] == ["unreserve 2", "unreserve 1"]
    assert log.count("reserve 1") == 1
    assert cluster.condition(WEB)["reason"] == "Unschedulable"
    (event,) = cluster.events("FailedScheduling")
    assert event["note"] == "0/1 nodes are available: 1 not today."


@in_virtual_time
@pytest.mark.parametrize("at", ["reserve", "permit", "pre_bind", "bind"])
async def test_an_exception_in_a_plugin_costs_its_pod_a_retry_and_nothing_else(at: str) -> None:
    cluster, log = one_node_one_pod(), []
    failing = Steps(log, at, RuntimeError("plugin broke"))
    async with running(cluster, with_steps(failing)) as scheduler:
        await until(lambda: scheduler.metrics.total("error") == 1)
        assert scheduler.cache.node_of(WEB) is None
        failing.at = ""
        await until(lambda: bool(cluster.placements()))
    assert log.count("unreserve") == 1
    assert cluster.events("FailedScheduling")[0]["note"] == "RuntimeError: plugin broke"


@in_virtual_time
@pytest.mark.parametrize("at", ["unreserve", "post_bind"])
async def test_an_exception_where_it_is_too_late_is_only_logged(at: str) -> None:
    cluster, log = one_node_one_pod(), []
    steps = [Steps(log, at, RuntimeError("plugin broke"), label=" 1"), Steps(log, "permit", unschedulable("no"))]
    async with running(cluster, with_steps(*steps[: 1 if at == "post_bind" else 2])) as scheduler:
        await until(lambda: at + " 1" in log)
        await until(lambda: scheduler.binder.lane.is_empty)
    assert cluster.bindings[WEB] == (at == "post_bind")


@in_virtual_time
async def test_a_change_during_permit_brings_a_rejected_pod_back() -> None:
    cluster, log = one_node_one_pod(), []

    class Slow(Steps):
        name = "Slow"
        reads = frozenset({"node"})

        async def permit(self, cluster: Cluster, pod: PodInfo, node_name: str) -> Status | None:
            if len(self.log) == 1:
                await asyncio.sleep(3)
                self.log.append("rejected")
                return unschedulable("too slow")
            return None

    async with running(cluster, with_steps(Slow(log))) as scheduler:
        await until(lambda: not scheduler.binder.is_idle)
        cluster.change(NODE, "node-1", metadata={"labels": {"new": "label"}})
        await until(lambda: bool(cluster.placements()), seconds=10)
    assert "rejected" in log


@in_virtual_time
async def test_pods_that_wait_for_each_other_do_not_block_the_bindings() -> None:
    cluster = FakeCluster()
    for i in range(10):
        cluster.add(NODE, node(f"node-{i}"))
    for i in range(200):
        cluster.add(POD, pod(f"pod-{i}", cpu="10m"))
    arrived: list[str] = []

    class Together(Steps):
        name = "Together"

        async def permit(self, cluster: Cluster, pod: PodInfo, node_name: str) -> Status | None:
            arrived.append(pod.key)
            while len(arrived) < 200:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            return None

    async with running(cluster, with_steps(Together([]))):
        await until(lambda: len(cluster.placements()) == 200)
    assert set(cluster.bindings.values()) == {1}


@in_virtual_time
async def test_what_waits_for_permission_at_the_end_is_undone() -> None:
    cluster, log = one_node_one_pod(), []

    class Never(Steps):
        name = "Never"

        async def permit(self, cluster: Cluster, pod: PodInfo, node_name: str) -> Status | None:
            await asyncio.sleep(1e6)
            return None

    began = asyncio.get_running_loop().time()
    async with running(cluster, with_steps(Never(log))) as scheduler:
        await until(lambda: log == ["reserve"])
    assert log == ["reserve", "unreserve"]
    assert scheduler.cache.pods == []
    assert cluster.placements() == {}
    assert asyncio.get_running_loop().time() - began < 5


@in_virtual_time
async def test_a_pod_deleted_while_plugins_wait_is_undone_and_not_bound() -> None:
    cluster, log = one_node_one_pod(), []

    class Slow(Steps):
        name = "Slow"

        async def permit(self, cluster: Cluster, pod: PodInfo, node_name: str) -> Status | None:
            await asyncio.sleep(5)
            return None

    async with running(cluster, with_steps(Slow(log))) as scheduler:
        await until(lambda: log == ["reserve"])
        cluster.remove(POD, WEB)
        await until(lambda: scheduler.binder.is_idle)
    assert log == ["reserve", "pre_bind", "unreserve"]
    assert cluster.asked("bind") == 0


@in_virtual_time
async def test_no_bind_plugin_at_all_is_an_error_of_the_pod() -> None:
    cluster = one_node_one_pod()
    async with running(cluster, [Profile.of([NodeResourcesFit()])]):
        await until(lambda: bool(cluster.events("FailedScheduling")))
    assert cluster.events("FailedScheduling")[0]["note"] == "no bind plugin took the pod"
