"""The embedded cluster as a `Cluster`: values instead of dicts, and watches that end and go on."""

import asyncio
from contextlib import aclosing
from typing import Any

import msgspec
import pytest
from tests.apiserver.building import add_node, add_pod, label, new_store, pod

from roost.api.kinds import EVENT, LEASE, NODE, POD, AnyObject, Kind
from roost.apiserver import resources
from roost.apiserver.in_process import InProcessCluster
from roost.errors import Conflict, Gone, NotFound, Unreachable
from roost.framework.cluster import Cluster, WatchEvent


@pytest.fixture
def cluster() -> InProcessCluster:
    store = new_store()
    add_node(store)
    return InProcessCluster(store)


def fits(cluster: Cluster) -> Cluster:
    return cluster


def body(**fields: Any) -> bytes:
    return msgspec.json.encode(pod(**fields))


async def test_it_is_a_cluster(cluster: InProcessCluster) -> None:
    assert fits(cluster) is cluster
    assert await cluster.discover("v1") >= {"pods", "nodes", "events"}
    assert await cluster.discover("policy/v1") == {"poddisruptionbudgets"}


async def test_objects_come_as_values(cluster: InProcessCluster) -> None:
    created = await cluster.create(POD, body(), "default")
    assert created == await cluster.get(POD, "web", "default")
    assert created.spec.scheduler_name == "default-scheduler"
    assert created.key == "default/web"
    listing = await cluster.list(POD, field_selector="spec.nodeName=")
    assert listing.items == [created]
    assert listing.resource_version == created.metadata.resource_version
    assert (await cluster.list(NODE)).items[0].name == "node-0"


async def test_one_object_that_cannot_be_read_does_not_hide_the_others(cluster: InProcessCluster) -> None:
    add_pod(cluster.store, "good")
    odd = add_pod(cluster.store, "odd")
    cluster.store.replace(odd, {**odd.object, "spec": {"nodeSelector": {"a": 5}}})
    listing = await cluster.list(POD)
    assert [value.name for value in listing.items] == ["good"]
    (problem,) = listing.malformed
    assert problem.key == "default/odd"
    assert problem.problem.startswith("Pod default/odd cannot be read: ")


async def test_binding_evicting_and_deleting(cluster: InProcessCluster) -> None:
    uid = (await cluster.create(POD, body(), "default")).metadata.uid
    with pytest.raises(Conflict):
        await cluster.bind("default", "web", "other", "node-0")
    await cluster.bind("default", "web", uid, "node-0")
    assert (await cluster.get(POD, "web", "default")).spec.node_name == "node-0"
    with pytest.raises(Conflict):
        await cluster.delete(POD, "web", "default", uid="other")
    await cluster.evict("default", "web", uid)
    assert (await cluster.get(POD, "web", "default")).is_terminating


async def test_a_patch_of_the_status_merges_conditions_by_type(cluster: InProcessCluster) -> None:
    await cluster.create(POD, body(spec={"schedulingGates": [{"name": "g"}]}), "default")

    def why(type_: str, reason: str) -> Any:
        return {"status": {"conditions": [{"type": type_, "status": "False", "reason": reason}]}}

    await cluster.patch(POD, "web", why("PodScheduled", "Unschedulable"), "default", subresource="status")
    patched = await cluster.patch(POD, "web", why("Other", "Test"), "default", subresource="status")
    assert {one.type: one.reason for one in patched.status.conditions or ()} == {
        "PodScheduled": "Unschedulable",
        "Other": "Test",
    }
    with pytest.raises(Conflict):
        await cluster.patch(POD, "web", {"metadata": {"uid": "other"}, "status": {}}, "default", subresource="status")


async def test_leases_are_created_and_taken_over_by_version(cluster: InProcessCluster) -> None:
    lease = {"metadata": {"name": "lock"}, "spec": {"holderIdentity": "a"}}
    created = await cluster.create(LEASE, msgspec.json.encode(lease), "default")
    lease["metadata"]["resourceVersion"] = created.metadata.resource_version
    lease["spec"]["holderIdentity"] = "b"
    taken = await cluster.update(LEASE, "lock", msgspec.json.encode(lease), "default")
    assert taken.spec["holderIdentity"] == "b"
    with pytest.raises(Conflict):
        await cluster.update(LEASE, "lock", msgspec.json.encode(lease), "default")


async def test_events_are_posted(cluster: InProcessCluster) -> None:
    await cluster.post(EVENT, b'{"metadata":{"name":"e"},"note":"hello","regarding":{"name":"web"}}', "default")
    assert cluster.store.get(resources.EVENT, "e", "default").object["message"] == "hello"


async def test_a_kind_that_is_not_served_is_stored_all_the_same(cluster: InProcessCluster) -> None:
    widget = Kind(group="example.com", plural="widgets", name="Widget", type=AnyObject)
    await cluster.create(widget, b'{"metadata":{"name":"w"},"any":"thing"}', "default")
    assert (await cluster.get(widget, "w", "default")).metadata.name == "w"
    with pytest.raises(NotFound, match=r'widgets.example.com "x" not found'):
        await cluster.get(widget, "x", "default")


# ---- watches


async def next_of(batches: Any) -> list[tuple[str, str]]:
    events: list[WatchEvent[Any]] = await asyncio.wait_for(anext(batches), 5)
    return [(event.type, event.object.name if event.object else "") for event in events]


async def test_a_watch_gives_what_has_arrived_at_once(cluster: InProcessCluster) -> None:
    version = (await cluster.list(POD)).resource_version
    add_pod(cluster.store, "before")
    async with aclosing(cluster.watch(POD, resource_version=version)) as batches:
        assert await next_of(batches) == [("ADDED", "before")]
        for name in ("a", "b"):
            add_pod(cluster.store, name)
        assert await next_of(batches) == [("ADDED", "a"), ("ADDED", "b")]
        label(cluster.store, "a", x="y")
        assert await next_of(batches) == [("MODIFIED", "a")]
    assert not cluster.store._collection(resources.POD).watches


async def test_an_interrupted_watch_ends_after_what_it_had(cluster: InProcessCluster) -> None:
    watch = cluster.watch(POD, resource_version=str(cluster.store.version))
    first = asyncio.create_task(next_of(watch))
    await asyncio.sleep(0.01)
    add_pod(cluster.store)
    cluster.interrupt_watches()
    assert await first == [("ADDED", "web")]
    with pytest.raises(StopAsyncIteration):
        await anext(watch)


async def test_a_watch_from_a_forgotten_past_is_gone(cluster: InProcessCluster) -> None:
    version = cluster.store.version
    add_pod(cluster.store)
    cluster.expire_watch_log()
    with pytest.raises(Gone):
        await anext(cluster.watch(POD, resource_version=str(version)))


async def test_a_watcher_that_does_not_read_is_cut_off_and_can_go_on(cluster: InProcessCluster) -> None:
    slow = InProcessCluster(cluster.store, inbox_size=3)
    watch = slow.watch(POD, resource_version=str(cluster.store.version))
    add_pod(cluster.store, "first")
    events = [*await anext(watch)]
    for i in range(5):
        add_pod(cluster.store, f"pod-{i}")
    events += await anext(watch)
    with pytest.raises(StopAsyncIteration):
        await anext(watch)
    assert len(events) == 4
    rest = slow.watch(POD, resource_version=events[-1].resource_version)
    assert await next_of(rest) == [("ADDED", "pod-3"), ("ADDED", "pod-4")]
    await rest.aclose()


async def test_requests_can_be_made_to_fail(cluster: InProcessCluster) -> None:
    async def refuse(verb: str, plural: str) -> None:
        if (verb, plural) == ("bind", "pods"):
            raise Unreachable("connection refused")

    cluster.on_request = refuse
    created = await cluster.create(POD, body(), "default")
    with pytest.raises(Unreachable):
        await cluster.bind("default", "web", created.metadata.uid, "node-0")
    assert (await cluster.get(POD, "web", "default")).spec.node_name == ""
