"""A deadline that is moved often and passes seldom, as each connection has one."""

import asyncio
import math
from collections.abc import Callable


class Deadline:
    """A timer that looks at the deadline when it fires, instead of being set and cancelled for each request."""

    def __init__(self, passed: Callable[[], None]) -> None:
        self._passed = passed
        self._loop = asyncio.get_running_loop()
        self._at = math.inf
        self._timer: asyncio.TimerHandle | None = None

    def set(self, seconds: float) -> None:
        """Call in so many seconds, unless it is set again or cleared before."""
        self._at = self._loop.time() + seconds
        if self._timer is not None and self._timer.when() > self._at:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._loop.call_at(self._at, self._look_at_clock)

    def clear(self) -> None:
        """Do not call."""
        self._at = math.inf

    def stop(self) -> None:
        """Do not call, and leave no timer behind."""
        self.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_at_clock(self) -> None:
        self._timer = None
        if self._loop.time() >= self._at:
            self._passed()
        elif self._at < math.inf:
            self._timer = self._loop.call_at(self._at, self._look_at_clock)
