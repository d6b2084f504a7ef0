"""What the API server makes of new objects, and what it does not let in."""

from typing import Any

import pytest
from tests.apiserver.building import add_node, add_pod, bind_pod, new_store, pod

from roost.apiserver.refusals import Invalid
from roost.apiserver.resources import DEPLOYMENT, NAMESPACE, POD, PRIORITY_CLASS
from roost.apiserver.store import Object
from roost.errors import ApiError, Forbidden


def spec_of(**fields: Any) -> Object:
    return dict(add_pod(new_store(), spec=fields).object["spec"])


def container_of(**fields: Any) -> Object:
    stored = add_pod(new_store(), containers=[{"name": "app", "image": "nginx:1", **fields}])
    return dict(stored.object["spec"]["containers"][0])


# ---- what is filled in

FILLED_IN = {
    "the default scheduler": ({}, "schedulerName", "default-scheduler"),
    "another scheduler stays": ({"schedulerName": "roost"}, "schedulerName", "roost"),
    "pods start again": ({}, "restartPolicy", "Always"),
    "thirty seconds of grace": ({}, "terminationGracePeriodSeconds", 30),
    "no grace stays": ({"terminationGracePeriodSeconds": 0}, "terminationGracePeriodSeconds", 0),
    "cluster DNS": ({}, "dnsPolicy", "ClusterFirst"),
    "no priority": ({}, "priority", 0),
    "the priority of its class": ({"priorityClassName": "system-node-critical"}, "priority", 2_000_001_000),
    "leave to preempt": ({}, "preemptionPolicy", "PreemptLowerPriority"),
    "an account": ({}, "serviceAccountName", "default"),
}


@pytest.mark.parametrize(("given", "name", "value"), FILLED_IN.values(), ids=FILLED_IN.keys())
def test_filled_in(given: Object, name: str, value: object) -> None:
    assert spec_of(**given)[name] == value


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1", "IfNotPresent"),
        ("host:5000/nginx", "Always"),
        ("host:5000/nginx:1", "IfNotPresent"),
        ("nginx@sha256:0", "IfNotPresent"),
    ],
)
def test_an_image_without_a_fixed_tag_is_always_pulled(image: str, policy: str) -> None:
    assert container_of(image=image)["imagePullPolicy"] == policy


def test_requests_come_from_limits_where_there_are_none() -> None:
    resources = {"requests": {"cpu": "100m"}, "limits": {"cpu": "1", "memory": "1Gi"}}
    assert container_of(resources=resources)["resources"]["requests"] == {"cpu": "100m", "memory": "1Gi"}


def test_ports_are_tcp_and_on_the_host_if_the_pod_is() -> None:
    ports = [{"containerPort": 80}, {"containerPort": 53, "protocol": "UDP"}]
    one = {"name": "app", "image": "x", "ports": ports}
    stored = add_pod(new_store(), containers=[one], spec={"hostNetwork": True})
    assert stored.object["spec"]["containers"][0]["ports"] == [
        {"containerPort": 80, "protocol": "TCP", "hostPort": 80},
        {"containerPort": 53, "protocol": "UDP", "hostPort": 53},
    ]


def test_a_pod_stays_five_minutes_on_a_lost_node() -> None:
    keys = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
    assert spec_of()["tolerations"] == [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300} for key in keys
    ]
    everything = [{"operator": "Exists"}]
    assert spec_of(tolerations=everything)["tolerations"] == everything
    own = {"key": keys[0], "operator": "Exists", "effect": "NoExecute"}
    assert [one["key"] for one in spec_of(tolerations=[own])["tolerations"]] == list(keys)


def test_match_label_keys_become_part_of_the_selectors_beside_them() -> None:
    selector = {"matchLabels": {"app": "web"}}
    term = {"labelSelector": selector, "topologyKey": "zone", "mismatchLabelKeys": ["team"]}
    spread = {"labelSelector": selector, "topologyKey": "zone", "matchLabelKeys": ["version", "absent"]}
    stored = add_pod(
        new_store(),
        labels={"app": "web", "version": "1", "team": "a"},
        spec={
            "topologySpreadConstraints": [spread],
            "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}},
        },
    )
    spec = stored.object["spec"]
    (spread,) = spec["topologySpreadConstraints"]
    (term,) = spec["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert spread["labelSelector"]["matchExpressions"] == [{"key": "version", "operator": "In", "values": ["1"]}]
    assert term["labelSelector"]["matchExpressions"] == [{"key": "team", "operator": "NotIn", "values": ["a"]}]


QOS = {
    "BestEffort": {},
    "Burstable": {"requests": {"cpu": "1"}},
    "Burstable without equal limits": {
        "requests": {"cpu": "1", "memory": "1Gi"},
        "limits": {"cpu": "2", "memory": "1Gi"},
    },
    "Guaranteed": {"limits": {"cpu": "1", "memory": "1Gi"}},
    "Guaranteed however it is spelled": {
        "requests": {"cpu": "1000m", "memory": "1024Mi"},
        "limits": {"cpu": "1", "memory": "1Gi"},
    },
}


@pytest.mark.parametrize(("name", "resources"), QOS.items(), ids=QOS.keys())
def test_quality_of_service(name: str, resources: Object) -> None:
    stored = add_pod(new_store(), containers=[{"name": "app", "image": "x", "resources": resources}])
    assert stored.object["status"] == {"phase": "Pending", "qosClass": name.partition(" ")[0]}


def test_a_gated_pod_says_so() -> None:
    stored = add_pod(new_store(), spec={"schedulingGates": [{"name": "wait"}]})
    (condition,) = stored.object["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == ("PodScheduled", "False", "SchedulingGated")
    assert condition["message"] == "Scheduling is blocked due to non-empty scheduling gates"


def test_the_class_that_is_the_global_default_counts_for_pods_without_one() -> None:
    store = new_store()
    body = {"metadata": {"name": "usual"}, "value": 7, "globalDefault": True, "preemptionPolicy": "Never"}
    store.create(PRIORITY_CLASS, body)
    spec = add_pod(store).object["spec"]
    assert (spec["priority"], spec["priorityClassName"], spec["preemptionPolicy"]) == (7, "usual", "Never")


def test_a_pod_created_on_a_node_takes_its_zone() -> None:
    store = new_store()
    add_node(store, **{"topology.kubernetes.io/zone": "a", "other": "b"})
    stored = add_pod(store, labels={"app": "web"}, spec={"nodeName": "node-0"})
    assert stored.metadata["labels"] == {"app": "web", "topology.kubernetes.io/zone": "a"}


def test_a_namespace_is_active_and_carries_its_name() -> None:
    stored = new_store().create(NAMESPACE, {"metadata": {"name": "team"}})
    assert stored.metadata["labels"] == {"kubernetes.io/metadata.name": "team"}
    assert stored.object["status"] == {"phase": "Active"}


def test_a_deployment_has_one_replica_and_rolls_by_quarters() -> None:
    spec = new_store().create(DEPLOYMENT, deployment(), "default").object["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": "25%", "maxUnavailable": "25%"}
    assert spec["template"]["spec"]["schedulerName"] == "default-scheduler"


def deployment(**labels: str) -> Object:
    template = {"metadata": {"labels": labels or {"app": "web"}}, "spec": pod()["spec"]}
    return {"metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template}}


# ---- what is refused

TWO = [{"name": "a", "image": "x"}, {"name": "a", "image": "x"}]


def asking(**resources: Object) -> Object:
    return pod(containers=[{"name": "app", "image": "x", "resources": resources}])


INVALID = {
    "no containers": ({"metadata": {"name": "web"}, "spec": {}}, "spec.containers: Required value"),
    "a container without a name": (pod(containers=[{"image": "x"}]), "spec.containers[0].name: Required value"),
    "a container without an image": (pod(containers=[{"name": "a"}]), "spec.containers[0].image: Required value"),
    "two containers of one name": (pod(containers=TWO), 'spec.containers[1].name: Duplicate value: "a"'),
    "a name in capitals": (pod("Web"), 'metadata.name: Invalid value: "Web": a lowercase RFC 1123 subdomain must'),
    "a label that is none": (pod(labels={"a": "b c"}), 'metadata.labels: Invalid value: "b c": a valid label must be'),
    "a label key that is none": (pod(labels={"a b": "c"}), 'metadata.labels: Invalid value: "a b": name part must'),
    "more requested than allowed": (
        asking(requests={"cpu": "2"}, limits={"cpu": "1"}),
        'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
    ),
    "less than nothing": (asking(requests={"cpu": "-1"}), "must be greater than or equal to 0"),
    "a gate and a node": (
        pod(spec={"nodeName": "x", "schedulingGates": [{"name": "g"}]}),
        "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared",
    ),
}


@pytest.mark.parametrize(("body", "text"), INVALID.values(), ids=INVALID.keys())
def test_invalid(body: Object, text: str) -> None:
    with pytest.raises(Invalid) as caught:
        new_store().create(POD, body, "default")
    assert str(caught.value).startswith(f'Pod "{body["metadata"]["name"]}" is invalid: ')
    assert text in str(caught.value)
    assert (caught.value.status, caught.value.reason) == (422, "Invalid")


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        new_store().create(POD, pod("Web", containers=[{}]), "default")
    assert len(caught.value.causes) == 3
    assert str(caught.value).startswith('Pod "Web" is invalid: [metadata.name: Invalid value: "Web": ')


def test_a_quantity_that_is_none_cannot_be_read() -> None:
    with pytest.raises(ApiError, match="quantities must match the regular expression") as caught:
        new_store().create(POD, asking(requests={"cpu": "much"}), "default")
    assert caught.value.status == 400


def test_a_deployment_must_select_its_own_pods() -> None:
    with pytest.raises(
        Invalid, match=r'Deployment.apps "web" is invalid: .*`selector` does not match template `labels`'
    ):
        new_store().create(DEPLOYMENT, deployment(app="other"), "default")


FORBIDDEN = {
    "a priority class that is missing": ({"priorityClassName": "high"}, "no PriorityClass with name high was found"),
    "a priority of one's own": ({"priority": 5}, "the integer value of priority (5) must not be provided in pod spec"),
}


@pytest.mark.parametrize(("spec", "text"), FORBIDDEN.values(), ids=FORBIDDEN.keys())
def test_forbidden(spec: Object, text: str) -> None:
    with pytest.raises(Forbidden) as caught:
        add_pod(new_store(), spec=spec)
    assert str(caught.value).startswith(f'pods "web" is forbidden: {text}')
    assert caught.value.status == 403


# ---- what may change later

CHANGES = {
    "the image": (lambda spec: spec["containers"][0].update(image="nginx:2"), True),
    "a gate less": (lambda spec: spec.update(schedulingGates=[]), True),
    "a gate more": (lambda spec: spec["schedulingGates"].append({"name": "more"}), False),
    "the node": (lambda spec: spec.update(nodeName="node-0"), False),
    "the requests": (lambda spec: spec["containers"][0].update(resources={"requests": {"cpu": "1"}}), False),
    "the priority": (lambda spec: spec.update(priority=1), False),
    "the node selector of a gated pod": (lambda spec: spec.update(nodeSelector={"a": "b"}), True),
}


@pytest.mark.parametrize(("change", "allowed"), CHANGES.values(), ids=CHANGES.keys())
def test_changing(change: Any, allowed: bool) -> None:
    store = new_store()
    add_pod(store, spec={"schedulingGates": [{"name": "wait"}]})

    def apply(obj: Object) -> None:
        change(obj["spec"])

    if allowed:
        assert store.modify(POD, "web", apply, "default").metadata["generation"] == 2
    else:
        with pytest.raises(Invalid, match="Forbidden"):
            store.modify(POD, "web", apply, "default")


def test_a_bound_pod_keeps_its_node() -> None:
    store = new_store()
    add_node(store)
    add_pod(store)
    bind_pod(store)
    with pytest.raises(Invalid, match="pod updates may not change fields other than"):
        store.modify(POD, "web", lambda obj: obj["spec"].update(nodeName="other"), "default")
