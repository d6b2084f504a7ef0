"""Every overlay of deploy/: it builds, the API server takes it, and what runs in its pod has the rights to schedule.

What the pod's containers would run, runs as processes of this machine: the words, variables and files of the
manifests, on ports that are free, signed in with a token of the pod's service account. kube-scheduler is the stock one,
Deployments come from the real controllers, and `deploy.sh` and `tryit.py` are used as make uses them.
"""

import http.client
import os
import ssl
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from deploy.overlay import OVERLAYS, Pod, Program, build, pod_of

from e2e.cluster import Cluster, create_namespace, fresh_cluster, more_than_once
from e2e.conftest import roost_command
from e2e.load import CORE, numbered, wait_until
from e2e.processes import Process, free_port
from e2e.rig import ADMIN, ControlPlane
from e2e.test_extenders import usage

DEPLOY = OVERLAYS.parent
KUBECTL = Path(sys.executable).with_name("kubectl")
POLICIES = sorted(folder.name for folder in OVERLAYS.iterdir())
MANIFESTS = sorted(str(file.parent.relative_to(DEPLOY)) for file in DEPLOY.glob("*/kustomization.yaml"))
READY_SECONDS = 30.0

FIRST, SECOND, BEST = "n1-first", "n2", "n3-best"
SHUNNED = {"taints": [{"key": "example.com/shunned", "effect": "PreferNoSchedule"}]}
"""What kube-scheduler's own scores count 300 points against: only a policy puts a pod there."""

EXPECTED = {
    "cheapest": {BEST: 4},
    "congestion": {BEST: 4},
    "node-index": {FIRST: 4},
    "node-index-front-proxy": {FIRST: 3, SECOND: 3},
    "safe": {BEST: 4},
    "safe-congestion": {BEST: 4},
    "spot-first": {BEST: 4},
}
"""Where the pods go by policies that leave no choice."""

POWERLESS = ("always-true", "foo")
"""Policies that score all alike."""


@dataclass
class Installation:
    """An overlay in a cluster, and the processes of its pod."""

    cluster: Cluster
    policy: str
    folder: Path
    started: list[Process] = field(default_factory=list)
    pod: Pod = field(init=False)
    kubeconfig: Path = field(init=False)

    @property
    def control_plane(self) -> ControlPlane:
        return self.cluster.control_plane

    @property
    def user(self) -> str:
        return f"system:serviceaccount:{self.pod.namespace}:{self.pod.account}"

    def deploy(self) -> None:
        """Apply everything, and sign in as the service account."""
        self.script("deploy")
        pod = pod_of(build(OVERLAYS / self.policy, str(KUBECTL)))
        self.pod = pod.on_this_machine(self.folder, {port: free_port() for port in pod.port_numbers})
        account = f"{CORE}/namespaces/{self.pod.namespace}/serviceaccounts/{self.pod.account}/token"
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        token = self.control_plane.api.create(account, asked)["status"]["token"]
        self.kubeconfig = self.control_plane.kubeconfig_with(f"{self.policy}-{self.pod.account}", token)

    def script(self, verb: str, policy: str = "") -> None:
        """Do what make does, with this policy or another."""
        done = self.run(str(DEPLOY / "deploy.sh"), verb, policy or self.policy)
        assert done.returncode == 0, done.stderr

    def try_it(self) -> "subprocess.CompletedProcess[str]":
        return self.run(sys.executable, str(DEPLOY / "tryit.py"), self.policy)

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a program as an admin of the cluster."""
        env = {"KUBECONFIG": str(self.control_plane.kubeconfig_for(ADMIN)), "KUBECTL": str(KUBECTL)}
        return subprocess.run(words, env={**os.environ, **env}, capture_output=True, text=True, timeout=120)

    def start_extenders(self) -> None:
        """Start the containers that run Roost, and wait until their probes say that they are ready."""
        for program in self.pod.extenders:
            self._start(program, [*roost_command(), *program.words])
        for program in self.pod.extenders:
            self._wait_until_ready(program)

    def start_scheduler(self) -> None:
        """Start kube-scheduler, which is told in a file and two options what a pod's account tells it in a cluster."""
        config = next(Path(path) for path in self.pod.files if path.endswith("config.yaml"))
        content = yaml.safe_load(config.read_text())
        config.write_text(yaml.safe_dump({**content, "clientConnection": {"kubeconfig": str(self.kubeconfig)}}))
        program = self.pod.scheduler
        assert program.words[0] == "kube-scheduler"
        local = {"bind-address": "127.0.0.1", "secure-port": program.ports["https"]}
        login = dict.fromkeys(("authentication-kubeconfig", "authorization-kubeconfig"), self.kubeconfig)
        options = [f"--{name}={value}" for name, value in {**local, **login}.items()]
        self._start(program, [str(self.control_plane.assets / "kube-scheduler"), *program.words[1:], *options])
        self._wait_until_ready(program)

    def status(self, program: Program, path: str, token: str = "") -> int:
        """Get a page of a container's own server; 0 while nobody listens."""
        ((name, port),) = program.ports.items()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            connection = _connection(port, is_secure=name == "https")
            connection.request("GET", path, headers=headers)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def placed(self) -> dict[str, int]:
        return dict(Counter(self.cluster.placements().values()))

    def clear(self) -> None:
        """End the processes, undeploy, and remove what no garbage collector is there to remove."""
        for process in reversed(self.started):
            process.stop()
            print(f"--- {process.log.name} ends:\n{process.tail(15)}")
        self.script("undeploy")
        for namespace in ("default", "kube-system"):
            for kind in ("deployments", "replicasets"):
                self.cluster.api.delete(f"/apis/apps/v1/namespaces/{namespace}/{kind}")
            self.cluster.api.delete(f"{CORE}/namespaces/{namespace}/pods")

    def _start(self, program: Program, command: list[str]) -> None:
        env = {**program.env, "KUBECONFIG": str(self.kubeconfig)}
        self.started.append(Process(command, self.folder / f"{program.name}.log", env=env))

    def _wait_until_ready(self, program: Program) -> None:
        wait_until(lambda: self._is_ready(program), f"{program.name} is ready", seconds=READY_SECONDS)

    def _is_ready(self, program: Program) -> bool:
        assert all(process.is_alive() for process in self.started), self.started[-1].tail()
        return self.status(program, "/readyz") == 200


def _connection(port: int, *, is_secure: bool) -> http.client.HTTPConnection:
    if not is_secure:
        return http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    unverified = ssl.create_default_context()
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=unverified)


@pytest.fixture(scope="module")
def controllers(rbac_control_plane: ControlPlane) -> ControlPlane:
    """A control plane that asks its roles and makes pods of Deployments."""
    for program in ("kube-controller-manager", "kube-scheduler"):
        if not (rbac_control_plane.assets / program).exists():
            pytest.skip(f"{program} missing in {rbac_control_plane.assets}")
    if not KUBECTL.exists():
        pytest.skip(f"kubectl missing in {KUBECTL.parent}")
    rbac_control_plane.start_controller_manager(["deployment-controller", "replicaset-controller"])
    return rbac_control_plane


@pytest.fixture
def installed(controllers: ControlPlane, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    """An overlay in a cluster of nodes of which each policy prefers one, which kube-scheduler's own scores shun."""
    policy = getattr(request, "param", "congestion")
    fresh_cluster(controllers, request.node.name)
    cluster = Cluster(controllers, "default")
    dull = {"congestion-factor": "8", "roost.dev/price-per-hour": "0.5", **usage(1800, 14000, deviation=400)}
    good = {"congestion-factor": "0", "roost.dev/price-per-hour": "0.1", **usage(3600, 28000)}
    cluster.create_node(FIRST, annotations=dull, **SHUNNED)
    cluster.create_node(BEST, annotations=good, labels={"karpenter.sh/capacity-type": "spot"}, **SHUNNED)
    for name in (SECOND, *numbered("other", 30)):
        cluster.create_node(name, annotations=dull)
    made = Installation(cluster, policy, tmp_path)
    made.deploy()
    yield made
    made.clear()


@pytest.mark.parametrize("manifests", [*MANIFESTS, *(f"overlays/{policy}" for policy in POLICIES)])
def test_the_api_server_takes_what_kubectl_builds(controllers: ControlPlane, manifests: str) -> None:
    create_namespace(controllers.api, "roost-system")
    login = ("--kubeconfig", str(controllers.kubeconfig_for(ADMIN)))
    asked = [str(KUBECTL), *login, "apply", "--dry-run=server", "--validate=strict", "-k", str(DEPLOY / manifests)]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("(server dry run)") == len(build(DEPLOY / manifests, str(KUBECTL)))
    assert not [line for line in done.stderr.splitlines() if "last-applied-configuration" not in line], "a warning"


@pytest.mark.parametrize("installed", POLICIES, indirect=True)
def test_an_overlay_schedules_the_test_deployment_with_the_rights_of_its_account_alone(installed: Installation) -> None:
    installed.start_extenders()
    installed.start_scheduler()
    tried = installed.try_it()
    assert tried.returncode == 0, tried.stdout + tried.stderr

    placements = installed.cluster.placements()
    lines = [line.split() for line in tried.stdout.splitlines()[2:]]
    assert {pod: (node, who) for pod, node, who in lines} == {pod: (n, "my-scheduler") for pod, n in placements.items()}
    assert installed.placed() == EXPECTED.get(installed.policy, installed.placed())
    if installed.policy in POWERLESS:
        assert not {FIRST, BEST} & set(placements.values())
    audit = installed.control_plane.audit
    binders = {entry.user for entry in audit.writes("pods/binding", "default") if entry.name in placements}
    assert binders == {installed.user}
    assert not {pod: n for pod, n in more_than_once(installed.cluster.binds.accepted()).items() if pod in placements}
    assert installed.status(installed.pod.scheduler, "/metrics") == 403, "anonymous"
    assert installed.status(installed.pod.scheduler, "/metrics", installed.control_plane.api.token) == 200
    assert not audit.refused(installed.user)
    held = {entry.name for entry in audit.entries() if (entry.user, entry.resource) == (installed.user, "leases")}
    assert held <= {"my-scheduler", ""}


def test_a_pod_waits_for_its_policy_rather_than_being_placed_without_it(installed: Installation) -> None:
    installed.start_scheduler()
    assert installed.run(str(KUBECTL), "apply", "-f", str(DEPLOY / "test" / "test-pod.yaml")).returncode == 0
    condition = installed.cluster.wait_for_condition("test-pod", "SchedulerError")
    assert "127.0.0.1" in str(condition["message"])
    assert not installed.placed()
    installed.start_extenders()
    installed.cluster.wait_until_bound("test-pod")

    assert installed.placed() == {BEST: 1}
    assert "my-scheduler" in installed.run(str(KUBECTL), "describe", "pod", "test-pod").stdout


@pytest.mark.parametrize("installed", ["safe-pigeon"], indirect=True)
def test_another_policy_can_be_deployed_over_it_and_undeploy_leaves_nothing(installed: Installation) -> None:
    installed.script("deploy", "congestion")
    expected = build(OVERLAYS / "congestion", str(KUBECTL))
    deployment = installed.cluster.api.get("/apis/apps/v1/namespaces/kube-system/deployments/my-scheduler")
    assert pod_of([deployment, *(o for o in expected if o["kind"] == "ConfigMap")]) == pod_of(expected), (
        "nothing is left of the second extender"
    )

    asked = ("-n", "kube-system", "-l", "app.kubernetes.io/instance=my-scheduler", "-o", "name")
    kinds = ",".join(sorted({obj["kind"] for obj in expected}))
    assert len(installed.run(str(KUBECTL), "get", kinds, *asked).stdout.splitlines()) == len(expected) + 1
    installed.script("undeploy", "congestion")
    assert not installed.run(str(KUBECTL), "get", kinds, *asked).stdout
