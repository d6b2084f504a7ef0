"""A scheduler that runs on a fake cluster, and waiting for what it does."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from tests.scheduler.fake_cluster import FakeCluster

from roost.cache.cache import Cache
from roost.config.profiles import default_profile
from roost.framework.cycle import Cycle
from roost.framework.profile import Profile
from roost.scheduler.loop import Scheduler

EPOCH = 1_767_225_600.0


def make_scheduler(cluster: FakeCluster, profiles: Sequence[Profile] = ()) -> Scheduler:
    """Return a scheduler whose clock is the loop's."""
    clock = asyncio.get_running_loop().time
    cycles = {profile.scheduler_name: Cycle(profile) for profile in profiles or [default_profile()]}
    return Scheduler(cluster, Cache(), cycles, clock=clock, wall=lambda: EPOCH + clock(), host="host-1")


@asynccontextmanager
async def running(cluster: FakeCluster, profiles: Sequence[Profile] = ()) -> AsyncIterator[Scheduler]:
    """Run a scheduler in the background; stop it in an orderly way at the end."""
    scheduler = make_scheduler(cluster, profiles)
    stop = asyncio.Event()
    task = asyncio.create_task(scheduler.run(stop))
    try:
        await until(lambda: scheduler.in_sync or task.done())
        yield scheduler
    finally:
        stop.set()
        await task


async def until(holds: Callable[[], bool], seconds: float = 60.0) -> float:
    """Wait in small steps until something holds; return how long it took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not holds():
        if loop.time() - began > seconds:
            raise AssertionError(f"not within {seconds} s")
        await asyncio.sleep(0.005)
    return loop.time() - began


async def turns(count: int) -> None:
    """Let the event loop go round."""
    for _ in range(count):
        await asyncio.sleep(0)
