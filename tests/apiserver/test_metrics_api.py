"""The metrics API: over HTTP, by stock kubectl, and the usage that is made up for it."""

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.apiserver.serving import Kubectl, Served, kubectl_for, needs_kubectl, rows, served

from roost.api.quantity import MILLI, billionths, value
from roost.apiserver.catalogue import read_path
from roost.apiserver.metrics_api import on_metrics
from roost.apiserver.nodes import build_nodes
from roost.apiserver.requests import Request
from roost.apiserver.resources import NODE, POD
from roost.apiserver.standins import settle
from roost.apiserver.standins.kubelet import Kubelet
from roost.apiserver.store import Store
from roost.apiserver.stored import Object
from roost.apiserver.usage_model import DEFAULT_NANO_CORES, Used, container_usage, node_usage, pod_usage

METRICS = "/apis/metrics.k8s.io/v1beta1"
NOON = 1_767_268_800.0


def pod(name: str = "web", node: str = "node-1", cpu: str = "1", memory: str = "1Gi") -> Object:
    requests = {"cpu": cpu, "memory": memory}
    container = {"name": "main", "image": "app", "resources": {"requests": requests}}
    spec = {"nodeName": node, "containers": [container, {"name": "side", "image": "app"}]}
    return {"metadata": {"name": name, "labels": {"app": name}}, "spec": spec}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Served]:
    with served(lives=True, scheduler=False) as server:
        server.call(lambda: [server.store.create(POD, pod(name), "default") for name in ("web", "db")])
        server.call(lambda: server.store.create(POD, pod("waits", ""), "kube-system"))
        deadline = time.monotonic() + 10
        while len(server.ask("GET", f"{METRICS}/pods").json["items"]) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield server


class TestHttp:
    def test_nodes(self, cluster: Served) -> None:
        answer = cluster.ask("GET", f"{METRICS}/nodes").json
        assert (answer["kind"], answer["apiVersion"]) == ("NodeMetricsList", "metrics.k8s.io/v1beta1")
        assert [item["metadata"]["name"] for item in answer["items"]] == ["node-0", "node-1", "node-2"]
        idle, busy, _ = (billionths(item["usage"]["cpu"]) / MILLI for item in answer["items"])
        assert idle + 200 < busy < 4000

    def test_one_node(self, cluster: Served) -> None:
        answer = cluster.ask("GET", f"{METRICS}/nodes/node-1").json
        assert (answer["kind"], answer["metadata"]["name"]) == ("NodeMetrics", "node-1")
        assert answer["window"] == "15s"
        assert answer["usage"].keys() == {"cpu", "memory"}

    def test_pods_that_run(self, cluster: Served) -> None:
        for path in (f"{METRICS}/pods", f"{METRICS}/namespaces/default/pods"):
            answer = cluster.ask("GET", path).json
            assert answer["kind"] == "PodMetricsList"
            assert [item["metadata"]["name"] for item in answer["items"]] == ["db", "web"]
            assert [one["name"] for one in answer["items"][0]["containers"]] == ["main", "side"]
        assert cluster.ask("GET", f"{METRICS}/namespaces/kube-system/pods").json["items"] == []

    def test_selectors(self, cluster: Served) -> None:
        for query in ("labelSelector=app%3Dweb", "fieldSelector=metadata.name%3Dweb"):
            items = cluster.ask("GET", f"{METRICS}/pods?{query}").json["items"]
            assert [item["metadata"]["name"] for item in items] == ["web"]

    @pytest.mark.parametrize(
        ("method", "path", "status", "message"),
        [
            ("GET", "/nodes/none", 404, 'nodes.metrics.k8s.io "none" not found'),
            ("GET", "/namespaces/default/pods/none", 404, 'pods.metrics.k8s.io "none" not found'),
            ("GET", "/namespaces/kube-system/pods/waits", 404, 'pods.metrics.k8s.io "waits" not found'),
            ("GET", "/pods/web", 404, "the server could not find the requested resource"),
            ("GET", "/namespaces/default/nodes", 404, "the server could not find the requested resource"),
            ("GET", "/services", 404, "the server could not find the requested resource"),
            ("GET", "/nodes/node-1/status", 404, "the server could not find the requested resource"),
            ("DELETE", "/nodes/node-1", 405, "the server does not allow this method on the requested resource"),
            ("GET", "/nodes?watch=1", 405, "the server does not allow this method on the requested resource"),
        ],
    )
    def test_refusals(self, cluster: Served, method: str, path: str, status: int, message: str) -> None:
        answer = cluster.ask(method, METRICS + path)
        assert (answer.status, answer.message) == (status, message)

    def test_discovery_names_it_in_full_and_in_parts(self, cluster: Served) -> None:
        found = {item["name"]: item for item in cluster.ask("GET", METRICS).json["resources"]}
        assert (found["nodes"]["kind"], found["nodes"]["namespaced"], found["nodes"]["verbs"]) == (
            "NodeMetrics",
            False,
            ["get", "list"],
        )
        assert (found["pods"]["kind"], found["pods"]["namespaced"]) == ("PodMetrics", True)
        groups = [item["name"] for item in cluster.ask("GET", "/apis").json["groups"]]
        assert "metrics.k8s.io" in groups
        accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        aggregated = cluster.ask("GET", "/apis", accept=accept).json["items"]
        (versions,) = [item["versions"] for item in aggregated if item["metadata"].get("name") == "metrics.k8s.io"]
        assert [one["resource"] for one in versions[0]["resources"]] == ["nodes", "pods"]


@needs_kubectl
class TestKubectl:
    @pytest.fixture
    def kubectl(self, cluster: Served, tmp_path: Path) -> Kubectl:
        return kubectl_for(cluster, tmp_path)

    def test_top_nodes(self, kubectl: Kubectl) -> None:
        head, *nodes = rows(kubectl("top", "nodes"))
        assert head == ["NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"]
        assert [node[0] for node in nodes] == ["node-0", "node-1", "node-2"]
        assert all(0 < int(node[2].rstrip("%")) <= 100 and 0 < int(node[4].rstrip("%")) <= 100 for node in nodes)

    def test_top_pods(self, kubectl: Kubectl) -> None:
        head, *pods = rows(kubectl("top", "pods", "--containers"))
        assert head == ["POD", "NAME", "CPU(cores)", "MEMORY(bytes)"]
        assert [pod[:2] for pod in pods] == [["db", "main"], ["db", "side"], ["web", "main"], ["web", "side"]]
        assert len(rows(kubectl("top", "pods", "-A", "-l", "app=web", "--no-headers"))) == 1

    def test_the_nodes_of_the_core_group_are_still_what_get_nodes_means(self, kubectl: Kubectl) -> None:
        assert rows(kubectl("get", "nodes"))[0][:2] == ["NAME", "STATUS"]


# ---- the usage that is made up


def store_at(clock: list[float]) -> Store:
    store = Store(lambda: clock[0])
    for node in build_nodes(2):
        store.create(NODE, node)
    for i in range(3):
        store.create(POD, pod(f"p{i}", f"node-{i % 2}"), "default")
    settle(store, clock[0], [Kubelet(start_seconds=0.0)])
    return store


def ask(store: Store, plural: str) -> Object:
    place = read_path(f"{METRICS}/{plural}")
    assert place is not None
    answer: Object = msgspec.json.decode(on_metrics(store, place, Request(method="GET", path="")).body)
    return answer


def test_a_node_uses_what_its_pods_use_and_a_little_more() -> None:
    store = store_at([NOON])
    used = {item["metadata"]["name"]: value(item["usage"]["memory"]) for item in ask(store, "nodes")["items"]}
    by_node = {"node-0": 0, "node-1": 0}
    for item in ask(store, "pods")["items"]:
        node = store.get(POD, item["metadata"]["name"], "default").object["spec"]["nodeName"]
        by_node[node] += sum(value(one["usage"]["memory"]) for one in item["containers"])
    assert all(by_node[name] < used[name] < by_node[name] + 2 * 2**30 for name in used)


def test_usage_moves_with_the_time_and_the_same_time_gives_the_same() -> None:
    clock = [NOON]
    store = store_at(clock)
    first = ask(store, "pods")["items"]
    clock[0] = NOON + 14
    assert ask(store, "pods")["items"] == first
    clock[0] = NOON + 600
    assert ask(store, "pods")["items"] != first
    clock[0] = NOON + 1
    assert ask(store, "pods")["items"] == first
    assert first[0]["timestamp"] == "2026-01-01T12:00:00Z"


@given(uid=st.text(max_size=8), at=st.integers(0, 2**33), cpu=st.integers(1, 10**6))
def test_a_container_always_uses_some_of_what_it_requests_and_never_all(uid: str, at: int, cpu: int) -> None:
    container = {"name": "c", "resources": {"requests": {"cpu": f"{cpu}m", "memory": "1Gi"}}}
    used = container_usage(uid, container, at)
    assert 0.09 * cpu * MILLI <= used.nano_cores <= 0.95 * cpu * MILLI
    assert 0.4 * 2**30 <= used.bytes <= 0.96 * 2**30


def test_what_requests_nothing_uses_a_little_and_what_does_not_run_uses_nothing() -> None:
    assert 0 < container_usage("u", {"name": "c"}, NOON).nano_cores < DEFAULT_NANO_CORES
    assert pod_usage(pod(), NOON) == Used()


def test_a_node_never_uses_more_than_it_has() -> None:
    node = {"status": {"capacity": {"cpu": "1", "memory": "1Gi"}}}
    assert node_usage(node, Used(10**12, 10**12)) == Used(10**9, 2**30)
