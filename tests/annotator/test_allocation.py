"""What is requested and free of each node, from a list of pods."""

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.annotator.building import NOON, annotated_node

from roost.annotator.allocation import AllocationAnnotator
from roost.annotator.nodes import AnnotatedNode
from roost.annotator.original import parse_quantity
from roost.api.pod import Pod
from roost.apiserver.in_process import InProcessCluster
from roost.apiserver.store import Store
from roost.framework.cluster import Listing
from roost.testing import pod

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "assessor.json").read_text())


def wanted(nodes: list[AnnotatedNode], *pods: Pod, gpu: str = "nvidia.com/gpu") -> dict[str, dict[str, Any]]:
    annotator = AllocationAnnotator(gpu)
    annotator.requested._pods.replace_pods(Listing(list(pods), "1"))
    return {name: dict(one.annotations) for name, one in annotator.wanted(nodes, NOON).items()}


def on_a(name: str = "p", **fields: Any) -> Pod:
    return pod(name, node_name="a", **fields)


def test_an_empty_node() -> None:
    node = annotated_node(cpu="3900m", memory="8Gi", pods="110", allocatable={"ephemeral-storage": "10Gi"})
    assert wanted([node]) == {
        "a": {
            "free-cpu": "3900",
            "requested-cpu": "0",
            "free-memory": str(8 * 2**30),
            "requested-memory": "0",
            "free-pods": "110",
            "requested-pods": "0",
            "free-gpu": "0",
            "requested-gpu": "0",
            "free-ephemeral-storage": str(10 * 2**30),
            "requested-ephemeral-storage": "0",
        }
    }


def test_requests_of_all_pods_on_the_node_are_added() -> None:
    said = wanted([annotated_node()], on_a("p", cpu="100m", memory="1.5Gi"), on_a("q", cpu="0.25"), pod("elsewhere"))
    assert (said["a"]["requested-cpu"], said["a"]["free-cpu"]) == ("350", "3650")
    assert (said["a"]["requested-memory"], said["a"]["free-memory"]) == ("1610612736", str(8 * 2**30 - 1610612736))
    assert (said["a"]["requested-pods"], said["a"]["free-pods"]) == ("2", "108")


def test_a3_an_overcommitted_node_has_nothing_free_and_its_true_requests() -> None:
    said = wanted([annotated_node(cpu="1", pods="1")], on_a("p", cpu="3"), on_a("q", cpu="1m"))
    assert (said["a"]["free-cpu"], said["a"]["requested-cpu"]) == ("0", "3001")
    assert (said["a"]["free-pods"], said["a"]["requested-pods"]) == ("0", "2")


@pytest.mark.parametrize(
    ("phase", "requested"),
    [
        pytest.param("Running", "1000", id="running"),
        pytest.param("Pending", "1000", id="bound and pending"),
        pytest.param("Unknown", "1000", id="on a node that went silent"),
        pytest.param("Succeeded", "0", id="a4 succeeded"),
        pytest.param("Failed", "0", id="a4 failed"),
    ],
)
def test_a_pod_counts_from_its_binding_to_its_end(phase: str, requested: str) -> None:
    assert wanted([annotated_node()], on_a(cpu="1", status={"phase": phase}))["a"]["requested-cpu"] == requested


def test_init_containers_and_overhead_count_as_kubernetes_counts_them() -> None:
    init = {"name": "init", "resources": {"requests": {"cpu": "2"}}}
    said = wanted([annotated_node()], on_a(cpu="1", spec={"initContainers": [init], "overhead": {"cpu": "10m"}}))
    assert said["a"]["requested-cpu"] == "2010"


@pytest.mark.parametrize(
    ("resource", "expected"), [("nvidia.com/gpu", ("1", "1")), ("amd.com/gpu", ("4", "0")), ("no.such/gpu", ("0", "0"))]
)
def test_the_resource_that_counts_as_gpu_can_be_chosen(resource: str, expected: tuple[str, str]) -> None:
    node = annotated_node(allocatable={"nvidia.com/gpu": "2", "amd.com/gpu": "4"})
    said = wanted([node], on_a(requests={"nvidia.com/gpu": 1}), gpu=resource)
    assert (said["a"]["free-gpu"], said["a"]["requested-gpu"]) == expected


def test_a_node_that_cannot_be_read_is_left_out_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    annotator = AllocationAnnotator()
    nodes = [annotated_node("bad", cpu="lots"), annotated_node("good")]
    for _ in range(2):
        assert set(annotator.wanted(nodes, NOON)) == {"good"}
    assert [record.message for record in caplog.records if "bad" in record.message] == [
        "node 'bad' has an unreadable status.allocatable: quantity 'lots' is not a number with an optional suffix "
        "such as 500m, 1.5 or 2Gi; it is left out"
    ]
    nodes[0] = annotated_node("bad")
    assert set(annotator.wanted(nodes, NOON)) == {"bad", "good"}


def test_nodes_come_and_go() -> None:
    annotator = AllocationAnnotator()
    annotator.requested._pods.replace_pods(Listing([on_a(cpu="1")], "1"))
    assert annotator.wanted([annotated_node("b")], NOON)["b"].annotations["requested-cpu"] == "0"
    assert annotator.wanted([annotated_node("a")], NOON)["a"].annotations["requested-cpu"] == "1000"
    assert annotator.wanted([], NOON) == {}


def test_a1_the_recorded_cluster_in_whole_numbers() -> None:
    """The same numbers as the assessor's where it is right: it leaves out pending pods, and reads gpu by that name."""
    pods = []
    for i, recorded in enumerate(GOLDEN["pods"]):
        spec = {"nodeName": recorded["spec"]["node_name"] or "", "containers": recorded["spec"]["containers"]}
        skip = recorded["status"]["phase"] == "Pending"
        if not skip:
            body = {"metadata": {"name": f"p{i}", "uid": str(i)}, "spec": spec, "status": recorded["status"]}
            pods.append(msgspec.convert(body, Pod))
    nodes = [msgspec.convert(node, AnnotatedNode) for node in GOLDEN["nodes"]]
    ready = {node.name for node in nodes if node.is_ready}
    said = {name: texts for name, texts in wanted(nodes, *pods, gpu="gpu").items() if name in ready}
    expected = {
        patch["node"]: {
            key: str(-(-parse_quantity(text) // 1)) for key, text in patch["body"]["metadata"]["annotations"].items()
        }
        for patch in GOLDEN["patches"]
    }
    # It truncated 1.5 and 1.5 milli-cores to 1 each; requests round up.
    expected["n2"] |= {"requested-cpu": "4", "free-cpu": "3896"}
    assert said == expected


async def test_it_is_in_sync_once_the_pods_have_been_listed() -> None:
    store, asked = Store(lambda: NOON), asyncio.Event()
    annotator = AllocationAnnotator()
    (follow,) = annotator.follow(InProcessCluster(store), asked.set)
    assert not annotator.in_sync
    task = asyncio.create_task(follow)
    await asyncio.wait_for(asked.wait(), 5)
    assert annotator.in_sync
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
