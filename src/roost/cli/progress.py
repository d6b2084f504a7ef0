"""One line on standard error that says how far a long command is, and at its end what it took."""

import sys
import time
from types import TracebackType
from typing import Self

_WORTH_SAYING = 1.0
"""Seconds; what is done sooner needs no last word."""


class Progress:
    """Overwrites its line on a terminal; elsewhere only the last one is written, if the command took long."""

    def __init__(self) -> None:
        self._is_live = sys.stderr.isatty()
        self._began = time.monotonic()
        self._shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._clear()

    def show(self, text: str) -> None:
        """Say what is done now."""
        if self._is_live:
            sys.stderr.write(f"\r\x1b[K{text} …")
            sys.stderr.flush()
            self._shown = True

    def done(self, text: str) -> None:
        """Say what was done, with the most memory that it took."""
        self._clear()
        if time.monotonic() - self._began >= _WORTH_SAYING:
            sys.stderr.write(f"{text}{_memory()}\n")
            sys.stderr.flush()

    def _clear(self) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._shown = False


def _memory() -> str:
    try:
        import resource
    except ImportError:  # Windows
        return ""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return f"; {peak // (1024 if sys.platform != 'darwin' else 1024 * 1024)} MiB of memory at most"
