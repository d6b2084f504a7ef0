"""Starts the programs of a benchmark and ends them: each in a session of its own, with its output in a file."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from roost.errors import ConfigError, RoostError

PATIENCE = 15.0
"""Seconds a program has to end in order."""


# Below those that the kernel hands to clients, one of which could take a port before its program does.
PORTS = range(20000, 32000)


class Died(RoostError):
    """A program that the benchmark needs has ended; the message has the end of its log."""


class Program:
    """A started program; `began` is when, on the monotonic clock."""

    def __init__(self, command: Sequence[str], log: Path, name: str = "") -> None:
        self.name = name or Path(command[0]).name
        self.log = log
        try:
            with log.open("wb") as output:
                self.began = time.monotonic()
                self._popen = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
                )
        except OSError as error:
            raise ConfigError(f"cannot start {command[0]}: {error.strerror}") from error
        self.pid = self._popen.pid

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._popen.poll() is None

    def check(self) -> None:
        """Raise Died unless it still runs."""
        if not self.is_alive:
            raise Died(f"{self.name} ended with exit code {self._popen.returncode}; its log ends: {self.tail()}")

    def says(self, text: str) -> bool:
        """Tell whether its log has a text."""
        return text.encode() in self.log.read_bytes()

    def tail(self, lines: int = 5) -> str:
        """Return the last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self, patience: float = PATIENCE) -> None:
        """End it with its children: politely first, then not."""
        if self.is_alive:
            self._popen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(patience)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()


@asynccontextmanager
async def running(command: Sequence[str], log: Path, name: str = "") -> AsyncIterator[Program]:
    """Run a program until the context ends; `name` is what messages call it."""
    program = Program(command, log, name)
    try:
        yield program
    finally:
        program.stop()


def free_port() -> int:
    """Return a port on the loopback interface that nobody listens on."""
    for port in random.sample(PORTS, 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RoostError("there is no free port among a hundred on 127.0.0.1")
