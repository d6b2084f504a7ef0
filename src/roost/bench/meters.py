"""Reads what processes have used: CPU seconds and peak memory, from /proc. Without /proc, there is nothing to see."""

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

PROC = Path("/proc")
LOAD = "load"
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_SPINS = 200_000
_RESET_PEAK = "5"

CpuSeconds = Mapping[str, float]


class Meters:
    """The processes of a benchmark by name, with the load itself; children count with their parent."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self.pids = {name: pid for name, pid in pids.items() if (PROC / str(pid)).exists()}

    def cpu(self) -> dict[str, float]:
        """Return the CPU seconds, user and system, that each process has used so far."""
        return {**{name: _tree_cpu(pid) for name, pid in self.pids.items()}, LOAD: time.process_time()}

    def peak_mebibytes(self) -> dict[str, float]:
        """Return the largest resident memory of each process since `forget_peaks`."""
        pids = {**self.pids, LOAD: os.getpid()}
        peaks = {name: _tree_peak(pid) if name != LOAD else _peak(pid) for name, pid in pids.items()}
        return {name: peak for name, peak in peaks.items() if peak}

    def forget_peaks(self) -> None:
        """Let peaks count from now; where the system does not allow it, they count from each process's start."""
        for pid in (*self.pids.values(), os.getpid()):
            with contextlib.suppress(OSError):
                (PROC / str(pid) / "clear_refs").write_text(_RESET_PEAK)


def machine_busy() -> float:
    """Return the CPU seconds that the whole machine has spent on work since it started; 0 if it does not say."""
    try:
        fields = [int(field) for field in (PROC / "stat").read_text().split("\n", 1)[0].split()[1:9]]
    except OSError:
        return 0.0
    idle, waiting = fields[3], fields[4]
    return (sum(fields) - idle - waiting) / _TICKS


def spin_ms() -> float:
    """Return the CPU milliseconds of a fixed piece of work, the best of three: how fast the machine is right now."""
    best = float("inf")
    for _ in range(3):
        began, total = time.process_time(), 0
        for i in range(_SPINS):
            total += i * i & 7
        best = min(best, time.process_time() - began)
    return best * 1000


def _tree(pid: int) -> Iterator[int]:
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        yield one
        with contextlib.suppress(OSError):
            for task in (PROC / str(one) / "task").iterdir():
                waiting += map(int, (task / "children").read_text().split())


def _tree_cpu(pid: int) -> float:
    return sum(_cpu_ticks(one, whole=one == pid) for one in _tree(pid)) / _TICKS


def _cpu_ticks(pid: int, *, whole: bool) -> int:
    """Return user and system time; of the whole also what its children had used that have ended."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15] if whole else fields[11:13]))


def _tree_peak(pid: int) -> float:
    return sum(_peak(one) for one in _tree(pid))


def _peak(pid: int) -> float:
    try:
        lines = (PROC / str(pid) / "status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)
