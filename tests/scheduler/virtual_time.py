"""An event loop whose clock jumps to the next timer when nothing else is to do: minutes pass in no time."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from heapq import heappop
from typing import Any


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop with a clock of its own; it says so if everybody waits for nothing."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 1000.0
        self.rounds = 0

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        self.rounds += 1
        if not self._ready and not self._stopping:
            while self._scheduled and self._scheduled[0]._cancelled:
                self._timer_cancelled_count -= 1
                heappop(self._scheduled)._scheduled = False
            if not self._scheduled:
                raise RuntimeError("everybody waits, and nothing will ever happen")
            self._now = max(self._now, self._scheduled[0]._when)
        super()._run_once()


def in_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test on a virtual loop."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run
