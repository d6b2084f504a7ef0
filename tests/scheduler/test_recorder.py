"""Events: kube-scheduler's words, behind the bindings, none lost, no storm."""

import asyncio
import json
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.scheduler.fake_cluster import EVENT, FakeCluster
from tests.scheduler.live import EPOCH, until
from tests.scheduler.virtual_time import in_virtual_time

from roost.cache.cache import Cache
from roost.errors import ApiError, Forbidden, OutcomeUnknown, TooManyRequests, Unreachable
from roost.framework.pod_info import PodInfo
from roost.scheduler.recorder import Event, Recorder, cut
from roost.testing.builders import pod

TOO_BIG = "0/3 nodes are available: 3 Insufficient cpu."


def info(name: str = "web", **fields: Any) -> PodInfo:
    return Cache().pod_info(pod(name, metadata={"resourceVersion": "7"}, **fields))


@asynccontextmanager
async def recording(cluster: FakeCluster, **settings: Any) -> Any:
    clock = asyncio.get_running_loop().time
    recorder = Recorder(cluster, host="host-1", clock=clock, wall=lambda: EPOCH + clock(), dice=lambda: 0.5, **settings)
    recorder.lane.start()
    try:
        yield recorder
    finally:
        await recorder.lane.stop()


def only(cluster: FakeCluster) -> dict[str, Any]:
    (event,) = cluster.objects[EVENT.plural].values()
    return event


# ---- what they say


@in_virtual_time
async def test_a_bound_pod_gets_kube_schedulers_event() -> None:
    cluster = FakeCluster()
    async with recording(cluster) as recorder:
        recorder.scheduled(info(), "node-1")
        await recorder.lane.drained(1)
    event = only(cluster)
    name = event["metadata"].pop("name")
    assert name.startswith("web.")
    assert int(name.removeprefix("web."), 16) > EPOCH * 1e9
    assert event["metadata"]["namespace"] == "default"
    assert {field: value for field, value in event.items() if field != "metadata"} == {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "eventTime": "2026-01-01T00:16:40.000000Z",
        "type": "Normal",
        "reason": "Scheduled",
        "action": "Binding",
        "note": "Successfully assigned default/web to node-1",
        "reportingController": "roost",
        "reportingInstance": "roost-host-1",
        "regarding": {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": "web",
            "namespace": "default",
            "uid": "web",
            "resourceVersion": "7",
        },
    }


@in_virtual_time
async def test_a_pod_that_fits_nowhere_is_told_why() -> None:
    cluster = FakeCluster()
    async with recording(cluster) as recorder:
        recorder.failed_scheduling(info(scheduler_name="own"), 'needs "quotes" and\nnewlines')
        await recorder.lane.drained(1)
    event = only(cluster)
    assert (event["type"], event["reason"], event["action"]) == ("Warning", "FailedScheduling", "Scheduling")
    assert event["note"] == 'needs "quotes" and\nnewlines'
    assert (event["reportingController"], event["reportingInstance"]) == ("own", "own-host-1")


@pytest.mark.parametrize(
    ("message", "note"),
    [
        ("short", "short"),
        ("x" * 1024, "x" * 1024),
        ("x" * 1025, "x" * 1020 + " ..."),
        ("é" * 600, "é" * 510 + " ..."),
        ("x" + "é" * 600, "x" + "é" * 509 + " ..."),
    ],
)
def test_a_long_message_is_cut_to_1024_bytes_as_kube_scheduler_cuts_it(message: str, note: str) -> None:
    assert cut(message) == note
    assert len(cut(message).encode()) <= 1024


@in_virtual_time
async def test_names_are_unique_and_never_too_long() -> None:
    async with recording(FakeCluster()) as recorder:
        names = {recorder._event_name("p" * 253) for _ in range(100)}
    assert len(names) == 100
    assert {len(name) for name in names} == {253}


@in_virtual_time
async def test_the_time_has_microseconds() -> None:
    async with recording(FakeCluster()) as recorder:
        event = Event(info(), "name", EPOCH + 61.000042, 0, b'"type":"Normal"', "note")
        assert json.loads(recorder.body(event))["eventTime"].startswith("2026-01-01T00:01:01.00004")


# ---- series


@in_virtual_time
async def test_the_same_failure_again_adds_to_the_series_of_the_first_event() -> None:
    cluster = FakeCluster()
    async with recording(cluster) as recorder:
        for _ in range(100):
            recorder.failed_scheduling(info(), TOO_BIG)
            await asyncio.sleep(1)
    assert only(cluster)["series"]["count"] == 2
    assert cluster.asked("create", EVENT) + cluster.asked("patch", EVENT) == 2


@in_virtual_time
async def test_a_series_is_brought_up_to_date_every_half_hour() -> None:
    cluster = FakeCluster()
    async with recording(cluster) as recorder:
        for _ in range(20):
            recorder.failed_scheduling(info(), TOO_BIG)
            await asyncio.sleep(300)
    series = only(cluster)["series"]
    assert series == {"count": 20, "lastObservedTime": "2026-01-01T01:51:40.000000Z"}
    assert cluster.asked("patch", EVENT) == 4


@in_virtual_time
async def test_a_series_whose_event_has_expired_is_told_anew() -> None:
    cluster = FakeCluster()
    async with recording(cluster) as recorder:
        recorder.failed_scheduling(info(), TOO_BIG)
        await recorder.lane.drained(1)
        cluster.objects[EVENT.plural].clear()
        recorder.failed_scheduling(info(), TOO_BIG)
        await recorder.lane.drained(1)
    assert only(cluster)["series"]["count"] == 2


@in_virtual_time
async def test_after_ten_quiet_minutes_a_failure_is_an_event_of_its_own() -> None:
    cluster = FakeCluster()
    async with recording(cluster) as recorder:
        recorder.failed_scheduling(info(), TOO_BIG)
        await asyncio.sleep(601)
        recorder.failed_scheduling(info(), TOO_BIG)
        await recorder.lane.drained(1)
    assert [event.get("series") for event in cluster.events("FailedScheduling")] == [None, None]


@in_virtual_time
async def test_another_reason_is_another_event_but_there_is_no_flood() -> None:
    cluster = FakeCluster()
    async with recording(cluster) as recorder:
        for i in range(660):
            recorder.failed_scheduling(info(), f"0/{i} nodes are available: {i} Insufficient cpu.")
            await asyncio.sleep(1)
    notes = [event["note"].split()[0] for event in cluster.events("FailedScheduling")]
    assert notes == [*(f"0/{i}" for i in range(10)), "0/309", "0/609"]


@in_virtual_time
async def test_pods_do_not_share_series() -> None:
    cluster = FakeCluster()
    async with recording(cluster) as recorder:
        for i in range(5):
            recorder.failed_scheduling(info(f"pod-{i}"), TOO_BIG)
        await recorder.lane.drained(1)
    assert len(cluster.events("FailedScheduling")) == 5


@in_virtual_time
async def test_a_bound_pod_has_no_series_any_more() -> None:
    async with recording(FakeCluster()) as recorder:
        recorder.failed_scheduling(info(), TOO_BIG)
        recorder.scheduled(info(), "node-1")
        recorder.failed_scheduling(info("other"), TOO_BIG)
        recorder.forget("other")
        assert recorder._series == {}


# ---- behind the bindings


@in_virtual_time
async def test_events_wait_while_bindings_wait_but_no_longer_than_a_second() -> None:
    cluster, loop = FakeCluster(), asyncio.get_running_loop()
    async with recording(cluster, is_binding=lambda: True) as recorder:
        began = loop.time()
        for i in range(40):
            recorder.scheduled(info(f"pod-{i}"), "node-1")
            await asyncio.sleep(0.01)
        assert cluster.events("Scheduled") == []
        await until(lambda: len(cluster.events("Scheduled")) == 1)
        assert loop.time() - began == pytest.approx(1.0, abs=0.01)
        await until(lambda: len(cluster.events("Scheduled")) == 40)
        assert loop.time() - began == pytest.approx(1.4, abs=0.02)


@in_virtual_time
async def test_in_a_burst_that_lasts_events_stay_a_second_behind_as_long_as_the_api_server_keeps_up() -> None:
    cluster, loop = FakeCluster(latency=0.1), asyncio.get_running_loop()
    said: dict[str, float] = {}
    async with recording(cluster, is_binding=lambda: True) as recorder:
        for i in range(5000):
            said[f"pod-{i}"] = loop.time()
            recorder.scheduled(info(f"pod-{i}"), "node-1")
            await asyncio.sleep(0.001)
            assert recorder.lane.waiting <= 1001
        await until(lambda: recorder.lane.is_empty)
        assert loop.time() - said["pod-4999"] < 1.2
    assert len(cluster.events("Scheduled")) == 5000


@in_virtual_time
async def test_events_leave_as_soon_as_no_binding_waits() -> None:
    cluster, binding = FakeCluster(), [True]
    async with recording(cluster, is_binding=lambda: bool(binding)) as recorder:
        for i in range(40):
            recorder.scheduled(info(f"pod-{i}"), "node-1")
        await asyncio.sleep(0.1)
        assert cluster.events("Scheduled") == []
        binding.clear()
        recorder.lane.release()
        assert await until(lambda: len(cluster.events("Scheduled")) == 40) < 0.02


@in_virtual_time
async def test_at_the_end_events_do_not_wait() -> None:
    cluster = FakeCluster()
    async with recording(cluster, is_binding=lambda: True) as recorder:
        recorder.scheduled(info(), "node-1")
        await asyncio.sleep(0.1)
        assert cluster.events("Scheduled") == []
        recorder.flush()
        assert await recorder.lane.drained(0.5)
    assert len(cluster.events("Scheduled")) == 1


# ---- trouble


@in_virtual_time
@pytest.mark.parametrize(
    "error",
    [
        Unreachable("connection refused"),
        OutcomeUnknown("cut"),
        TooManyRequests("patience", status=429, retry_after=3),
        ApiError("broken", status=500),
    ],
)
async def test_events_survive_an_outage_in_order(error: ApiError) -> None:
    cluster = FakeCluster()
    cluster.fail("create", error, times=5)
    async with recording(cluster, workers=1) as recorder:
        for i in range(10):
            recorder.scheduled(info(f"pod-{i}"), "node-1")
        assert await recorder.lane.drained(60)
        assert (recorder.sent, recorder.dropped) == (10, 0)
    assert [e["regarding"]["name"] for e in cluster.events("Scheduled")] == [f"pod-{i}" for i in range(10)]


@in_virtual_time
async def test_an_event_whose_answer_was_lost_is_there_once() -> None:
    cluster = FakeCluster()
    cluster.fail("create", OutcomeUnknown("cut"), after=True)
    async with recording(cluster) as recorder:
        recorder.scheduled(info(), "node-1")
        assert await recorder.lane.drained(60)
        assert recorder.sent == 1
    assert len(cluster.events("Scheduled")) == 1


@in_virtual_time
async def test_a_refused_event_is_counted_as_lost(caplog: pytest.LogCaptureFixture) -> None:
    cluster = FakeCluster()
    cluster.fail("create", Forbidden("events is forbidden", status=403), times=9)
    async with recording(cluster) as recorder:
        for i in range(9):
            recorder.scheduled(info(f"pod-{i}"), "node-1")
        await recorder.lane.drained(1)
        assert recorder.dropped == 9
    assert [r.getMessage() for r in caplog.records] == [
        f"{n} event(s) lost so far: the API server refused one: events is forbidden" for n in (1, 2, 4, 8)
    ]


@in_virtual_time
async def test_an_event_that_breaks_the_api_server_is_given_up_in_the_end() -> None:
    cluster = FakeCluster()
    cluster.fail("create", ApiError("broken", status=500), times=1000, concerns=lambda key: "bad" in key)
    async with recording(cluster) as recorder:
        recorder.scheduled(info("bad"), "node-1")
        recorder.scheduled(info("good"), "node-1")
        await recorder.lane.drained(600)
        assert (recorder.sent, recorder.dropped) == (1, 1)
    assert cluster.asked("create") == 13


@in_virtual_time
async def test_no_outage_costs_events_and_their_return_is_noticed_within_ten_seconds() -> None:
    cluster = FakeCluster()
    cluster.is_up = False
    async with recording(cluster) as recorder:
        for i in range(50):
            recorder.scheduled(info(f"pod-{i}"), "node-1")
        await asyncio.sleep(3600)
        assert cluster.asked("create") < 16 * 400
        cluster.is_up = True
        assert await until(lambda: len(cluster.events("Scheduled")) == 50) <= 10.1
        assert recorder.dropped == 0


@in_virtual_time
async def test_events_that_fail_together_wait_as_long_as_one() -> None:
    cluster = FakeCluster()
    cluster.fail("create", Unreachable("connection refused"), times=16)
    async with recording(cluster) as recorder:
        for i in range(50):
            recorder.scheduled(info(f"pod-{i}"), "node-1")
        assert await until(lambda: len(cluster.events("Scheduled")) == 50) < 0.6


@in_virtual_time
async def test_after_a_pause_one_event_goes_ahead_and_the_others_follow_its_answer() -> None:
    cluster = FakeCluster(latency=0.5)
    cluster.fail("create", TooManyRequests("patience", status=429, retry_after=3), times=128)
    async with recording(cluster) as recorder:
        for i in range(200):
            recorder.scheduled(info(f"pod-{i}"), "node-1")
        await asyncio.sleep(3.4)
        assert cluster.asked("create", EVENT) == 128
        await asyncio.sleep(0.5)
        assert cluster.asked("create", EVENT) == 129
        await recorder.lane.drained(5)
    assert len(cluster.events("Scheduled")) == 200


@in_virtual_time
async def test_the_pause_is_short_again_after_a_success_and_as_long_as_the_server_asks() -> None:
    cluster = FakeCluster()
    async with recording(cluster) as recorder:
        waits = []
        for error in (*[Unreachable("connection refused")] * 5, TooManyRequests("no", status=429, retry_after=7.0)):
            cluster.fail("create", error)
            recorder.scheduled(info(), "node-1")
            waits.append(await until(lambda: recorder.lane.is_empty))
    assert waits == pytest.approx([0.5] * 5 + [7], abs=0.02)


@in_virtual_time
async def test_an_empty_message_is_an_event_too() -> None:
    cluster = FakeCluster()
    async with recording(cluster) as recorder:
        for _ in range(3):
            recorder.failed_scheduling(info(), "")
        await recorder.lane.drained(1)
    assert only(cluster)["series"]["count"] == 2


@in_virtual_time
async def test_more_events_than_fit_are_lost_and_said_to_be() -> None:
    cluster = FakeCluster()
    async with recording(cluster, capacity=10, is_binding=lambda: True) as recorder:
        for i in range(25):
            recorder.scheduled(info(f"pod-{i}"), "node-1")
        assert recorder.dropped == 15
        await recorder.lane.drained(5)
    assert len(cluster.events("Scheduled")) == 10
