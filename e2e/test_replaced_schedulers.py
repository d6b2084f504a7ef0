"""What the schedulers that Roost replaces did, done by Roost, with their manifests in today's API versions.

They were: escheduler (binds what is pending, once), hightower's scheduler (the cheapest node with enough CPU), a bash
loop and random-scheduler (a random node), and node_index (nodes in the order of their names). Roost runs with the
rights of `deploy/base/rbac.yaml`, Deployments come from the real controllers, and users look with kubectl.
"""

import contextlib
import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import roost
from e2e.cluster import Cluster, apply_manifest, create_namespace, fresh_cluster, more_than_once
from e2e.conftest import Measured, RoostRun
from e2e.load import CORE, Object, list_nodes, wait_until
from e2e.processes import Process, free_port
from e2e.rig import ADMIN, NOBODY, ROOST_ACCOUNT, ControlPlane
from roost.config.load import load_configuration
from roost.config.profiles import build_profiles

MANIFESTS = Path(__file__).parent / "manifests"
RBAC_MANIFEST = Path(__file__).parents[1] / "deploy" / "base" / "rbac.yaml"
KUBECTL = Path(sys.executable).with_name("kubectl")
SHUTDOWN_SECONDS = 15.0
COST = "hightower.com/cost"
AKS_SPOT = {"kubernetes.azure.com/scalesetpriority": "spot"}
AKS_TAINT = {"key": "kubernetes.azure.com/scalesetpriority", "value": "spot", "effect": "NoSchedule"}

Placements = dict[tuple[str, str], str]
"""The node of each bound pod by namespace and name."""


@dataclass
class Lab:
    """A cluster with controllers, two namespaces, and kubectl."""

    cluster: Cluster
    other: Cluster
    cache: Path

    @property
    def control_plane(self) -> ControlPlane:
        return self.cluster.control_plane

    @property
    def both(self) -> tuple[Cluster, Cluster]:
        return self.cluster, self.other

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl as an admin and return what it prints."""
        options = ["--kubeconfig", str(self.control_plane.kubeconfig_for(ADMIN)), "--cache-dir", str(self.cache)]
        done = subprocess.run([str(KUBECTL), *options, *arguments], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def apply(self, manifest: str, cluster: Cluster, pods: int) -> None:
        """Apply a manifest in a namespace and wait until so many pods more are there."""
        expected = len(cluster.pods()) + pods
        self.kubectl("apply", "--namespace", cluster.namespace, "--filename", str(MANIFESTS / manifest))
        wait_until(lambda: len(cluster.pods()) == expected, f"{pods} pods of {manifest} in {cluster.namespace}")

    def scale(self, deployment: str, replicas: int) -> None:
        """Give a Deployment replicas and wait until their pods are there."""
        path = f"/apis/apps/v1/namespaces/{self.cluster.namespace}/deployments/{deployment}"
        self.cluster.api.patch(path, {"spec": {"replicas": replicas}})
        what = f"{replicas} replicas of {deployment}"
        wait_until(lambda: self.cluster.api.get(path)["status"].get("replicas") == replicas, what)

    def run(self, roost_run: RoostRun, *arguments: str, user: str = ROOST_ACCOUNT) -> Process:
        """Start `roost run` with no more rights than a user has."""
        return roost_run(self.control_plane.kubeconfig_for(user), *arguments)

    def pods(self) -> list[Object]:
        return [pod for cluster in self.both for pod in cluster.pods()]

    def placements(self) -> Placements:
        return {_key(pod): pod["spec"]["nodeName"] for pod in self.pods() if pod["spec"].get("nodeName")}

    def events(self, reason: str, cluster: Cluster) -> dict[str, tuple[str, str]]:
        """Read (who says so, what) of the events with a reason by pod, as kubectl shows them."""
        columns = "POD:.involvedObject.name,FROM:.reportingComponent,MESSAGE:.message"
        lines = self.kubectl(
            *("get", "events", "--namespace", cluster.namespace, "--field-selector", f"reason={reason}"),
            *("--no-headers", "--output", f"custom-columns={columns}"),
        ).splitlines()
        return {pod: (source, said.strip()) for pod, source, said in (line.split(maxsplit=2) for line in lines)}

    def assert_scheduled_by(self, name: str, placements: Placements) -> None:
        """Check that each pod was bound once, in its own namespace, and that kubectl shows who did it."""
        for cluster in self.both:
            mine = {pod: node for (namespace, pod), node in placements.items() if namespace == cluster.namespace}
            cluster.wait_for_events("Scheduled", len(mine))
            assert cluster.binds.accepted() == Counter(mine.keys())
            expected = {pod: (name, f"Successfully assigned {cluster.namespace}/{pod} to {mine[pod]}") for pod in mine}
            assert self.events("Scheduled", cluster) == expected

    def clear(self) -> None:
        """Delete what would make new pods, then the pods."""
        for cluster in self.both:
            for kind in ("deployments", "replicasets"):
                self.cluster.api.delete(f"/apis/apps/v1/namespaces/{cluster.namespace}/{kind}")
        wait_until(lambda: not self._delete_pods(), "the pods of this test are gone")

    def _delete_pods(self) -> int:
        for cluster in self.both:
            self.cluster.api.delete(cluster.pods_path)
        time.sleep(0.2)
        return len(self.pods())


@pytest.fixture(scope="module")
def controllers(rbac_control_plane: ControlPlane) -> ControlPlane:
    """A control plane that makes pods of Deployments."""
    for program in (rbac_control_plane.assets / "kube-controller-manager", KUBECTL):
        if not program.exists():
            pytest.skip(f"{program.name} missing in {program.parent}")
    apply_manifest(rbac_control_plane.api, RBAC_MANIFEST)
    rbac_control_plane.start_controller_manager(["deployment-controller", "replicaset-controller"])
    return rbac_control_plane


@pytest.fixture
def lab(controllers: ControlPlane, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    cluster = fresh_cluster(controllers, request.node.name)
    other = Cluster(controllers, f"{cluster.namespace}-other")
    create_namespace(controllers.api, other.namespace)
    made = Lab(cluster, other, tmp_path / "kubectl-cache")
    yield made
    made.clear()
    assert not controllers.audit.refused(ROOST_ACCOUNT), "the rights in deploy/base are not enough"


# ---- escheduler


def test_escheduler_binds_what_is_pending_once_each_in_its_own_namespace_and_ends(
    lab: Lab, roost_run: RoostRun
) -> None:
    lab.cluster.create_nodes(3)
    _create_nodes_out_of_bounds(lab.cluster)
    for cluster in lab.both:
        lab.apply("escheduler.yaml", cluster, pods=4)
    _create_finished_pod(lab.cluster, scheduler="escheduler")
    before = {_key(pod): pod for pod in lab.pods()}

    run = lab.run(roost_run, "--policy", "RandomNode", "--scheduler-name", "escheduler", "--once")

    assert run.wait(60) == 0, run.tail()
    assert "\n6 scheduled\n" in run.log_text()
    placements = lab.placements()
    assert set(placements) == {key for key in before if key[1].startswith("nginx-")}
    assert set(placements.values()) <= {"node-0000", "node-0001", "node-0002"}
    lab.assert_scheduled_by("escheduler", placements)
    left_alone = {key: pod for key, pod in before.items() if key not in placements}
    assert {key[1].partition("-")[0] for key in left_alone} == {"bogus", "finished"}
    assert {_key(pod): pod for pod in lab.pods() if _key(pod) in left_alone} == left_alone


def test_the_random_choice_can_be_repeated_from_pods_nodes_and_seed(lab: Lab, roost_run: RoostRun) -> None:
    lab.cluster.create_nodes(20)
    lab.apply("escheduler.yaml", lab.cluster, pods=4)
    lab.scale("nginx", 30)
    before = lab.pods()
    run = lab.run(roost_run, "--policy", "RandomNode", "--scheduler-name", "escheduler", "--once")
    assert run.wait(60) == 0, run.tail()

    placements, nodes = lab.placements(), list_nodes(lab.cluster.api)
    assert len(placements) == 30
    assert len(set(placements.values())) > 5
    for pod in before:
        if _key(pod) in placements:
            assert roost.decide(pod, nodes, policy="RandomNode").node == placements[_key(pod)]


def test_a_binding_that_fails_is_not_reported_as_done(lab: Lab, roost_run: RoostRun) -> None:
    """Through `kubectl proxy`, as the original signed in. One pod is bound by somebody else first, one is deleted."""
    lab.cluster.create_nodes(3)
    _create_nodes_out_of_bounds(lab.cluster)
    for name in ("fine", "stolen", "vanished"):
        lab.cluster.create_pod(name, scheduler="escheduler")

    def interfere(pod: str) -> None:
        if pod == "stolen":
            lab.cluster.place(pod, "cordoned")
        elif pod == "vanished":
            lab.cluster.api.delete(f"{lab.cluster.pods_path}/{pod}")

    with kubectl_proxy(lab) as port, Interference(port, interfere) as server:
        options = ("--policy", "RandomNode", "--scheduler-name", "escheduler", "--once")
        run = lab.run(roost_run, "--server", server, *options)
        assert run.wait(60) == 0, run.tail()

    assert lab.cluster.binds.refused() == {409: 1, 404: 1}
    assert "\n1 scheduled\n" in run.log_text()
    assert re.findall(r" scheduled \S+/(\w+) on ", run.log_text()) == ["fine"]
    assert lab.events("Scheduled", lab.cluster).keys() == {"fine"}
    assert lab.cluster.node_of("stolen") == "cordoned"


# ---- hightower


def test_hightower_s_pods_go_to_the_cheapest_node_with_room_and_others_are_left_alone(
    lab: Lab, roost_run: RoostRun
) -> None:
    for name, cpu, price in (("n1", "4", "0.80"), ("n2", "2", "0.20"), ("n3", "1", "0.05"), ("n4", "4", "none")):
        lab.cluster.create_node(name, cpu=cpu)
        lab.kubectl("annotate", "node", name, f"{COST}={price}")
    lab.cluster.create_pod("foreign", scheduler="default-scheduler")
    lab.other.create_pod("elsewhere", scheduler="hightower", cpu="1")
    foreign = lab.cluster.pod("foreign")
    run = lab.run(roost_run, "--policy", "CheapestNode", "--scheduler-name", "hightower")
    lab.other.wait_until_bound("elsewhere")
    assert lab.other.node_of("elsewhere") == "n3", "a CPU without the suffix m counts: now n3 is full"

    lab.apply("hightower.yaml", lab.cluster, pods=1)
    lab.scale("nginx", 6)
    lab.cluster.wait_for_bindings(6)
    assert Counter(lab.cluster.placements().values()) == {"n2": 4, "n1": 2}

    lab.kubectl("annotate", "node", "n4", f"{COST}=0.01", "--overwrite")
    time.sleep(0.5)
    lab.cluster.create_pod("later", scheduler="hightower")
    lab.cluster.wait_until_bound("later")
    assert lab.cluster.node_of("later") == "n4", "a price that changes counts at once"

    _end_in_order(run)
    lab.assert_scheduled_by("hightower", lab.placements())
    assert lab.cluster.pod("foreign") == foreign


def test_hightower_s_pod_that_fits_nowhere_is_told_why_of_every_node(lab: Lab, roost_run: RoostRun) -> None:
    lab.cluster.create_node("n1", cpu="100m")
    lab.cluster.create_node("n2", cpu="8", memory="64Mi")
    _create_nodes_out_of_bounds(lab.cluster)
    lab.apply("hightower.yaml", lab.cluster, pods=1)
    run = lab.run(roost_run, "--policy", "CheapestNode", "--scheduler-name", "hightower")
    lab.cluster.wait_for_events("FailedScheduling", 1)

    (pod,) = lab.cluster.pods()
    name = pod["metadata"]["name"]
    source, said = lab.events("FailedScheduling", lab.cluster)[name]
    assert source == "hightower"
    assert said.startswith(
        "0/4 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 node(s) had untolerated taint(s), "
        "1 node(s) were unschedulable. "
    )
    (event,) = lab.cluster.events("FailedScheduling", name)
    regarding = {"apiVersion": "v1", "kind": "Pod", "namespace": lab.cluster.namespace, "name": name}
    assert regarding.items() <= event["regarding"].items()
    assert event["regarding"]["uid"] == pod["metadata"]["uid"]
    assert event["type"] == "Warning"

    lab.cluster.create_node("n3")
    lab.cluster.wait_until_bound(name)
    _end_in_order(run)


# ---- the bash loop


def test_the_bash_loop_s_pod_waits_for_a_node_and_then_gets_it_without_polling(
    lab: Lab, roost_run: RoostRun, measured: Measured
) -> None:
    lab.apply("my-scheduler.yaml", lab.cluster, pods=1)
    lab.apply("my-scheduler.yaml", lab.other, pods=1)
    run = lab.run(roost_run, "--policy", "RandomNode", "--scheduler-name", "my-scheduler")
    for cluster in lab.both:
        cluster.wait_for_events("FailedScheduling", 1)
        assert lab.events("FailedScheduling", cluster)["nginx"] == (
            "my-scheduler",
            "no nodes available to schedule pods",
        )
    reads = _reads(lab)
    time.sleep(3)
    assert _reads(lab) == reads, "nothing is read again while nothing happens"
    assert run.is_alive(), run.tail()

    lab.cluster.create_nodes(2)
    measured(f"bound {lab.cluster.wait_until_bound('nginx', every=0.01):.3f} s after the first nodes appeared")
    lab.other.wait_until_bound("nginx")
    _end_in_order(run)
    lab.assert_scheduled_by("my-scheduler", lab.placements())


# ---- random-scheduler


def test_random_scheduler_loses_none_of_the_pods_that_waited_before_it_started(
    lab: Lab, roost_run: RoostRun, measured: Measured
) -> None:
    """The original lost up to all of 200."""
    lab.cluster.create_nodes(2)
    lab.apply("random-scheduler.yaml", lab.cluster, pods=4)
    lab.scale("sleep", 60)
    lab.other.create_pods(140, scheduler="random-scheduler", cpu="10m", memory="1Mi")
    began = time.monotonic()
    run = lab.run(roost_run, "--policy", "RandomNode", "--scheduler-name", "random-scheduler")
    wait_until(lambda: len(lab.placements()) == 200, "200 pods are bound", seconds=60)
    measured(f"200 pods bound {time.monotonic() - began:.1f} s after the start")
    assert Counter(lab.placements().values()).keys() == {"node-0000", "node-0001"}

    stock = lab.control_plane.start_scheduler("default-scheduler")
    wait_until(lambda: len(lab.placements()) == 202, "the cluster's own scheduler does its part", seconds=60)
    lab.cluster.wait_for_events("Scheduled", 62)
    stock.stop()
    mine = {key: node for key, node in lab.placements().items() if not key[1].startswith("sleep-default-sched-")}
    _end_in_order(run)
    assert len(mine) == 200
    assert not more_than_once(lab.cluster.binds.accepted())
    said = lab.events("Scheduled", lab.cluster) | lab.events("Scheduled", lab.other)
    assert Counter(source for source, _ in said.values()) == {"random-scheduler": 200, "default-scheduler": 2}


def test_random_scheduler_with_a_seed_and_the_rights_of_kube_scheduler(lab: Lab, roost_run: RoostRun) -> None:
    lab.cluster.create_nodes(20)
    lab.apply("random-scheduler.yaml", lab.cluster, pods=4)
    before = lab.pods()
    lab.kubectl("apply", "--filename", str(MANIFESTS / "system-kube-scheduler.yaml"))
    config = MANIFESTS / "random-scheduler-config.yaml"
    run = lab.run(roost_run, "--config", str(config), user=NOBODY)
    lab.cluster.wait_for_bindings(2)
    _end_in_order(run)

    (profile,) = build_profiles(load_configuration(config))
    nodes, placements = list_nodes(lab.cluster.api), lab.placements()
    lab.assert_scheduled_by("random-scheduler", placements)
    sleeping = [pod for pod in before if _key(pod) in placements]
    assert {_key(pod): roost.decide(pod, nodes, policy=profile).node for pod in sleeping} == placements
    assert not lab.control_plane.audit.refused(NOBODY)


# ---- node_index, and a policy for spot nodes


def test_node_index_fills_the_nodes_in_the_order_of_their_names(lab: Lab, roost_run: RoostRun) -> None:
    for name in ("node-c", "node-a", "node-b"):
        lab.cluster.create_node(name, memory="8G")
    lab.apply("node-index.yaml", lab.cluster, pods=4)
    run = lab.run(roost_run, "--policy", "NodeIndex", "--scheduler-name", "my-scheduler")
    lab.cluster.wait_for_bindings(4)
    assert Counter(lab.cluster.placements().values()) == {"node-a": 2, "node-b": 2}
    lab.scale("test-deploy", 6)
    lab.cluster.wait_for_bindings(6)
    assert Counter(lab.cluster.placements().values()) == {"node-a": 2, "node-b": 2, "node-c": 2}
    _end_in_order(run)


def test_the_event_names_the_spot_taint_that_keeps_a_pod_away(lab: Lab, roost_run: RoostRun) -> None:
    lab.cluster.create_node("on-demand", cpu="1")
    lab.cluster.create_node("spot", labels=AKS_SPOT, taints=[AKS_TAINT])
    lab.cluster.create_node("spot-without-taint", cpu="1", labels=AKS_SPOT)
    lab.cluster.create_pod("small", cpu="500m")
    lab.cluster.create_pod("large", cpu="2")
    run = lab.run(roost_run, "--config", str(MANIFESTS / "spot-first-config.yaml"))
    lab.cluster.wait_until_bound("small")
    lab.cluster.wait_for_events("FailedScheduling", 1)
    assert lab.cluster.node_of("small") == "spot-without-taint"
    text = (
        "0/3 nodes are available: 1 node(s) are spot nodes with taint kubernetes.azure.com/scalesetpriority=spot:"
        "NoSchedule that the pod does not tolerate, 2 Insufficient cpu."
    )
    source, said = lab.events("FailedScheduling", lab.cluster)["large"]
    assert source == "roost"
    assert said.startswith(text)
    assert lab.cluster.condition("large")["message"] == said
    _end_in_order(run)


# ---- what the tests do


class Interference:
    """A server before another that does something when a binding is about to pass, before it passes."""

    def __init__(self, port: int, interfere: Callable[[str], None]) -> None:
        self._port = port
        self._interfere = interfere
        self._listening = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> str:
        threading.Thread(target=self._accept, daemon=True).start()
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._port))
                for one, another, look in ((client, server, self._look), (server, client, None)):
                    threading.Thread(target=_pass_on, args=(one, another, look), daemon=True).start()

    def _look(self, sent: bytes) -> None:
        method, _, rest = sent.partition(b" ")
        path = rest.partition(b" ")[0].decode()
        if method == b"POST" and path.endswith("/binding"):
            self._interfere(path.split("/")[-2])


def _pass_on(source: socket.socket, sink: socket.socket, look: Callable[[bytes], None] | None) -> None:
    with contextlib.suppress(OSError), source, sink:
        while sent := source.recv(65536):
            if look is not None:
                look(sent)
            sink.sendall(sent)


@contextlib.contextmanager
def kubectl_proxy(lab: Lab) -> Iterator[int]:
    """Run `kubectl proxy` and name its port."""
    port = free_port()
    kubeconfig = str(lab.control_plane.kubeconfig_for(ADMIN))
    proxy = Process([str(KUBECTL), "--kubeconfig", kubeconfig, "proxy", f"--port={port}"], lab.cache.with_name("proxy"))
    wait_until(lambda: "Starting to serve" in proxy.log_text(), "kubectl proxy serves")
    yield port
    proxy.stop()


def _create_nodes_out_of_bounds(cluster: Cluster) -> None:
    cluster.create_node("tainted", taints=[{"key": "example.com/only", "value": "others", "effect": "NoSchedule"}])
    cluster.create_node("cordoned")
    cluster.api.patch(f"{CORE}/nodes/cordoned", {"spec": {"unschedulable": True}})


def _create_finished_pod(cluster: Cluster, scheduler: str) -> None:
    cluster.create_pod("finished", scheduler=scheduler)
    cluster.api.patch(f"{cluster.pods_path}/finished/status", {"status": {"phase": "Failed"}})


def _end_in_order(run: Process) -> None:
    run.terminate()
    assert run.wait(SHUTDOWN_SECONDS) == 0, run.tail()


def _reads(lab: Lab) -> Counter[str]:
    """Count what Roost has read so far, by verb; a watch counts when it ends."""
    return Counter(
        entry.verb
        for entry in lab.control_plane.audit.entries()
        if entry.user == ROOST_ACCOUNT and entry.verb in ("get", "list", "watch")
    )


def _key(pod: Object) -> tuple[str, str]:
    return pod["metadata"]["namespace"], pod["metadata"]["name"]
