from collections import Counter
from pathlib import Path

import msgspec
import pytest

from roost.bench.catalogue import find_workload, list_workloads
from roost.bench.workload import (
    Barrier,
    Churn,
    CreateNodes,
    CreateObjects,
    CreatePods,
    churn_objects,
    node_objects,
    pod_bodies,
    pod_objects,
    read_workload,
    step_objects,
)
from roost.errors import ConfigError

BASIC = """
name: Basic
about: Pods.
defaultSize: Two
sizes:
  One: {nodes: 1, measurePods: 1}
  Two: {nodes: 2, measurePods: 3}
steps:
- createNodes:
    count: $nodes
    labels: {zone: [a, b]}
    node: {status: {capacity: {cpu: "4", pods: "110"}}}
- createPods:
    count: $measurePods
    collectMetrics: true
    pod: {metadata: {labels: {app: web}}, spec: {containers: [{name: pause}]}}
"""


def test_numbers_come_from_the_size() -> None:
    workload = read_workload(BASIC, "One")
    assert (workload.title, workload.nodes, workload.measured) == ("Basic/One", 1, 1)


def test_the_usual_size_needs_not_be_named() -> None:
    assert read_workload(BASIC).title == "Basic/Two"


def test_numbers_given_anew_replace_those_of_the_size_and_are_told_in_its_name() -> None:
    workload = read_workload(BASIC, "One", {"nodes": 7})
    assert (workload.nodes, workload.measured) == (7, 1)
    assert workload.title == "Basic/nodes=7,measurePods=1"


def test_numbers_given_anew_that_are_the_old_ones_change_no_name() -> None:
    assert read_workload(BASIC, "One", {"nodes": 1}).size == "One"


def test_namespaces_and_prefixes_go_by_the_number_of_the_step() -> None:
    (_, pods) = read_workload(BASIC).steps
    assert isinstance(pods, CreatePods)
    assert (pods.namespace, pods.prefix, pods.measured, pods.skip_wait) == ("namespace-1", "pod-1", True, False)


def test_nodes_are_named_labelled_in_turn_and_have_what_they_could_have() -> None:
    (nodes, _) = read_workload(BASIC, overrides={"nodes": 3}).steps
    assert isinstance(nodes, CreateNodes)
    made = list(node_objects(nodes, {"made-by": "bench"}))
    assert [node["metadata"]["name"] for node in made] == ["node-000000", "node-000001", "node-000002"]
    assert [node["metadata"]["labels"]["zone"] for node in made] == ["a", "b", "a"]
    assert made[1]["metadata"]["labels"]["kubernetes.io/hostname"] == "node-000001"
    assert made[1]["metadata"]["labels"]["made-by"] == "bench"
    assert made[0]["status"]["allocatable"] == {"cpu": "4", "pods": "110"}


def test_names_of_nodes_go_on_through_all_steps() -> None:
    text = BASIC.replace("steps:\n", "steps:\n- createNodes: {count: 2, node: {}}\n")
    first, second, _ = read_workload(text).steps
    assert isinstance(first, CreateNodes)
    assert isinstance(second, CreateNodes)
    names = [node["metadata"]["name"] for step in (first, second) for node in node_objects(step)]
    assert names == ["node-000000", "node-000001", "node-000002", "node-000003"]


def test_bytes_of_pods_are_those_of_the_manifests() -> None:
    (_, pods) = read_workload(BASIC).steps
    assert isinstance(pods, CreatePods)
    manifests = list(pod_objects(pods, "roost"))
    bodies = dict(pod_bodies(pods, "roost"))
    assert [msgspec.json.decode(body) for body in bodies.values()] == manifests
    assert list(bodies) == ["pod-1-000000", "pod-1-000001", "pod-1-000002"]
    assert manifests[2]["metadata"] == {
        "name": "pod-1-000002",
        "namespace": "namespace-1",
        "labels": {"app": "web"},
    }
    assert manifests[2]["spec"]["schedulerName"] == "roost"


SETS = BASIC.replace(
    "steps:\n",
    """steps:
- createObjects:
    count: 2
    namespacePrefix: app
    objects: [{apiVersion: v1, kind: Service, metadata: {name: app-$index}}]
- createPodSets:
    count: 2
    namespacePrefix: app
    createPods: {count: $measurePods, pod: {metadata: {labels: {app: app-$index}}}}
""",
)


def test_sets_are_a_step_per_namespace_with_its_number_put_in_and_a_barrier() -> None:
    services, more_services, first, second, barrier, *_ = read_workload(SETS).steps
    assert isinstance(services, CreateObjects)
    assert isinstance(more_services, CreateObjects)
    assert isinstance(first, CreatePods)
    assert isinstance(second, CreatePods)
    assert isinstance(barrier, Barrier)
    assert next(step_objects(more_services))["metadata"] == {"name": "app-1", "namespace": "app-1"}
    assert (first.namespace, second.namespace, first.count) == ("app-0", "app-1", 3)
    assert second.template["metadata"]["labels"] == {"app": "app-1"}
    assert first.skip_wait


def test_churn_makes_one_object_of_each_template_with_a_name_of_its_own() -> None:
    step = Churn(mode="create", namespace="x", prefix="churn-1", templates=[{"kind": "Node"}, {"kind": "Pod"}])
    (node, pod), (_, next_pod) = list(churn_objects(step, 0, "roost")), list(churn_objects(step, 1, "roost"))
    assert "namespace" not in node["metadata"]
    assert (pod["metadata"]["namespace"], pod["spec"]["schedulerName"]) == ("x", "roost")
    assert len({one["metadata"]["name"] for one in (node, pod, next_pod)}) == 3


MISTAKES = {
    "an unknown number": (
        {"count: $measurePods": "count: $measurePod"},
        "basic.yaml: steps[1].createPods.count: the size has no number measurePod; did you mean measurePods?",
    ),
    "an unknown operation": (
        {"createPods": "createPod"},
        "steps[1].createPod: is no operation; did you mean createPods",
    ),
    "an unknown field": ({"collectMetrics": "collectMetric"}, "unknown field; did you mean collectMetrics?"),
    "two operations in one step": (
        {"- createPods": "- sleep: {seconds: 1}\n  createPods"},
        "steps[1]: must be one operation",
    ),
    "an operation without its fields": (
        {"- createPods": "- barrier:\n- createPods"},
        "steps[1]: is empty; an operation without fields is written as barrier: {}",
    ),
    "a count that is a text": ({"count: $nodes": "count: many"}, "steps[0].createNodes.count: is a text"),
    "a negative count": ({"count: $nodes": "count: -1"}, "steps[0].createNodes.count: "),
    "no measured pods": ({"    collectMetrics: true\n": ""}, "no pod is measured"),
    "no nodes": ({"count: $nodes": "count: 0"}, "no node is created"),
    "nodes that would all have one name": (
        {"node: {status": "node: {metadata: {name: one}, status"},
        "steps[0].createNodes.node.metadata.name: 2 nodes cannot have one name",
    ),
}


@pytest.mark.parametrize(("replaced", "says"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_sentence_that_names_file_and_field(replaced: dict[str, str], says: str) -> None:
    text = BASIC
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    with pytest.raises(ConfigError) as caught:
        read_workload(text, file="basic.yaml")
    message = str(caught.value)
    assert message.startswith("basic.yaml: ")
    assert says in message
    assert "\n" not in message


def test_an_unknown_size_names_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match="Basic has no size Twoo; did you mean Two\\?; its sizes are One, Two"):
        read_workload(BASIC, "Twoo")


@pytest.mark.parametrize(
    ("overrides", "says"),
    [({"pods": 3}, "pods: Basic has no such number"), ({"nodes": -3}, "nodes: must not be negative, got -3")],
)
def test_numbers_given_anew_must_be_known_and_possible(overrides: dict[str, int], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read_workload(BASIC, overrides=overrides)


GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "benchmark.md"


def test_the_workload_of_the_guide_can_be_read() -> None:
    text = GUIDE.read_text().partition("```yaml\n")[2].partition("```")[0]
    workload = read_workload(text)
    assert (workload.title, workload.nodes, workload.measured) == ("Mine/Small", 100, 500)


# ---- the workloads that come with Roost

ALL = {f"{found.name}/{size}": found.name for found in list_workloads() for size in found.sizes}


@pytest.mark.parametrize("wanted", ALL)
def test_every_workload_can_be_read_in_every_size(wanted: str) -> None:
    workload = find_workload(wanted)
    assert workload.title == wanted
    assert workload.nodes
    assert workload.measured
    names = Counter((step.namespace, step.prefix) for step in workload.steps if isinstance(step, CreatePods))
    assert max(names.values()) == 1, "pods of two steps would have the same names"


def test_every_file_is_named_after_its_workload_and_says_what_it_is() -> None:
    for found in list_workloads():
        assert find_workload(found.name).name == found.name
        assert found.default_size in found.sizes
        assert found.about.endswith(".")
        assert found.source


def test_a_file_of_ones_own_is_found_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(BASIC)
    assert find_workload(str(path)).title == "Basic/Two"
    assert find_workload(f"{path}/One").title == "Basic/One"


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("SchedulingBasics", "no workload is called SchedulingBasics; did you mean SchedulingBasic"),
        ("missing.yaml", "missing.yaml: cannot be read: No such file or directory"),
    ],
)
def test_what_is_not_there_is_said_so(wanted: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        find_workload(wanted)
