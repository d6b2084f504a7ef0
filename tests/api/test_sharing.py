from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.api.kinds import NODE, POD, SERVICE
from roost.api.node import Node
from roost.api.pod import Pod
from roost.api.sharing import Sharing, sharer

CONTAINER = {"name": "web", "image": "web:1", "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}
TERM = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "web"}}}
PARTS: dict[str, dict[str, Any]] = {
    "metadata": {
        "labels": {"app": "web"},
        "annotations": {"restarted": "yes"},
        "ownerReferences": [{"kind": "ReplicaSet", "name": "web", "uid": "rs-1", "controller": True}],
    },
    "spec": {
        "containers": [CONTAINER],
        "initContainers": [{"name": "first", "restartPolicy": "Always"}],
        "overhead": {"cpu": "10m"},
        "resources": {"requests": {"cpu": "2"}},
        "nodeSelector": {"disk": "ssd"},
        "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [TERM]}},
        "tolerations": [{"key": "spot", "operator": "Exists"}],
        "topologySpreadConstraints": [{"topologyKey": "zone", "maxSkew": 2}],
        "schedulingGates": [{"name": "hold"}],
        "resourceClaims": [{"name": "gpu"}],
    },
    "status": {
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [{"name": "web", "resources": {"requests": {"cpu": "1"}}}],
        "initContainerStatuses": [{"name": "first"}],
        "resources": {"requests": {"cpu": "3"}},
        "allocatedResources": {"cpu": "3"},
    },
}
TEXTS = {
    "metadata": {"namespace": "shop", "generateName": "web-", "creationTimestamp": "2026-01-01T00:00:00Z"},
    "spec": {"nodeName": "n-1", "schedulerName": "roost", "preemptionPolicy": "Never", "priorityClassName": "high"},
    "status": {"phase": "Running", "nominatedNodeName": "n-2", "startTime": "2026-01-01T00:00:01Z"},
}


def decoded(name: str = "a", without: str = "") -> Pod:
    """Return a pod from its JSON, all of its parts its own."""
    fields = {
        place: {key: part for key, part in {**PARTS[place], **TEXTS[place]}.items() if key != without}
        for place in PARTS
    }
    fields["metadata"] |= {"name": name, "uid": name}
    return msgspec.json.decode(msgspec.json.encode(fields), type=Pod)


def shared(sharing: Sharing, *pods: Pod) -> tuple[Pod, ...]:
    for one in pods:
        sharing.pod(one)
    return pods


def part_of(one: Pod, place: str, field: str) -> Any:
    struct = getattr(one, place)
    spelled = dict(zip(struct.__struct_encode_fields__, struct.__struct_fields__, strict=True))
    return getattr(struct, spelled[field])


@pytest.mark.parametrize(
    ("place", "field"), [(place, field) for parts in (PARTS, TEXTS) for place in parts for field in parts[place]]
)
def test_pods_that_have_an_equal_part_have_the_same(place: str, field: str) -> None:
    a, b = shared(Sharing(), decoded("a"), decoded("b"))
    assert part_of(a, place, field) is part_of(b, place, field)
    assert part_of(a, place, field)


def test_a_pod_is_what_it_was() -> None:
    sharing = Sharing()
    for name in ("a", "b", "a"):
        (one,) = shared(sharing, decoded(name))
        assert one == decoded(name)


@pytest.mark.parametrize("field", [field for parts in PARTS.values() for field in parts])
def test_a_part_that_a_pod_does_not_have_stays_away(field: str) -> None:
    _, without = shared(Sharing(), decoded("a"), decoded("b", without=field))
    assert without == decoded("b", without=field)


def test_parts_that_only_look_alike_are_kept_apart() -> None:
    """Written out, a container with a name is what the status of a container with a name is."""
    text = b'{"spec":{"containers":[{"name":"web"}]},"status":{"containerStatuses":[{"name":"web"}]}}'
    one = msgspec.json.decode(text, type=Pod)
    Sharing().pod(one)
    assert one == msgspec.json.decode(text, type=Pod)
    assert type((one.spec.containers or ())[0]) is not type((one.status.container_statuses or ())[0])


LABELS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xyz"), max_size=3)


@given(st.lists(st.tuples(LABELS, LABELS)), st.integers(1, 3))
def test_forgetting_parts_loses_nothing(pairs: list[tuple[dict[str, str], dict[str, str]]], most: int) -> None:
    sharing = Sharing(most)
    for labels, annotations in pairs:
        text = msgspec.json.encode({"metadata": {"labels": labels, "annotations": annotations}})
        one = msgspec.json.decode(text, type=Pod)
        sharing.pod(one)
        assert one == msgspec.json.decode(text, type=Pod)


def node_holding(name: str, *images: str) -> Node:
    fields = {
        "metadata": {"name": name},
        "spec": {"taints": [{"key": "spot", "effect": "NoSchedule"}]},
        "status": {
            "allocatable": {"cpu": "4"},
            "capacity": {"cpu": "5"},
            "images": [{"names": [image, f"{image}:1"], "sizeBytes": 5} for image in images],
            "declaredFeatures": ["Resize"],
        },
    }
    return msgspec.json.decode(msgspec.json.encode(fields), type=Node)


def test_nodes_share_each_image_and_what_they_have_to_give() -> None:
    sharing = Sharing()
    a, b = node_holding("a", "web", "db"), node_holding("b", "db", "cache")
    for one in (a, b):
        sharing.node(one)
    assert (a, b) == (node_holding("a", "web", "db"), node_holding("b", "db", "cache"))
    assert (a.status.images or ())[1] is (b.status.images or ())[0]
    assert a.status.allocatable is b.status.allocatable
    assert a.status.allocatable is not a.status.capacity
    assert a.spec.taints is b.spec.taints


def test_pods_and_nodes_are_shared_and_others_are_not() -> None:
    assert sharer(POD.type) is not None
    assert sharer(NODE.type) is not None
    assert sharer(SERVICE.type) is None
