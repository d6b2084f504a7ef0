"""Filter and prioritize over HTTP: both ways of giving nodes, several policies together, what is counted and told."""

import json
import logging
from typing import Any

import numpy as np
import pytest
from tests.extender.asking import (
    Broken,
    Largest,
    Rooms,
    Warm,
    Zone,
    about,
    in_sync,
    make_webhook,
    said,
    scores,
    serving,
)

from roost.extender.http_messages import Request
from roost.extender.live import Live
from roost.framework.plugin import Plugin
from roost.testing import node, pod

NODES = [node("n1", labels={"zone": "a"}, cpu="2"), node("n2", labels={"zone": "a"}, cpu="4"), node("n3", cpu="8")]


# ---- nodes in full


async def test_nodes_that_fit_are_given_back_byte_for_byte_in_their_order() -> None:
    items = [
        b'{ "metadata": {"name":"n1", "labels":{"zone":"a"}}, "unknown": [1, 2.50, "\\u00e9"] }',
        b'{"metadata":{"name":"n2"}}',
        b'{"status":{},\n"metadata":{"labels":{"zone":"a"},"name":"n0"}}',
    ]
    async with serving(Zone) as ask:
        answer = await ask("POST", "/filter", b'{"Pod":{},"Nodes":{"items":[' + b", ".join(items) + b"]}}")
    assert answer.body == (
        b'{"Nodes":{"metadata":{},"items":[' + items[0] + b"," + items[2] + b']},"NodeNames":null,'
        b'"FailedNodes":{"n2":"node(s) have no zone"},"Error":""}'
    )


async def test_what_is_remembered_of_one_request_is_not_used_for_the_next() -> None:
    async with serving(Largest, Zone) as ask:
        for _ in range(3):
            assert scores(await ask("POST", "/prioritize", about(nodes=NODES))) == {"n1": 3, "n2": 5, "n3": 10}
            others = [node("n1", labels={"zone": "b"}, cpu="9"), node("n2", cpu="9")]
            assert scores(await ask("POST", "/prioritize", about(nodes=others))) == {"n1": 10, "n2": 10}
            assert said(await ask("POST", "/filter", about(nodes=others)))["Nodes"]["items"] == []


async def test_policies_that_read_which_pods_are_on_nodes_need_the_cluster() -> None:
    async with serving(Rooms, Zone) as ask:
        told = said(await ask("POST", "/filter", about(nodes=NODES)))["Error"]
        assert told.startswith("Rooms reads which pods are on each node, which Nodes do not tell")
        assert "nodeCacheCapable: true" in told
        assert (await ask("POST", "/scheduler/predicates/zone", about(nodes=NODES))).body.endswith(b'"Error":""}')
    live = in_sync(nodes=NODES, pods=[pod(f"p{i}", node_name="n1") for i in range(4)])
    async with serving(Rooms, live=live) as ask:
        answer = said(await ask("POST", "/filter", about(nodes=NODES)))
        assert answer["FailedNodes"] == {"n1": "node(s) have no room"}
        assert scores(await ask("POST", "/prioritize", about(nodes=NODES))) == {"n1": 6, "n2": 10, "n3": 10}


# ---- names


async def test_names_without_a_cluster_get_a_sentence_that_says_what_to_do() -> None:
    async with serving(Zone, Warm) as ask:
        for answer in (
            await ask("POST", "/filter", about(names=["n1"])),
            await ask("POST", "/prioritize", about(names=["n1"])),
        ):
            assert "give it a kubeconfig or a service account" in said(answer)["Error"]


async def test_before_the_cluster_has_been_read_nobody_is_told_anything_wrong() -> None:
    async with serving(Zone, Warm, live=Live(None)) as ask:
        assert "ask again" in said(await ask("POST", "/filter", about(names=["n1"])))["Error"]
        for path in ("/prioritize", "/preempt"):
            body = {**about(names=["n1"]), "NodeNameToVictims": {}}
            assert (await ask("POST", path, body)).status == 503
        assert (await ask("GET", "/readyz")).status == 503
        assert (await ask("GET", "/healthz")).status == 200
        assert (await ask("POST", "/filter", about(nodes=NODES))).body.endswith(b'"Error":""}')


async def test_a_name_that_is_not_known_fits_nowhere_and_scores_nothing() -> None:
    async with serving(Zone, Largest, live=in_sync(nodes=NODES)) as ask:
        answer = said(await ask("POST", "/filter", about(names=["n9", "n1", "n8", "n2"])))
        assert answer["NodeNames"] == ["n1", "n2"]
        assert answer["FailedNodes"] == dict.fromkeys(["n9", "n8"], "node is not known (yet) to the extender")
        answer = await ask("POST", "/prioritize", about(names=["n9", "n1", "n2"]))
        assert [(one["Host"], one["Score"]) for one in said(answer)] == [("n9", 0), ("n1", 5), ("n2", 10)]
        assert scores(await ask("POST", "/prioritize", about(names=["n9"]))) == {"n9": 0}


async def test_scores_are_normalised_over_the_nodes_that_are_asked_about() -> None:
    async with serving(Largest, live=in_sync(nodes=NODES)) as ask:
        assert scores(await ask("POST", "/prioritize", about(names=["n1", "n2"]))) == {"n1": 5, "n2": 10}
        assert scores(await ask("POST", "/prioritize", about(names=["n3", "n1"]))) == {"n3": 10, "n1": 3}
        assert scores(await ask("POST", "/prioritize", about(names=["n1"]))) == {"n1": 10}


async def test_what_changes_in_the_cluster_changes_the_answers() -> None:
    live = in_sync(nodes=NODES, pods=[pod(f"p{i}", node_name="n1") for i in range(4)])
    async with serving(Rooms, Zone, live=live) as ask:
        for _ in range(3):
            assert said(await ask("POST", "/filter", about(names=["n1", "n2", "n3"])))["NodeNames"] == ["n2"]
        live.cache.remove_pod(pod("p0", node_name="n1"))
        live.cache.set_node(node("n3", labels={"zone": "a"}))
        assert said(await ask("POST", "/filter", about(names=["n1", "n2", "n3"])))["NodeNames"] == ["n1", "n2", "n3"]


# ---- scores together


class Fixed(Plugin):
    """Scores what its class says."""

    reads = frozenset()
    pod_reads = ()
    value = 0

    def score(self, ctx: Any, pod: Any, view: Any, rows: Any) -> int:
        return self.value


def fixed(name: str, value: int, scale: str = "percent") -> type:
    return type(name, (Fixed,), {"name": name, "value": value, "scale": scale, "__qualname__": name})


@pytest.mark.parametrize(
    ("policies", "score"),
    [
        pytest.param([fixed("A", 70)], 7, id="a tenth of a percentage"),
        pytest.param([fixed("A", 74), fixed("B", 86)], 8, id="the mean of two"),
        pytest.param([fixed("A", 75)], 8, id="half is rounded up"),
        pytest.param([fixed("A", 74)], 7, id="less than half is rounded down"),
        pytest.param([fixed("A", 7, "extender")], 7, id="an extender's score is as it is"),
        pytest.param([fixed("A", 100), fixed("B", 0, "extender")], 5, id="both kinds count alike"),
        pytest.param([fixed("A", 4321, "rank")], 4321, id="a rank is as it is"),
        pytest.param([fixed("A", 4321, "rank"), fixed("B", 50)], 4326, id="a rank and the mean of the others"),
        pytest.param([fixed("A", 100), fixed("B", 100), fixed("C", 100)], 10, id="never more than 10"),
    ],
)
async def test_the_scores_of_a_profile(policies: list[type], score: int) -> None:
    async with serving(*policies) as ask:
        assert scores(await ask("POST", "/prioritize", about(nodes=NODES[:1]))) == {"n1": score}


# ---- measurements


async def test_old_and_unreadable_measurements_are_no_measurements_and_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def warm(name: str, text: str, at: float) -> Any:
        return node(name, annotations={"warmth": text, "warmth-at": str(at)})

    nodes = [warm("now", "80", 1000), warm("old", "80", 300), warm("odd", "hot", 1000), node("none")]
    _, routes = make_webhook([Warm], wall=lambda: 1000.0, stale_after=600)
    body = json.dumps(about(nodes=nodes)).encode()
    with caplog.at_level(logging.WARNING, "roost.extender"):
        for _ in range(2):
            answer = await routes(Request("POST", "/prioritize", {}, body))
    assert [one["Score"] for one in json.loads(b"".join(answer.body))] == [8, 0, 0, 0]
    assert [record.getMessage() for record in caplog.records] == [
        "node odd: annotation warmth is 'hot', which cannot be read"
    ]
    text = b"".join((await routes(Request("GET", "/metrics", {}))).body).decode()
    for reason, count in (("missing", 1), ("unreadable", 1), ("stale", 1)):
        assert f'roost_unmonitored_nodes{{measure="warmth",reason="{reason}"}} {count}.0' in text


async def test_measurements_of_watched_nodes_age_with_the_time() -> None:
    now = 1000.0
    live = in_sync(nodes=[node("n1", annotations={"warmth": "80", "warmth-at": "1000"})])
    webhook, routes = make_webhook([Warm], live=live, wall=lambda: now, stale_after=600)
    body = json.dumps(about(names=["n1"])).encode()

    async def score() -> int:
        webhook.tick()
        return json.loads(b"".join((await routes(Request("POST", "/prioritize", {}, body))).body))[0]["Score"]

    assert await score() == 8
    now = 1601.0
    assert await score() == 0


# ---- learning


class Counting(Plugin):
    """Scores the number of pods it has learnt from."""

    name = "Counting"
    reads = frozenset()
    pod_reads = ()
    remember = False
    scale = "rank"

    def score(self, ctx: Any, pod: Any, view: Any, rows: Any) -> np.ndarray:
        return np.full(
            len(np.arange(view.size)[rows]), self.learn(ctx.learnt.get(self.name), pod, view), dtype=np.int64
        )

    def learn(self, learnt: Any, pod: Any, view: Any) -> int:
        return (learnt or 0) + 1


async def test_a_pod_is_learnt_from_once_however_often_it_is_tried() -> None:
    async with serving(Counting) as ask:
        seen = [
            scores(await ask("POST", path, about(pod(name), nodes=NODES[:1])))["n1"]
            for path, name in [
                ("/prioritize", "a"),
                ("/prioritize", "a"),
                ("/scheduler/priorities/Counting", "a"),
                ("/prioritize", "b"),
                ("/prioritize", "c"),
            ]
        ]
    assert seen == [1, 2, 2, 2, 3]


# ---- what goes wrong


async def test_a_policy_that_fails_is_told_with_its_line_and_the_server_goes_on() -> None:
    async with serving(Broken, "Foo") as ask:
        answer = await ask("POST", "/filter", about(nodes=NODES))
        assert answer.status == 200
        assert said(answer)["Error"].startswith("plugin Broken failed in filter at asking.py:")
        assert (await ask("POST", "/prioritize", about(nodes=NODES))).status == 500
        assert scores(await ask("POST", "/scheduler/priorities/Foo", about(nodes=NODES[:1]))) == {"n1": 1}


async def test_each_request_is_a_line_and_a_number(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "roost.extender"):
        async with serving(Zone, Largest) as ask:
            await ask("POST", "/filter", about(pod("web", namespace="shop"), nodes=NODES))
            await ask("POST", "/prioritize", about(pod("web", namespace="shop"), nodes=NODES))
            await ask("POST", "/scheduler/predicates/zone", "{")
            text = (await ask("GET", "/metrics")).body.decode()
    filtered, prioritized, refused = [one for one in caplog.records if hasattr(one, "fields")]
    assert filtered.getMessage().startswith("filter shop/web by Zone,Largest: 2 of 3 nodes fit, ")
    assert "1 node(s) have no zone" in filtered.getMessage()
    assert prioritized.getMessage().startswith("prioritize shop/web by Zone,Largest: 3 nodes, best n3 with 10, ")
    assert "\nn3: 10\nn2: 5\nn1: 3\n" in prioritized.getMessage()
    assert prioritized.fields.items() >= {"pod": "shop/web", "nodes": 3, "best": "n3", "score": 10}.items()
    assert (refused.levelname, refused.getMessage()) == (
        "WARNING",
        "filter by Zone: the message is JSON that ends too early",
    )
    for line in (
        'roost_extender_requests_total{code="200",policy="Zone,Largest",verb="filter"} 1.0',
        'roost_extender_errors_total{policy="Zone",verb="filter"} 1.0',
        'roost_extender_duration_seconds_count{policy="Zone,Largest",verb="prioritize"} 1.0',
        'roost_extender_request_bytes_sum{policy="Zone",verb="filter"} 1.0',
        "process_resident_memory_bytes",
    ):
        assert line in text
