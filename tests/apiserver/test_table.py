"""Tables as kube-apiserver fills them: what `kubectl get` shows."""

from typing import Any

import pytest

from roost.apiserver.ages import duration
from roost.apiserver.pod_row import pod_row
from roost.apiserver.resources import NEW_EVENT, NODE, POD, RESOURCES, Resource
from roost.apiserver.store import Object
from roost.apiserver.stored import Event, Stored, bookmark
from roost.apiserver.table import check_include, table, table_event
from roost.apiserver.timestamps import rfc3339
from roost.errors import ApiError

NOW = 1_767_225_600.0


def stored(resource: Resource, **obj: Any) -> Stored:
    metadata = {"name": "it", "creationTimestamp": rfc3339(NOW - 75), **obj.pop("metadata", {})}
    whole = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, **obj}
    return Stored(resource, whole, 7)


def shown(resource: Resource, wide: bool = True, **obj: Any) -> dict[str, object]:
    found = table(resource, [stored(resource, **obj)], {}, NOW)
    columns = [one["name"] for one in found["columnDefinitions"] if wide or not one["priority"]]
    return dict(zip(columns, found["rows"][0]["cells"], strict=wide))


def pod(phase: str = "Running", containers: int = 1, **status: Any) -> Object:
    names = [f"c{i}" for i in range(containers)]
    return {
        "metadata": {"name": "it"},
        "spec": {"containers": [{"name": name} for name in names]},
        "status": {"phase": phase, **status},
    }


def container(state: Object, *, ready: bool = False, name: str = "c0", restarts: int = 0, **more: Any) -> Object:
    return {"name": name, "ready": ready, "restartCount": restarts, "state": state, **more}


RUNNING, WAITING = {"running": {}}, {"waiting": {"reason": "CrashLoopBackOff"}}


def ended(code: int, **more: Any) -> Object:
    return {"terminated": {"exitCode": code, **more}}


class TestPodStatus:
    @pytest.mark.parametrize(
        ("status", "reason", "ready"),
        [
            ({"phase": "Pending"}, "Pending", 0),
            ({"containerStatuses": [container(RUNNING, ready=True)]}, "Running", 1),
            ({"containerStatuses": [container(WAITING)]}, "CrashLoopBackOff", 0),
            ({"containerStatuses": [container({"waiting": {"reason": "ContainerCreating"}})]}, "ContainerCreating", 0),
            ({"containerStatuses": [container(ended(0, reason="Completed"))], "phase": "Succeeded"}, "Completed", 0),
            ({"containerStatuses": [container(ended(1, reason="Error"))], "phase": "Failed"}, "Error", 0),
            ({"containerStatuses": [container(ended(3))]}, "ExitCode:3", 0),
            ({"containerStatuses": [container(ended(0, signal=9))]}, "Signal:9", 0),
            ({"reason": "Evicted", "phase": "Failed"}, "Evicted", 0),
            ({"initContainerStatuses": [container(RUNNING)]}, "Init:0/0", 0),
            ({"initContainerStatuses": [container(WAITING)]}, "Init:CrashLoopBackOff", 0),
            ({"initContainerStatuses": [container(ended(2))]}, "Init:ExitCode:2", 0),
            ({"conditions": [{"type": "PodScheduled", "reason": "SchedulingGated"}]}, "SchedulingGated", 0),
        ],
    )
    def test_reason_and_readiness(self, status: Object, reason: str, ready: int) -> None:
        row = pod_row(pod(**status))
        assert (row.reason, row.ready) == (reason, ready)

    @pytest.mark.parametrize(
        ("others", "reason"),
        [
            ([container(RUNNING, ready=True, name="c1")], "NotReady"),
            ([container(ended(1, reason="Error"), name="c1")], "Error"),
        ],
    )
    def test_some_have_completed(self, others: list[Object], reason: str) -> None:
        statuses = [container(ended(0, reason="Completed")), *others]
        assert pod_row(pod(containers=2, containerStatuses=statuses)).reason == reason

    def test_a_leaving_pod(self) -> None:
        leaving = pod()
        leaving["metadata"]["deletionTimestamp"] = rfc3339(NOW)
        assert pod_row(leaving).reason == "Terminating"
        leaving["status"]["reason"] = "NodeLost"
        assert pod_row(leaving).reason == "Unknown"

    def test_sidecars_count(self) -> None:
        one = pod(
            initContainerStatuses=[container(RUNNING, ready=True, name="side", started=True, restarts=2)],
            containerStatuses=[container(RUNNING, ready=True)],
        )
        one["spec"]["initContainers"] = [{"name": "side", "restartPolicy": "Always"}]
        row = pod_row(one)
        assert (row.ready, row.total, row.restarts, row.reason) == (2, 2, 2, "Running")

    def test_restarts_say_when_the_last_was(self) -> None:
        last = {"terminated": {"exitCode": 1, "finishedAt": rfc3339(NOW - 300)}}
        row = pod_row(pod(containerStatuses=[container(RUNNING, ready=True, restarts=4, lastState=last)]))
        assert row.restarts_text(NOW) == "4 (5m ago)"


class TestKinds:
    def test_pod(self) -> None:
        one = pod("Pending", nominatedNodeName="n9")
        one["spec"]["readinessGates"] = [{"conditionType": "x"}]
        assert shown(POD, **one) == {
            "Name": "it",
            "Ready": "0/1",
            "Status": "Pending",
            "Restarts": "0",
            "Age": "75s",
            "IP": "<none>",
            "Node": "<none>",
            "Nominated Node": "n9",
            "Readiness Gates": "0/1",
        }

    def test_node(self) -> None:
        labels = {"node-role.kubernetes.io/control-plane": "", "kubernetes.io/role": "master"}
        status = {
            "conditions": [{"type": "Ready", "status": "False"}],
            "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
            "nodeInfo": {"kubeletVersion": "v1.36.0", "kernelVersion": "6.1", "architecture": "arm64"},
        }
        cells = shown(NODE, metadata={"labels": labels}, spec={"unschedulable": True}, status=status)
        assert list(cells.values()) == [
            "it",
            "NotReady,SchedulingDisabled",
            "control-plane,master",
            "75s",
            "v1.36.0",
            "10.0.0.1",
            "<none>",
            "<unknown>",
            "6.1 (arm64)",
            "<unknown>",
        ]

    def test_a_node_that_says_nothing(self) -> None:
        assert shown(NODE)["Status"] == "Unknown"

    def test_both_faces_of_an_event_look_alike(self) -> None:
        cells = shown(
            NEW_EVENT,
            regarding={"kind": "Pod", "name": "p"},
            type="Warning",
            reason="FailedScheduling",
            note=" no room\n",
            eventTime=rfc3339(NOW - 3700),
            reportingController="roost",
            reportingInstance="host-1",
            series={"count": 3, "lastObservedTime": rfc3339(NOW - 10)},
        )
        assert list(cells.values()) == [
            "10s",
            "Warning",
            "FailedScheduling",
            "pod/p",
            "",
            "roost, host-1",
            "no room",
            "61m",
            3,
            "it",
        ]
        assert list(cells)[:4] == ["Last Seen", "Type", "Reason", "Object"]

    @pytest.mark.parametrize("resource", RESOURCES, ids=lambda one: one.qualified)
    def test_every_kind_shows_an_empty_object(self, resource: Resource) -> None:
        assert len(shown(resource)) >= 2

    def test_unknown_kinds_show_name_and_age(self) -> None:
        assert shown(Resource(group="x.dev", plural="things", kind="Thing")) == {"Name": "it", "Age": "75s"}


class TestShape:
    def test_ended_pods_say_so(self) -> None:
        row = table(POD, [stored(POD, spec={}, status={"phase": "Succeeded"})], {}, NOW)["rows"][0]
        assert row["conditions"][0]["reason"] == "Succeeded"

    @pytest.mark.parametrize(
        ("include", "kind"), [("", "PartialObjectMetadata"), ("Metadata", "PartialObjectMetadata")]
    )
    def test_metadata_come_along(self, include: str, kind: str) -> None:
        assert table(NODE, [stored(NODE)], {}, NOW, include)["rows"][0]["object"]["kind"] == kind

    def test_nothing_comes_along(self) -> None:
        assert "object" not in table(NODE, [stored(NODE)], {}, NOW, "None")["rows"][0]

    def test_an_unknown_include_is_refused(self) -> None:
        with pytest.raises(ApiError):
            check_include("All")

    def test_columns_come_once_in_a_watch(self) -> None:
        event = Event("ADDED", stored(NODE))
        assert table_event(event, NOW)["object"]["columnDefinitions"]
        assert table_event(event, NOW, headed=False)["object"]["columnDefinitions"] is None

    def test_a_bookmark_has_no_rows(self) -> None:
        found = table_event(bookmark(NODE, 9), NOW)["object"]
        assert found["rows"] == []
        assert found["metadata"]["resourceVersion"] == "9"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (119, "119s"),
        (120, "2m"),
        (185, "3m5s"),
        (10 * 60, "10m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 61, "3h1m"),
        (8 * 3600 + 61, "8h"),
        (2 * 86400, "2d"),
        (2 * 86400 + 3600, "2d1h"),
        (9 * 86400 + 3600, "9d"),
        (3 * 365 * 86400, "3y"),
        (3 * 365 * 86400 + 86400, "3y1d"),
        (9 * 365 * 86400 + 86400, "9y"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
