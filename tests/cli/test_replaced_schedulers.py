"""Small schedulers that Roost takes the place of: each one's use, by one command, on the embedded cluster.

`e2e/test_replaced_schedulers.py` holds the same uses, and more of them, to a real control plane.
"""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

MANIFESTS = Path(__file__).parents[2] / "e2e" / "manifests"
KUBECTL = Path(sys.executable).with_name("kubectl")
SECONDS = 60


class Cluster:
    """An embedded cluster in a process of its own, as `roost cluster` runs it."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = str(kubeconfig)
        command = [sys.executable, "-m", "roost", "cluster", "--nodes", "6", "--kubeconfig", self.kubeconfig]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == self.kubeconfig

    def stop(self) -> None:
        self._process.terminate()
        self._process.communicate(timeout=SECONDS)

    def kubectl(self, *args: str) -> str:
        return _output([str(KUBECTL), "--kubeconfig", self.kubeconfig, *args])

    def roost(self, *args: str) -> str:
        return _output([sys.executable, "-m", "roost", "run", "--once", "--kubeconfig", self.kubeconfig, *args])

    def pods(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = json.loads(self.kubectl("get", "pods", "-A", "-o", "json"))["items"]
        return items

    def apply(self, manifest: str, pods: int) -> None:
        self.kubectl("apply", "-f", str(MANIFESTS / manifest))
        deadline = time.monotonic() + SECONDS
        while len(self.pods()) < pods:
            assert time.monotonic() < deadline, "the controllers made no pods"
            time.sleep(0.05)


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    running = Cluster(tmp_path / "kubeconfig")
    yield running
    running.stop()


@pytest.mark.parametrize(
    ("manifest", "scheduler_name", "policy", "placed", "left_alone"),
    [
        pytest.param("escheduler.yaml", "escheduler", "RandomNode", 3, 1, id="escheduler"),
        pytest.param("hightower.yaml", "hightower", "CheapestNode", 1, 0, id="hightower"),
        pytest.param("my-scheduler.yaml", "my-scheduler", "RandomNode", 1, 0, id="the bash loop"),
        pytest.param("random-scheduler.yaml", "random-scheduler", "RandomNode", 2, 2, id="random-scheduler"),
    ],
)
def test_one_command_binds_its_pods_and_leaves_the_others_alone(
    cluster: Cluster, manifest: str, scheduler_name: str, policy: str, placed: int, left_alone: int
) -> None:
    cluster.apply(manifest, placed + left_alone)
    summary = cluster.roost("--policy", policy, "--scheduler-name", scheduler_name)
    assert summary == f"{placed} scheduled\n"
    bound = Counter((pod["spec"]["schedulerName"], "nodeName" in pod["spec"]) for pod in cluster.pods())
    assert bound[scheduler_name, True] == placed
    assert sum(count for (name, _), count in bound.items() if name != scheduler_name) == left_alone
    assert not any(is_bound for name, is_bound in bound if name != scheduler_name)
    assert cluster.kubectl("get", "events").count("Successfully assigned default/") == placed


def test_hightower_s_prices_decide(cluster: Cluster) -> None:
    cluster.kubectl("annotate", "node", "node-4", "hightower.com/cost=0.01")
    cluster.kubectl("label", "node", "--all", "roost.dev/price-per-hour-")
    cluster.apply("hightower.yaml", 1)
    cluster.roost("--policy", "CheapestNode", "--scheduler-name", "hightower")
    assert [pod["spec"]["nodeName"] for pod in cluster.pods()] == ["node-4"]
