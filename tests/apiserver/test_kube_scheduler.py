"""A stock kube-scheduler on the embedded cluster, with nothing set but that it speaks JSON."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.apiserver.building import pod
from tests.apiserver.serving import SECONDS, Served, served

from roost.apiserver.conditions import find_condition
from roost.apiserver.kubeconfig import write_kubeconfig
from roost.apiserver.resources import EVENT, LEASE, POD
from roost.apiserver.store import Object

rig = pytest.importorskip("e2e.rig", reason="run the tests as `python -m pytest` at the top of the checkout")
ASSETS = rig.find_assets()
PROGRAM = ASSETS / "kube-scheduler" if ASSETS else Path("kube-scheduler")
CONFIGURATION = """\
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
clientConnection: {{kubeconfig: {kubeconfig}, contentType: application/json}}
leaderElection: {{leaderElect: {leader}}}
"""

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="no kube-scheduler: run e2e/controlplane/build.sh once")


@contextmanager
def scheduling(cluster: Served, folder: Path, *, leader: bool = False) -> Iterator[None]:
    write_kubeconfig(folder / "kubeconfig", cluster.url)
    text = CONFIGURATION.format(kubeconfig=folder / "kubeconfig", leader=str(leader).lower())
    (folder / "scheduler.yaml").write_text(text)
    command = [str(PROGRAM), f"--config={folder / 'scheduler.yaml'}", "--secure-port=0"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield
            assert process.poll() is None, (folder / "log").read_text()[-2000:]
        finally:
            process.terminate()
            process.wait(SECONDS)


def pods(cluster: Served) -> list[Object]:
    found: list[Object] = cluster.call(lambda: [item.object for item in cluster.store.all(POD)])
    return found


def wait_until_bound(cluster: Served, count: int) -> list[str]:
    """Wait until so many pods have nodes; return these."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        nodes = [one["spec"]["nodeName"] for one in pods(cluster) if one["spec"].get("nodeName")]
        if len(nodes) >= count:
            return nodes
        time.sleep(0.05)
    raise AssertionError(f"of {count} pods not all have nodes after {SECONDS:g} s: {pods(cluster)}")


def test_it_schedules_a_deployment(tmp_path: Path) -> None:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": pod()["spec"]}
    spec = {"replicas": 6, "selector": {"matchLabels": labels}, "template": template}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
    with served(scheduler=False, lives=True) as cluster, scheduling(cluster, tmp_path, leader=True):
        assert cluster.ask("POST", "/apis/apps/v1/namespaces/default/deployments", body).status == 201
        assert sorted(wait_until_bound(cluster, 6)) == ["node-0", "node-0", "node-1", "node-1", "node-2", "node-2"]
        events = cluster.call(lambda: [item.object for item in cluster.store.all(EVENT)])
        assert {"Scheduled"} <= {event["reason"] for event in events}
        assert cluster.call(lambda: cluster.store.find(LEASE, "kube-scheduler", "kube-system")) is not None


def test_it_says_why_not_and_preempts(tmp_path: Path) -> None:
    with served(nodes=1, scheduler=False, lives=True) as cluster, scheduling(cluster, tmp_path):
        large = {"requests": {"cpu": "3"}}
        container = {"name": "app", "image": "i", "resources": large}
        cluster.ask("POST", "/api/v1/namespaces/default/pods", pod("first", containers=[container]))
        wait_until_bound(cluster, 1)
        cluster.ask("POST", "/api/v1/namespaces/default/pods", pod("second", containers=[container]))
        condition = wait_for_refusal(cluster, "second")
        assert condition["reason"] == "Unschedulable"
        assert "Insufficient cpu" in condition["message"]
        cluster.ask(
            "POST",
            "/apis/scheduling.k8s.io/v1/priorityclasses",
            {"metadata": {"name": "high"}, "value": 1000},
        )
        urgent = pod("urgent", containers=[container], spec={"priorityClassName": "high"})
        cluster.ask("POST", "/api/v1/namespaces/default/pods", urgent)
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and "urgent" not in bound_names(cluster):
            time.sleep(0.05)
        assert bound_names(cluster) == ["urgent"]


def bound_names(cluster: Served) -> list[str]:
    return [one["metadata"]["name"] for one in pods(cluster) if one["spec"].get("nodeName")]


def wait_for_refusal(cluster: Served, name: str) -> Object:
    """Wait until a pod's status says that it has no node."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        found = next(one for one in pods(cluster) if one["metadata"]["name"] == name)
        condition = find_condition(found, "PodScheduled")
        if condition is not None and condition["status"] == "False":
            return condition
        time.sleep(0.05)
    raise AssertionError(f"{name} has no condition")
