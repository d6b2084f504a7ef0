"""Programs the tests start: each in a session of its own, with its output in a file."""

import contextlib
import os
import random
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")

# Below the ports the kernel hands to clients: one of those could take the port of a killed API server, or even
# connect to itself while nobody listens there.
PORTS = range(20000, 32000)


def free_port() -> int:
    """Find a port on the loopback interface that nobody listens on."""
    for port in random.sample(PORTS, 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port among a hundred")


class Process:
    """A started program."""

    def __init__(self, command: Sequence[str], log: Path, *, env: Mapping[str, str] | None = None) -> None:
        self.name = Path(command[0]).name
        self.log = log
        with log.open("ab") as output:
            self._popen = _start(command, output, env)
        self.pid = self._popen.pid

    def is_alive(self) -> bool:
        return self._popen.poll() is None

    def terminate(self) -> None:
        """Ask for an orderly end (SIGTERM)."""
        if self.is_alive():
            self._popen.terminate()

    def kill(self) -> None:
        """End it and its children at once (SIGKILL)."""
        if self.is_alive():
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()

    def wait(self, seconds: float) -> int:
        """Wait for the end and return the exit code; a program that stays is a failed test."""
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} still runs after {seconds:g} s; its log ends:\n{self.tail()}") from None

    def stop(self, seconds: float = 10.0) -> None:
        """End it: politely first, then not."""
        self.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(seconds)
        self.kill()

    def log_text(self) -> str:
        return self.log.read_text(errors="replace")

    def tail(self, lines: int = 20) -> str:
        """Read the last lines of the log."""
        return "\n".join(self.log_text().splitlines()[-lines:])

    def cpu_seconds(self) -> float:
        """Sum the processor time used so far, user and system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def _start(command: Sequence[str], output: BinaryIO, env: Mapping[str, str] | None) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env={**os.environ, **(env or {})},
        start_new_session=True,
    )
