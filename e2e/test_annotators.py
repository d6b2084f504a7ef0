"""The annotators with no more rights than their manifests give them; usage from a real Prometheus and node exporter."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import yaml

from e2e.cluster import Cluster, apply_manifest, fresh_cluster
from e2e.conftest import roost_command
from e2e.load import CORE, Object, list_nodes, numbered, wait_until
from e2e.processes import Process, free_port
from e2e.rig import ControlPlane

RBAC_MANIFEST = Path(__file__).parents[1] / "deploy" / "annotator" / "rbac.yaml"
NODES, PODS = 20, 100
EXPORTERS = ("prometheus-node-exporter", "node_exporter")

Annotate = Callable[..., Process]


@pytest.fixture
def guarded(rbac_control_plane: ControlPlane, request: pytest.FixtureRequest) -> Cluster:
    """A cluster that asks its roles, with the roles of the manifest."""
    apply_manifest(rbac_control_plane.api, RBAC_MANIFEST)
    return fresh_cluster(rbac_control_plane, request.node.name)


@pytest.fixture
def annotate(guarded: Cluster, tmp_path: Path) -> Iterator[Annotate]:
    """Start `roost annotate` as the service account of its manifest, any number of times; all end with the test."""
    started: list[Process] = []

    def run(what: str, *arguments: str) -> Process:
        kubeconfig = account_kubeconfig(guarded.control_plane, f"roost-annotate-{what}", tmp_path)
        command = [*roost_command(), "annotate", what, "--kubeconfig", str(kubeconfig), *arguments]
        started.append(Process(command, tmp_path / f"annotate-{len(started)}.log"))
        return started[-1]

    yield run
    for process in started:
        process.stop()
        print(f"--- {process.log.name} ends:\n{process.tail(40)}")


def account_kubeconfig(control_plane: ControlPlane, account: str, folder: Path) -> Path:
    """Write a kubeconfig that signs in with a token of a service account, as its pods would."""
    path = f"{CORE}/namespaces/roost-system/serviceaccounts/{account}/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    token = control_plane.api.create(path, request)["status"]["token"]
    cluster = {"server": control_plane.server, "certificate-authority": str(control_plane.pki.ca.certificate)}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "e2e", "cluster": cluster}],
        "users": [{"name": account, "user": {"token": token}}],
        "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": account}}],
        "current-context": "e2e",
    }
    written = folder / f"{account}.kubeconfig"
    written.write_text(yaml.safe_dump(config))
    return written


def annotations(cluster: Cluster) -> dict[str, dict[str, str]]:
    nodes = list_nodes(cluster.api)
    return {node["metadata"]["name"]: node["metadata"].get("annotations") or {} for node in nodes}


def fill(cluster: Cluster) -> None:
    """Make nodes, and bind five pods to each as another scheduler would."""
    cluster.create_nodes(NODES)
    cluster.create_pods(PODS, cpu="250m", memory="1Gi", scheduler="another")
    for i, pod in enumerate(numbered("pod", PODS)):
        cluster.place(pod, f"node-{i % NODES:04d}")


def test_allocation_with_the_role_in_deploy(guarded: Cluster, annotate: Annotate) -> None:
    fill(guarded)
    assert annotate("allocation", "--once").wait(60) == 0
    for said in annotations(guarded).values():
        assert (said["requested-cpu"], said["free-cpu"]) == ("1250", "2750")
        assert (said["requested-memory"], said["free-memory"]) == (str(5 * 2**30), str(27 * 2**30))
        assert (said["requested-pods"], said["free-pods"]) == ("5", "105")
        assert (said["requested-gpu"], said["free-ephemeral-storage"]) == ("0", "0")


def test_allocation_follows_the_pods_and_patches_only_what_changed(guarded: Cluster, annotate: Annotate) -> None:
    fill(guarded)
    process = annotate("allocation", "--interval", "0.5s")
    wait_until(lambda: all("free-cpu" in said for said in annotations(guarded).values()), "all nodes are annotated")
    versions = node_versions(guarded)

    guarded.api.delete(f"{guarded.pods_path}/pod-0003")
    wait_until(lambda: annotations(guarded)["node-0003"]["free-cpu"] == "3000", "the pod that is gone is free")
    time.sleep(1.5)
    changed = {name for name, version in node_versions(guarded).items() if version != versions[name]}
    assert changed == {"node-0003"}

    process.terminate()
    assert process.wait(10) == 0
    assert "Traceback" not in process.log_text()


def node_versions(cluster: Cluster) -> dict[str, str]:
    return {node["metadata"]["name"]: node["metadata"]["resourceVersion"] for node in list_nodes(cluster.api)}


def test_a_node_that_is_not_ready_is_left_alone_and_the_others_are_annotated(
    guarded: Cluster, annotate: Annotate
) -> None:
    guarded.create_nodes(3)
    set_status(guarded, "node-0001", conditions=[{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}])
    assert annotate("allocation", "--once").wait(60) == 0
    assert {name for name, said in annotations(guarded).items() if said} == {"node-0000", "node-0002"}


def test_the_allocation_annotator_goes_on_when_the_api_server_comes_back(guarded: Cluster, annotate: Annotate) -> None:
    guarded.create_nodes(3)
    process = annotate("allocation", "--interval", "0.5s")
    wait_until(lambda: all("free-cpu" in said for said in annotations(guarded).values()), "all nodes are annotated")
    guarded.control_plane.restart_apiserver()
    guarded.create_pod("late", cpu="1", scheduler="another")
    guarded.place("late", "node-0002")
    wait_until(lambda: annotations(guarded)["node-0002"]["free-cpu"] == "3000", "the late pod is counted", seconds=60)
    assert process.is_alive()


def test_without_metrics_server_the_usage_annotator_says_so(guarded: Cluster, annotate: Annotate) -> None:
    guarded.create_nodes(1)
    process = annotate("usage", "--once")
    assert process.wait(60) == 1
    assert process.log_text().splitlines()[-1] == (
        "roost: the cluster has no metrics.k8s.io: install metrics-server, or name a Prometheus with --prometheus"
    )


def test_prices_need_no_more_than_nodes(guarded: Cluster, annotate: Annotate, tmp_path: Path) -> None:
    guarded.create_nodes(2)
    prices = tmp_path / "prices.csv"
    prices.write_text("node,price\nnode-0001,0.40\n")
    kubeconfig = account_kubeconfig(guarded.control_plane, "roost-annotate-usage", tmp_path)
    command = [*roost_command(), "annotate", "price", str(prices), "--once", "--kubeconfig", str(kubeconfig)]
    assert Process(command, tmp_path / "price.log").wait(60) == 0
    assert annotations(guarded) == {"node-0000": {}, "node-0001": {"roost.dev/price-per-hour": "0.40"}}


# ---- a real Prometheus


class Measurement:
    """A Prometheus that scrapes a node exporter on this machine every second."""

    def __init__(self, folder: Path, prometheus: str, exporter: str) -> None:
        self.exporter_port = free_port()
        address = f"127.0.0.1:{self.exporter_port}"
        config = {
            "global": {"scrape_interval": "1s"},
            "scrape_configs": [{"job_name": "node", "static_configs": [{"targets": [address]}]}],
        }
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
        listen = f"127.0.0.1:{free_port()}"
        self.url = f"http://{listen}"
        self.processes = [
            Process([exporter, f"--web.listen-address={address}"], folder / "exporter.log"),
            Process(
                [
                    prometheus,
                    f"--config.file={folder / 'prometheus.yaml'}",
                    f"--storage.tsdb.path={folder / 'tsdb'}",
                    f"--web.listen-address={listen}",
                ],
                folder / "prometheus.log",
            ),
        ]

    def has_samples(self) -> bool:
        """Tell whether CPU rates can be taken."""
        try:
            with urlopen(f"{self.url}/api/v1/query?query=rate(node_cpu_seconds_total%5B5s%5D)") as answer:
                return b'"value"' in answer.read()
        except OSError:
            return False

    def stop(self) -> None:
        for process in self.processes:
            process.stop()


@pytest.fixture(scope="module")
def measurement(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Measurement]:
    prometheus = shutil.which("prometheus")
    exporter = next(filter(None, map(shutil.which, EXPORTERS)), None)
    if prometheus is None or exporter is None:
        pytest.skip("no Prometheus or node exporter here (Debian: apt-get install prometheus prometheus-node-exporter)")
    running = Measurement(tmp_path_factory.mktemp("prometheus"), prometheus, exporter)
    try:
        wait_until(running.has_samples, "Prometheus has scraped", seconds=60, every=0.5)
        time.sleep(5)
        yield running
    finally:
        running.stop()


def set_status(cluster: Cluster, node: str, **status: Any) -> None:
    cluster.api.patch(f"{CORE}/nodes/{node}/status", {"status": status})


def measured_node(cluster: Cluster, name: str, ip: str) -> Object:
    """Make a node as large as this machine, at an address."""
    cluster.create_node(name, cpu="64", memory="1024Gi")
    set_status(cluster, name, addresses=[{"type": "InternalIP", "address": ip}])
    return cluster.api.get(f"{CORE}/nodes/{name}")


def test_usage_from_prometheus_with_the_role_in_deploy(
    guarded: Cluster, annotate: Annotate, measurement: Measurement
) -> None:
    measured_node(guarded, "here", "127.0.0.1")
    measured_node(guarded, "elsewhere", "10.99.99.99")
    options = ["--prometheus", measurement.url, "--exporter-port", str(measurement.exporter_port)]
    options += ["--step", "1s", "--window", "1m", "--rate-window", "4s", "--forecast"]
    process = annotate("usage", "--once", *options)
    assert process.wait(60) == 0
    said = annotations(guarded)
    assert "1 annotated, 0 not ready, 1 no data" in process.log_text()
    assert said["elsewhere"] == {}
    numbers = {key: int(text) for key, text in said["here"].items() if "-free-" in key}
    words = ("mean", "std", "forecasted", "forcasted")
    assert numbers.keys() == {f"{word}-free-{resource}" for word in words for resource in ("cpu", "memory")}
    total, available = machine_memory()
    free = 1024 * 2**30 - (total - available)
    assert numbers["mean-free-memory"] == pytest.approx(free, abs=0.1 * total)
    assert 0 < numbers["mean-free-cpu"] < 64_000
    assert 0 <= numbers["std-free-memory"] < 0.1 * total
    assert 0 <= numbers["forecasted-free-cpu"] <= 64_000


def test_usage_from_prometheus_goes_on_and_its_time_with_it(
    guarded: Cluster, annotate: Annotate, measurement: Measurement
) -> None:
    measured_node(guarded, "here", "127.0.0.1")
    options = ["--prometheus", measurement.url, "--exporter-port", str(measurement.exporter_port)]
    options += ["--step", "1s", "--window", "30s", "--rate-window", "4s", "--interval", "0.5s", "--refresh", "1s"]
    process = annotate("usage", *options)

    def time_written() -> str:
        return annotations(guarded)["here"].get("roost.dev/usage-at", "")

    wait_until(lambda: bool(time_written()), "the node is annotated")
    first = time_written()
    wait_until(lambda: time_written() > first, "the time goes on")
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(10) == 0


def machine_memory() -> tuple[int, int]:
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    total, available = (int(lines[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))
    return total, available
