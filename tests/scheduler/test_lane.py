"""A lane of work: in order, so many at a time, held back and drained."""

import asyncio

import pytest
from tests.scheduler.virtual_time import in_virtual_time

from roost.scheduler.lane import Lane


@in_virtual_time
async def test_jobs_are_done_in_order_so_many_at_a_time() -> None:
    done: list[int] = []
    at_once: list[int] = []

    async def work(job: int) -> None:
        await asyncio.sleep(1)
        at_once.append(lane.busy)
        done.append(job)

    lane = Lane("test", work, 3)
    lane.start()
    for job in range(10):
        lane.put(job)
    assert await lane.drained(60)
    assert asyncio.get_running_loop().time() == 1004
    assert done == list(range(10))
    assert max(at_once) == 3
    await lane.stop()


@in_virtual_time
async def test_a_job_that_fails_costs_no_worker(caplog: pytest.LogCaptureFixture) -> None:
    done: list[int] = []

    async def work(job: int) -> None:
        if job == 0:
            raise RuntimeError("broken")
        done.append(job)

    lane = Lane("test", work, 1)
    lane.start()
    for job in range(3):
        lane.put(job)
    assert await lane.drained(60)
    assert done == [1, 2]
    assert caplog.messages == ["test: a job failed; the others go on"]
    await lane.stop()


@in_virtual_time
async def test_held_jobs_wait_for_their_time_or_their_release() -> None:
    loop = asyncio.get_running_loop()
    done: list[tuple[int, float]] = []

    async def work(job: int) -> None:
        done.append((job, loop.time()))

    lane = Lane("test", work, 2, hold=lambda job: job - loop.time())
    lane.start()
    for job in (1001, 1001, 1002, 1005):
        lane.put(job)
    await asyncio.sleep(3)
    assert done == [(1001, 1001), (1001, 1001), (1002, 1002)]
    assert not await lane.drained(1)
    lane.release()
    await asyncio.sleep(0.5)
    assert lane.waiting == 1
    await asyncio.sleep(1)
    assert lane.is_empty
    await lane.stop()


@in_virtual_time
async def test_a_job_put_back_comes_first() -> None:
    done: list[str] = []

    async def work(job: str) -> None:
        done.append(job)

    lane = Lane("test", work, 1)
    lane.put("second")
    lane.put_back("first")
    lane.start()
    await lane.drained(1)
    lane.put_back("third")
    await lane.drained(1)
    assert done == ["first", "second", "third"]
    await lane.stop()


@in_virtual_time
async def test_what_is_left_is_told_at_each_taking() -> None:
    left: list[int] = []

    async def work(job: int) -> None:
        await asyncio.sleep(0)

    lane = Lane("test", work, 2, taken=left.append)
    for job in range(4):
        lane.put(job)
    lane.start()
    await lane.drained(1)
    assert left == [3, 2, 1, 0]
    await lane.stop()
