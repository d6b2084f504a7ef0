"""Logs: one line for each message on standard error, as text or as JSON.

A pod that is scheduled is a line, so a line is to be cheap: what no line shows (who logged it, where, in which thread)
is not looked for, and a second is formatted once.
"""

import logging
import sys
import time
from enum import StrEnum
from functools import lru_cache

import msgspec

TRACE = 5
ALERT = 60
"""Levels below debug and above error, which the extenders that `roost extend` replaces had."""


class LogFormat(StrEnum):
    """How log lines look."""

    text = "text"
    json = "json"


class LogLevel(StrEnum):
    """What is worth a line."""

    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


def set_up_logs(level: StrEnum, log_format: LogFormat) -> None:
    """Send the logs of the whole process to standard error."""
    for number, name in ((TRACE, "TRACE"), (ALERT, "ALERT")):
        logging.addLevelName(number, name)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if log_format is LogFormat.json else TextLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    _look_for_nothing_else()


def _look_for_nothing_else() -> None:
    """Keep records from collecting what no line shows, as the library's manual has it ("Optimization")."""
    logging._srcfile = None
    for name in ("logThreads", "logProcesses", "logMultiprocessing", "logAsyncioTasks"):
        setattr(logging, name, False)


class TextLines(logging.Formatter):
    """`2026-03-01T10:00:00.123Z INFO message`; further lines, as of a table, are indented."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; nothing inside the message can look like a line of its own."""
        line = f"{utc(record.created)} {record.levelname} {record.getMessage()}".replace("\n", "\n  ")
        if record.exc_info:
            return f"{line}\n{self.formatException(record.exc_info)}"
        return line


class JsonLines(logging.Formatter):
    """One JSON object a line, the traceback inside, and the `fields` that a message brings."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": utc(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


def utc(seconds: float) -> str:
    """Return a time as RFC 3339 writes it."""
    return f"{_to_the_second(int(seconds))}.{int(seconds % 1 * 1000):03d}Z"


@lru_cache(maxsize=16)
def _to_the_second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
