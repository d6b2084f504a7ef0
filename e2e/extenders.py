"""Extenders beside a stock kube-scheduler: `roost extend` in its own processes, and what the scheduler says of it."""

import http.client
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.load import wait_until
from e2e.processes import Process, free_port
from e2e.rig import ADMIN, ControlPlane

READY_SECONDS = 30.0
NO_SCORES = {"plugins": {"score": {"disabled": [{"name": "*"}]}}}
"""The part of a profile that leaves all scoring to extenders."""

_HARMLESS = "The manifest file is empty"
"""What kube-scheduler says at every start, of a file that has nothing to do with it."""

_TROUBLE = re.compile(r"^E\d{4}|[Ss]kipping extender|[Ff]ailed to run extender|extender.*(error|fail)", re.MULTILINE)


@dataclass
class Extender:
    """A running `roost extend`."""

    process: Process
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def entry(self, *verbs: str, **fields: Any) -> dict[str, Any]:
        """Describe it as kube-scheduler's configuration does, asked by name unless told otherwise."""
        named = {f"{verb}Verb": verb for verb in verbs}
        weight = {"weight": 1} if "prioritize" in verbs else {}
        return {"urlPrefix": self.url, "nodeCacheCapable": True, "httpTimeout": "30s", **weight, **named, **fields}

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Send one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST", path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def get(self, path: str) -> tuple[int, bytes]:
        """Get a page; status 0 while nobody listens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        except OSError:
            return 0, b""
        finally:
            connection.close()

    def memory(self) -> int:
        """Return the bytes of memory it holds."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024


@dataclass
class Extenders:
    """Starts extenders and schedulers that ask them; all end with the test."""

    control_plane: ControlPlane
    folder: Path
    command: Sequence[str]
    _started: list[Process] = field(default_factory=list)

    def extend(
        self, *arguments: str, port: int = 0, cluster: bool = True, env: Mapping[str, str] | None = None
    ) -> Extender:
        """Start `roost extend` and wait until it is ready; without a cluster it knows only what requests bring."""
        port = port or free_port()
        where = ["--kubeconfig", str(self.control_plane.kubeconfig_for(ADMIN))] if cluster else ["--no-cluster"]
        command = [*self.command, "extend", "--address", "127.0.0.1", "--port", str(port), *where, *arguments]
        process = Process(command, self.folder / f"extender-{len(self._started)}.log", env=env)
        self._started.append(process)
        extender = Extender(process, port)
        wait_until(
            lambda: self._is_ready(extender), f"the extender on {port} is ready", seconds=READY_SECONDS, every=0.05
        )
        return extender

    def schedule(self, name: str, *entries: Mapping[str, Any], profile: Mapping[str, Any] | None = None) -> Process:
        """Start the stock kube-scheduler with extenders."""
        process = self.control_plane.start_scheduler(name, extenders=entries, profile=profile, verbosity=5)
        self._started.append(process)
        return process

    def stop(self) -> None:
        """End everything, and print how the logs end."""
        for process in reversed(self._started):
            process.stop()
            print(f"--- {process.log.name} ends:\n{process.tail(15)}")

    def _is_ready(self, extender: Extender) -> bool:
        assert extender.process.is_alive(), f"the extender ended; its log:\n{extender.process.tail()}"
        return extender.get("/readyz")[0] == 200


def trouble(scheduler: Process) -> list[str]:
    """Return the lines of kube-scheduler's log that tell of an error, with extenders or otherwise."""
    lines = scheduler.log_text().splitlines()
    return [line for line in lines if _TROUBLE.search(line) and _HARMLESS not in line]


def wait_seconds(seconds: float) -> None:
    """Let time pass where the absence of something is to be seen."""
    time.sleep(seconds)
