"""The PodScheduled condition: written when it changes, at once, and never over a binding."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.scheduler.fake_cluster import POD, FakeCluster, decode
from tests.scheduler.live import EPOCH, until
from tests.scheduler.virtual_time import in_virtual_time

from roost.cache.cache import Cache
from roost.errors import ApiError, Forbidden, TooManyRequests, Unreachable
from roost.framework.pod_info import PodInfo
from roost.scheduler.conditions import Conditions
from roost.testing.builders import pod

WEB = "default/web"
TOO_BIG = "0/3 nodes are available: 3 Insufficient cpu."


@asynccontextmanager
async def writing(cluster: FakeCluster) -> Any:
    clock = asyncio.get_running_loop().time
    conditions = Conditions(cluster, wall=lambda: EPOCH + clock())
    conditions.lane.start()
    try:
        yield conditions
    finally:
        conditions.stop()
        await conditions.lane.stop()


def with_pod() -> FakeCluster:
    cluster = FakeCluster()
    cluster.add(POD, pod("web"))
    return cluster


def info(cluster: FakeCluster, key: str = WEB) -> PodInfo:
    """Return a pod as a watch shows it now."""
    return Cache().pod_info(decode(POD, key, cluster.pod(key)))


def patches(cluster: FakeCluster) -> int:
    return cluster.asked("patch status", POD, WEB)


@in_virtual_time
async def test_the_condition_says_why() -> None:
    cluster = with_pod()
    async with writing(cluster) as conditions:
        conditions.set(info(cluster), "Unschedulable", TOO_BIG)
        await conditions.lane.drained(1)
    assert cluster.condition(WEB) == {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": TOO_BIG,
        "lastTransitionTime": "2026-01-01T00:16:40Z",
        "observedGeneration": 1,
    }


@in_virtual_time
async def test_it_is_written_only_when_it_changes() -> None:
    cluster = with_pod()
    before = info(cluster)
    async with writing(cluster) as conditions:
        for seen in (before, before, info(cluster)):
            conditions.set(seen, "Unschedulable", TOO_BIG)
            await conditions.lane.drained(1)
        assert patches(cluster) == 1
        conditions.set(info(cluster), "Unschedulable", TOO_BIG)
        await conditions.lane.drained(1)
        assert patches(cluster) == 1
        conditions.set(info(cluster), "Unschedulable", "something else")
        await conditions.lane.drained(1)
        conditions.set(info(cluster), "SchedulerError", "something else")
        await conditions.lane.drained(1)
    assert patches(cluster) == 3


@in_virtual_time
@pytest.mark.parametrize(("type_", "status"), [("Ready", "False"), ("PodScheduled", "True")])
async def test_another_condition_with_the_same_words_is_another(type_: str, status: str) -> None:
    cluster = with_pod()
    other = {"type": type_, "status": status, "reason": "Unschedulable", "message": TOO_BIG}
    cluster.change(POD, WEB, status={"conditions": [other]})
    async with writing(cluster) as conditions:
        conditions.set(info(cluster), "Unschedulable", TOO_BIG)
        await conditions.lane.drained(1)
    assert cluster.condition(WEB)["status"] == "False"


@in_virtual_time
async def test_after_a_restart_what_is_written_already_is_not_written_again() -> None:
    cluster = with_pod()
    for _ in range(2):
        async with writing(cluster) as conditions:
            conditions.set(info(cluster), "Unschedulable", TOO_BIG)
            await conditions.lane.drained(1)
    assert patches(cluster) == 1


@in_virtual_time
async def test_what_somebody_else_wrote_is_corrected() -> None:
    cluster = with_pod()
    async with writing(cluster) as conditions:
        conditions.set(info(cluster), "Unschedulable", TOO_BIG)
        await conditions.lane.drained(1)
        conditions.set(info(cluster), "Unschedulable", TOO_BIG)
        foreign = {"type": "PodScheduled", "status": "False", "reason": "Other", "message": "?"}
        cluster.change(POD, WEB, status={"conditions": [foreign]})
        conditions.set(info(cluster), "Unschedulable", TOO_BIG)
        await conditions.lane.drained(1)
    assert cluster.condition(WEB)["message"] == TOO_BIG


@in_virtual_time
async def test_the_time_of_transition_stays_while_the_status_does() -> None:
    cluster = with_pod()
    async with writing(cluster) as conditions:
        conditions.set(info(cluster), "Unschedulable", TOO_BIG)
        await asyncio.sleep(100)
        conditions.set(info(cluster), "Unschedulable", "something else")
        await conditions.lane.drained(1)
    assert cluster.condition(WEB)["lastTransitionTime"] == "2026-01-01T00:16:40Z"


@in_virtual_time
async def test_only_the_latest_of_several_is_written() -> None:
    cluster = with_pod()
    cluster.fail("patch status", None, seconds=1)
    async with writing(cluster) as conditions:
        for message in ("one", "two", "three", "four"):
            conditions.set(info(cluster), "Unschedulable", message)
            await asyncio.sleep(0.1)
        await conditions.lane.drained(5)
    assert cluster.condition(WEB)["message"] == "four"
    assert patches(cluster) == 2


@in_virtual_time
@pytest.mark.parametrize(
    "error",
    [
        Unreachable("connection refused"),
        TooManyRequests("patience", status=429, retry_after=3),
        ApiError("broken", status=500),
    ],
)
async def test_it_is_tried_again_when_the_api_server_is_in_trouble(error: ApiError) -> None:
    cluster = with_pod()
    cluster.fail("patch status", error, times=3)
    async with writing(cluster) as conditions:
        conditions.set(info(cluster), "Unschedulable", TOO_BIG)
        await until(lambda: bool(cluster.condition(WEB)))
    assert patches(cluster) == 4


@in_virtual_time
async def test_none_is_written_for_as_long_as_the_api_server_asks_for() -> None:
    cluster = with_pod()
    for name in ("api", "db"):
        cluster.add(POD, pod(name))
    cluster.fail("patch status", TooManyRequests("patience", status=429, retry_after=5))
    async with writing(cluster) as conditions:
        conditions.set(info(cluster), "Unschedulable", TOO_BIG)
        await asyncio.sleep(0.1)
        for key in ("default/api", "default/db"):
            conditions.set(info(cluster, key), "Unschedulable", TOO_BIG)
        await asyncio.sleep(4.8)
        assert cluster.asked("patch status") == 1
        await until(lambda: all(cluster.condition(key) for key in (WEB, "default/api", "default/db")))
    assert cluster.asked("patch status") == 4


@in_virtual_time
async def test_it_is_not_tried_for_ever_and_the_next_attempt_begins_anew() -> None:
    cluster = with_pod()
    cluster.fail("patch status", ApiError("broken", status=500), times=5)
    async with writing(cluster) as conditions:
        conditions.set(info(cluster), "Unschedulable", TOO_BIG)
        await asyncio.sleep(100)
        assert patches(cluster) == 5
        conditions.set(info(cluster), "Unschedulable", TOO_BIG)
        await conditions.lane.drained(1)
    assert cluster.condition(WEB)["message"] == TOO_BIG


@in_virtual_time
async def test_a_refusal_is_said_and_not_repeated(caplog: pytest.LogCaptureFixture) -> None:
    cluster = with_pod()
    cluster.fail("patch status", Forbidden("pods/status is forbidden", status=403))
    async with writing(cluster) as conditions:
        conditions.set(info(cluster), "Unschedulable", TOO_BIG)
        await asyncio.sleep(100)
    assert patches(cluster) == 1
    assert caplog.messages == ["condition of pod default/web not written: pods/status is forbidden"]


@in_virtual_time
@pytest.mark.parametrize("recreated", [False, True])
async def test_a_pod_that_is_gone_is_no_trouble(recreated: bool, caplog: pytest.LogCaptureFixture) -> None:
    cluster = with_pod()
    gone = info(cluster)
    cluster.remove(POD, WEB)
    if recreated:
        cluster.add(POD, pod("web"))
    async with writing(cluster) as conditions:
        conditions.set(gone, "Unschedulable", TOO_BIG)
        await conditions.lane.drained(1)
    assert not recreated or cluster.condition(WEB) == {}
    assert [record for record in caplog.records if record.levelname != "DEBUG"] == []


@in_virtual_time
async def test_a_patch_that_waits_is_called_off_before_a_binding() -> None:
    cluster = with_pod()
    cluster.fail("patch status", Unreachable("connection refused"))
    async with writing(cluster) as conditions:
        conditions.set(info(cluster), "Unschedulable", TOO_BIG)
        uid = info(cluster).uid
        await asyncio.sleep(0.1)
        assert conditions.is_pending(uid)
        await conditions.settle(uid)
        assert not conditions.is_pending(uid)
        await asyncio.sleep(100)
    assert patches(cluster) == 1
    assert cluster.condition(WEB) == {}


@in_virtual_time
async def test_a_patch_that_is_on_its_way_is_waited_for_before_a_binding() -> None:
    cluster = with_pod()
    cluster.fail("patch status", None, seconds=2)
    async with writing(cluster) as conditions:
        conditions.set(info(cluster), "Unschedulable", TOO_BIG)
        await asyncio.sleep(0.1)
        await conditions.settle(info(cluster).uid)
        assert cluster.condition(WEB)["message"] == TOO_BIG
        await conditions.settle("unknown")


@in_virtual_time
async def test_a_patch_that_has_not_begun_is_called_off_before_a_binding() -> None:
    cluster = with_pod()
    for i in range(8):
        cluster.add(POD, pod(f"slow-{i}"))
    cluster.fail("patch status", None, seconds=2, times=8)
    async with writing(cluster) as conditions:
        for i in range(8):
            slow = Cache().pod_info(decode(POD, f"default/slow-{i}", cluster.pod(f"default/slow-{i}")))
            conditions.set(slow, "Unschedulable", TOO_BIG)
        conditions.set(info(cluster), "Unschedulable", TOO_BIG)
        await asyncio.sleep(1)
        assert conditions.is_pending(info(cluster).uid)
        await conditions.settle(info(cluster).uid)
        await asyncio.sleep(10)
    assert cluster.condition(WEB) == {}


@in_virtual_time
async def test_what_is_newer_is_not_overwritten_by_a_later_try_of_what_is_older() -> None:
    cluster = with_pod()
    cluster.fail("patch status", Unreachable("connection refused"))
    async with writing(cluster) as conditions:
        conditions.set(info(cluster), "Unschedulable", "old")
        await asyncio.sleep(0.1)
        conditions.set(info(cluster), "Unschedulable", "new")
        await asyncio.sleep(100)
        assert not conditions.is_pending(info(cluster).uid)
    assert cluster.condition(WEB)["message"] == "new"
    assert patches(cluster) == 2


@in_virtual_time
async def test_a_later_try_that_succeeds_is_the_end_of_it() -> None:
    cluster = with_pod()
    cluster.fail("patch status", Unreachable("connection refused"))
    async with writing(cluster) as conditions:
        before = info(cluster)
        conditions.set(before, "Unschedulable", TOO_BIG)
        await until(lambda: bool(cluster.condition(WEB)))
        assert not conditions.is_pending(before.uid)
        conditions.set(before, "Unschedulable", TOO_BIG)
        await conditions.lane.drained(1)
    assert patches(cluster) == 2


@in_virtual_time
async def test_a_pod_that_is_forgotten_is_not_written_and_not_remembered() -> None:
    cluster = with_pod()
    cluster.fail("patch status", Unreachable("connection refused"))
    async with writing(cluster) as conditions:
        before = info(cluster)
        conditions.set(before, "Unschedulable", TOO_BIG)
        await asyncio.sleep(0.1)
        conditions.forget(before.uid)
        await asyncio.sleep(100)
        assert patches(cluster) == 1
        for _ in range(2):
            conditions.set(before, "Unschedulable", TOO_BIG)
            await conditions.lane.drained(1)
            conditions.forget(before.uid)
    assert patches(cluster) == 3
