"""Connected to a cluster: what is followed, bound and evicted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.extender.asking import Rooms, Zone, about, said, scores, serving
from tests.scheduler.fake_cluster import FakeCluster
from tests.scheduler.live import turns, until

from roost.api.kinds import NODE, POD
from roost.errors import ApiError, Conflict, Forbidden, OutcomeUnknown, Unreachable
from roost.extender.live import Live
from roost.framework.resources import PODS
from roost.testing import node, pod

NAMES = ["n1", "n2"]


@pytest.fixture
def cluster() -> FakeCluster:
    cluster = FakeCluster()
    for name in NAMES:
        cluster.add(NODE, node(name, labels={"zone": "a"}))
    return cluster


@asynccontextmanager
async def following(cluster: FakeCluster) -> AsyncIterator[Live]:
    live = Live(cluster)
    task = asyncio.create_task(live.follow())
    try:
        await until(lambda: live.in_sync or task.done())
        yield live
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def taken(live: Live) -> dict[str, int]:
    view = live.cache.view
    return {name: int(view.usage[PODS][view.slot(name)]) for name in sorted(live.cache.node_names)}


def binding(cluster: FakeCluster, key: str, node_name: str) -> dict[str, str]:
    namespace, name = key.split("/")
    uid = cluster.pod(key)["metadata"]["uid"]
    return {"PodName": name, "PodNamespace": namespace, "PodUID": uid, "Node": node_name}


def asked(cluster: FakeCluster, key: str) -> dict[str, Any]:
    return {**about(names=NAMES), "Pod": cluster.pod(key)}


# ---- following


async def test_pods_count_where_they_are_whoever_put_them_there(cluster: FakeCluster) -> None:
    cluster.add(POD, pod("placed", node_name="n1"))
    cluster.add(POD, pod("pending"))
    cluster.add(POD, pod("done", node_name="n1", status={"phase": "Succeeded"}))
    async with following(cluster) as live:
        assert taken(live) == {"n1": 1, "n2": 0}
        cluster.place("default/pending", "n2")
        cluster.change(POD, "default/placed", status={"phase": "Failed"})
        cluster.add(NODE, node("n3"))
        await until(lambda: taken(live) == {"n1": 0, "n2": 1, "n3": 0})
        cluster.remove(NODE, "n1")
        cluster.remove(POD, "default/pending")
        await until(lambda: taken(live) == {"n2": 0, "n3": 0})


async def test_what_happened_while_nobody_watched_is_seen_when_all_is_listed_again(cluster: FakeCluster) -> None:
    cluster.add(POD, pod("placed", node_name="n1"))
    async with following(cluster) as live:
        cluster.fail("watch", Unreachable("cut"), times=2)
        cluster.cut_watches()
        await turns(5)
        cluster.remove(POD, "default/placed")
        cluster.remove(NODE, "n2")
        cluster.add(NODE, node("n3"))
        cluster.compact()
        await until(lambda: taken(live) == {"n1": 0, "n3": 0})


async def test_an_object_that_cannot_be_read_is_told_once_and_the_others_are_followed(
    cluster: FakeCluster, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.add(POD, pod("odd", cpu="x", node_name="n1"))
    cluster.add(POD, {"metadata": {"name": "odder", "namespace": "default"}, "spec": {"nodeName": 5}})
    cluster.add(NODE, node("n3", cpu="y"))
    async with following(cluster) as live:
        cluster.change(POD, "default/odd", metadata={"labels": {"a": "b"}})
        await until(lambda: live.follower.malformed == {"pod": 3, "node": 1})
        assert taken(live) == {"n1": 0, "n2": 0}
    told = [record.getMessage() for record in caplog.records]
    assert [one.split(" cannot be read")[0] for one in told] == ["node n3", "pod default/odder", "pod default/odd"]


async def test_no_right_to_read_the_cluster_ends_it(cluster: FakeCluster) -> None:
    cluster.fail("list", Forbidden("nodes is forbidden", status=403))
    with pytest.raises(Forbidden):
        await Live(cluster).follow()


# ---- binding


async def test_bind_creates_the_binding_and_counts_the_pod_at_once(cluster: FakeCluster) -> None:
    cluster.add(POD, pod("p"))
    async with following(cluster) as live, serving(Rooms, live=live) as ask:
        assert said(await ask("POST", "/bind", binding(cluster, "default/p", "n2"))) == {"Error": ""}
        assert cluster.node_of("default/p") == "n2"
        assert taken(live) == {"n1": 0, "n2": 1}
        assert cluster.asked("get", POD) == 1
        await turns(5)
        assert taken(live) == {"n1": 0, "n2": 1}
        assert len(live.reserved) == 0


async def test_a_pod_that_was_asked_about_is_not_read_again(cluster: FakeCluster) -> None:
    cluster.add(POD, pod("p"))
    async with following(cluster) as live, serving(Rooms, live=live) as ask:
        await ask("POST", "/filter", asked(cluster, "default/p"))
        assert scores(await ask("POST", "/prioritize", asked(cluster, "default/p"))) == {"n1": 10, "n2": 10}
        assert taken(live) == {"n1": 1, "n2": 0}
        assert said(await ask("POST", "/scheduler/bind", binding(cluster, "default/p", "n2"))) == {"Error": ""}
        assert (taken(live), cluster.asked("get", POD)) == ({"n1": 0, "n2": 1}, 0)


async def test_a_node_that_has_filled_up_meanwhile_is_refused(cluster: FakeCluster) -> None:
    cluster.add(POD, pod("p"))
    async with following(cluster) as live, serving(Rooms, live=live) as ask:
        await ask("POST", "/prioritize", asked(cluster, "default/p"))
        for number in range(4):
            cluster.add(POD, pod(f"other-{number}", node_name="n1"))
        await until(lambda: taken(live)["n1"] == 5)
        told = said(await ask("POST", "/bind", binding(cluster, "default/p", "n1")))["Error"]
        assert told == "pod default/p does not fit on node n1 any more: node(s) have no room"
        assert (taken(live)["n1"], cluster.asked("bind")) == (4, 0)
        told = said(await ask("POST", "/bind", binding(cluster, "default/p", "n9")))["Error"]
        assert told == "node n9 is not known (yet) to the extender"


FAULTS = [
    pytest.param(Forbidden("no", status=403), False, "binding default/p to n1 failed: no", "", id="refused"),
    pytest.param(Unreachable("away"), False, "binding default/p to n1 failed: away", "", id="not reached"),
    pytest.param(OutcomeUnknown("cut"), False, "binding default/p to n1 failed: cut", "", id="cut before it was done"),
    pytest.param(OutcomeUnknown("cut"), True, "", "n1", id="cut after it was done"),
    pytest.param(ApiError("etcd", status=500), True, "", "n1", id="an error of the server after it was done"),
    pytest.param(Conflict("bound", status=409), True, "", "n1", id="a conflict with ourselves"),
]


@pytest.mark.parametrize(("error", "after", "sentence", "node_name"), FAULTS)
async def test_what_became_of_a_binding_is_found_out(
    cluster: FakeCluster, error: Exception, after: bool, sentence: str, node_name: str
) -> None:
    cluster.add(POD, pod("p"))
    cluster.fail("bind", error, after=after)
    async with following(cluster) as live, serving(Rooms, live=live) as ask:
        assert said(await ask("POST", "/bind", binding(cluster, "default/p", "n1")))["Error"] == sentence
        assert cluster.node_of("default/p") == node_name
        assert taken(live) == {"n1": 1 if node_name else 0, "n2": 0}


async def test_a_pod_that_somebody_else_has_bound_stays_where_it_is(cluster: FakeCluster) -> None:
    cluster.add(POD, pod("p"))
    asks = binding(cluster, "default/p", "n1")
    cluster.place("default/p", "n2")
    async with following(cluster) as live, serving(Zone, live=live) as ask:
        told = said(await ask("POST", "/bind", asks))["Error"]
        assert told.endswith("; it is bound to n2")
        assert taken(live) == {"n1": 0, "n2": 1}


async def test_a_pod_that_is_gone_or_another_is_not_bound(cluster: FakeCluster) -> None:
    cluster.add(POD, pod("p"))
    asks = binding(cluster, "default/p", "n1")
    async with following(cluster) as live, serving(Zone, live=live) as ask:
        told = said(await ask("POST", "/bind", {**asks, "PodUID": "another"}))["Error"]
        assert told == f"pod default/p is another one by now: its uid is {asks['PodUID']}, not another"
        cluster.remove(POD, "default/p")
        told = said(await ask("POST", "/bind", asks))["Error"]
        assert told == "pod default/p cannot be read: pods 'default/p' not found"
        told = said(await ask("POST", "/bind", {**asks, "Node": ""}))["Error"]
        assert told == "Node is missing"
        assert taken(live) == {"n1": 0, "n2": 0}


async def test_when_nobody_can_tell_the_room_stays_taken_for_a_while(cluster: FakeCluster) -> None:
    cluster.add(POD, pod("p"))
    cluster.fail("bind", OutcomeUnknown("cut"))
    cluster.fail("get", Unreachable("away"), concerns=lambda key: cluster.asked("bind") > 0)
    async with following(cluster) as live, serving(Rooms, live=live) as ask:
        told = said(await ask("POST", "/bind", binding(cluster, "default/p", "n1")))["Error"]
        assert told == "binding default/p to n1 failed: cut; whether it is bound is not known: away"
        assert (taken(live)["n1"], len(live.reserved)) == (1, 1)


# ---- evicting


@pytest.fixture
def full(cluster: FakeCluster) -> FakeCluster:
    """Both nodes have four pods; n2 is elsewhere, n1 is not."""
    cluster.change(NODE, "n2", metadata={"labels": {"zone": "b"}})
    for name in NAMES:
        for number in range(4):
            cluster.add(POD, pod(f"{name}-{number}", node_name=name))
    return cluster


def victims(cluster: FakeCluster, *keys: str) -> dict[str, Any]:
    return {"Pods": [{"UID": cluster.pod(key)["metadata"]["uid"]} for key in keys], "NumPDBViolations": 2}


async def test_candidates_stay_where_the_policies_accept_the_node_without_the_victims(full: FakeCluster) -> None:
    found = {"n1": victims(full, "default/n1-0"), "n2": victims(full, "default/n2-0"), "n9": victims(full)}
    async with following(full) as live, serving(Rooms, Zone, live=live) as ask:
        answer = said(await ask("POST", "/preempt", {"Pod": {}, "NodeNameToMetaVictims": found}))
        assert answer == {"NodeNameToMetaVictims": {"n1": found["n1"]}}
        assert taken(live) == {"n1": 4, "n2": 4}
        none = {"n1": victims(full)}
        answer = said(await ask("POST", "/preempt", {"Pod": {}, "NodeNameToMetaVictims": none}))
        assert answer == {"NodeNameToMetaVictims": {}}


async def test_without_filters_every_candidate_stays(full: FakeCluster) -> None:
    found = {"n1": victims(full, "default/n1-0"), "n9": victims(full)}
    async with following(full) as live, serving("ZeroScore", live=live) as ask:
        answer = said(await ask("POST", "/preempt", {"Pod": None, "NodeNameToMetaVictims": found}))
        assert answer == {"NodeNameToMetaVictims": found}
