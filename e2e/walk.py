"""Walks through a page of the documentation: does what it says and compares what comes with what it shows.

A page is read from top to bottom. Two kinds of fenced blocks count:

    … as `NAME`:             the block behind such a line is written into the file NAME
    ```console               commands behind `$ ` (continued behind `> `), and below each what it prints

In what a page shows, a line `...` stands for any number of lines and `...` in a line for any text; how many blanks are
between words does not count. A command that only looks (kubectl get, curl, …) is repeated until it shows what the page
shows, as a reader would look again. A command must end with exit code 0, unless the page shows what it prints instead.
All commands of a page run in one bash, with its jobs, variables and working folder.
"""

import os
import re
import select
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

LOOK_SECONDS = 60.0
COMMAND_SECONDS = 180.0
DOTS = "..."

_FENCE = re.compile(r"^```(\w*)\s*$")
_FILE = re.compile(r"\bas `([\w./-]+)`:$")
_LOOKS = re.compile(r"^(kubectl( -n \S+)? (get|describe|logs|auth)|curl|grep|tail|cat) ")
_JOB_ENDED = re.compile(r"^\[\d+\][+-]?\s+(Terminated|Killed|Done|Exit).*\n", re.MULTILINE)
_CHANGES = re.compile(r"\s(-d|--data\S*|-X)\s|>")


@dataclass(frozen=True)
class File:
    """A file that a page has its reader save."""

    line: int
    name: str
    text: str


@dataclass(frozen=True)
class Command:
    """A command of a page, and what the page shows below it."""

    line: int
    text: str
    shown: tuple[str, ...] = ()

    @property
    def only_looks(self) -> bool:
        return bool(_LOOKS.match(self.text)) and not _CHANGES.search(self.text)

    @property
    def says_something(self) -> bool:
        """Whether the page shows more than that there is something to see."""
        return any(line.strip() != DOTS for line in self.shown)


Step = File | Command


class Stumble(AssertionError):
    """A page that does not say what happens."""


def read_steps(page: str) -> Iterator[Step]:
    """Yield what a page has its reader do, in order."""
    paragraph, block, language, start, blank = "", [""], None, 0, True
    for number, line in enumerate(page.splitlines(), start=1):
        fence = _FENCE.match(line)
        if language is not None and line == "```":
            yield from _steps_of(language, block, start, paragraph)
            language, paragraph = None, ""
        elif language is not None:
            block.append(line)
        elif fence:
            block, language, start = [], fence[1], number
        elif line.strip():
            paragraph, blank = line if blank else f"{paragraph} {line}", False
        else:
            blank = True


def section(page: str, *, after: str = "", until: str = "") -> str:
    """Return the part of a page from one heading on, or up to another; other lines stay as blank ones."""
    lines = page.splitlines()
    first = lines.index(after) if after else 0
    last = lines.index(until) if until else len(lines)
    return "\n".join([""] * first + lines[first:last])


def walk(page: str, shell: "Shell", *, name: str) -> int:
    """Do what a page says; return how many commands that were, and raise Stumble where something else happens."""
    done = 0
    for step in read_steps(page):
        if isinstance(step, File):
            path = shell.folder / step.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(step.text)
        else:
            _do(step, shell, f"{name}:{step.line}")
            done += 1
    return done


def matches(shown: Sequence[str], printed: str) -> bool:
    """Whether a command printed what a page shows."""
    pattern = "".join(_line_pattern(line) for line in shown if line.strip())
    text = "".join(f"{_squeezed(line)}\n" for line in printed.splitlines() if line.strip())
    return re.fullmatch(pattern, text) is not None


class Shell:
    """A bash that keeps its state from command to command."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.folder = folder
        self._output = folder.with_name(f"{folder.name}-output")
        self._output.mkdir(parents=True)
        self._number = 0
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=dict(env),
            start_new_session=True,
        )
        self._send("set -m; exec 2>/dev/null; echo ready")
        self._answer(COMMAND_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End the jobs of the shell, each with its children, and the shell."""
        self._send("for job in $(jobs -p); do kill -- -$job; done; wait; echo ended")
        try:
            self._answer(20)
        finally:
            os.killpg(self._bash.pid, signal.SIGKILL)
            self._bash.communicate()

    def run(self, text: str, seconds: float = COMMAND_SECONDS) -> tuple[int, str]:
        """Run a command; return its exit code and what it printed, without what bash says of jobs that have ended."""
        self._number += 1
        script = self._output / f"{self._number}.sh"
        printed = self._output / f"{self._number}.txt"
        script.write_text(f"{text}\n")
        source, sink = shlex.quote(str(script)), shlex.quote(str(printed))
        self._send(f"{{ . {source}; }} </dev/null >{sink} 2>&1; echo $?")
        code = int(self._answer(seconds, text))
        return code, _JOB_ENDED.sub("", printed.read_text(errors="replace"))

    def _send(self, line: str) -> None:
        assert self._bash.stdin is not None
        self._bash.stdin.write(f"{line}\n".encode())
        self._bash.stdin.flush()

    def _answer(self, seconds: float, what: str = "") -> str:
        assert self._bash.stdout is not None
        ready, _, _ = select.select([self._bash.stdout], [], [], seconds)
        if not ready:
            raise Stumble(f"no end after {seconds:g} s: {what}")
        return self._bash.stdout.readline().decode().strip()


def _steps_of(language: str, block: Sequence[str], start: int, paragraph: str) -> Iterator[Step]:
    if language == "console":
        yield from _commands(block, start)
    elif named := _FILE.search(paragraph.strip()):
        yield File(start, named[1], "\n".join([*block, ""]))


def _commands(block: Sequence[str], start: int) -> Iterator[Command]:
    text, shown, line = "", [""], 0
    for number, content in enumerate(block, start=start + 1):
        if content.startswith("$ "):
            if text:
                yield Command(line, text, tuple(shown))
            text, shown, line = content.removeprefix("$ "), [], number
        elif text and not shown and (content.startswith("> ") or text.endswith("\\")):
            text += "\n" + content.removeprefix("> ")
        else:
            shown.append(content)
    if text:
        yield Command(line, text, tuple(shown))


def _do(command: Command, shell: Shell, where: str) -> None:
    deadline = time.monotonic() + LOOK_SECONDS
    while True:
        code, printed = shell.run(command.text)
        if _is_as_shown(command, code, printed):
            return
        if not command.only_looks or time.monotonic() > deadline:
            shown = "\n".join(command.shown)
            raise Stumble(
                f"{where}: $ {command.text}\n--- the page shows\n{shown}\n--- exit code {code}, and\n{printed}"
            )
        time.sleep(0.3)


def _is_as_shown(command: Command, code: int, printed: str) -> bool:
    if not command.shown:
        return code == 0
    return matches(command.shown, printed) and (code == 0 or command.says_something)


def _line_pattern(line: str) -> str:
    if line.strip() == DOTS:
        return r"(?:.*\n)*?"
    return ".*".join(re.escape(part) for part in _squeezed(line).split(DOTS)) + r"\n"


def _squeezed(line: str) -> str:
    return " ".join(line.split())
