"""How late the load's own event loop runs: what it sees of binds and events, it sees at most so much later."""

import asyncio
from types import TracebackType
from typing import Self

from roost.bench.samples import Distribution, distribution

EVERY = 0.02
"""Seconds between two looks."""


class Lateness:
    """Notes how much later than asked for it is woken; use it with `async with`."""

    def __init__(self) -> None:
        self._late: list[float] = []
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._look(), name="lateness")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def forget(self) -> None:
        """Count from now."""
        self._late.clear()

    @property
    def seconds(self) -> Distribution | None:
        """How late it was."""
        return distribution(self._late)

    async def _look(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            due = clock() + EVERY
            await asyncio.sleep(EVERY)
            self._late.append(max(0.0, clock() - due))
