"""The live loop, from pods in a cluster to their bindings, events and conditions."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.scheduler.fake_cluster import LOST, NODE, POD, FakeCluster
from tests.scheduler.live import make_scheduler, running, turns, until
from tests.scheduler.virtual_time import in_virtual_time

from roost.cache.cache import Cache
from roost.config.profiles import default_profile
from roost.errors import Forbidden, Gone, Unreachable
from roost.framework.cycle import Cycle
from roost.framework.plugin import Context, Plugin, Verdicts
from roost.framework.pod_info import PodInfo
from roost.framework.profile import Profile
from roost.framework.status import unschedulable
from roost.framework.view import Rows, View
from roost.plugins.intree.default_binder import DefaultBinder
from roost.plugins.intree.node_affinity import NodeAffinity
from roost.plugins.intree.node_resources_fit import NodeResourcesFit
from roost.scheduler.loop import Scheduler, Summary
from roost.scheduler.queue import SchedulingQueue
from roost.testing.builders import node, pod

WEB = "default/web"
IMPOSSIBLE = "1000"
TAINT = [{"key": "only", "value": "others", "effect": "NoSchedule"}]


def with_nodes(count: int = 1, **fields: Any) -> FakeCluster:
    cluster = FakeCluster()
    for i in range(count):
        cluster.add(NODE, node(f"node-{i}", **fields))
    return cluster


# ---- what is bound, and what is said about it


@in_virtual_time
async def test_a_pending_pod_is_bound_and_its_event_says_where() -> None:
    cluster = with_nodes()
    cluster.add(POD, pod("web"))
    async with running(cluster):
        await until(lambda: cluster.placements() == {WEB: "node-0"})
    (event,) = cluster.events("Scheduled")
    assert event["note"] == "Successfully assigned default/web to node-0"
    assert event["regarding"]["uid"] == cluster.pod(WEB)["metadata"]["uid"]
    assert cluster.condition(WEB)["status"] == "True"


@in_virtual_time
async def test_a_thousand_pods_fill_a_hundred_nodes_exactly() -> None:
    cluster = with_nodes(100, cpu="1")
    cluster.latency = 0.03
    for i in range(1000):
        cluster.add(POD, pod(f"pod-{i}", cpu="100m"))
    async with running(cluster) as scheduler:
        await until(lambda: len(cluster.placements()) == 1000)
        assert len(scheduler.cache.pods) == 1000
    assert set(cluster.bindings.values()) == {1}
    per_node = [list(cluster.placements().values()).count(f"node-{i}") for i in range(100)]
    assert per_node == [10] * 100
    assert len(cluster.events("Scheduled")) == 1000
    assert cluster.asked("bind") == 1000


@in_virtual_time
async def test_events_follow_the_bindings_at_once() -> None:
    cluster = with_nodes(10)
    cluster.latency = 0.05
    for i in range(300):
        cluster.add(POD, pod(f"pod-{i}", cpu="10m"))
    async with running(cluster):
        await until(lambda: len(cluster.placements()) >= 200)
        assert cluster.events("Scheduled") == []
        await until(lambda: len(cluster.placements()) == 300)
        assert await until(lambda: len(cluster.events("Scheduled")) == 300) < 300 / 16 * 0.05 + 0.1


@in_virtual_time
async def test_bindings_keep_the_decisions_going_also_while_the_watches_are_silent() -> None:
    cluster = with_nodes(10)
    cluster.latency = 0.05
    for i in range(1000):
        cluster.add(POD, pod(f"pod-{i}", cpu="10m"))
    async with running(cluster):
        cluster.fail("watch", Unreachable("connection refused"), times=1000)
        cluster.cut_watches()
        assert await until(lambda: len(cluster.placements()) == 1000) < 1000 / 128 * 0.05 + 0.3


@in_virtual_time
async def test_an_impossible_pod_is_told_why_once_and_does_not_hold_up_the_others() -> None:
    cluster = with_nodes(3)
    cluster.add(POD, pod("impossible", cpu=IMPOSSIBLE, priority=9))
    cluster.add(POD, pod("web"))
    async with running(cluster) as scheduler:
        await until(lambda: WEB in cluster.placements())
        await asyncio.sleep(1000)
        assert scheduler.metrics.total("unschedulable") <= 4  # at first, and every five minutes
    (event,) = cluster.events("FailedScheduling")
    assert event["type"] == "Warning"
    assert event["note"].startswith("0/3 nodes are available: 3 Insufficient cpu.")
    assert cluster.condition("default/impossible")["reason"] == "Unschedulable"
    assert cluster.condition("default/impossible")["message"] == event["note"]
    assert cluster.asked("patch status") == 1


@in_virtual_time
async def test_higher_priority_is_bound_first() -> None:
    cluster = with_nodes()
    for i, priority in enumerate([0, 100, -5, 50]):
        cluster.add(POD, pod(f"pod-{i}", priority=priority))
    async with running(cluster):
        await until(lambda: len(cluster.placements()) == 4)
    bound = [key for verb, _, key in cluster.calls if verb == "bind"]
    assert bound == ["default/pod-1", "default/pod-3", "default/pod-0", "default/pod-2"]


@in_virtual_time
async def test_pods_that_wait_at_the_start_are_taken_oldest_first() -> None:
    cluster = with_nodes()
    for name, second in (("a", 3), ("b", 1), ("c", 2)):
        cluster.add(POD, pod(name, metadata={"creationTimestamp": f"2026-01-01T00:00:0{second}Z"}))
    async with running(cluster):
        await until(lambda: len(cluster.placements()) == 3)
    assert [key for verb, _, key in cluster.calls if verb == "bind"] == ["default/b", "default/c", "default/a"]


@in_virtual_time
async def test_pods_of_other_schedulers_are_left_alone_but_take_room() -> None:
    cluster = with_nodes(cpu="1")
    cluster.add(POD, pod("placed", cpu="700m", scheduler_name="other", node_name="node-0"))
    cluster.add(POD, pod("pending", scheduler_name="other"))
    cluster.add(POD, pod("large", cpu="400m"))
    cluster.add(POD, pod("small", cpu="300m"))
    async with running(cluster):
        await until(lambda: "default/small" in cluster.placements() and bool(cluster.condition("default/large")))
    assert "default/pending" not in cluster.placements()
    assert cluster.condition("default/large")["reason"] == "Unschedulable"
    assert {key for verb, _, key in cluster.calls if verb not in ("list", "watch", "create")} == {
        "default/small",
        "default/large",
    }


@in_virtual_time
async def test_each_profile_decides_for_its_own_pods() -> None:
    cluster = with_nodes(2)
    cluster.change(NODE, "node-1", spec={"taints": TAINT})
    strict, careless = default_profile("strict"), Profile.of([NodeResourcesFit(), DefaultBinder()], scheduler_name="x")
    for i in range(6):
        cluster.add(POD, pod(f"strict-{i}", cpu="1", scheduler_name="strict"))
        cluster.add(POD, pod(f"x-{i}", cpu="100m", scheduler_name="x"))
    async with running(cluster, [strict, careless]) as scheduler:
        await until(lambda: scheduler.queue.counts()["unschedulable"] == 2)
    strict_on = {place for key, place in cluster.placements().items() if "strict" in key}
    assert strict_on == {"node-0"}
    assert "node-1" in {place for key, place in cluster.placements().items() if "x-" in key}
    assert {e["reportingController"] for e in cluster.events("Scheduled")} == {"strict", "x"}


@in_virtual_time
async def test_a_gated_pod_waits_for_its_last_gate() -> None:
    cluster = with_nodes()
    cluster.add(POD, pod("web", gates=["first", "second"]))
    async with running(cluster) as scheduler:
        await asyncio.sleep(1)
        cluster.change(POD, WEB, spec={"schedulingGates": [{"name": "second"}]})
        await asyncio.sleep(1)
        assert scheduler.queue.counts()["gated"] == 1
        cluster.change(POD, WEB, spec={"schedulingGates": None})
        assert await until(lambda: WEB in cluster.placements()) < 0.02
    assert cluster.events("FailedScheduling") == []
    assert cluster.asked("patch status") == 0


# ---- what brings a rejected pod back

RELIEFS: dict[str, Callable[[FakeCluster], object]] = {
    "a node that fits is added": lambda cluster: cluster.add(NODE, node("roomy")),
    "a pod that took the room is deleted": lambda cluster: cluster.remove(POD, "default/tenant"),
    "a pod that took the room ends": lambda cluster: cluster.change(
        POD, "default/tenant", status={"phase": "Succeeded"}
    ),
    "a taint is removed": lambda cluster: cluster.change(NODE, "tainted", spec={"taints": None}),
    "a node is uncordoned": lambda cluster: cluster.change(NODE, "cordoned", spec={"unschedulable": None}),
    "a node grows": lambda cluster: cluster.change(NODE, "tiny", status={"allocatable": {"cpu": "4"}}),
    "the pod tolerates the taint": lambda cluster: cluster.change(
        POD, WEB, spec={"tolerations": [{"operator": "Exists"}]}
    ),
}


@in_virtual_time
@pytest.mark.parametrize("relief", RELIEFS)
async def test_a_rejected_pod_is_bound_within_a_few_turns_of_the_loop_when(relief: str) -> None:
    cluster = FakeCluster()
    cluster.add(NODE, node("tiny", cpu="100m"))
    cluster.add(NODE, node("full", cpu="1"))
    cluster.add(NODE, node("tainted", taints=TAINT))
    cluster.add(NODE, node("cordoned", unschedulable=True))
    cluster.add(POD, pod("tenant", cpu="900m", node_name="full", scheduler_name="other"))
    cluster.add(POD, pod("web", cpu="900m"))
    async with running(cluster) as scheduler:
        await until(lambda: scheduler.queue.counts()["unschedulable"] == 1)
        await asyncio.sleep(15)
        RELIEFS[relief](cluster)
        now = asyncio.get_running_loop().time()
        await turns(12)
        assert WEB in cluster.placements()
        assert asyncio.get_running_loop().time() == now
    assert cluster.bindings[WEB] == 1


@in_virtual_time
async def test_changes_that_do_not_help_cost_no_attempt() -> None:
    cluster = with_nodes(3, cpu="1")
    cluster.add(POD, pod("web", cpu="2"))
    async with running(cluster) as scheduler:
        await until(lambda: scheduler.queue.counts()["unschedulable"] == 1)
        for i in range(50):
            cluster.add(NODE, node(f"tainted-{i}", cpu="8", taints=TAINT))
            cluster.add(NODE, node(f"tiny-{i}", cpu="100m"))
            cluster.change(NODE, "node-0", metadata={"labels": {"round": str(i)}})
            cluster.add(POD, pod(f"other-{i}", cpu="1m", scheduler_name="other", node_name="node-1"))
            await asyncio.sleep(0.5)
        assert scheduler.metrics.total("unschedulable") == 1
    assert len(cluster.events("FailedScheduling")) == 1


@in_virtual_time
async def test_pods_that_look_alike_are_asked_about_once_for_a_change() -> None:
    cluster = with_nodes(2, cpu="1")
    for i in range(40):
        cluster.add(POD, pod(f"pod-{i}", cpu="2"))
    cluster.add(POD, pod("other", cpu="3"))
    async with running(cluster) as scheduler:
        await until(lambda: scheduler.queue.counts()["unschedulable"] == 41)
        cycle = scheduler.cycles["roost"]
        asked, fits = [], cycle.fits
        cycle.fits = lambda info, *rest: asked.append(info.key) or fits(info, *rest)  # type: ignore[method-assign]
        cluster.change(NODE, "node-0", metadata={"labels": {"new": "label"}})
        await asyncio.sleep(1)
        assert len(asked) == 2


@in_virtual_time
async def test_a_heartbeat_wakes_nobody() -> None:
    cluster = with_nodes(cpu="1")
    cluster.add(POD, pod("web", cpu="2"))
    async with running(cluster) as scheduler:
        await until(lambda: scheduler.queue.counts()["unschedulable"] == 1)
        for i in range(50):
            cluster.change(NODE, "node-0", status={"conditions": [{"type": "Ready", "lastHeartbeatTime": str(i)}]})
            await asyncio.sleep(0.5)
        assert scheduler.metrics.total("unschedulable") == 1


class OneInAll(Plugin):
    """Lets one pod of an app into the cluster: it looks at all nodes."""

    name = "OneInAll"
    reads = frozenset({"usage", "apps"})
    pod_reads = ("labels",)
    remember = False

    def __init__(self, *apps: str) -> None:
        super().__init__()
        self.apps = set(apps)

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts:
        taken = np.full(len(view.alive[rows]), pod.pod.labels["app"] in self.apps)
        return Verdicts.rejecting(taken, unschedulable("there is one already"))


@in_virtual_time
async def test_a_plugin_that_looks_beyond_nodes_is_heard_even_if_another_rejected_first() -> None:
    cluster = with_nodes(2, cpu="1")
    beyond = OneInAll("web")
    cluster.add(POD, pod("tenant-0", cpu="1", node_name="node-0", scheduler_name="other"))
    cluster.add(POD, pod("tenant-1", cpu="1", node_name="node-1", scheduler_name="other"))
    cluster.add(POD, pod("web", cpu="1", labels={"app": "web"}))
    async with running(cluster, [Profile.of([NodeResourcesFit(), beyond, DefaultBinder()])]) as scheduler:
        await until(lambda: scheduler.queue.counts()["unschedulable"] == 1)
        cluster.remove(POD, "default/tenant-0")
        await asyncio.sleep(5)
        beyond.apps = set()
        cluster.add(POD, pod("elsewhere", node_name="node-1", scheduler_name="other"))
        await until(lambda: WEB in cluster.placements(), seconds=15)


@in_virtual_time
async def test_a_pod_is_not_bound_while_its_condition_is_being_written() -> None:
    cluster = with_nodes(cpu="1")
    cluster.add(POD, pod("web", cpu="2"))
    cluster.fail("patch status", None, seconds=3)
    async with running(cluster):
        await until(lambda: cluster.asked("patch status") == 1)
        cluster.add(NODE, node("roomy"))
        await until(lambda: WEB in cluster.placements())
        assert asyncio.get_running_loop().time() > 1003
    assert cluster.condition(WEB)["status"] == "True"


# ---- the watches


@in_virtual_time
async def test_nothing_is_decided_before_all_nodes_and_pods_are_known() -> None:
    cluster = with_nodes(2, cpu="1")
    cluster.add(POD, pod("big", cpu="1", node_name="node-0", scheduler_name="other"))
    cluster.add(POD, pod("web", cpu="1"))
    cluster.fail("list", None, seconds=5)
    scheduler, stop = make_scheduler(cluster), asyncio.Event()
    task = asyncio.create_task(scheduler.run(stop))
    await asyncio.sleep(4)
    assert not scheduler.in_sync
    assert cluster.asked("bind") == 0
    await until(lambda: cluster.placements().get(WEB) == "node-1")
    stop.set()
    await task


@in_virtual_time
async def test_watches_that_are_cut_go_on_where_they_were() -> None:
    cluster = with_nodes()
    async with running(cluster):
        for i in range(5):
            cluster.cut_watches()
            cluster.add(POD, pod(f"pod-{i}"))
            await until(lambda: len(cluster.placements()) == i + 1, seconds=15)  # noqa: B023
    assert cluster.asked("list", POD) == 1


@in_virtual_time
async def test_after_a_gap_in_the_past_everything_is_listed_anew() -> None:
    cluster = with_nodes(3, cpu="1")
    cluster.add(POD, pod("tenant", cpu="1", node_name="node-0", scheduler_name="other"))
    for i in range(2):
        cluster.add(POD, pod(f"pod-{i}", cpu="1"))
    cluster.add(POD, pod("huge", cpu="3"))
    async with running(cluster) as scheduler:
        await until(lambda: scheduler.queue.counts()["unschedulable"] == 1 and len(scheduler.queue) == 1)
        cluster.remove(POD, "default/tenant")
        cluster.remove(POD, "default/pod-0")
        cluster.remove(POD, "default/huge")
        cluster.remove(NODE, "node-2")
        cluster.add(POD, pod("huge", cpu="2"))
        cluster.add(NODE, node("node-3", cpu="2"))
        cluster.compact()
        cluster.cut_watches()
        await until(lambda: "default/huge" in cluster.placements())
        await turns(20)
        assert sorted(scheduler.cache.node_names) == ["node-0", "node-1", "node-3"]
        assert {info.key for info in scheduler.cache.pods} == set(cluster.placements())
        assert len(scheduler.queue) == 0


@in_virtual_time
async def test_a_binding_that_is_followed_by_deletion_in_a_gap_leaves_nothing_assumed() -> None:
    cluster = with_nodes(cpu="1")
    cluster.add(POD, pod("web", cpu="1"))
    cluster.fail("bind", None, seconds=2)
    async with running(cluster) as scheduler:
        await until(lambda: cluster.asked("bind") == 1)
        for plural in ("nodes", "pods"):
            cluster.fail("watch", Gone("too old", status=410), concerns=plural.__eq__)
            cluster.fail("list", None, seconds=5, concerns=plural.__eq__)
        cluster.cut_watches()
        await until(lambda: WEB in cluster.placements())
        cluster.remove(POD, WEB)
        cluster.compact()
        cluster.add(POD, pod("next", cpu="1"))
        await until(lambda: "default/next" in cluster.placements())
        assert [info.key for info in scheduler.cache.pods] == ["default/next"]


@in_virtual_time
async def test_a_pod_that_becomes_somebody_elses_while_it_waits_is_dropped() -> None:
    cluster = with_nodes(cpu="1")
    cluster.add(POD, pod("web", cpu="2"))
    async with running(cluster) as scheduler:
        await until(lambda: scheduler.queue.counts()["unschedulable"] == 1)
        cluster.place(WEB, "node-0")
        await turns(10)
        assert len(scheduler.queue) == 0
        assert scheduler.cache.node_of(WEB) == "node-0"


@in_virtual_time
async def test_objects_that_cannot_be_read_are_reported_once_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    cluster = with_nodes()
    cluster.add(NODE, node("odd", cpu="lots"))
    cluster.add(NODE, {"metadata": {"name": "broken"}, "status": {"allocatable": []}})
    cluster.add(POD, pod("odd", cpu="some"))
    cluster.add(POD, {"metadata": {"name": "broken", "namespace": "default"}, "spec": {"containers": "none"}})
    cluster.add(POD, pod("web"))
    async with running(cluster) as scheduler:
        await until(lambda: WEB in cluster.placements())
        cluster.change(NODE, "odd", metadata={"labels": {"round": "2"}})
        cluster.change(NODE, "broken", metadata={"labels": {"round": "2"}})
        cluster.change(POD, "default/broken", metadata={"labels": {"round": "2"}})
        cluster.change(POD, "default/odd", metadata={"labels": {"round": "2"}})
        await asyncio.sleep(1)
        assert scheduler.metrics.malformed == {"node": 4, "pod": 4}
    reported = [message for message in caplog.messages if "cannot be read" in message]
    assert sorted(message.split(" cannot")[0] for message in reported) == [
        "node broken",
        "node odd",
        "pod default/broken",
        "pod default/odd",
    ]


@in_virtual_time
async def test_a_refused_first_list_ends_the_run_with_the_refusal() -> None:
    cluster = with_nodes()
    cluster.fail("list", Forbidden("nodes is forbidden", status=403), times=2)
    with pytest.raises(Forbidden, match="nodes is forbidden"):
        await make_scheduler(cluster).run(asyncio.Event())


# ---- pods that change or go while they are being decided


@in_virtual_time
async def test_a_pod_deleted_between_pop_and_decision_is_not_bound() -> None:
    cluster = with_nodes()
    for i in range(3):
        cluster.add(POD, pod(f"pod-{i}", cpu=f"{i + 1}m"))
    async with running(cluster, [_interrupted(lambda: cluster.remove(POD, "default/pod-2"))]) as scheduler:
        await until(lambda: len(cluster.placements()) == 2)
        await asyncio.sleep(5)
        assert len(scheduler.queue) == 0
    assert cluster.asked("bind") == 2


@in_virtual_time
async def test_a_pod_changed_between_pop_and_decision_is_decided_anew() -> None:
    cluster = with_nodes()
    for i in range(3):
        cluster.add(POD, pod(f"pod-{i}", cpu=f"{i + 1}m"))

    def pin() -> None:
        cluster.add(NODE, node("pinned", labels={"here": "yes"}))
        cluster.change(POD, "default/pod-2", spec={"nodeSelector": {"here": "yes"}})

    async with running(cluster, [_interrupted(pin)]):
        await until(lambda: len(cluster.placements()) == 3)
    assert cluster.node_of("default/pod-2") == "pinned"


def _interrupted(happens: Callable[[], object]) -> Profile:
    """Return a profile during whose first decision something happens, and in which every decision takes long."""

    class Interrupted(Plugin):
        name = "Interrupted"
        reads = frozenset()
        done = False
        remember = False

        def filter(self, *_: Any) -> None:
            loop = asyncio.get_running_loop()
            loop._now += 0.01
            if not self.done:
                happens()
                self.done = True

    return Profile.of([Interrupted(), NodeResourcesFit(), NodeAffinity(), DefaultBinder()])


@in_virtual_time
async def test_a_fault_in_deciding_costs_the_pod_to_blame_a_retry_and_the_others_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cluster = with_nodes()
    async with running(cluster) as scheduler:
        assume, to_blame = scheduler.cache.assume, {"default/pod-1"}

        def faulty(info: PodInfo, node_name: str) -> None:
            if info.key in to_blame:
                raise KeyError("a bug")
            assume(info, node_name)

        scheduler.cache.assume = faulty  # type: ignore[method-assign]
        for i in range(4):
            cluster.add(POD, pod(f"pod-{i}"))
        await until(lambda: len(cluster.placements()) == 3)
        await asyncio.sleep(5)
        assert 2 <= scheduler.metrics.total("error") <= 4
        to_blame.clear()
        await until(lambda: len(cluster.placements()) == 4)
    assert set(cluster.bindings.values()) == {1}
    assert {event["regarding"]["name"] for event in cluster.events("FailedScheduling")} == {"pod-1"}
    assert "deciding failed" in caplog.text


@in_virtual_time
async def test_a_plugin_that_raises_is_named_to_the_pod() -> None:
    class Broken(Plugin):
        name = "Broken"

        def filter(self, *_: Any) -> None:
            raise ZeroDivisionError("no")

    cluster = with_nodes()
    cluster.add(POD, pod("web"))
    async with running(cluster, [Profile.of([Broken(), DefaultBinder()])]) as scheduler:
        await asyncio.sleep(20)
        assert 4 <= scheduler.metrics.total("error") <= 6
    assert "Broken" in cluster.events("FailedScheduling")[0]["note"]
    assert cluster.condition(WEB)["reason"] == "SchedulerError"


# ---- beginning and end


@in_virtual_time
async def test_an_orderly_end_finishes_what_is_under_way() -> None:
    cluster = with_nodes(10)
    cluster.latency = 0.5
    for i in range(300):
        cluster.add(POD, pod(f"pod-{i}", cpu="10m"))
    scheduler, stop = make_scheduler(cluster), asyncio.Event()
    task = asyncio.create_task(scheduler.run(stop))
    await until(lambda: len(cluster.placements()) > 60)
    stop.set()
    await task
    bound = cluster.placements()
    assert len(bound) == 256  # those that were done, and those that were under way
    assert cluster.asked("bind") == len(bound)
    assert len(scheduler.cache.pods) == 256
    assert {event["regarding"]["name"] for event in cluster.events("Scheduled")} == {key[8:] for key in bound}
    assert len(cluster.events("Scheduled")) == len(bound)
    assert len(asyncio.all_tasks()) == 1


@in_virtual_time
async def test_what_could_not_be_said_before_the_end_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    cluster = with_nodes()
    cluster.add(POD, pod("web"))
    cluster.fail("create", Unreachable("connection refused"), times=1000)
    async with running(cluster):
        await until(lambda: WEB in cluster.placements())
    assert "not done before the end: 1 events" in caplog.messages


@in_virtual_time
@pytest.mark.parametrize("verb", ["bind", "create"])
async def test_an_end_does_not_wait_for_ever(verb: str) -> None:
    cluster = with_nodes()
    cluster.add(POD, pod("web"))
    cluster.fail(verb, None, seconds=1000)
    scheduler, stop = make_scheduler(cluster), asyncio.Event()
    task = asyncio.create_task(scheduler.run(stop))
    await until(lambda: cluster.asked(verb) == 1)
    began = asyncio.get_running_loop().time()
    stop.set()
    await task
    assert asyncio.get_running_loop().time() - began < 12.1


@in_virtual_time
@pytest.mark.parametrize("waiting", [{}, {"gates": ["gate"]}, {"cpu": IMPOSSIBLE}])
async def test_an_idle_scheduler_sleeps(waiting: dict[str, Any]) -> None:
    cluster, loop = with_nodes(), asyncio.get_running_loop()
    if waiting:
        cluster.add(POD, pod("waiting", **waiting))
    async with running(cluster):
        await asyncio.sleep(10)
        calls, rounds = len(cluster.calls), loop.rounds
        await asyncio.sleep(280)
        assert len(cluster.calls) == calls
        assert loop.rounds <= rounds + 2


@in_virtual_time
async def test_a_replica_that_may_not_decide_yet_is_in_sync_and_waits() -> None:
    cluster = with_nodes()
    cluster.add(POD, pod("web"))
    scheduler, stop, may = make_scheduler(cluster), asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(scheduler.run(stop, may_decide=may))
    await asyncio.sleep(10)
    assert scheduler.in_sync
    assert cluster.placements() == {}
    may.set()
    await turns(12)
    assert cluster.placements() == {WEB: "node-0"}
    stop.set()
    await task


@in_virtual_time
async def test_once_schedules_what_is_pending_and_says_what_came_of_it() -> None:
    cluster = with_nodes(20)
    cluster.latency = 0.01
    for i in range(500):
        cluster.add(POD, pod(f"pod-{i}", cpu="10m"))
    cluster.add(POD, pod("impossible", cpu=IMPOSSIBLE))
    cluster.add(POD, pod("gated", gates=["gate"]))
    cluster.fail("bind", LOST, times=3)
    cluster.fail("bind", Forbidden("no", status=403), times=99, concerns=lambda key: key == "default/pod-7")
    summary = await make_scheduler(cluster).run_once()
    assert summary == Summary(scheduled=499, unschedulable=1, failed=1, gated=1)
    assert len(cluster.placements()) == 499
    assert set(cluster.bindings.values()) == {1}
    assert len(cluster.events("Scheduled")) == 499
    assert cluster.condition("default/impossible")["reason"] == "Unschedulable"


@in_virtual_time
async def test_once_waits_until_everything_has_been_said() -> None:
    cluster = with_nodes()
    cluster.add(POD, pod("web"))
    cluster.add(POD, pod("impossible", cpu=IMPOSSIBLE))
    for verb in ("create", "patch status"):
        cluster.fail(verb, None, seconds=3, times=9)
    await make_scheduler(cluster).run_once()
    assert len(cluster.events("Scheduled")) == len(cluster.events("FailedScheduling")) == 1
    assert cluster.condition("default/impossible")["reason"] == "Unschedulable"


@in_virtual_time
async def test_once_with_nothing_to_do_ends_at_once() -> None:
    began = asyncio.get_running_loop().time()
    summary = await make_scheduler(with_nodes()).run_once()
    assert summary == Summary(scheduled=0, unschedulable=0, failed=0, gated=0)
    assert asyncio.get_running_loop().time() - began < 1


@in_virtual_time
async def test_a_queue_with_limits_of_its_own_is_used() -> None:
    cluster = with_nodes()
    cluster.add(POD, pod("web"))
    cluster.fail("bind", Forbidden("no", status=403))
    profile = default_profile()
    queue = SchedulingQueue([profile], initial_backoff=5.0)
    clock = asyncio.get_running_loop().time
    scheduler = Scheduler(cluster, Cache(), {"roost": Cycle(profile)}, queue=queue, clock=clock)
    stop = asyncio.Event()
    task = asyncio.create_task(scheduler.run(stop))
    assert await until(lambda: bool(cluster.placements())) == pytest.approx(5, abs=0.1)
    stop.set()
    await task


# ---- the log


@in_virtual_time
async def test_every_decision_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="roost")
    cluster = with_nodes(2)
    cluster.change(NODE, "node-1", spec={"taints": TAINT})
    cluster.add(NODE, node("node-2"))
    cluster.add(POD, pod("web", cpu="1"))
    cluster.add(POD, pod("big", cpu=IMPOSSIBLE))
    async with running(cluster) as scheduler:
        await until(lambda: scheduler.metrics.total("scheduled") + scheduler.metrics.total("unschedulable") == 2)
    scheduled, unschedulable = sorted(m for m in caplog.messages if m.startswith(("scheduled", "unschedulable")))
    assert scheduled.startswith("scheduled default/web on node-0 (score ")
    assert scheduled.endswith("; 2 of 3 nodes fit)")
    assert ", next node-2 " in scheduled
    assert unschedulable.startswith("unschedulable default/big: 0/3 nodes are available: ")


@in_virtual_time
async def test_debug_shows_the_scores(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="roost")
    cluster = with_nodes(2)
    cluster.add(POD, pod("web", cpu="1"))
    async with running(cluster):
        await until(lambda: bool(cluster.placements()))
    (table,) = [message for message in caplog.messages if message.startswith("scores for default/web")]
    assert "\n  node-0: " in table
    assert "NodeResourcesFit" in table
