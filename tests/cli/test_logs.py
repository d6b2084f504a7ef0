"""Log lines: one for each message, in text or JSON."""

import json
import logging

import pytest

from roost.cli.logs import JsonLines, LogFormat, LogLevel, TextLines, set_up_logs


def record(message: str, *arguments: object, level: int = logging.INFO, exc_info: bool = False) -> logging.LogRecord:
    import sys

    info = sys.exc_info() if exc_info else None
    made = logging.LogRecord("roost.scheduler", level, "file.py", 1, message, arguments, info)
    made.created = 1772359200.0625
    return made


def test_a_text_line_is_time_level_and_message() -> None:
    assert TextLines().format(record("scheduled %s", "default/web")) == (
        "2026-03-01T10:00:00.062Z INFO scheduled default/web"
    )


def test_further_lines_of_a_message_are_indented() -> None:
    assert TextLines().format(record("a\nb")).splitlines()[1] == "  b"


def test_a_json_line_is_one_object() -> None:
    assert json.loads(JsonLines().format(record("failed %d", 3, level=logging.WARNING))) == {
        "time": "2026-03-01T10:00:00.062Z",
        "level": "warning",
        "logger": "roost.scheduler",
        "message": "failed 3",
    }


def test_a_traceback_stays_in_its_json_line() -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        line = JsonLines().format(record("failed", exc_info=True))
    assert "\n" not in line
    assert "ValueError: broken" in json.loads(line)["traceback"]


@pytest.mark.parametrize("level", list(LogLevel))
def test_only_what_is_worth_a_line_is_written(level: LogLevel, capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, handlers = root.level, list(root.handlers)
    try:
        set_up_logs(level, LogFormat.text)
        for one in LogLevel:
            logging.getLogger("roost").log(logging.getLevelName(one.upper()), one.value)
    finally:
        root.setLevel(before)
        root.handlers[:] = handlers
    written = [line.split()[-1] for line in capsys.readouterr().err.splitlines()]
    assert written == [one.value for one in LogLevel][list(LogLevel).index(level) :]
