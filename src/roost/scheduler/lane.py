"""A lane of work: jobs in order, done by a fixed number of tasks.

Binding, events and conditions each have one. A task per job would cost more than the job's own bookkeeping, and a fixed
number is what keeps a burst from opening a thousand connections.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Lane(Generic[T]):
    """Does jobs with `work`, at most `workers` at a time.

    `hold` may keep the next job back: it returns for how many seconds, 0 to let it go. `release` asks it again. `taken`
    is called with the number of jobs left each time one has been taken.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[T], Awaitable[None]],
        workers: int,
        *,
        hold: Callable[[T], float] | None = None,
        taken: Callable[[int], None] | None = None,
    ) -> None:
        self.name = name
        self.jobs: deque[T] = deque()
        self.busy = 0
        self._work = work
        self._workers = workers
        self._hold = hold
        self._taken = taken
        self._tasks: list[asyncio.Task[None]] = []
        self._free: list[asyncio.Future[None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._watchers: list[asyncio.Future[None]] = []

    @property
    def waiting(self) -> int:
        """How many jobs no worker has taken yet."""
        return len(self.jobs)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits and nothing is being done."""
        return not self.jobs and not self.busy

    def put(self, job: T) -> None:
        """Add a job behind the others."""
        self.jobs.append(job)
        if self._free and self._timer is None:
            self._wake_one()

    def put_back(self, job: T) -> None:
        """Add a job before the others: it is to be tried again."""
        self.jobs.appendleft(job)
        if self._free and self._timer is None:
            self._wake_one()

    def release(self) -> None:
        """Let held jobs be asked about again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for _ in range(min(len(self.jobs), len(self._free))):
            self._wake_one()

    def start(self) -> None:
        """Start the workers."""
        self._tasks = [
            asyncio.create_task(self._run(), name=f"{self.name}-{number}") for number in range(self._workers)
        ]

    async def drained(self, seconds: float) -> bool:
        """Wait until nothing waits and nothing is being done; False if that took longer than `seconds`."""
        if self.is_empty:
            return True
        watcher = asyncio.get_running_loop().create_future()
        self._watchers.append(watcher)
        await asyncio.wait([watcher], timeout=seconds)
        return self.is_empty

    async def stop(self) -> None:
        """End the workers, also in the middle of a job."""
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            if not self.jobs or self._is_held():
                await self._until_woken()
                continue
            job = self.jobs.popleft()
            if self._taken is not None:
                self._taken(len(self.jobs))
            self.busy += 1
            try:
                await self._work(job)
            except Exception:
                logger.exception("%s: a job failed; the others go on", self.name)
            finally:
                self.busy -= 1
            if self.is_empty and self._watchers:
                self._tell_watchers()

    def _is_held(self) -> bool:
        seconds = self._hold(self.jobs[0]) if self._hold is not None else 0.0
        if seconds <= 0.0:
            return False
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self.release)
        return True

    async def _until_woken(self) -> None:
        woken = asyncio.get_running_loop().create_future()
        self._free.append(woken)
        await woken

    def _wake_one(self) -> None:
        woken = self._free.pop()
        if not woken.done():
            woken.set_result(None)

    def _tell_watchers(self) -> None:
        for watcher in self._watchers:
            if not watcher.done():
                watcher.set_result(None)
        self._watchers.clear()
