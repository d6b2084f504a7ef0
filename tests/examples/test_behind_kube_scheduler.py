"""A stock kube-scheduler with the configuration of an example places the pods where the README shows them."""

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from tests.apiserver.serving import Served, served
from tests.examples.test_examples import shown_commands

from roost.apiserver.resources import POD, resource_of_kind

rig = pytest.importorskip("e2e.rig", reason="run the tests as `python -m pytest` at the top of the checkout")
SECONDS = 30.0
LOCAL = {"clientConnection": {"contentType": "application/json"}, "leaderElection": {"leaderElect": False}}
"""What the embedded cluster asks of kube-scheduler beside the configuration of the example."""

WITH_EXTENDERS = [shown for shown in shown_commands() if "--extender" in shown[1]]


@pytest.fixture
def kube_scheduler() -> Path:
    """The program; looked for late, since tests before these may have built it."""
    found = (rig.find_assets() or Path()) / "kube-scheduler"
    if not found.exists():
        pytest.skip("no kube-scheduler: run e2e/controlplane/build.sh once")
    return Path(found)


def free_ports(count: int) -> list[int]:
    from e2e.processes import free_port

    return [free_port() for _ in range(count)]


def options(command: str, name: str) -> list[str]:
    words = shlex.split(command)
    return [value for word, value in pairwise(words) if word == name]


@contextmanager
def program(words: list[str], cwd: Path, log: Path, ready: str) -> Iterator[None]:
    """Run a program until the block ends; begin the block when its log says that it is ready."""
    with log.open("wb") as file:
        process = subprocess.Popen(words, cwd=cwd, stdout=file, stderr=file, env={**os.environ, "HTTP_PORT": ""})
    try:
        end = time.monotonic() + SECONDS
        while ready not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(SECONDS)


def create(cluster: Served, path: Path) -> None:
    for document in yaml.safe_load_all(path.read_text()):
        resource = resource_of_kind(document["apiVersion"], document["kind"])
        assert resource is not None
        namespace = "default" if resource.namespaced else ""
        cluster.call(lambda r=resource, d=document, n=namespace: cluster.store.create(r, d, n))


def shown_placements(output: str) -> list[str]:
    """Return each pod in the table of a demo with its node."""
    rows = re.findall(r"^  (\S+) +(\S+) {3,}\S", output.split("\n\n")[1], re.MULTILINE)[1:]
    return sorted(f"{base_name(pod)} {node}" for pod, node in rows)


def base_name(pod: str) -> str:
    """Return the name of a pod without the letters that a ReplicaSet puts behind it."""
    return re.sub(r"-[b-z2-9]{10}-[b-z2-9]{5}$", "", pod)


def placed(cluster: Served) -> list[str]:
    pods = cluster.call(lambda: [item.object for item in cluster.store.all(POD)])
    return sorted(f"{base_name(pod['metadata']['name'])} {pod['spec'].get('nodeName', '(none)')}" for pod in pods)


@pytest.mark.parametrize(
    ("folder", "command", "output"), [pytest.param(*shown, id=shown[0].name) for shown in WITH_EXTENDERS]
)
def test_the_placements_are_those_of_the_readme(
    folder: Path, command: str, output: str, tmp_path: Path, kube_scheduler: Path
) -> None:
    (name,) = options(command, "--config")
    text = (folder / name).read_text()
    addresses = list(dict.fromkeys(re.findall(r"localhost:\d+", text)))
    ports = dict(zip(addresses, free_ports(len(addresses)), strict=True))
    with served(nodes=0, scheduler=False, lives=True) as cluster, ExitStack() as stack:
        for path in options(command, "-f")[:1]:
            create(cluster, folder / path)
        for policy, port in zip(options(command, "--extender"), ports.values(), strict=True):
            stack.enter_context(program(extend(policy, port, cluster.url), folder, tmp_path / f"{port}.log", "in sync"))
        configuration = tmp_path / "scheduler.yaml"
        configuration.write_text(moved(text, ports))
        words = [str(kube_scheduler), "--config", str(configuration), "--master", cluster.url, "--secure-port", "0"]
        stack.enter_context(program(words, folder, tmp_path / "log", "Starting Kubernetes Scheduler"))
        for path in options(command, "-f")[1:]:
            create(cluster, folder / path)
        expected, end = shown_placements(output), time.monotonic() + SECONDS
        while placed(cluster) != expected and time.monotonic() < end:
            time.sleep(0.05)
        assert placed(cluster) == expected


def extend(policy: str, port: int, server: str) -> list[str]:
    what = "--config" if policy.endswith(".yaml") else "--policy"
    return [sys.executable, "-m", "roost", "extend", what, policy, "--port", str(port), "--server", server]


def moved(text: str, ports: Mapping[str, int]) -> str:
    """Return a configuration with extenders at other ports, for the embedded cluster."""
    for address, port in ports.items():
        text = text.replace(address, f"127.0.0.1:{port}")
    return yaml.safe_dump({**yaml.safe_load(text), **LOCAL})
