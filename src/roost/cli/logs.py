"""Logs: one line for each message on standard error, as text or as JSON."""

import logging
import sys
import time
from enum import StrEnum

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


class TextLines(logging.Formatter):
    """`2026-03-01T10:00:00.123Z INFO message`; further lines, as of a table, are indented."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """Return the time in UTC with milliseconds."""
        return utc(record.created)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """Return the message; nothing inside it can look like a line of its own."""
        return super().formatMessage(record).replace("\n", "\n  ")


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
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{int(seconds % 1 * 1000):03d}Z"
