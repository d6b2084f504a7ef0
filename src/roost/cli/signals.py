"""Ending in order: the first SIGTERM or Ctrl-C asks, the second ends the process as it would without us."""

import asyncio
import logging
import signal

logger = logging.getLogger("roost")


def stop_on_signals() -> asyncio.Event:
    """Return an event that the first SIGTERM or SIGINT sets."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def on_signal(name: str) -> None:
        logger.info("%s: finishing what is under way", name)
        stop.set()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number.name)
    return stop
