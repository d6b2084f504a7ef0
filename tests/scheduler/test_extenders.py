"""Pods that extenders are asked about, with extenders over HTTP and both kinds of cluster."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.scheduler.extender_server import closed, keep, score, serving
from tests.scheduler.live import until

from roost.apiserver.bindings import bind, binding_to
from roost.apiserver.in_process import InProcessCluster
from roost.apiserver.resources import EVENT, NODE, POD, PRIORITY_CLASS
from roost.apiserver.server import serve
from roost.apiserver.store import Store
from roost.cache.cache import Cache
from roost.client import ConnectionInfo, connect
from roost.client.extender import HttpWebhook
from roost.config.profiles import default_profile
from roost.errors import Unreachable
from roost.framework.cycle import Cycle
from roost.scheduler.exposition import Exposition
from roost.scheduler.full_nodes import FullNodes
from roost.scheduler.loop import Scheduler
from roost.scheduler.queue import SchedulingQueue

MANAGED = frozenset({"example.com/gpu"})


def new_cluster(*names: str) -> InProcessCluster:
    store = Store(time.time)
    for name in names or ("node-a", "node-b", "node-c"):
        metadata = {"name": name, "managedFields": [{"manager": "kubelet"}]}
        status = {"allocatable": {"cpu": "4", "pods": "110"}, "nodeInfo": {"kubeletVersion": "v1"}}
        store.create(NODE, {"metadata": metadata, "spec": {"podCIDR": "10.0.0.0/24"}, "status": status})
    return InProcessCluster(store)


def add_pod(
    cluster: InProcessCluster, name: str = "web", *, managed: bool = False, cpu: str = "1", **spec: Any
) -> None:
    limits = {"example.com/gpu": "1"} if managed else {}
    container = {"name": "app", "image": "x", "resources": {"requests": {"cpu": cpu}, "limits": limits}}
    body = {"schedulerName": "roost", "dnsPolicy": "None", "containers": [container], **spec}
    cluster.store.create(POD, {"metadata": {"name": name}, "spec": body}, "default")


def node_of(cluster: InProcessCluster, name: str = "web") -> str:
    return str(cluster.store.get(POD, name, "default").object["spec"].get("nodeName", ""))


def bind_to(cluster: InProcessCluster, name: str, node_name: str) -> None:
    bind(cluster.store, "default", name, binding_to(node_name, name=name, namespace="default"))


def notes(cluster: InProcessCluster, reason: str = "FailedScheduling") -> list[str]:
    return [it.object["message"] for it in cluster.store.all(EVENT) if it.object["reason"] == reason]


@asynccontextmanager
async def scheduling(cluster: Any, webhooks: Sequence[HttpWebhook], **fields: Any) -> AsyncIterator[Scheduler]:
    """Run a scheduler that asks these webhooks, with short backoffs."""
    profile = default_profile()
    queue = SchedulingQueue([profile], initial_backoff=0.05, max_backoff=0.05)
    cycles = {profile.scheduler_name: Cycle(profile)}
    scheduler = Scheduler(cluster, Cache(), cycles, queue=queue, webhooks=webhooks, **fields)
    stop = asyncio.Event()
    task = asyncio.create_task(scheduler.run(stop))
    try:
        await until(lambda: scheduler.in_sync or task.done(), 5)
        yield scheduler
    finally:
        stop.set()
        await task
        await closed(webhooks)


# ---- what is asked


@pytest.mark.parametrize("over_http", [False, True], ids=["in this process", "over HTTP"])
async def test_an_extender_without_a_cache_gets_pod_and_nodes_in_full(over_http: bool) -> None:
    cluster = new_cluster()
    add_pod(cluster)

    def answer(args: Any) -> Any:
        kept = [one for one in args["Nodes"]["items"] if one["metadata"]["name"] == "node-b"]
        return {"nodes": {"items": kept}, "nodenames": None, "failednodes": {}, "error": ""}

    async with serving(filter=answer) as extender, serve(cluster.store) as api:
        client = connect(ConnectionInfo(server=api.url))
        async with client, scheduling(client if over_http else cluster, [extender.webhook()]):
            await until(lambda: node_of(cluster) == "node-b", 5)
    (message,) = extender.messages("filter")
    assert list(message) == ["Pod", "Nodes", "NodeNames"]
    assert message["NodeNames"] is None
    stored = cluster.store.get(POD, "web", "default").object
    assert message["Pod"]["metadata"]["uid"] == stored["metadata"]["uid"]
    assert message["Pod"]["spec"]["dnsPolicy"] == "None"
    assert [one["metadata"]["name"] for one in message["Nodes"]["items"]] == ["node-a", "node-b", "node-c"]
    node = message["Nodes"]["items"][0]
    assert (node["spec"], node["status"]["nodeInfo"]) == ({"podCIDR": "10.0.0.0/24"}, {"kubeletVersion": "v1"})
    assert "managedFields" not in node["metadata"]


async def test_one_with_a_cache_gets_names_and_nobody_reads_the_nodes_twice() -> None:
    cluster, requests = new_cluster(), []

    async def note(verb: str, plural: str) -> None:
        requests.append((verb, plural))

    cluster.on_request = note
    add_pod(cluster)
    async with (
        serving(filter=keep("node-c")) as extender,
        scheduling(cluster, [extender.webhook(node_cache_capable=True)]),
    ):
        await until(lambda: node_of(cluster) == "node-c", 5)
    (message,) = extender.messages("filter")
    assert (message["Nodes"], message["NodeNames"]) == (None, ["node-a", "node-b", "node-c"])
    assert requests.count(("list", "nodes")) == 1
    assert requests.count(("get", "pods")) == 1


async def test_scores_are_added_and_the_log_names_the_extender(caplog: pytest.LogCaptureFixture) -> None:
    cluster = new_cluster()
    caplog.set_level(logging.DEBUG, "roost.scheduler")
    async with serving(prioritize=score(node_a=1, node_c=9, nowhere=10)) as extender:
        webhooks = [extender.webhook(node_cache_capable=True, weight=100)]
        async with scheduling(cluster, webhooks) as scheduler:
            add_pod(cluster)
            await until(lambda: node_of(cluster) == "node-c", 5)
            metrics = Exposition(scheduler).render().decode()
    assert f"extender {extender.url}/prioritize 9000 (raw 9)" in caplog.text
    labels = f'extender="{extender.url}",result="success",verb="prioritize"'
    assert f"roost_extender_duration_seconds_count{{{labels}}} 1.0" in metrics


async def test_pods_that_concern_no_extender_are_decided_as_ever() -> None:
    cluster = new_cluster()
    for i in range(40):
        add_pod(cluster, f"pod-{i}", cpu="10m", managed=i == 20)
    cluster.store.get(NODE, "node-a").object["status"]["allocatable"]["example.com/gpu"] = "1"
    decisions = []
    async with serving(filter=keep("node-a")) as extender:
        webhook = extender.webhook(node_cache_capable=True, managed_resources=MANAGED)
        async with scheduling(cluster, [webhook], observe=decisions.append) as scheduler:
            await until(lambda: all(node_of(cluster, f"pod-{i}") for i in range(40)), 5)
            assert scheduler.metrics.total("scheduled") == 40
    assert len(extender.asked) == 1
    assert sum(decision.filtered is None for decision in decisions) > 20, "none was decided ahead"


async def test_a_node_that_only_the_other_watch_has_seen_yet_is_read() -> None:
    nodes = FullNodes(new_cluster("node-a"), lambda: None)
    (found,) = await nodes.named(["node-a", "nowhere"])
    assert json.loads(bytes(found))["spec"] == {"podCIDR": "10.0.0.0/24"}


# ---- what becomes of the pod


async def test_what_an_extender_rejects_waits_for_any_change() -> None:
    cluster = new_cluster("node-a", "node-b")
    add_pod(cluster)
    async with serving(filter=lambda args: next(answers)(args)) as extender:
        answers = iter([keep(**{"node-a": "too hot"}), keep("node-a")])
        async with scheduling(cluster, [extender.webhook(node_cache_capable=True)]) as scheduler:
            await until(lambda: scheduler.queue.counts()["unschedulable"] == 1, 5)
            await until(lambda: bool(notes(cluster)), 5)
            (note,) = notes(cluster)
            assert note.startswith("0/2 nodes are available: 1 too hot. ")
            assert list(scheduler.queue.rejections()) == [(f"extender {extender.url}/filter", "roost")]
            heat = cluster.store.get(NODE, "node-b")
            metadata = heat.object["metadata"] | {"annotations": {"heat": "less"}}
            cluster.store.replace(heat, heat.object | {"metadata": metadata})
            await until(lambda: node_of(cluster) == "node-a", 5)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        pytest.param({"Error": "boom"}, "boom", id="an error"),
        pytest.param(500, "answered 500", id="a status that is not 200"),
        pytest.param(204, "answered 204", id="another success is none"),
        pytest.param(
            {"NodeNames": "node-a"}, "the answer cannot be read: NodeNames: is a text, not a list", id="nonsense"
        ),
        pytest.param(
            {"NodeNames": ["node-z"]}, "it kept node 'node-z', which it was not asked about", id="a strange node"
        ),
        pytest.param(None, "no answer within 0.1 s", id="no answer in time"),
    ],
)
async def test_a_failure_is_told_and_the_pod_tried_again(answer: Any, problem: str) -> None:
    cluster = new_cluster()
    add_pod(cluster)
    answers = iter([lambda args: asyncio.sleep(10) if answer is None else answer, keep("node-b")])
    async with (
        serving(filter=lambda args: next(answers)(args)) as extender,
        scheduling(cluster, [extender.webhook(node_cache_capable=True, timeout=0.1)]),
    ):
        await until(lambda: node_of(cluster) == "node-b", 5)
        await until(lambda: bool(notes(cluster)), 5)
    assert notes(cluster) == [f"extender {extender.url}/filter: {problem}"]


async def test_a_failure_of_one_that_is_ignorable_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    cluster = new_cluster()
    async with serving(filter=keep("node-b")) as extender, serving(filter=lambda args: 500) as broken:
        webhooks = [
            broken.webhook(node_cache_capable=True, ignorable=True),
            extender.webhook(node_cache_capable=True),
        ]
        async with scheduling(cluster, webhooks):
            add_pod(cluster)
            await until(lambda: node_of(cluster) == "node-b", 5)
    assert broken.messages("filter")[0]["NodeNames"] == ["node-b"], "it was not asked last"
    assert f"extender {broken.url}/filter: answered 500; it is ignorable and skipped" in caplog.text


async def test_scores_that_do_not_come_do_not_count(caplog: pytest.LogCaptureFixture) -> None:
    cluster = new_cluster()
    add_pod(cluster)
    async with serving(prioritize=lambda args: {"a": 1}) as broken, serving(prioritize=score(node_b=1)) as extender:
        webhooks = [one.webhook(node_cache_capable=True) for one in (broken, extender)]
        async with scheduling(cluster, webhooks):
            await until(lambda: node_of(cluster) == "node-b", 5)
    assert "the message is an object, not a list; its scores do not count" in caplog.text


async def test_a_node_that_goes_while_a_question_is_out_is_not_chosen() -> None:
    cluster = new_cluster()

    async def answer(args: Any) -> Any:
        cluster.store.delete(NODE, "node-b")
        await until(lambda: scheduler.cache.view.num_nodes == 2, 5)
        return {"NodeNames": ["node-b", "node-c"]}

    async with (
        serving(filter=answer) as extender,
        scheduling(cluster, [extender.webhook(node_cache_capable=True)]) as scheduler,
    ):
        add_pod(cluster)
        await until(lambda: node_of(cluster) == "node-c", 5)


async def test_a_pod_that_goes_while_a_question_is_out_is_forgotten() -> None:
    cluster = new_cluster()

    async def answer(args: Any) -> Any:
        cluster.store.delete(POD, "web", "default")
        await until(lambda: len(scheduler.queue) == 0, 5)
        return {"NodeNames": ["node-b"]}

    async with (
        serving(filter=answer) as extender,
        scheduling(cluster, [extender.webhook(node_cache_capable=True)]) as scheduler,
    ):
        add_pod(cluster)
        await until(lambda: scheduler.metrics.algorithm.count == 1, 5)
        assert len(scheduler.cache.pods) == 0
        assert scheduler.binder.is_idle


async def test_a_pod_that_somebody_else_has_bound_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "roost.scheduler")
    cluster = new_cluster()

    async def bind_first(verb: str, plural: str) -> None:
        if (verb, plural) == ("get", "pods"):
            bind_to(cluster, "web", "node-a")

    cluster.on_request = bind_first
    add_pod(cluster)
    async with (
        serving(filter=keep("node-b")) as extender,
        scheduling(cluster, [extender.webhook(node_cache_capable=True)]) as scheduler,
    ):
        await until(lambda: len(scheduler.cache.pods) == 1, 5)
    assert extender.asked == []
    assert "dropped default/web: it has been bound to node-a by somebody else" in caplog.text


async def test_an_api_server_that_is_away_when_the_pod_is_read_only_delays_it() -> None:
    cluster, faults = new_cluster(), [Unreachable("connection refused")]

    async def fail(verb: str, plural: str) -> None:
        if (verb, plural) == ("get", "pods") and faults:
            raise faults.pop()

    cluster.on_request = fail
    add_pod(cluster)
    async with (
        serving(filter=keep("node-b")) as extender,
        scheduling(cluster, [extender.webhook(node_cache_capable=True)]),
    ):
        await until(lambda: node_of(cluster) == "node-b", 5)
    assert notes(cluster) == []


async def test_a_pod_of_higher_priority_does_not_wait_for_all_that_came_before() -> None:
    cluster, order = new_cluster(), []

    async def answer(args: Any) -> Any:
        order.append(args["Pod"]["metadata"]["name"])
        if len(order) == 1:
            add_pod(cluster, "urgent", cpu="10m", priorityClassName="system-node-critical")
            await until(lambda: len(scheduler.queue) == 4, 5)
        return {"NodeNames": args["NodeNames"]}

    async with (
        serving(filter=answer) as extender,
        scheduling(cluster, [extender.webhook(node_cache_capable=True)]) as scheduler,
    ):
        for i in range(3):
            add_pod(cluster, f"pod-{i}", cpu="10m")
        await until(lambda: len(order) == 4, 5)
    assert order == ["pod-0", "urgent", "pod-1", "pod-2"]


# ---- binding


async def test_an_extender_binds_the_pods_it_is_interested_in() -> None:
    cluster = new_cluster("node-a")
    cluster.store.get(NODE, "node-a").object["status"]["allocatable"]["example.com/gpu"] = "1"

    def answer(args: Any) -> Any:
        bind_to(cluster, args["PodName"], args["Node"])
        return {"Error": ""}

    add_pod(cluster, "mine", managed=True)
    add_pod(cluster, "other")
    uid = cluster.store.get(POD, "mine", "default").object["metadata"]["uid"]
    async with serving(bind=answer) as extender, scheduling(cluster, [extender.webhook(managed_resources=MANAGED)]):
        await until(lambda: bool(node_of(cluster, "mine") and node_of(cluster, "other")), 5)
        await until(lambda: len(notes(cluster, "Scheduled")) == 2, 5)
    expected = {"PodName": "mine", "PodNamespace": "default", "PodUID": uid, "Node": "node-a"}
    assert [json.dumps(message) for message in extender.messages("bind")] == [json.dumps(expected)]


async def test_a_binding_that_fails_is_told_and_tried_again() -> None:
    cluster = new_cluster("node-a")

    def answer(args: Any) -> Any:
        if len(extender.asked) == 1:
            return {"Error": "not now"}
        bind_to(cluster, args["PodName"], args["Node"])
        return {}

    add_pod(cluster)
    async with serving(bind=answer) as extender, scheduling(cluster, [extender.webhook()]):
        await until(lambda: bool(node_of(cluster)), 5)
        await until(lambda: bool(notes(cluster)), 5)
    assert notes(cluster) == [f"binding to node-a failed: extender {extender.url}/bind: not now"]


async def test_a_pod_that_is_bound_though_the_extender_says_no_is_as_good_as_bound() -> None:
    cluster = new_cluster("node-a")

    def answer(args: Any) -> Any:
        bind_to(cluster, args["PodName"], args["Node"])
        return 500

    add_pod(cluster)
    async with serving(bind=answer) as extender, scheduling(cluster, [extender.webhook()]):
        await until(lambda: bool(notes(cluster, "Scheduled")), 5)
    assert (len(extender.asked), notes(cluster)) == (1, [])


async def test_where_an_ignorable_extender_does_not_bind_the_pod_is_bound_as_ever() -> None:
    cluster = new_cluster("node-a")
    add_pod(cluster)
    async with (
        serving(bind=lambda args: {"Error": "no"}) as extender,
        scheduling(cluster, [extender.webhook(ignorable=True)]),
    ):
        await until(lambda: node_of(cluster) == "node-a", 5)


# ---- preemption


def fill(cluster: InProcessCluster) -> None:
    """Fill node-a and node-b with a pod each that another may take the place of."""
    for name in ("a", "b"):
        add_pod(cluster, f"old-{name}", cpu="4", terminationGracePeriodSeconds=0)
        bind_to(cluster, f"old-{name}", f"node-{name}")
    metadata = {"metadata": {"name": "urgent"}, "value": 1000}
    cluster.store.create(PRIORITY_CLASS, metadata)


def only(name: str) -> Any:
    """Agree to the victims on one node."""

    def answer(args: Any) -> Any:
        in_full = args["NodeNameToVictims"] or {}
        by_uid = args["NodeNameToMetaVictims"] or {
            node: {"Pods": [{"UID": pod["metadata"]["uid"]} for pod in victims["Pods"]]}
            for node, victims in in_full.items()
        }
        return {"NodeNameToMetaVictims": {name: by_uid[name]}}

    return answer


@pytest.mark.parametrize("by_uid", [True, False], ids=["victims by uid", "victims in full"])
async def test_an_extender_chooses_among_the_candidates(by_uid: bool) -> None:
    cluster = new_cluster("node-a", "node-b")
    fill(cluster)
    add_pod(cluster, "new", cpu="4", priorityClassName="urgent")
    async with serving(preempt=only("node-b")) as extender:
        async with scheduling(cluster, [extender.webhook(node_cache_capable=by_uid)]):
            await until(lambda: node_of(cluster, "new") == "node-b", 5)
        (asked,) = extender.messages("preempt")
    assert asked["Pod"]["metadata"]["name"] == "new"
    assert (asked["NodeNameToVictims"] is None, asked["NodeNameToMetaVictims"] is None) == (by_uid, not by_uid)
    if not by_uid:
        (victim,) = asked["NodeNameToVictims"]["node-a"]["Pods"]
        assert victim["spec"]["dnsPolicy"] == "None", "what scheduling does not read is sent too"
        assert asked["NodeNameToVictims"]["node-a"]["NumPDBViolations"] == 0
    assert node_of(cluster, "old-a") == "node-a"
    (note,) = notes(cluster, "Preempted")
    assert note.endswith("on node node-b")


async def test_an_extender_that_fails_ends_preemption() -> None:
    cluster = new_cluster("node-a", "node-b")
    fill(cluster)
    add_pod(cluster, "new", cpu="4", priorityClassName="urgent")
    async with (
        serving(preempt=lambda args: 500) as extender,
        scheduling(cluster, [extender.webhook(node_cache_capable=True)]),
    ):
        await until(lambda: bool(notes(cluster)), 5)
        says = f"0/2 nodes are available: 2 Insufficient cpu. preemption: extender {extender.url}/preempt: answered 500"
    assert notes(cluster)[0].startswith(says)
    assert notes(cluster, "Preempted") == []
