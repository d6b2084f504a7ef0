"""Pods that preempt others: who is evicted, what is said about it, and which node is promised to whom meanwhile."""

from typing import Any

from tests.scheduler.fake_cluster import NODE, POD, FakeCluster
from tests.scheduler.live import make_scheduler, running, until
from tests.scheduler.virtual_time import in_virtual_time

from roost.errors import ApiError, Forbidden
from roost.testing.builders import node, pod

HIGH, LOW = "default/high", "default/low"


def full_cluster(*victims: str, cpu: str = "1") -> FakeCluster:
    """Return a cluster of one node that pods of priority 1, which ask for a CPU each, fill."""
    cluster = FakeCluster()
    cluster.add(NODE, node("node", cpu=len(victims), pods=10))
    for name in victims:
        cluster.add(POD, pod(name, cpu=cpu, priority=1, node_name="node", status={"phase": "Running"}))
    return cluster


def disruption(cluster: FakeCluster, key: str) -> dict[str, Any]:
    conditions = cluster.pod(key)["status"].get("conditions", [])
    return next((one for one in conditions if one["type"] == "DisruptionTarget"), {})


def terminating_slowly(cluster: FakeCluster) -> None:
    """Have deleted pods stay, as those with a grace period do."""

    async def delete(kind: Any, name: str, namespace: str = "", **_: Any) -> None:
        cluster.change(kind, f"{namespace}/{name}", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})

    cluster.delete = delete  # type: ignore[method-assign]


@in_virtual_time
async def test_a_pod_of_higher_priority_takes_the_place_of_a_lower_one() -> None:
    cluster = full_cluster("low")
    cluster.add(POD, pod("high", cpu="1", priority=9))
    async with running(cluster):
        await until(lambda: cluster.placements() == {HIGH: "node"})
    (event,) = cluster.events("Preempted")
    uid = cluster.pod(HIGH)["metadata"]["uid"]
    assert (event["note"], event["type"]) == (f"Preempted by pod {uid} on node node", "Normal")
    assert (event["action"], event["regarding"]["name"], event["related"]["name"]) == ("Preempting", "low", "high")
    assert event["reportingController"] == "roost"
    (failed,) = cluster.events("FailedScheduling")
    assert failed["note"] == "0/1 nodes are available: 1 Insufficient cpu."


@in_virtual_time
async def test_while_the_victim_ends_the_node_is_promised_and_nobody_else_is_evicted() -> None:
    cluster = full_cluster("low", "other")
    terminating_slowly(cluster)
    cluster.add(POD, pod("high", cpu="1", priority=9))
    async with running(cluster) as scheduler:
        await until(lambda: cluster.pod(HIGH)["status"].get("nominatedNodeName") == "node")
        ending = [key for key in (LOW, "default/other") if "deletionTimestamp" in cluster.pod(key)["metadata"]]
        assert len(ending) == 1
        assert disruption(cluster, ending[0]) == {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "PreemptionByScheduler",
            "message": "roost: preempting to accommodate a higher priority pod",
            "observedGeneration": 1,
            "lastTransitionTime": disruption(cluster, ending[0])["lastTransitionTime"],
        }
        cluster.add(NODE, node("tiny", cpu="100m"))  # something changes: the pod is looked at again
        await until(lambda: scheduler.queue.get(HIGH).state == "unschedulable")  # type: ignore[union-attr]
        assert len(cluster.events("Preempted")) == 1
        cluster.remove(POD, ending[0])
        await until(lambda: cluster.node_of(HIGH) == "node")
    assert len(cluster.events("Preempted")) == 1


@in_virtual_time
async def test_a_promised_node_is_left_to_the_pod_that_waits_for_it() -> None:
    cluster = full_cluster("low")
    cluster.add(POD, pod("waiting", cpu="1", priority=5, status={"nominatedNodeName": "node"}))
    cluster.change(POD, "default/waiting", spec={"schedulingGates": None})
    terminating_slowly(cluster)
    async with running(cluster) as scheduler:
        await until(lambda: "deletionTimestamp" in cluster.pod(LOW)["metadata"])
        cluster.add(POD, pod("late", cpu="500m", priority=0))
        await until(lambda: scheduler.queue.get("default/late") is not None)
        await until(lambda: scheduler.queue.get("default/late").state == "unschedulable")  # type: ignore[union-attr]
        cluster.remove(POD, LOW)
        await until(lambda: cluster.node_of("default/waiting") == "node")
        assert cluster.node_of("default/late") == ""


@in_virtual_time
async def test_a_more_important_pod_takes_a_promise_over() -> None:
    cluster = full_cluster("low")
    terminating_slowly(cluster)
    cluster.add(POD, pod("middle", cpu="1", priority=5))
    async with running(cluster) as scheduler:
        await until(lambda: cluster.pod("default/middle")["status"].get("nominatedNodeName") == "node")
        cluster.add(POD, pod("high", cpu="1", priority=9))
        await until(lambda: cluster.pod(HIGH)["status"].get("nominatedNodeName") == "node")
        await until(lambda: "nominatedNodeName" not in cluster.pod("default/middle")["status"])
        promised = scheduler.cache.view.nominations
        assert [info.key for info in promised.on("node")] == [HIGH]
        cluster.remove(POD, LOW)
        await until(lambda: cluster.node_of(HIGH) == "node")
    assert cluster.node_of("default/middle") == ""


@in_virtual_time
async def test_a_pod_that_may_not_preempt_waits() -> None:
    cluster = full_cluster("low")
    cluster.add(POD, pod("high", cpu="1", priority=9, spec={"preemptionPolicy": "Never"}))
    async with running(cluster):
        await until(lambda: bool(cluster.events("FailedScheduling")))
    (event,) = cluster.events("FailedScheduling")
    assert event["note"].endswith("preemption: not eligible due to preemptionPolicy=Never.")
    assert cluster.placements() == {LOW: "node"}


@in_virtual_time
async def test_an_eviction_that_fails_for_a_moment_is_tried_again() -> None:
    cluster = full_cluster("low")
    cluster.add(POD, pod("high", cpu="1", priority=9))
    cluster.fail("delete", ApiError("etcd is away", status=500), times=2)
    async with running(cluster):
        await until(lambda: cluster.placements() == {HIGH: "node"})


@in_virtual_time
async def test_an_eviction_that_is_refused_is_decided_again() -> None:
    cluster = full_cluster("low")
    cluster.add(POD, pod("high", cpu="1", priority=9))
    cluster.fail("delete", Forbidden("no", status=403), times=1)
    async with running(cluster):
        await until(lambda: cluster.placements() == {HIGH: "node"})


@in_virtual_time
async def test_a_victim_that_is_gone_already_is_none() -> None:
    cluster = full_cluster("low")
    cluster.latency = 0.1
    cluster.add(POD, pod("high", cpu="1", priority=9))
    async with running(cluster):
        await until(lambda: cluster.asked("patch status") > 0)
        cluster.remove(POD, LOW)
        await until(lambda: cluster.placements() == {HIGH: "node"})
    assert cluster.events("Preempted") == []


@in_virtual_time
async def test_the_promise_goes_with_the_pod() -> None:
    cluster = full_cluster("low")
    terminating_slowly(cluster)
    cluster.add(POD, pod("high", cpu="1", priority=9))
    async with running(cluster) as scheduler:
        await until(lambda: cluster.pod(HIGH)["status"].get("nominatedNodeName") == "node")
        cluster.remove(POD, HIGH)
        await until(lambda: len(scheduler.cache.view.nominations) == 0)


@in_virtual_time
async def test_one_pass_evicts_and_ends() -> None:
    cluster = full_cluster("low")
    cluster.add(POD, pod("high", cpu="1", priority=9))
    await make_scheduler(cluster).run_once()
    assert LOW not in cluster.objects["pods"]
    assert cluster.pod(HIGH)["status"]["nominatedNodeName"] == "node"
