"""Waits until processes rest: what one run leaves to be done must not be paid for by the next."""

import asyncio
import time

from roost.bench.meters import LOAD, Meters

WINDOW = 0.5
"""Seconds over which CPU is looked at; two such windows in a row must be quiet."""

RESTING = 0.08
"""Cores that all of them together may use at rest: an API server looks after itself."""

LIMIT = 60.0
UNSEEN = 3.0
"""Seconds to wait where no process can be seen."""


async def wait_until_quiet(meters: Meters, *, resting: float = RESTING, limit: float = LIMIT) -> bool:
    """Return True once the processes rest, False if they do not within the limit (seconds)."""
    if not meters.pids:
        await asyncio.sleep(UNSEEN)
        return True
    deadline, quiet, before = time.monotonic() + limit, 0, _used(meters)
    while quiet < 2:
        if time.monotonic() > deadline:
            return False
        began = time.monotonic()
        await asyncio.sleep(WINDOW)
        used = _used(meters)
        quiet = quiet + 1 if used - before < resting * (time.monotonic() - began) else 0
        before = used
    return True


def _used(meters: Meters) -> float:
    return sum(seconds for name, seconds in meters.cpu().items() if name != LOAD)
