"""Many clients ask one extender at once for a minute: every answer is well formed, nothing fails, memory stays."""

import http.client
import itertools
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.conftest import Measured, roost_command
from e2e.extenders import Extender, Extenders
from e2e.load import Object, node_object, pod_object
from e2e.rig import ControlPlane

CLIENTS = 32
SECONDS = 60.0
POLICIES = (
    "SafeOverload",
    "SafeBalance",
    "Congestion",
    "PigeonHoling",
    "Lucky",
    "Foo",
    "AlwaysTrue",
    "ZeroScore",
    "NodeIndex",
)
VERBS = (
    *("/filter", "/prioritize", "/preempt", "/bind", "/scheduler/bind", "/scheduler/preemption"),
    *("/scheduler/predicates/safe-overload", "/scheduler/predicates/foo", "/scheduler/predicates/always_true"),
    *(f"/scheduler/priorities/{name}" for name in ("safe-overload", "safe-balance", "congestion", "pigeon-holing")),
    *(f"/scheduler/priorities/{name}" for name in ("foo", "zero_score", "node_index")),
)
GROWTH = 32 << 20
"""What memory may grow by after the first seconds: buffers of 32 connections, not a leak."""


@pytest.fixture
def extenders(control_plane: ControlPlane, tmp_path: Path) -> Iterator[Extenders]:
    started = Extenders(control_plane, tmp_path, roost_command())
    yield started
    started.stop()


def test_32_clients_for_a_minute_get_no_5xx_crash_nothing_and_leave_no_memory_behind(
    extenders: Extenders, measured: Measured
) -> None:
    extender = extenders.extend("--policy", ",".join(POLICIES), cluster=False, env={"LOG_LEVEL": "WARNING"})
    clients = [Client(extender, number) for number in range(CLIENTS)]
    deadline = time.monotonic() + SECONDS
    threads = [threading.Thread(target=client.ask_until, args=(deadline,)) for client in clients]
    for thread in threads:
        thread.start()
    time.sleep(SECONDS / 4)
    early = extender.memory()
    for thread in threads:
        thread.join()
    answers = sum((client.answers for client in clients), Counter[int]())
    problems = [problem for client in clients for problem in client.problems]
    measured(f"{sum(answers.values())} answers {dict(answers)}; {early >> 20} MiB, then {extender.memory() >> 20} MiB")

    assert not problems[:5]
    assert set(answers) <= {200, 400}
    assert answers[200] > 1000
    assert extender.process.is_alive()
    assert extender.memory() - early < GROWTH
    assert "Traceback" not in extender.process.log_text()


class Client:
    """One client with a connection that is kept: it sends good and bad bodies to all routes."""

    def __init__(self, extender: Extender, number: int) -> None:
        self.answers: Counter[int] = Counter()
        self.problems: list[str] = []
        self._dice = random.Random(number)
        self._connection = http.client.HTTPConnection("127.0.0.1", extender.port, timeout=30)

    def ask_until(self, deadline: float) -> None:
        for turn in itertools.count():
            if time.monotonic() > deadline:
                break
            self._ask(self._dice.choice(VERBS), self._body(turn))
        self._connection.close()

    def _ask(self, path: str, body: bytes) -> None:
        try:
            self._connection.request("POST", path, body, {"Content-Type": "application/json"})
            response = self._connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.problems.append(f"{path}: {error!r} for {body[:200]!r}")
            self._connection.close()
            return
        self.answers[response.status] += 1
        try:
            json.loads(text)
        except ValueError:
            self.problems.append(f"{path}: {response.status} {text[:200]!r} for {body[:200]!r}")

    def _body(self, turn: int) -> bytes:
        good = json.dumps(self._args(turn)).encode()
        kind = self._dice.random()
        if kind < 0.7:
            return good
        if kind < 0.9:
            at = self._dice.randrange(len(good))
            return good[:at] + bytes([self._dice.randrange(256)]) + good[at + 1 :]
        return good[: self._dice.randrange(len(good))] if kind < 0.97 else b""

    def _args(self, turn: int) -> Object:
        names = [f"node-{number}" for number in range(self._dice.randrange(60))]
        pod = pod_object(f"pod-{turn}", cpu=f"{self._dice.randrange(900)}m")
        victims = {name: {"Pods": [{"UID": "v"}], "NumPDBViolations": 1} for name in names[:5]}
        return {
            "Pod": pod,
            "Nodes": {"metadata": {}, "items": [self._node(name) for name in names]},
            "NodeNames": None,
            "NodeNameToMetaVictims": victims,
            "PodName": "p",
            "PodNamespace": "default",
            "PodUID": "u",
            "Node": "node-1",
        }

    def _node(self, name: str) -> Object:
        free = str(self._dice.randrange(4000))
        odd = self._dice.choice(["NaN", "", "1e309", "-5", free])
        notes = {"mean-free-cpu": free, "std-free-cpu": odd, "congestion-factor": odd, "requested-cpu": odd}
        return node_object(name, annotations=notes)
