"""`roost explain` on a real control plane: what keeps pods waiting before any filter, what would help, and the HTML.

A stock kube-scheduler schedules and the real controllers make pods; there are no kubelets, so what is deleted with a
grace period stays.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from e2e.big_dump import PENDING, write_dump
from e2e.browser import find_browser, in_browser
from e2e.cluster import Cluster, fresh_cluster
from e2e.conftest import Measured, RoostRun, roost_command
from e2e.load import CORE, Object, Refused, deployment_object, node_object, pod_object, wait_until
from e2e.rig import ADMIN, ControlPlane

SCHEDULER = "default-scheduler"
CONTROLLERS = [
    "deployment-controller",
    "replicaset-controller",
    "resourcequota-controller",
    "serviceaccount-controller",
]
APPS = "/apis/apps/v1"
CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"
KUBECTL = Path(sys.executable).parent / "kubectl"


@pytest.fixture(scope="module")
def plane(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane with the admission that refuses pods, a kube-scheduler and controllers."""
    if not (assets / "kube-scheduler").exists() or not (assets / "kube-controller-manager").exists():
        pytest.skip(f"kube-scheduler or kube-controller-manager is missing in {assets}")
    folder = tmp_path_factory.mktemp("explain")
    with ControlPlane(assets, folder, disabled_admission=("TaintNodesByCondition",)) as running:
        running.start_scheduler(SCHEDULER)
        running.start_controller_manager(CONTROLLERS)
        yield running


@dataclass
class Walk(Cluster):
    """A cluster with a service account for its pods, and `roost explain` to ask about them."""

    def ask(self, *arguments: str) -> Any:
        done = self.run("explain", "-n", self.namespace, "-o", "json", *arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [*roost_command(), *arguments, "--kubeconfig", str(self.control_plane.kubeconfig_for(ADMIN))]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    def create(self, name: str, **changes: Any) -> None:
        """Create a pod; `changes` are fields of its spec."""
        cpu = changes.pop("cpu", "100m")
        pod = pod_object(name, scheduler=changes.pop("scheduler", SCHEDULER), cpu=cpu)
        pod["spec"] |= changes
        pod["metadata"].pop("namespace")
        self.api.create(self.pods_path, pod)

    def matters(self, target: str) -> dict[str, Object]:
        return {one["matter"]: one for one in self.ask(target)["preconditions"]}

    def wait_for_matter(self, target: str, matter: str) -> Object:
        wait_until(lambda: matter in self.matters(target), f"{target} is said to be {matter}", every=0.5)
        return self.matters(target)[matter]


@pytest.fixture
def walk(plane: ControlPlane, request: pytest.FixtureRequest) -> Walk:
    """An empty namespace with a service account, and a node."""
    cluster = fresh_cluster(plane, request.node.name)
    found = Walk(plane, cluster.namespace)
    accounts = f"{CORE}/namespaces/{cluster.namespace}/serviceaccounts/default"
    wait_until(lambda: _exists(found, accounts), "the namespace has its service account")
    found.create_node("node-a", cpu="4")
    return found


def _exists(walk: Walk, path: str) -> bool:
    try:
        walk.api.get(path)
    except Refused:
        return False
    return True


# ---- what no filter says


def test_nobody_answers_to_the_scheduler_name(walk: Walk) -> None:
    walk.create("other")
    walk.wait_until_bound("other")
    walk.wait_for_events("Scheduled", 1)
    walk.create("new", scheduler="default-schedular")
    found = walk.matters("pod/new")["scheduler"]
    assert found["certainty"] == "likely"
    assert "answer to its schedulerName default-schedular" in found["says"]
    assert f"There is {SCHEDULER}" in found["says"]


def test_a_gate_holds_the_pod(walk: Walk) -> None:
    walk.create("new", schedulingGates=[{"name": "example.com/quota"}])
    answer = walk.ask("pod/new")
    (found,) = [one for one in answer["preconditions"] if one["matter"] == "gated"]
    assert "example.com/quota" in found["says"]
    assert (answer["result"], answer["node"]) == ("gated", "node-a")
    walk.create("helper")  # so that the scheduler is known to run
    kubectl(walk, found["command"])
    walk.wait_until_bound("new")


def test_a_claim_has_no_volume(walk: Walk) -> None:
    claim = {
        "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "none-like-it",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    walk.api.create(f"{CORE}/namespaces/{walk.namespace}/persistentvolumeclaims", claim)
    walk.create("new", volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}])
    walk.create("typo", volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "date"}}])
    assert "Its claim data is pending" in walk.matters("pod/new")["claim"]["says"]
    assert "Its claim date does not exist" in walk.matters("pod/typo")["claim"]["says"]


def test_the_pod_is_bound_already(walk: Walk) -> None:
    walk.create("new")
    walk.wait_until_bound("new")
    assert walk.matters("pod/new")["bound"]["says"].startswith("It is on node node-a already, and Pending")


def test_the_pod_is_being_deleted(walk: Walk) -> None:
    pod = pod_object("new", scheduler="nobody")
    del pod["metadata"]["namespace"]
    pod["metadata"]["finalizers"] = ["example.com/stay"]
    walk.api.create(walk.pods_path, pod)
    walk.api.delete(f"{walk.pods_path}/new")
    assert list(walk.matters("pod/new")) == ["terminating"]
    walk.api.patch(f"{walk.pods_path}/new", {"metadata": {"finalizers": None}})


def test_the_pod_is_in_backoff(walk: Walk, roost_run: RoostRun, tmp_path: Path) -> None:
    config = tmp_path / "slow.yaml"
    config.write_text(
        "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"
        "podInitialBackoffSeconds: 60\npodMaxBackoffSeconds: 600\nprofiles: [{schedulerName: slow}]\n"
    )
    roost_run(walk.control_plane.kubeconfig_for(ADMIN), "--config", str(config))
    walk.create("new", scheduler="slow", cpu="9")
    walk.wait_for_condition("new", "Unschedulable")
    walk.wait_for_events("FailedScheduling", 1)
    answer = walk.ask("pod/new", "--config", str(config))
    (found,) = answer["preconditions"]
    assert found["matter"] == "backoff"
    assert "It was tried 1 time by slow" in found["says"]
    assert answer["profile"].startswith("Decided with the profile slow of")


def test_the_pod_waits_for_its_victims(walk: Walk) -> None:
    name = f"{walk.namespace}-high"
    walk.api.create(CLASSES, {"metadata": {"name": name}, "value": 1000})
    walk.create("victim", cpu="3", terminationGracePeriodSeconds=600)
    walk.wait_until_bound("victim")
    walk.create("new", cpu="3", priorityClassName=name)
    wait_until(lambda: bool(walk.pod("new")["status"].get("nominatedNodeName")), "the pod is promised a node")
    found = walk.wait_for_matter("pod/new", "nominated")
    assert f"promised node node-a and waits for {walk.namespace}/victim to leave, at the latest by" in found["says"]


REFUSALS: dict[str, tuple[Callable[[Walk], Object], str]] = {}


def refusal(says: str) -> Callable[[Callable[[Walk], Object]], Callable[[Walk], Object]]:
    def register(prepare: Callable[[Walk], Object]) -> Callable[[Walk], Object]:
        REFUSALS[prepare.__name__] = prepare, says
        return prepare

    return register


@refusal("quota none is used up")
def quota(walk: Walk) -> Object:
    path = f"{CORE}/namespaces/{walk.namespace}/resourcequotas"
    walk.api.create(path, {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}})
    wait_until(lambda: "hard" in walk.api.get(f"{path}/none").get("status", {}), "the quota is counted")
    return {}


@refusal("ServiceAccount robot does not exist")
def account(walk: Walk) -> Object:
    return {"serviceAccountName": "robot"}


@refusal("it violates the pod security standard restricted:latest")
def admission(walk: Walk) -> Object:
    label = {"pod-security.kubernetes.io/enforce": "restricted"}
    walk.api.patch(f"{CORE}/namespaces/{walk.namespace}", {"metadata": {"labels": label}})
    return {}


@pytest.mark.parametrize("name", REFUSALS)
def test_there_is_no_pod_because_it_could_not_be_created(walk: Walk, name: str) -> None:
    prepare, says = REFUSALS[name]
    deployment = deployment_object("web", 1)
    deployment["spec"]["template"]["spec"] |= {"schedulerName": SCHEDULER, **prepare(walk)}
    walk.api.create(f"{APPS}/namespaces/{walk.namespace}/deployments", deployment)
    walk.wait_for_events("FailedCreate", 1)
    for target in ("deployment/web", "pod/web-1234"):
        assert says in walk.matters(target)["creation"]["says"]
    walk.api.delete(f"{APPS}/namespaces/{walk.namespace}/deployments/web")


# ---- suggestions, made with the commands that are printed


@pytest.mark.parametrize("sort", ["evict", "node", "toleration", "selector", "request"])
def test_the_command_of_a_suggestion_has_the_pod_bound(walk: Walk, sort: str) -> None:
    if not KUBECTL.exists():
        pytest.skip("kubectl is missing beside this Python")
    walk.create("tenant", cpu="3")
    walk.wait_until_bound("tenant")
    taint = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
    walk.api.create(f"{CORE}/nodes", node_object("node-gpu", labels={"disk": "ssd"}, taints=[taint]))
    walk.api.create(f"{CORE}/nodes", node_object("node-hdd", labels={"disk": "hdd"}))
    walk.api.patch(f"{CORE}/nodes/node-a", {"metadata": {"labels": {"disk": "ssd"}}})
    walk.create("new", cpu="3", nodeSelector={"disk": "ssd"})
    walk.wait_for_condition("new", "Unschedulable")
    answer = walk.ask("pod/new")
    assert answer["fitError"] == walk.condition("new")["message"]
    chosen = next(one for one in answer["suggestions"] if one["sort"] == sort)
    for command in chosen["commands"]:
        kubectl(walk, command)
    walk.wait_until_bound("new")
    assert walk.node_of("new") == chosen["goesTo"]


def kubectl(walk: Walk, command: str) -> None:
    """Run a command as it was printed, with a kubectl that knows the cluster."""
    config = walk.control_plane.kubeconfig_for(ADMIN)
    environment = {"KUBECONFIG": str(config), "PATH": f"{KUBECTL.parent}:/usr/bin:/bin", "HOME": str(config.parent)}
    shell = ["bash", "-o", "pipefail", "-c", command]
    done = subprocess.run(shell, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{command}\n{done.stderr}"


# ---- a dump, and a large one


def test_a_dump_gives_the_answer_of_the_cluster(walk: Walk, tmp_path: Path) -> None:
    walk.create("new", cpu="9")
    walk.wait_for_condition("new", "Unschedulable")
    live = walk.ask("pod/new")
    file = tmp_path / "dump.json"
    file.write_text(walk.run("dump").stdout)
    command = [*roost_command(), "explain", "-f", str(file), "--pod", f"{walk.namespace}/new", "-o", "json"]
    offline = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    for key in ("fitError", "nodes", "groups"):
        assert offline[key] == live[key]
    assert [one["says"] for one in offline["suggestions"]] == [one["says"] for one in live["suggestions"]]


def test_a_large_dump_is_answered_within_seconds(tmp_path: Path, measured: Measured) -> None:
    file = tmp_path / "large.json"
    write_dump(file, nodes=5000, pods_per_node=10)
    command = [*roost_command(), "explain", "-f", str(file), "--pod", PENDING]
    timed = ["bash", "-c", 'TIMEFORMAT="%R %U %S"; time "$@"', "timed", *command]
    done = subprocess.run(timed, capture_output=True, text=True, check=True)
    said, times = done.stderr.strip().splitlines()[-2:]
    measured(f"{said}; {file.stat().st_size >> 20} MiB")
    assert "MiB of memory at most" in said
    assert "evict shop/web-" in done.stdout
    # Of the processor, so that what else runs on the machine does not count.
    assert sum(map(float, times.split()[1:])) < 5


# ---- the HTML in a browser

SORT_AND_READ = """
const column = (name) => [...document.querySelectorAll("#matrix th")].find((th) => th.textContent === name);
const cells = (n) => [...document.querySelectorAll("#matrix tbody tr")].map((row) => row.children[n].textContent);
const seen = {title: document.title, heads: [...document.querySelectorAll("#matrix th")].map((th) => th.textContent)};
const cpu = column("free cpu");
cpu.click();
seen.ascending = [cells(0), cpu.getAttribute("aria-sort")];
cpu.click();
seen.descending = [cells(0), cpu.getAttribute("aria-sort")];
const failing = document.querySelector("#matrix td.first");
failing.dispatchEvent(new MouseEvent("mouseover", {bubbles: true}));
const tip = document.getElementById("tip");
seen.tip = [tip.textContent, getComputedStyle(tip).display];
const find = document.getElementById("find");
find.value = "gpu";
find.dispatchEvent(new Event("input"));
seen.found = [cells(0), document.getElementById("count").textContent];
seen.suggestions = [...document.querySelectorAll("#suggestions li")].map((li) => li.textContent);
seen.asked = performance.getEntriesByType("resource").length;
return seen;
"""


def test_the_html_can_be_sorted_and_read_in_a_browser(tmp_path: Path) -> None:
    browser = find_browser()
    if browser is None:
        pytest.skip("no browser: install chromium to have the HTML opened in one")
    taint = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
    nodes = [
        node_object("a", cpu="2"),
        node_object("b", cpu="10", taints=[taint]),
        node_object("c", cpu="1"),
    ]
    pod = pod_object("new", cpu="3", namespace="shop")
    dump = tmp_path / "dump.json"
    dump.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [*nodes, pod]}))
    page = tmp_path / "why.html"
    command = [*roost_command(), "explain", "-f", str(dump), "--pod", "shop/new", "-o", "html"]
    page.write_text(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    seen = in_browser(browser, page, SORT_AND_READ, tmp_path)
    assert seen["title"] == "shop/new – roost explain"
    assert seen["heads"][:3] == ["node", "total", "first failing rule"]
    # By amount and not as text: 10 comes after 2.
    assert seen["ascending"] == [["c", "a", "b"], "ascending"]
    assert seen["descending"] == [["b", "a", "c"], "descending"]
    assert seen["tip"] == ["TaintToleration: node(s) had untolerated taint(s): taint gpu=yes:NoSchedule", "block"]
    assert seen["found"] == [["b"], "1 of 3 nodes"]
    assert any("tolerate gpu=yes:NoSchedule; then it goes to b" in text for text in seen["suggestions"])
    assert seen["asked"] == 0
