"""Pods with volumes in the live loop: what is written about their claims, how long they wait, and what is undone."""

from typing import Any

import pytest
from tests.scheduler.fake_cluster import FakeCluster
from tests.scheduler.live import running, turns, until
from tests.scheduler.virtual_time import in_virtual_time

from roost.api.kinds import NODE, PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM, POD, STORAGE_CLASS
from roost.api.storage import BIND_COMPLETED, BOUND_BY_CONTROLLER, SELECTED_NODE
from roost.config.profiles import profile_from_fragment
from roost.errors import Conflict, Unreachable
from roost.testing import node, pod
from roost.testing.storage import claim, storage_class, using, volume

WEB, DATA = "default/web", "default/data"
PRE_BIND = 'running PreBind plugin "VolumeBinding": '
TWO_SECONDS = {
    "schedulerName": "roost",
    "pluginConfig": [{"name": "VolumeBinding", "args": {"bindTimeoutSeconds": 2}}],
}


def world(*pods: Any, made: bool = False) -> FakeCluster:
    """Two nodes, a class, a claim of it, and a volume for it if volumes are not made."""
    cluster = FakeCluster()
    for name in ("a", "b"):
        cluster.add(NODE, node(name, labels={"zone": name}))
    cluster.add(STORAGE_CLASS, storage_class(provisioner="x" if made else "kubernetes.io/no-provisioner"))
    if not made:
        cluster.add(PERSISTENT_VOLUME, volume("v", reach={"zone": "b"}))
    cluster.add(PERSISTENT_VOLUME_CLAIM, claim())
    for one in pods:
        cluster.add(POD, one)
    return cluster


def claimed(cluster: FakeCluster) -> Any:
    return cluster.get_object(PERSISTENT_VOLUME_CLAIM, DATA)


def selected(cluster: FakeCluster) -> str:
    return str((claimed(cluster)["metadata"].get("annotations") or {}).get(SELECTED_NODE, ""))


def bind_claim(cluster: FakeCluster, to: str = "v") -> None:
    """Do what the controller does when a volume and a claim are meant for each other."""
    cluster.change(
        PERSISTENT_VOLUME_CLAIM, DATA, spec={"volumeName": to}, metadata={"annotations": {BIND_COMPLETED: "yes"}}
    )


def told(cluster: FakeCluster) -> list[str]:
    return [event["note"] for event in cluster.events("FailedScheduling", "web")]


@in_virtual_time
async def test_a_volume_is_kept_for_the_claim_and_the_pod_bound_when_both_are() -> None:
    cluster = world(using("data", name="web"))
    async with running(cluster):
        await until(lambda: cluster.asked("patch", PERSISTENT_VOLUME) == 1)
        await turns(50)
        kept = cluster.get_object(PERSISTENT_VOLUME, "v")
        assert kept["spec"]["claimRef"] == {
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "default", "name": "data",
            "uid": claimed(cluster)["metadata"]["uid"],
            "resourceVersion": claimed(cluster)["metadata"]["resourceVersion"],
        }  # fmt: skip
        assert kept["metadata"]["annotations"] == {BOUND_BY_CONTROLLER: "yes"}
        assert not cluster.placements()
        bind_claim(cluster)
        await until(lambda: cluster.placements() == {WEB: "b"})
    assert not cluster.asked("patch", PERSISTENT_VOLUME_CLAIM)
    assert not cluster.asked("get", PERSISTENT_VOLUME_CLAIM)


@in_virtual_time
async def test_a_claim_is_told_its_node_and_the_pod_bound_when_a_volume_was_made() -> None:
    cluster = world(using("data", name="web"), made=True)
    async with running(cluster):
        await until(lambda: selected(cluster) == "a")
        cluster.add(PERSISTENT_VOLUME, volume("made", reach={"zone": "a"}, claim=DATA))
        bind_claim(cluster, "made")
        await until(lambda: cluster.placements() == {WEB: "a"})


@in_virtual_time
async def test_the_next_pod_with_the_claim_is_decided_while_the_first_still_waits() -> None:
    cluster = world(using("data", name="web", cpu="3"), using("data", name="also", cpu="3"), made=True)
    async with running(cluster):
        await until(lambda: cluster.condition("default/also").get("reason") == "Unschedulable")
        assert (
            "node(s) didn't find available persistent volumes to bind" in cluster.condition("default/also")["message"]
        )
        assert not cluster.placements()


@in_virtual_time
async def test_pods_without_claims_do_not_wait_for_those_with() -> None:
    cluster = world(using("data", name="web"), pod("plain"), made=True)
    async with running(cluster):
        await until(lambda: cluster.node_of("default/plain") != "")
        assert not cluster.node_of(WEB)


@in_virtual_time
async def test_a_claim_that_the_provisioner_gives_up_on_brings_its_pod_back() -> None:
    cluster = world(using("data", name="web"), made=True)
    async with running(cluster) as scheduler:
        await until(lambda: selected(cluster) != "")
        cluster.change(PERSISTENT_VOLUME_CLAIM, DATA, metadata={"annotations": {SELECTED_NODE: None, "x": "y"}})
        await until(lambda: len(told(cluster)) == 1)
        assert told(cluster) == [f'{PRE_BIND}binding volumes: provisioning failed for PVC "data"']
        assert cluster.condition(WEB)["reason"] == "SchedulerError"
        await until(lambda: selected(cluster) != "")
        assert scheduler.cache.is_assumed(WEB)


@in_virtual_time
async def test_a_volume_made_elsewhere_is_no_volume_for_the_pod() -> None:
    cluster = world(using("data", name="web"), made=True)
    async with running(cluster):
        await until(lambda: selected(cluster) == "a")
        cluster.add(PERSISTENT_VOLUME, volume("made", reach={"zone": "b"}, claim=DATA))
        bind_claim(cluster, "made")
        await until(lambda: len(told(cluster)) > 0)
        assert told(cluster)[0] == (
            f'{PRE_BIND}binding volumes: pv "made" node affinity doesn\'t match node "a": no matching NodeSelectorTerms'
        )
        await until(lambda: cluster.placements() == {WEB: "b"})


@in_virtual_time
async def test_a_pod_does_not_wait_for_ever_and_gives_its_room_back() -> None:
    cluster = world(using("data", name="web", cpu="4"), made=True)
    cluster.remove(NODE, "b")
    async with running(cluster, [profile_from_fragment(TWO_SECONDS)]) as scheduler:
        await until(lambda: selected(cluster) == "a")
        took = await until(lambda: len(told(cluster)) == 1)
        assert 1.9 < took < 2.5
        assert told(cluster) == [f"{PRE_BIND}binding volumes: context deadline exceeded"]
        assert not scheduler.cache.is_assumed(WEB)
        cluster.add(POD, pod("other", cpu="4"))
        await until(lambda: cluster.node_of("default/other") == "a")


@in_virtual_time
async def test_what_was_assumed_of_a_volume_is_forgotten_when_it_could_not_be_written() -> None:
    cluster = world(using("data", name="web"))
    cluster.fail("patch", Conflict("somebody was faster", status=409))
    async with running(cluster) as scheduler:
        await until(lambda: len(told(cluster)) == 1)
        assert told(cluster) == [f"{PRE_BIND}somebody was faster"]
        assumed = scheduler.cache.view.storage.volume("v")
        assert assumed is not None
        assert assumed.spec.claim_ref is None
        await until(lambda: cluster.asked("patch", PERSISTENT_VOLUME) == 2)
        bind_claim(cluster)
        await until(lambda: cluster.placements() == {WEB: "b"})


@in_virtual_time
async def test_a_conflict_with_somebody_who_wrote_the_same_is_none() -> None:
    cluster = world(using("data", name="web"), made=True)
    same = {"annotations": {SELECTED_NODE: "a"}}

    def be_faster(key: str) -> bool:
        cluster.change(PERSISTENT_VOLUME_CLAIM, DATA, metadata=same)
        return True

    cluster.fail("patch", None, concerns=be_faster)
    async with running(cluster):
        await until(lambda: cluster.asked("get", PERSISTENT_VOLUME_CLAIM) == 1)
        cluster.add(PERSISTENT_VOLUME, volume("made", claim=DATA))
        bind_claim(cluster, "made")
        await until(lambda: cluster.placements() == {WEB: "a"})
        assert not told(cluster)


@in_virtual_time
async def test_an_api_server_that_is_away_is_no_fault_of_the_pod() -> None:
    cluster = world(using("data", name="web"), made=True)
    cluster.fail("patch", Unreachable("it is away"))
    async with running(cluster):
        await until(lambda: selected(cluster) != "")
        assert not told(cluster)


@in_virtual_time
async def test_a_pod_that_is_deleted_while_it_waits_is_let_go() -> None:
    cluster = world(using("data", name="web"), made=True)
    async with running(cluster) as scheduler:
        await until(lambda: selected(cluster) != "")
        cluster.remove(POD, WEB)
        await until(lambda: scheduler.binder.is_idle)
        assert not scheduler.cache.is_assumed(WEB)
        assert not told(cluster)


@pytest.mark.parametrize(
    ("plural", "key", "why"),
    [
        pytest.param(
            PERSISTENT_VOLUME, "v", 'failed to check binding: persistentvolumes "v" not found', id="the volume"
        ),
        pytest.param(
            PERSISTENT_VOLUME_CLAIM,
            DATA,
            f'failed to check binding: persistentvolumeclaims "{DATA}" not found',
            id="the claim",
        ),
    ],
)
@in_virtual_time
async def test_what_disappears_while_a_pod_waits_is_named(plural: Any, key: str, why: str) -> None:
    cluster = world(using("data", name="web"))
    async with running(cluster):
        await until(lambda: cluster.asked("patch", PERSISTENT_VOLUME) == 1)
        await turns(50)
        cluster.remove(plural, key)
        await until(lambda: len(told(cluster)) > 0)
        assert told(cluster)[0] == f"{PRE_BIND}binding volumes: {why}"


@in_virtual_time
async def test_a_volume_that_is_taken_back_is_noticed() -> None:
    cluster = world(using("data", name="web"))
    async with running(cluster):
        await until(lambda: cluster.asked("patch", PERSISTENT_VOLUME) == 1)
        await turns(50)
        cluster.change(PERSISTENT_VOLUME, "v", spec={"claimRef": None})
        await until(lambda: len(told(cluster)) > 0)
        assert told(cluster)[0] == f'{PRE_BIND}binding volumes: ClaimRef got reset for pv "v"'


@in_virtual_time
async def test_a_pod_is_woken_when_its_claim_comes() -> None:
    cluster = world(using("late", name="web"))
    async with running(cluster):
        await until(lambda: cluster.condition(WEB).get("reason") == "Unschedulable")
        assert 'persistentvolumeclaim "late" not found' in cluster.condition(WEB)["message"]
        cluster.add(PERSISTENT_VOLUME, volume("bound", reach={"zone": "a"}, phase="Bound"))
        cluster.add(PERSISTENT_VOLUME_CLAIM, claim("late", volume="bound"))
        await until(lambda: cluster.placements() == {WEB: "a"})
