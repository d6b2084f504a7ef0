"""The schedulers that are measured, as processes: how each is started, and how it says that it has read the cluster."""

import asyncio
import sys
import time
from pathlib import Path

import yaml
from msgspec import Struct

from roost.bench.programs import Program
from roost.bench.target import Target

ROOST, KUBE_SCHEDULER = "roost", "kube-scheduler"
QPS = 5000
IN_SYNC = "in sync:"
_LOOK = 0.005


class Scheduler(Struct, frozen=True, kw_only=True):
    """One that can be started: `command` is what comes before the options that a benchmark gives it.

    `percentage` is kube-scheduler's percentageOfNodesToScore; None leaves it to choose.
    """

    name: str
    program: str
    command: tuple[str, ...]
    percentage: int | None = None

    @property
    def tells_sync(self) -> bool:
        """Whether its log says when it has read the cluster."""
        return self.program == ROOST

    def arguments(self, target: Target, scheduler_name: str, folder: Path) -> list[str]:
        """Return the whole command; what it needs of files is written into the folder."""
        if self.program == KUBE_SCHEDULER:
            path = folder / f"{self.name}.yaml"
            path.write_text(yaml.safe_dump(self._configuration(target, scheduler_name), sort_keys=False))
            return [*self.command, "--config", str(path), "--secure-port", "0"]
        where = ["--kubeconfig", str(target.kubeconfig), *(["--context", target.context] if target.context else [])]
        return [*self.command, "run", *where, "--scheduler-name", scheduler_name]

    def _configuration(self, target: Target, scheduler_name: str) -> dict[str, object]:
        connection: dict[str, object] = {"kubeconfig": str(target.kubeconfig), "qps": QPS, "burst": QPS}
        if not target.speaks_protobuf:
            connection["contentType"] = "application/json"
        percentage = {} if self.percentage is None else {"percentageOfNodesToScore": self.percentage}
        return {
            "apiVersion": "kubescheduler.config.k8s.io/v1",
            "kind": "KubeSchedulerConfiguration",
            "leaderElection": {"leaderElect": False},
            "clientConnection": connection,
            **percentage,
            "profiles": [{"schedulerName": scheduler_name}],
        }


def roost(binary: Path | None = None, name: str = ROOST) -> Scheduler:
    """Return Roost as a user runs it: this very installation, or another one."""
    command = (str(binary),) if binary else (sys.executable, "-m", "roost")
    return Scheduler(name=name, program=ROOST, command=command)


def kube_scheduler(binary: Path, percentage: int | None = None) -> Scheduler:
    """Return kube-scheduler without leader election, and with client limits that do not hold it back."""
    return Scheduler(name=KUBE_SCHEDULER, program=KUBE_SCHEDULER, command=(str(binary),), percentage=percentage)


async def in_sync(program: Program, seconds: float) -> float | None:
    """Return when the log says that the cluster has been read, on the monotonic clock; None if it does not."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        program.check()
        if program.says(IN_SYNC):
            return time.monotonic()
        await asyncio.sleep(_LOOK)
    return None
