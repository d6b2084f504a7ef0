import json
from typing import Any

import msgspec
import pytest

from roost.api.kinds import LEASE, NODE, POD
from roost.api.node import Node
from roost.api.node_selectors import required_node_affinity_matches
from roost.api.pod import Pod
from roost.api.requests import pod_requests
from roost.api.taints import Taint, Toleration

POD_JSON: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "web-7d4b9c6f5-x2x9z",
        "generateName": "web-7d4b9c6f5-",
        "namespace": "shop",
        "uid": "0b8f6f0e-6a0e-4d3e-9d6f-6a3a4f1b2c3d",
        "resourceVersion": "123456",
        "creationTimestamp": "2025-03-01T10:00:00Z",
        "labels": {"app": "web", "pod-template-hash": "7d4b9c6f5"},
        "ownerReferences": [
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "name": "web-7d4b9c6f5",
                "uid": "u-1",
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
        "managedFields": [{"manager": "kube-controller-manager", "fieldsV1": {"f:metadata": {}}}],
    },
    "spec": {
        "schedulerName": "roost",
        "priority": 1000,
        "preemptionPolicy": "PreemptLowerPriority",
        "nodeSelector": {"disk": "ssd"},
        "hostNetwork": False,
        "dnsPolicy": "ClusterFirst",
        "terminationGracePeriodSeconds": 30,
        "initContainers": [{"name": "proxy", "restartPolicy": "Always", "resources": {"requests": {"cpu": "50m"}}}],
        "containers": [
            {
                "name": "web",
                "image": "registry.example/web:1.2",
                "imagePullPolicy": "IfNotPresent",
                "ports": [{"containerPort": 8080, "hostPort": 80, "hostIP": "10.0.0.1", "protocol": "TCP"}],
                "resources": {"requests": {"cpu": "500m", "memory": "1Gi", "example.com/gpu": 1}, "limits": {"cpu": 2}},
            }
        ],
        "tolerations": [
            {
                "key": "node.kubernetes.io/not-ready",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": 300,
            }
        ],
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [
                        {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a", "b"]}]}
                    ]
                }
            },
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "weight": 10,
                        "podAffinityTerm": {
                            "topologyKey": "zone",
                            "labelSelector": {"matchLabels": {"app": "web"}},
                            "matchLabelKeys": ["pod-template-hash"],
                        },
                    }
                ]
            },
        },
        "topologySpreadConstraints": [
            {"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "nodeTaintsPolicy": "Honor"}
        ],
        "volumes": [
            {"name": "data", "persistentVolumeClaim": {"claimName": "data-0"}},
            {"name": "config", "configMap": {"name": "web"}},
        ],
        "schedulingGates": [{"name": "example.com/quota"}],
    },
    "status": {
        "phase": "Pending",
        "qosClass": "Burstable",
        "conditions": [{"type": "PodScheduled", "status": "False", "lastProbeTime": None, "reason": "Unschedulable"}],
        "containerStatuses": [{"name": "web", "ready": True, "allocatedResources": {"cpu": "500m"}, "resources": {}}],
    },
}

NODE_JSON: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "n1", "labels": {"zone": "b", "disk": "ssd"}, "annotations": {"a": "b"}},
    "spec": {
        "podCIDR": "10.244.0.0/24",
        "unschedulable": True,
        "taints": [{"key": "gpu", "value": "a100", "effect": "NoSchedule", "timeAdded": "2025-03-01T10:00:00Z"}],
    },
    "status": {
        "allocatable": {"cpu": "3920m", "memory": "12Gi", "pods": "110"},
        "capacity": {"cpu": "4", "memory": "13Gi", "pods": 110},
        "conditions": [{"type": "Ready", "status": "True"}],
        "images": [{"names": ["registry.example/web:1.2"], "sizeBytes": 55000000}],
        "nodeInfo": {"kubeletVersion": "v1.36.2"},
    },
}


def decoded_pod(**changes: Any) -> Pod:
    return msgspec.json.decode(json.dumps({**POD_JSON, **changes}), type=Pod)


def decoded_node(**changes: Any) -> Node:
    return msgspec.json.decode(json.dumps({**NODE_JSON, **changes}), type=Node)


def test_pod_decodes_with_all_that_scheduling_reads() -> None:
    pod = decoded_pod()
    assert (pod.name, pod.namespace, pod.key) == ("web-7d4b9c6f5-x2x9z", "shop", "shop/web-7d4b9c6f5-x2x9z")
    assert pod.metadata.resource_version == "123456"
    assert [one.controller for one in pod.metadata.owner_references or ()] == [True]
    assert (pod.spec.scheduler_name, pod.spec.priority, pod.spec.preemption_policy) == (
        "roost",
        1000,
        "PreemptLowerPriority",
    )
    assert pod.spec.tolerations == (
        Toleration(key="node.kubernetes.io/not-ready", operator="Exists", effect="NoExecute", toleration_seconds=300),
    )
    assert [gate.name for gate in pod.spec.scheduling_gates or ()] == ["example.com/quota"]
    assert pod_requests(pod) == {"cpu": 550, "memory": 2**30, "example.com/gpu": 1}
    assert not pod.is_terminal
    assert not pod.is_terminating


def test_ports_volumes_and_spreading_keep_their_odd_spellings() -> None:
    spec = decoded_pod().spec
    (container,) = spec.containers or ()
    (port,) = container.ports or ()
    assert (port.host_ip, port.host_port, port.protocol) == ("10.0.0.1", 80, "TCP")
    assert [one.persistent_volume_claim and one.persistent_volume_claim.claim_name for one in spec.volumes or ()] == [
        "data-0",
        None,
    ]
    (constraint,) = spec.topology_spread_constraints or ()
    assert (constraint.max_skew, constraint.when_unsatisfiable, constraint.node_taints_policy) == (
        2,
        "ScheduleAnyway",
        "Honor",
    )


def test_node_decodes_with_all_that_scheduling_reads() -> None:
    node = decoded_node()
    assert (node.name, node.labels["zone"], node.annotations) == ("n1", "b", {"a": "b"})
    assert node.spec.unschedulable
    assert node.taints == (Taint(key="gpu", value="a100", effect="NoSchedule"),)
    assert node.status.allocatable == {"cpu": "3920m", "memory": "12Gi", "pods": "110"}
    assert [(image.names, image.size_bytes) for image in node.status.images or ()] == [
        (("registry.example/web:1.2",), 55000000)
    ]


def test_decoded_affinity_judges_a_decoded_node() -> None:
    assert required_node_affinity_matches(decoded_pod(), decoded_node())
    assert not required_node_affinity_matches(decoded_pod(), decoded_node(metadata={"name": "n2"}))


def test_null_labels_are_no_labels() -> None:
    assert decoded_pod(metadata={"name": "p", "labels": None, "annotations": None}).labels == {}
    assert decoded_node(metadata={"name": "n", "labels": None}).labels == {}
    assert decoded_node(spec={"taints": None}).taints == ()


def test_an_empty_object_is_a_pod_and_a_node_of_defaults() -> None:
    assert msgspec.json.decode(b"{}", type=Pod) == Pod()
    assert msgspec.json.decode(b"{}", type=Node) == Node()


def test_unknown_fields_are_ignored_and_not_kept() -> None:
    assert decoded_pod(brandNew={"field": [1, 2]}) == decoded_pod()
    assert b"managedFields" not in msgspec.json.encode(decoded_pod())


def test_a_pod_survives_writing_and_reading() -> None:
    pod = decoded_pod()
    assert msgspec.json.decode(msgspec.json.encode(pod), type=Pod) == pod


def test_values_are_frozen() -> None:
    with pytest.raises(AttributeError):
        decoded_pod().metadata.name = "other"


@pytest.mark.parametrize(
    ("phase", "metadata", "terminal", "terminating"),
    [
        pytest.param("Running", {}, False, False, id="a running pod"),
        pytest.param("Succeeded", {}, True, False, id="a pod that is done"),
        pytest.param("Failed", {}, True, False, id="a pod that failed"),
        pytest.param("Running", {"deletionTimestamp": "2025-03-01T10:00:00Z"}, False, True, id="a pod being deleted"),
    ],
)
def test_end_of_a_pod(phase: str, metadata: dict[str, str], terminal: bool, terminating: bool) -> None:
    pod = decoded_pod(status={"phase": phase}, metadata=metadata)
    assert (pod.is_terminal, pod.is_terminating) == (terminal, terminating)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        pytest.param({"metadata": {"labels": {"app": 1}}}, "$.metadata.labels", id="a label that is a number"),
        pytest.param({"metadata": {"name": 7}}, "$.metadata.name", id="a name that is a number"),
        pytest.param({"spec": {"containers": {}}}, "$.spec.containers", id="containers that are no list"),
        pytest.param({"spec": {"priority": "high"}}, "$.spec.priority", id="a priority that is a word"),
        pytest.param(
            {"spec": {"containers": [{"resources": {"requests": {"cpu": True}}}]}},
            "$.spec.containers[0].resources.requests",
            id="a quantity that is a truth value",
        ),
        pytest.param({"spec": []}, "$.spec", id="a spec that is a list"),
    ],
)
def test_a_wrong_type_is_refused_and_named(changes: dict[str, Any], path: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        decoded_pod(**changes)
    assert f"`{path}" in str(caught.value)


def test_a_malformed_quantity_still_decodes_so_that_only_its_pod_is_in_trouble() -> None:
    pod = decoded_pod(spec={"containers": [{"name": "app", "resources": {"requests": {"cpu": "abc"}}}]})
    assert (pod.spec.containers or ())[0].resources.requests == {"cpu": "abc"}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param(POD.path(), "/api/v1/pods", id="all pods"),
        pytest.param(
            POD.path("shop", "web-0", "binding"), "/api/v1/namespaces/shop/pods/web-0/binding", id="a binding"
        ),
        pytest.param(NODE.path("ignored", "n1"), "/api/v1/nodes/n1", id="nodes have no namespace"),
        pytest.param(
            LEASE.path("kube-system", "roost"),
            "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/roost",
            id="a kind with a group",
        ),
    ],
)
def test_paths_of_kinds(path: str, expected: str) -> None:
    assert path == expected
