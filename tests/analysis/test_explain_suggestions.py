"""What would make a pod fit, sort by sort; that it is true of any cluster is in test_explain_always."""

import pytest
from tests.analysis.explaining import Object, World, a_node, a_pod, as_pod

from roost.analysis.commands import commands
from roost.analysis.suggestions import Search

TAINT = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
APP = {"matchLabels": {"app": "web"}}
ANTI = {
    "podAntiAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": [{"labelSelector": APP, "topologyKey": "zone"}]
    }
}
OWNED = {
    "metadata": {
        "name": "web-5d-x",
        "namespace": "shop",
        "uid": "x",
        "labels": {"pod-template-hash": "5d"},
        "ownerReferences": [{"kind": "ReplicaSet", "name": "web-5d", "uid": "u", "controller": True}],
    }
}


def said(search: Search) -> list[str]:
    return [one.change.says for one in search.suggestions]


@pytest.mark.parametrize(
    ("world", "pod", "says"),
    [
        pytest.param(
            World([a_node("n")], [a_pod("small", on="n", cpu="1"), a_pod("large", on="n", cpu="3")]),
            a_pod("new", cpu="3"),
            "evict shop/large from n",
            id="one pod that makes room by itself",
        ),
        pytest.param(
            World([a_node("n")], [a_pod(f"p{i}", on="n", cpu="1") for i in range(4)]),
            a_pod("new", cpu="2"),
            "evict shop/p0, shop/p1 from n",
            id="as few pods as it takes",
        ),
        pytest.param(
            World([a_node("n")], [a_pod("a", on="n", cpu="2", priority=9), a_pod("b", on="n", cpu="2")]),
            a_pod("new", cpu="2"),
            "evict shop/b from n",
            id="pods of low priority first",
        ),
        pytest.param(
            World([a_node("a", zone="z"), a_node("b", zone="z")], [a_pod("other", on="b", labels={"app": "web"})]),
            a_pod("new", affinity=ANTI),
            "evict shop/other from b",
            id="a pod that keeps it out of a whole zone",
        ),
        pytest.param(World([a_node("n", cordoned=True)]), a_pod("new"), "uncordon node n", id="uncordon"),
        pytest.param(
            World([a_node("n", taints=[TAINT])]),
            a_pod("new"),
            "remove gpu=yes:NoSchedule from node n",
            id="a taint goes",
        ),
        pytest.param(
            World([a_node("n", taints=[TAINT])]), a_pod("new"), "tolerate gpu=yes:NoSchedule", id="a taint is tolerated"
        ),
        pytest.param(
            World([a_node("n", disk="ssd")]),
            a_pod("new", nodeSelector={"disk": "sdd"}),
            "select disk=ssd, not sdd",
            id="a value that nodes have",
        ),
        pytest.param(
            World([a_node("n", disk="ssd")]),
            a_pod("new", nodeSelector={"disk": "sdd"}),
            "label node n disk=sdd",
            id="a node gets the label",
        ),
        pytest.param(
            World([a_node("n")]), a_pod("new", nodeSelector={"x": "y"}), "leave x=y out of nodeSelector", id="no label"
        ),
        pytest.param(
            World([a_node("n", zone="z")], [a_pod("other", on="n", labels={"app": "web"})]),
            a_pod("new", affinity=ANTI),
            "leave the required anti-affinity over zone out",
            id="a rule about other pods goes",
        ),
        pytest.param(
            World([a_node("a", cpu="1"), a_node("b", cpu="2")]),
            a_pod("new", cpu="3"),
            "ask for 2 cpu, not 3",
            id="the most that fits somewhere",
        ),
        pytest.param(
            World([a_node("n")]),
            a_pod("new", cpu="5", memory="9Gi"),
            "ask for 4 cpu, not 5, 8Gi memory, not 9Gi",
            id="all requests together where no single one helps",
        ),
        pytest.param(
            World([a_node("n")], [a_pod("other", on="n", ports=[80])]),
            a_pod("new", ports=[80]),
            "leave host port 80 out",
            id="a host port goes",
        ),
        pytest.param(
            World([a_node("n")], [a_pod("static", on="n", cpu="4")]),
            a_pod("new"),
            "add one more node like n (4 CPU, 8Gi)",
            id="one more node",
        ),
    ],
)
def test_what_would_make_it_fit(world: World, pod: Object, says: str) -> None:
    assert says in said(world.search(pod))


def test_evictions_come_first_and_the_new_node_last() -> None:
    nodes = [a_node("full"), a_node("tainted", taints=[TAINT])]
    search = World(nodes, [a_pod("there", on="full", cpu="4")]).search(a_pod("new", cpu="1"))
    assert [one.change.sort for one in search.suggestions] == ["evict", "node", "toleration", "request", "newNode"]


@pytest.mark.parametrize(
    "spared",
    [
        pytest.param(
            {"ownerReferences": [{"kind": "DaemonSet", "name": "d", "controller": True}]}, id="of a DaemonSet"
        ),
        pytest.param({"annotations": {"kubernetes.io/config.mirror": "x"}}, id="static"),
        pytest.param({"deletionTimestamp": "2026-01-01T00:00:00Z"}, id="leaving already"),
    ],
)
def test_pods_whose_eviction_makes_no_room_are_spared(spared: Object) -> None:
    pod = a_pod("there", on="n", cpu="4")
    pod["metadata"] |= spared
    assert not any(one.change.evict for one in World([a_node("n")], [pod]).search(a_pod("new")).suggestions)


def test_where_nothing_helps_that_is_proven() -> None:
    nodes = [a_node("n", cpu="1", taints=[TAINT])]
    search = World(nodes).search(a_pod("new", cpu="2"))
    assert search.suggestions == ()
    assert search.complete
    assert search.proof.startswith("No single change helps: decided again with changed ")


def test_one_node_may_be_asked_about() -> None:
    world = World([a_node("a", taints=[TAINT]), a_node("b", cordoned=True)])
    assert said(world.search(a_pod("new"), only="a")) == [
        "remove gpu=yes:NoSchedule from node a",
        "tolerate gpu=yes:NoSchedule",
    ]


SELECTING = {"nodeSelector": {"x": "y"}}
REMOVE = '--type=json -p \'[{"op":"remove","path":"%s/nodeSelector/x"}]\''


@pytest.mark.parametrize(
    ("pod", "says", "command"),
    [
        pytest.param({}, "uncordon", "kubectl uncordon closed", id="a node"),
        pytest.param(
            {}, "tolerate gpu", 'kubectl -n shop patch pod new --type=json -p \'[{"op":"add"', id="tolerations may grow"
        ),
        pytest.param(
            SELECTING,
            "leave x=y",
            f"kubectl -n shop get pod new -o json | kubectl patch --local -f - {REMOVE % '/spec'}",
            id="all else of a pod is made anew",
        ),
        pytest.param(
            {**OWNED, **SELECTING},
            "leave x=y",
            f"kubectl -n shop patch deployment web {REMOVE % '/spec/template/spec'}",
            id="a Deployment's template",
        ),
    ],
)
def test_commands(pod: Object, says: str, command: str) -> None:
    metadata, spec = pod.get("metadata"), {key: value for key, value in pod.items() if key != "metadata"}
    asked = a_pod("new", **spec)
    asked["metadata"] = metadata or asked["metadata"]
    closed = a_node("closed", cordoned=True) if not spec else a_node("n")
    search = World([closed, a_node("tainted", taints=[TAINT])]).search(asked)
    change = next(one.change for one in search.suggestions if one.change.says.startswith(says))
    assert commands(change, as_pod(asked))[0].startswith(command)


def test_a_manifest_is_patched_where_it_is() -> None:
    search = World([a_node("n")]).search(a_pod("new", nodeSelector={"x": "y"}))
    change = next(one.change for one in search.suggestions if one.change.sort == "selector")
    command = (
        'kubectl patch --local -f pod.yaml --type=json -p \'[{"op":"remove","path":"/spec/nodeSelector/x"}]\' -o yaml'
    )
    assert commands(change, as_pod(a_pod("new")), manifest="pod.yaml") == [command]
