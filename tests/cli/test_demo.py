"""The demo and the cluster command, as a newcomer runs them: in a process of their own."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

KUBECTL = Path(sys.executable).with_name("kubectl")
SECONDS = 60


def roost(*args: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "roost", *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, cwd=cwd, check=False)


def kubectl(kubeconfig: str, *args: str) -> str:
    command = [str(KUBECTL), "--kubeconfig", kubeconfig, *args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def running(*args: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "roost", *args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def line_with(stream: Any, text: str) -> str:
    """Read lines until one holds the text."""
    deadline = time.monotonic() + SECONDS
    for line in stream:
        if text in line:
            return str(line)
        assert time.monotonic() < deadline
    raise AssertionError(f"ended without {text!r}")


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    done = roost("demo", "--policy", "SpotFirst", "-o", "json")
    assert (done.returncode, done.stderr) == (0, "")
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def test_every_pod_that_fits_runs_with_one_line_of_why(facts: dict[str, Any]) -> None:
    web = [pod for pod in facts["pods"] if pod["name"].startswith("web-")]
    assert len(web) == 8
    assert all(pod["phase"] == "Running" and pod["node"] and "score 100" in pod["why"] for pod in web)


def test_the_policy_chooses_the_nodes(facts: dict[str, Any]) -> None:
    capacity = {node["name"]: node["capacity"] for node in facts["nodes"]}
    assert {capacity[pod["node"]] for pod in facts["pods"] if pod["node"]} == {"spot"}


def test_a_pod_that_cannot_fit_says_why(facts: dict[str, Any]) -> None:
    [big] = [pod for pod in facts["pods"] if pod["name"].startswith("too-big-")]
    assert (big["node"], big["phase"]) == (None, "Pending")
    assert big["why"] == "0/6 nodes are available: 6 Insufficient cpu."


def test_the_load_of_the_nodes_adds_up(facts: dict[str, Any]) -> None:
    assert sum(node["pods"] for node in facts["nodes"]) == 8
    assert all(node["cpuUsed"] <= node["cpu"] for node in facts["nodes"])


def test_into_a_file_it_is_plain_text_within_seconds() -> None:
    began = time.monotonic()
    done = roost("demo")
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - began < 15
    assert "\x1b" not in done.stdout
    assert done.stdout.count("web-") == 8
    assert "0/6 nodes are available: 6 Insufficient cpu." in done.stdout


def test_on_a_terminal_it_is_live() -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"}
    with subprocess.Popen(
        [sys.executable, "-m", "roost", "demo"], stdout=theirs, stderr=theirs, env=environment
    ) as demo:
        os.close(theirs)
        shown = b"".join(iter(lambda: _read(ours), b""))
        os.close(ours)
        assert demo.wait(SECONDS) == 0
    assert b"\x1b[" in shown
    assert b"Insufficient cpu" in shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other end is closed
        return b""


def test_a_policy_of_ones_own_from_the_working_directory(tmp_path: Path) -> None:
    text = "class Last:\n    def score(self, pod, node):\n        return 100 if node.name == 'node-5' else 0\n"
    (tmp_path / "mine.py").write_text(text)
    done = roost("demo", "--policy", "mine:Last", "-o", "json", cwd=tmp_path)
    placed = [pod["node"] for pod in json.loads(done.stdout)["pods"] if pod["node"]]
    assert placed.count("node-5") == 7


def test_an_unknown_policy_is_one_sentence() -> None:
    done = roost("demo", "--policy", "SpotFirt")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "roost: --policy: unknown plugin SpotFirt; did you mean SpotFirst?\n"


def test_it_can_be_kept_for_kubectl() -> None:
    with running("demo", "--keep") as demo:
        command = line_with(demo.stderr, "kubectl --kubeconfig").split()
        pods = json.loads(kubectl(command[2], "get", "pods", "-o", "json"))["items"]
        assert sum(bool(pod["spec"].get("nodeName")) for pod in pods) == 8
        assert "Successfully assigned" in kubectl(command[2], "get", "events")
        demo.send_signal(signal.SIGINT)
        assert demo.wait(SECONDS) == 0


def test_a_cluster_stays_until_it_is_told_to_end(tmp_path: Path) -> None:
    kubeconfig = str(tmp_path / "kubeconfig")
    with running("cluster", "--nodes", "7", "--zones", "2", "--spot", "0.5", "--kubeconfig", kubeconfig) as cluster:
        assert cluster.stdout is not None
        assert cluster.stdout.readline().strip() == kubeconfig
        nodes = kubectl(kubeconfig, "get", "nodes", "-L", "topology.kubernetes.io/zone,karpenter.sh/capacity-type")
        rows = [line.split()[-2:] for line in nodes.splitlines()[1:]]
        assert len(rows) == 7
        assert {zone for zone, _ in rows} == {"eu-west-1a", "eu-west-1b"}
        assert sum(capacity == "spot" for _, capacity in rows) == 3
        cluster.send_signal(signal.SIGTERM)
        assert cluster.wait(SECONDS) == 0


# ---- manifests, configurations and extenders of one's own

WORLD = """\
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: Node
    metadata: {name: left, annotations: {congestion-factor: "90"}}
    status: {allocatable: {cpu: "4", memory: 8Gi, pods: "10", nvidia.com/gpu: "2"}}
  - apiVersion: v1
    kind: Node
    metadata: {name: right, annotations: {congestion-factor: "10"}}
    status: {allocatable: {cpu: "2", memory: 8Gi, pods: "10"}}
---
apiVersion: v1
kind: Pod
metadata: {name: new}
spec: {schedulerName: mine, containers: [{name: app, image: app, resources: {requests: {cpu: "1"}}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: early}
spec: {nodeName: left, containers: [{name: app, image: app, resources: {limits: {nvidia.com/gpu: 1}}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: of-another}
spec: {containers: [{name: app, image: app}]}
"""
HEADER = (
    "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nprofiles: [{schedulerName: mine}]\n"
)
ASKING = (
    HEADER
    + "extenders: [{urlPrefix: 'https://localhost:1/scheduler', prioritizeVerb: priorities/congestion, weight: 10}]\n"
)


def demo_of(folder: Path, manifest: str, configuration: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "world.yaml").write_text(manifest)
    (folder / "scheduler.yaml").write_text(configuration)
    return roost("demo", "-f", "world.yaml", "--config", "scheduler.yaml", *options, cwd=folder)


def test_it_shows_a_world_of_ones_own(tmp_path: Path) -> None:
    done = demo_of(tmp_path, WORLD, HEADER)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "Policy: as in scheduler.yaml. Applied: Node/left, Node/right, Pod/new, Pod/early, Pod/of-another.\n"
        "\n"
        "  pod          node     why\n"
        " ──────────────────────────────────────────────────────────────────────────────\n"
        "  early        left     was there before\n"
        "  new          left     score 451, next best right with 435; 2 of 2 nodes fit\n"
        "  of-another   (none)   its schedulerName is default-scheduler; here runs mine\n"
        "\n"
        "  node    cpu used   nvidia.com/gpu used   pods\n"
        " ───────────────────────────────────────────────\n"
        "  left      1 of 4                1 of 2      2\n"
        "  right     0 of 2                            0\n"
    )


def test_its_extenders_are_served_wherever_they_are_said_to_be(tmp_path: Path) -> None:
    done = demo_of(tmp_path, WORLD, ASKING, "--extender", "Congestion", "-o", "json")
    assert (done.returncode, done.stderr) == (0, "")
    assert {pod["name"]: pod["node"] for pod in json.loads(done.stdout)["pods"]} == {
        "early": "left", "new": "right", "of-another": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("manifest", "configuration", "options", "says"),
    [
        pytest.param(
            "kind: Pod", HEADER, (), "world.yaml, object 1: apiVersion is missing", id="an object without apiVersion"
        ),
        pytest.param("- 1", HEADER, (), "world.yaml, object 1: a Kubernetes object is expected", id="a list"),
        pytest.param("{", HEADER, (), "world.yaml: line 2, column 1: no valid YAML", id="no YAML"),
        pytest.param(
            "{apiVersion: v1, kind: Pod}", HEADER, (), "world.yaml, object 1: metadata.name is missing", id="no name"
        ),
        pytest.param(
            "{apiVersion: x/v1, kind: Foo, metadata: {name: a}}",
            HEADER,
            (),
            "world.yaml, object 1: Foo of x/v1 is not served by the embedded cluster; leave it out",
            id="a kind that is not served",
        ),
        pytest.param(
            "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {}}",
            HEADER,
            (),
            'world.yaml, object 1: Pod "a" is invalid',
            id="what an API server refuses",
        ),
        pytest.param(WORLD, HEADER, ("-f", "gone.yaml"), "cannot read the manifest gone.yaml: No such", id="no file"),
        pytest.param(
            WORLD,
            HEADER,
            ("--extender", "Foo"),
            "--extender: is given 1 times, but the extenders of the configuration have 0 addresses",
            id="an extender that nobody asks",
        ),
        pytest.param(WORLD, ASKING, ("--extender", "Fo"), "--policy: unknown plugin Fo", id="an unknown extender"),
        pytest.param(WORLD, HEADER, ("--policy", "Foo"), "--policy makes a profile of its own", id="two policies"),
    ],
)
def test_a_mistake_is_one_sentence(
    manifest: str, configuration: str, options: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    done = demo_of(tmp_path, manifest, configuration, *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"roost: {says}")
    assert done.stderr.count("\n") == 1
