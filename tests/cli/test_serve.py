"""`roost run` from start to end, against a small API server: what it binds, what it says, how it stops."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from urllib.request import urlopen

import pytest
from tests.cli.small_api_server import SmallApiServer, pending

SECONDS = 20.0
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start `roost run` with arguments."""
    started: list[subprocess.Popen[str]] = []

    def run(api: SmallApiServer, *arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "roost", "run", "--server", api.url, *arguments]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


def wait_for(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_once_binds_what_fits_names_what_does_not_and_ends(start: Start) -> None:
    with SmallApiServer(pending("small"), pending("big", cpu="100")) as api:
        out, err = start(api, "--once").communicate(timeout=SECONDS)
    assert out == "1 scheduled, 1 unschedulable (default/big)\n"
    assert api.bound == {"small": "node-1"}
    assert f"INFO connected to {api.url}, Kubernetes v1.36.2" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(start: Start, number: signal.Signals) -> None:
    with SmallApiServer(pending("small")) as api:
        process = start(api, "--log-format", "json")
        wait_for(lambda: api.bound)
        process.send_signal(number)
        _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    messages = [json.loads(line)["message"] for line in err.splitlines()]
    assert {"in sync: 1 nodes", f"{number.name}: finishing what is under way"} < set(messages)
    assert messages[-1] == "ended"


def test_the_policy_and_the_scheduler_name_are_those_asked_for(start: Start) -> None:
    pod = pending("small")
    pod["spec"]["schedulerName"] = "mine"
    with SmallApiServer(pod, pending("not-ours")) as api:
        process = start(api, "--once", "--policy", "RandomNode", "--scheduler-name", "mine")
        out, _ = process.communicate(timeout=SECONDS)
    assert (out, api.bound) == ("1 scheduled\n", {"small": "node-1"})


def test_health_and_metrics_are_served_where_asked(start: Start, free_port: int) -> None:
    url = f"http://127.0.0.1:{free_port}"
    with SmallApiServer(pending("small")) as api:
        start(api, "--health-address", f"127.0.0.1:{free_port}")
        wait_for(lambda: get(f"{url}/readyz") == b"ok")
        assert get(f"{url}/livez") == b"ok"
        counted = b'scheduler_schedule_attempts_total{profile="roost",result="scheduled"} 1.0'
        wait_for(lambda: counted in get(f"{url}/metrics"))


@pytest.fixture
def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(url: str) -> bytes:
    try:
        with urlopen(url) as answer:
            return bytes(answer.read())
    except OSError:
        return b""
