import pytest

from roost.api.node import Node
from roost.api.pod import Pod
from roost.api.requests import pod_requests
from roost.api.taints import Taint, Toleration
from roost.framework.pod_info import host_ports
from roost.testing import node, pod


def container(built: Pod):
    (only,) = built.spec.containers or ()
    return only


def test_a_pod_needs_nothing_but_its_builder() -> None:
    built = pod()
    assert (built.key, built.metadata.uid, built.spec.scheduler_name) == ("default/pod", "pod", "roost")
    assert (built.spec.node_name, built.spec.node_selector, built.spec.priority) == ("", None, None)
    assert (pod_requests(built), host_ports(built), container(built).image) == ({}, (), "app")


def test_pods_of_different_names_have_different_uids() -> None:
    assert pod("a").metadata.uid != pod("b").metadata.uid
    assert pod("a", uid="u").metadata.uid == "u"
    assert pod("a", uid="").metadata.uid == ""


def test_requests_are_quantities_as_a_manifest_spells_them() -> None:
    built = pod(cpu="500m", memory="1Gi", requests={"example.com/gpu": 2, "ephemeral-storage": "1G"})
    assert pod_requests(built) == {"cpu": 500, "memory": 1 << 30, "example.com/gpu": 2, "ephemeral-storage": 10**9}


def test_a_request_of_zero_is_not_left_out() -> None:
    assert pod_requests(pod(cpu=0)) == {"cpu": 0}


@pytest.mark.parametrize(
    ("built", "read", "expected"),
    [
        pytest.param(pod(namespace="shop"), lambda p: p.namespace, "shop", id="namespace"),
        pytest.param(pod(labels={"app": "web"}), lambda p: p.labels, {"app": "web"}, id="labels"),
        pytest.param(pod(image="app:1"), lambda p: container(p).image, "app:1", id="image"),
        pytest.param(pod(host_ports=[80, 443]), lambda p: [port for *_, port in host_ports(p)], [80, 443], id="ports"),
        pytest.param(pod(node_name="a"), lambda p: p.spec.node_name, "a", id="node name"),
        pytest.param(pod(node_selector={"zone": "a"}), lambda p: p.spec.node_selector, {"zone": "a"}, id="selector"),
        pytest.param(pod(priority=7), lambda p: p.spec.priority, 7, id="priority"),
        pytest.param(
            pod(gates=["a", "b"]), lambda p: [g.name for g in p.spec.scheduling_gates], ["a", "b"], id="gates"
        ),
        pytest.param(pod(scheduler_name="x"), lambda p: p.spec.scheduler_name, "x", id="scheduler name"),
        pytest.param(
            pod(tolerations=[{"key": "spot", "operator": "Exists"}]),
            lambda p: p.spec.tolerations,
            (Toleration(key="spot", operator="Exists"),),
            id="tolerations",
        ),
    ],
)
def test_a_keyword_sets_one_field(built: Pod, read, expected: object) -> None:
    assert read(built) == expected
    assert read(pod()) != expected


def test_further_fields_are_spelled_as_in_a_manifest_and_win() -> None:
    built = pod(
        priority=1,
        labels={"app": "web"},
        metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"},
        spec={"priority": 2, "hostNetwork": True},
        status={"phase": "Running", "nominatedNodeName": "a"},
    )
    assert (built.spec.priority, built.spec.host_network, built.labels) == (2, True, {"app": "web"})
    assert (built.is_terminating, built.status.phase, built.status.nominated_node_name) == (True, "Running", "a")


def test_a_node_has_room_without_being_told() -> None:
    assert node().name == "node"
    assert node().status.allocatable == {"cpu": "4", "memory": "16Gi", "pods": 110}
    assert (node().labels, node().annotations, node().taints, node().spec.unschedulable) == ({}, {}, (), False)


@pytest.mark.parametrize(
    ("built", "read", "expected"),
    [
        pytest.param(node(cpu="2"), lambda n: n.status.allocatable["cpu"], "2", id="CPU"),
        pytest.param(node(pods=5), lambda n: n.status.allocatable["pods"], 5, id="places for pods"),
        pytest.param(node(allocatable={"cpu": "9"}), lambda n: n.status.allocatable["cpu"], "9", id="allocatable wins"),
        pytest.param(node(labels={"zone": "a"}), lambda n: n.labels, {"zone": "a"}, id="labels"),
        pytest.param(node(annotations={"load": "1"}), lambda n: n.annotations, {"load": "1"}, id="annotations"),
        pytest.param(node(unschedulable=True), lambda n: n.spec.unschedulable, True, id="cordoned"),
        pytest.param(
            node(taints=[{"key": "spot", "effect": "NoSchedule"}]),
            lambda n: n.taints,
            (Taint(key="spot", effect="NoSchedule"),),
            id="taints",
        ),
        pytest.param(
            node(images={"app:1": 5}),
            lambda n: [(image.names, image.size_bytes) for image in n.status.images],
            [(("app:1",), 5)],
            id="images",
        ),
    ],
)
def test_a_keyword_sets_one_field_of_a_node(built: Node, read, expected: object) -> None:
    assert read(built) == expected
    assert built != node()


def test_equal_keywords_build_equal_objects() -> None:
    assert pod("a", cpu=1, labels={"x": "y"}) == pod("a", cpu=1, labels={"x": "y"})
    assert node("a", taints=[{"key": "x"}]) == node("a", taints=[{"key": "x"}])
