"""What keeps a pod waiting before any filter is asked, from plain objects, and how certain that is."""

from typing import Any

import msgspec
import pytest
from tests.analysis.explaining import Object, World, a_node, a_pod, as_pod

from roost.analysis.creation import find_failed_creation
from roost.analysis.kinds import ADDERS
from roost.analysis.preconditions import Finding, find_preconditions
from roost.analysis.reduce import reduced
from roost.analysis.schedulers import find_scheduler
from roost.analysis.snapshot import Snapshot

NOW = 1_767_225_600.0  # 2026-01-01T00:00:00Z
BY_NAME = {add.kind.name: add for add in ADDERS}


def given(*objects: Object, pods: tuple[Object, ...] = ()) -> Snapshot:
    """Return a cluster of one node, with objects that name their kind."""
    snapshot = World([a_node("n")], pods).snapshot()
    for obj in objects:
        add = BY_NAME[obj["kind"]]
        add.add(snapshot, msgspec.convert(obj, add.kind.type))
    return snapshot


def at(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return (
        f"2026-01-01T00:{minutes:02d}:{rest:02d}Z" if seconds >= 0 else f"2025-12-31T23:{60 + minutes:02d}:{rest:02d}Z"
    )


def event(
    reason: str, name: str = "new", kind: str = "Pod", note: str = "", ago: float = 0, by: str = "roost", **more: Any
) -> Object:
    about = {"kind": kind, "namespace": "shop", "name": name}
    return {
        "kind": "Event",
        "reason": reason,
        "note": note,
        "regarding": about,
        "reportingController": by,
        "eventTime": at(-ago),
        **more,
    }


def lease(name: str, ago: float, namespace: str = "kube-system") -> Object:
    spec = {"holderIdentity": "me", "leaseDurationSeconds": 15, "renewTime": at(-ago)}
    return {"kind": "Lease", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def claim(phase: str, storage_class: str = "slow") -> Object:
    return {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": "shop"},
        "spec": {"storageClassName": storage_class},
        "status": {"phase": phase},
    }


def storage_class(mode: str) -> Object:
    return {"kind": "StorageClass", "metadata": {"name": "slow"}, "provisioner": "p", "volumeBindingMode": mode}


VOLUMES = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
LEAVING = a_pod("victim", on="n") | {
    "metadata": {"name": "victim", "namespace": "shop", "uid": "v", "deletionTimestamp": at(30)}
}


def findings(snapshot: Snapshot, pod: Object) -> list[Finding]:
    return find_preconditions(snapshot, as_pod(pod), NOW)


@pytest.mark.parametrize(
    ("snapshot", "pod", "matter", "says"),
    [
        pytest.param(
            given(),
            a_pod("new", on="n") | {"status": {"phase": "Running"}},
            "bound",
            "It is on node n already, and Running.",
            id="it runs",
        ),
        pytest.param(
            given(),
            a_pod("new", on="n"),
            "bound",
            "waits for is the kubelet there",
            id="it is bound and the kubelet has not started it",
        ),
        pytest.param(
            given(),
            a_pod("new", on="n") | {"status": {"phase": "Failed"}},
            "terminated",
            "its phase is Failed",
            id="it has ended",
        ),
        pytest.param(
            given(),
            a_pod("new") | {"metadata": {"name": "new", "namespace": "shop", "deletionTimestamp": at(-60)}},
            "terminating",
            "It is being deleted since 2025-12-31 23:59:00 UTC",
            id="it is being deleted",
        ),
        pytest.param(
            given(),
            a_pod("new", schedulingGates=[{"name": "quota"}]),
            "gated",
            "by the scheduling gate quota",
            id="it is gated",
        ),
        pytest.param(
            given(claim("Pending"), storage_class("Immediate")),
            a_pod("new", volumes=VOLUMES),
            "claim",
            "claim data is pending: no volume has been made",
            id="its claim has no volume",
        ),
        pytest.param(
            given(claim("Pending"), event("ProvisioningFailed", "data", "PersistentVolumeClaim", "no room.")),
            a_pod("new", volumes=VOLUMES),
            "claim",
            "is pending: no room.",
            id="its claim says why it has no volume",
        ),
        pytest.param(
            given(claim("Bound", "other")),
            a_pod("new", volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "typo"}}]),
            "claim",
            "Its claim typo does not exist",
            id="its claim does not exist",
        ),
        pytest.param(
            given(claim("Lost")),
            a_pod("new", volumes=VOLUMES),
            "claim",
            "has lost its volume",
            id="its claim has lost its volume",
        ),
        pytest.param(
            given(pods=(LEAVING,)),
            a_pod("new") | {"status": {"nominatedNodeName": "n"}},
            "nominated",
            "promised node n and waits for shop/victim to leave, at the latest by 2026-01-01 00:00:30 UTC",
            id="it waits for its victims",
        ),
        pytest.param(
            given(event("FailedScheduling", ago=3, series={"count": 4, "lastObservedTime": at(-3)})),
            a_pod("new"),
            "backoff",
            "tried 4 times by roost, last at 2025-12-31 23:59:57 UTC: in backoff until 2026-01-01 00:00:05 UTC",
            id="it is in backoff",
        ),
        pytest.param(
            given(event("FailedScheduling", ago=60)),
            a_pod("new"),
            "waiting",
            "tried again when something changes that could help, or at about 2026-01-01 00:04:00 UTC",
            id="it was rejected a while ago",
        ),
    ],
)
def test_what_is_found(snapshot: Snapshot, pod: Object, matter: str, says: str) -> None:
    (found,) = findings(snapshot, pod)
    assert found.matter == matter
    assert says in found.says
    assert found.blocks == (matter not in ("waiting",))


def test_a_claim_that_waits_for_the_pod_is_as_it_should_be() -> None:
    (found,) = findings(given(claim("Pending"), storage_class("WaitForFirstConsumer")), a_pod("new", volumes=VOLUMES))
    assert not found.blocks


def test_a_claim_is_not_missing_where_claims_were_not_looked_at() -> None:
    assert findings(given(), a_pod("new", volumes=VOLUMES)) == []


OTHER = a_pod("new", schedulerName="mine")
CONTAINER = {"image": "registry/kube-scheduler:v1", "args": ["--config=/etc/mine.yaml"]}


def scheduler_deployment(name: str, ready: int) -> Object:
    return {
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "kube-system"},
        "spec": {"template": {"spec": {"containers": [CONTAINER]}}},
        "status": {"readyReplicas": ready},
    }


@pytest.mark.parametrize(
    ("snapshot", "certainty", "says"),
    [
        pytest.param(
            given(), "unknown", "cannot be told: leases and events were not given", id="nothing to tell it by"
        ),
        pytest.param(
            given(lease("kube-scheduler", 5), event("Scheduled", by="default-scheduler")),
            "likely",
            "mine: no lease, no event of the last 10 minutes and no deployment. There is default-scheduler.",
            id="another scheduler runs",
        ),
        pytest.param(given(lease("mine", 5), event("Scheduled")), None, "", id="its lease is held"),
        pytest.param(
            given(lease("mine", 500), event("Scheduled", ago=900)),
            "likely",
            "its lease kube-system/mine was last renewed at 2025-12-31 23:51:40 UTC",
            id="its lease has run out",
        ),
        pytest.param(
            given(lease("x", 5), event("Scheduled", by="mine", ago=100)), None, "", id="it has bound a pod lately"
        ),
        pytest.param(
            given(lease("x", 5), event("Scheduled", by="mine", ago=900)),
            "likely",
            "no event of the last 10 minutes",
            id="it bound its last pod long ago",
        ),
        pytest.param(
            given(scheduler_deployment("mine", 0)),
            "likely",
            "Deployment kube-system/mine has no ready pod",
            id="its deployment is down",
        ),
        pytest.param(given(scheduler_deployment("mine", 1)), None, "", id="its deployment is up"),
    ],
)
def test_whether_a_scheduler_answers(snapshot: Snapshot, certainty: str | None, says: str) -> None:
    found = find_scheduler(snapshot, as_pod(OTHER), NOW)
    assert (found.certainty if found else None) == certainty
    assert found is None or says in found.says


def test_a_pod_that_was_judged_has_a_scheduler() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    pod = as_pod(OTHER | {"status": {"conditions": [condition]}})
    assert find_scheduler(given(lease("x", 5), event("Scheduled")), pod, NOW) is None


def maker(kind: str, name: str, owner: str = "") -> Object:
    owners = [{"kind": "Deployment", "name": owner}] if owner else []
    return {"kind": kind, "metadata": {"name": name, "namespace": "shop", "ownerReferences": owners}}


QUOTA = 'Error creating: pods "web-" is forbidden: exceeded quota: small, requested: cpu=1, used: cpu=4, limited: cpu=4'
ACCOUNT = (
    'Error creating: pods "web-" is forbidden: error looking up service account shop/robot: '
    'serviceaccount "robot" not found'
)
WEBHOOK = 'Error creating: admission webhook "policy.example.com" denied the request: no'
SECURITY = 'Error creating: pods "web" is forbidden: violates PodSecurity "restricted:latest": privileged'
PRIORITY = 'Error creating: pods "web-" is forbidden: no PriorityClass with name urgent was found'


@pytest.mark.parametrize(
    ("note", "says", "command"),
    [
        pytest.param(QUOTA, "quota small is used up", "kubectl -n shop describe quota small", id="quota"),
        pytest.param(
            ACCOUNT, "ServiceAccount robot does not exist", "kubectl -n shop create serviceaccount robot", id="account"
        ),
        pytest.param(
            WEBHOOK, "the admission webhook policy.example.com refuses it", "kubectl get validating", id="webhook"
        ),
        pytest.param(
            SECURITY,
            "it violates the pod security standard restricted:latest",
            "kubectl get namespace shop",
            id="pod security",
        ),
        pytest.param(
            PRIORITY, "PriorityClass urgent does not exist", "kubectl get priorityclasses", id="priority class"
        ),
        pytest.param("Error creating: no", "admission refuses it", "kubectl -n shop get events", id="anything else"),
    ],
)
def test_why_a_pod_could_not_be_created(note: str, says: str, command: str) -> None:
    failed = event("FailedCreate", "web-5d", "ReplicaSet", note)
    snapshot = given(maker("Deployment", "web"), maker("ReplicaSet", "web-5d", "web"), failed)
    for name, kind in (("web", "Deployment"), ("web-5d", "ReplicaSet"), ("web-5d-x7", "")):
        (found,) = find_failed_creation(snapshot, "shop", name, kind)
        assert found.says.startswith(f"ReplicaSet web-5d cannot create the pod: {says} (")
        assert (found.command or "").startswith(command)
    assert find_failed_creation(snapshot, "shop", "other") == []


def test_a_dump_holds_of_a_scheduler_only_what_tells_its_name() -> None:
    deployment = scheduler_deployment("mine", 1)
    secret = {"name": "TOKEN", "value": "s3cret"}
    deployment["spec"]["template"]["spec"]["containers"] = [
        {**CONTAINER, "env": [secret], "args": ["--token=s3cret", "--scheduler-name=mine"]}
    ]
    small: Any = reduced(msgspec.convert(deployment, BY_NAME["Deployment"].kind.type))
    assert b"s3cret" not in msgspec.json.encode(small)
    snapshot = given()
    snapshot.add_maker("Deployment", small)
    assert find_scheduler(snapshot, as_pod(OTHER), NOW) is None
