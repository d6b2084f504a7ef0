from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from msgspec import convert

from roost.api.controllers import PodGrouping, ReplicaSet, Service
from roost.api.node import Node
from roost.api.pod import Pod
from roost.cache import Cache
from roost.config.arguments import make_plugin
from roost.errors import ConfigError
from roost.framework.changes import Moves
from roost.framework.cycle import Cycle
from roost.framework.plugin import Context
from roost.framework.profile import Profile
from roost.framework.status import Code, Status
from roost.framework.view import ALL, WhatIf
from roost.plugins.intree.pod_topology_spread import SKEWED, UNLABELLED, PodTopologySpread
from roost.testing import node, pod

Judge = Callable[..., Mapping[str, Status]]
Rate = Callable[..., dict[str, int] | None]
Fields = dict[str, Any]
ZONE, HOSTNAME = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
HARD, SOFT = "DoNotSchedule", "ScheduleAnyway"
WEB = {"app": "web"}


def constraint(when: str = HARD, key: str = ZONE, skew: int = 1, **fields: Any) -> Fields:
    selector = {"matchLabels": WEB}
    return {"maxSkew": skew, "topologyKey": key, "whenUnsatisfiable": when, "labelSelector": selector, **fields}


def spreading(*constraints: Fields, labels: Mapping[str, str] | None = WEB, **fields: Any) -> Pod:
    return pod("new", labels=labels, spec={"topologySpreadConstraints": list(constraints), **fields})


def zoned(name: str, zone: str | None = None, **fields: Any) -> Node:
    labels = {HOSTNAME: name, **({} if zone is None else {ZONE: zone})}
    return node(name, labels=labels | fields.pop("labels", {}), **fields)


def on(
    *node_names: str, labels: Mapping[str, str] = WEB, leaving: bool = False, namespace: str = "default"
) -> list[Pod]:
    metadata = {"deletionTimestamp": "2026-01-01T00:00:00Z"} if leaving else None
    kind = f"{'-'.join(labels.values())}{leaving}"
    return [
        pod(f"{kind}-{number}", labels=labels, node_name=name, metadata=metadata, namespace=namespace)
        for number, name in enumerate(node_names)
    ]


TWO_ZONES = [zoned("a1", "a"), zoned("a2", "a"), zoned("b1", "b")]


@pytest.mark.parametrize(
    ("asked", "nodes", "placed", "rejected"),
    [
        pytest.param(spreading(constraint()), TWO_ZONES, [], "", id="nothing is placed yet"),
        pytest.param(spreading(constraint()), TWO_ZONES, on("a1"), "a1 a2", id="a zone has one more than the other"),
        pytest.param(spreading(constraint(skew=2)), TWO_ZONES, on("a1"), "", id="one more is within a skew of two"),
        pytest.param(spreading(constraint()), TWO_ZONES, on("a1", "b1"), "", id="zones are even"),
        pytest.param(spreading(constraint(key=HOSTNAME)), TWO_ZONES, on("a1"), "a1", id="domains may be single nodes"),
        pytest.param(spreading(constraint(), labels={}), TWO_ZONES, on("a1"), "", id="the pod does not count itself"),
        pytest.param(
            spreading(constraint(), labels={}), TWO_ZONES, on("a1", "a2"), "a1 a2", id="others count all the same"
        ),
        pytest.param(
            spreading(constraint()), TWO_ZONES, on("a1", leaving=True), "", id="pods being deleted do not count"
        ),
        pytest.param(
            spreading(constraint()), TWO_ZONES, on("a1", namespace="other"), "", id="nor those of other namespaces"
        ),
        pytest.param(
            spreading(constraint(labelSelector={})), TWO_ZONES, on("a1", "a2"), "", id="an empty selector counts nobody"
        ),
        pytest.param(
            spreading(constraint(labelSelector=None)), TWO_ZONES, on("a1", "a2"), "", id="no selector selects nobody"
        ),
        pytest.param(
            spreading(constraint(matchLabelKeys=["version"]), labels=WEB | {"version": "2"}),
            TWO_ZONES,
            on("a1", labels=WEB | {"version": "1"}),
            "",
            id="matchLabelKeys: other versions do not count",
        ),
        pytest.param(
            spreading(constraint(matchLabelKeys=["version"])),
            TWO_ZONES,
            on("a1", labels=WEB | {"version": "1"}),
            "a1 a2",
            id="matchLabelKeys: a key that the pod lacks says nothing",
        ),
        pytest.param(
            spreading(constraint(minDomains=3, skew=2)),
            TWO_ZONES,
            on("a1", "a1", "b1"),
            "a1 a2",
            id="fewer domains than asked for count as if one were empty",
        ),
        pytest.param(
            spreading(constraint(minDomains=2, skew=2)), TWO_ZONES, on("a1", "a1", "b1"), "", id="as many do not"
        ),
        pytest.param(
            spreading(constraint(), nodeSelector={ZONE: "a"}),
            TWO_ZONES,
            on("a1"),
            "",
            id="zones where the pod cannot go do not count",
        ),
        pytest.param(
            spreading(constraint(nodeAffinityPolicy="Ignore"), nodeSelector={ZONE: "a"}),
            TWO_ZONES,
            on("a1"),
            "a1 a2",
            id="nodeAffinityPolicy Ignore: they do",
        ),
        pytest.param(
            spreading(constraint()),
            [zoned("a1", "a"), zoned("b1", "b", taints=[{"key": "k", "effect": "NoSchedule"}])],
            on("a1"),
            "a1",
            id="tainted nodes count",
        ),
        pytest.param(
            spreading(constraint(nodeTaintsPolicy="Honor")),
            [zoned("a1", "a"), zoned("b1", "b", taints=[{"key": "k", "effect": "NoSchedule"}])],
            on("a1"),
            "",
            id="nodeTaintsPolicy Honor: they do not",
        ),
        pytest.param(
            spreading(constraint(), constraint(key=HOSTNAME, skew=1)),
            TWO_ZONES,
            on("a1", "b1"),
            "a1 b1",
            id="all constraints must hold",
        ),
        pytest.param(
            spreading(constraint(), constraint(key="rack")),
            [zoned("a1", "a", labels={"rack": "1"}), zoned("b1", "b", labels={"rack": "1"}), zoned("c1", "c")],
            on("a1", "b1"),
            "c1",
            id="a node that lacks a label of any constraint is no domain for the others",
        ),
        pytest.param(
            spreading(constraint()),
            [zoned("a1", "a"), zoned("e1", "")],
            on("a1"),
            "a1",
            id="an empty value is a domain",
        ),
        pytest.param(spreading(constraint(SOFT)), TWO_ZONES, on("a1", "a2"), "", id="a soft constraint rejects nobody"),
    ],
)
def test_a_domain_must_not_have_more_pods_than_the_skew_above_the_emptiest(
    judge: Judge, asked: Pod, nodes: Sequence[Node], placed: Sequence[Pod], rejected: str
) -> None:
    assert set(judge(PodTopologySpread(), asked, nodes, placed)) == set(rejected.split())


def test_the_reason_is_that_of_the_first_constraint_that_fails(judge: Judge) -> None:
    nodes = [*TWO_ZONES, zoned("none")]
    said = judge(PodTopologySpread(), spreading(constraint(), constraint(key="rack")), nodes, on("a1"))
    # No node has all labels: nothing is counted, and the missing rack is what fails.
    assert {name: status.reasons for name, status in said.items()} == dict.fromkeys(
        ("a1", "a2", "b1", "none"), UNLABELLED.reasons
    )
    said = judge(PodTopologySpread(), spreading(constraint()), nodes, on("a1"))
    assert said["a1"].reasons == SKEWED.reasons
    assert said["none"].reasons == UNLABELLED.reasons
    assert said["a1"].code is Code.Unschedulable
    assert said["none"].code is Code.UnschedulableAndUnresolvable


# ---- scores: of n domains weight ln(n + 2), and maxSkew - 1 for each constraint


@pytest.mark.parametrize(
    ("asked", "nodes", "placed", "expected"),
    [
        # 2 * ln 4 = 2.77, 0.
        pytest.param(
            spreading(constraint(SOFT)), TWO_ZONES, on("a1", "a2"), {"a1": 3, "a2": 3, "b1": 0}, id="pods of the domain"
        ),
        # ln 5 = 1.61 for each pod on the node itself.
        pytest.param(
            spreading(constraint(SOFT, HOSTNAME)),
            TWO_ZONES,
            on("a1", "a1", "b1"),
            {"a1": 3, "a2": 0, "b1": 2},
            id="pods of the node, where domains are nodes",
        ),
        pytest.param(
            spreading(constraint(SOFT, skew=4)), TWO_ZONES, on("a1"), {"a1": 4, "a2": 4, "b1": 3}, id="and maxSkew - 1"
        ),
        pytest.param(
            spreading(constraint(SOFT), constraint(SOFT, HOSTNAME)),
            TWO_ZONES,
            on("a1"),
            {"a1": 3, "a2": 1, "b1": 0},
            id="sums are rounded once",
        ),
        # Without the label b1 is left out: one domain, ln 3 = 1.1.
        pytest.param(
            spreading(constraint(SOFT)),
            [zoned("a1", "a"), zoned("b1")],
            on("a1", "a1", "b1"),
            {"a1": 2, "b1": 0},
            id="a node without the label",
        ),
    ],
)
def test_a_score_grows_with_the_pods_around(
    rate: Rate, asked: Pod, nodes: Sequence[Node], placed: Sequence[Pod], expected: dict[str, int]
) -> None:
    assert rate(PodTopologySpread(), asked, nodes, placed) == expected


@pytest.mark.parametrize(
    ("asked", "nodes", "placed", "expected"),
    [
        pytest.param(
            spreading(constraint(SOFT)), TWO_ZONES, on("a1", "a2"), {"a1": 0, "a2": 0, "b1": 200}, id="fewest are best"
        ),
        pytest.param(
            spreading(constraint(SOFT)),
            TWO_ZONES,
            [],
            {"a1": 200, "a2": 200, "b1": 200},
            id="all are best without pods",
        ),
        # Raw 3 and 2: 100 * (3 + 2 - 3) // 3 = 66.
        pytest.param(
            spreading(constraint(SOFT, HOSTNAME)),
            [zoned("a1", "a"), zoned("b1", "b")],
            on("a1", "a1", "b1"),
            {"a1": 2 * 33, "b1": 200},
            id="shares of the highest",
        ),
        pytest.param(
            spreading(constraint(SOFT)),
            [zoned("a1", "a"), zoned("b1"), zoned("c1", "c")],
            on("c1"),
            {"a1": 200, "b1": 0, "c1": 0},
            id="a node without the label is worst, and does not count as a lowest score",
        ),
        pytest.param(
            spreading(constraint(SOFT)), [zoned("a1"), zoned("b1")], [], {"a1": 0, "b1": 0}, id="nobody has the label"
        ),
    ],
)
def test_fewer_pods_around_are_better(
    weigh: Rate, asked: Pod, nodes: Sequence[Node], placed: Sequence[Pod], expected: dict[str, int]
) -> None:
    assert weigh(PodTopologySpread(), asked, nodes, placed) == expected


# ---- default constraints


def service(labels: Mapping[str, str] = WEB) -> Service:
    return convert({"metadata": {"name": "s", "namespace": "default"}, "spec": {"selector": labels}}, Service)


def raw_scores(nodes: Sequence[Node], placed: Sequence[Pod], asked: Pod, *groupings: PodGrouping, **args: Any) -> Any:
    cache = Cache()
    for one in nodes:
        cache.set_node(one)
    for one in placed:
        cache.set_pod(one)
    for grouping in groupings:
        cache.set_controller(grouping)
    plugin = make_plugin("PodTopologySpread", PodTopologySpread, ("args", args))
    table = Cycle(Profile.of([plugin])).decide(cache.pod_info(asked), cache.view, Context()).freeze()
    rejected = {name for name, verdict in table.verdicts.items() if not verdict.feasible}
    return {name: row.raw.get("PodTopologySpread") for name, row in table.scores.items()} | dict.fromkeys(
        rejected, "no"
    )


PLAIN = pod("new", labels=WEB)


def test_pods_of_a_service_are_spread_by_default() -> None:
    # Nodes: ln 5 for each pod, and 2; zones: ln 4 for each pod, and 4.
    assert raw_scores(TWO_ZONES, on("a1"), PLAIN, service()) == {"a1": 9, "a2": 7, "b1": 6}


def test_pods_of_no_service_are_not() -> None:
    assert raw_scores(TWO_ZONES, on("a1"), PLAIN, service({"app": "db"})) == dict.fromkeys(["a1", "a2", "b1"])


def test_constraints_of_its_own_take_the_place_of_the_default_ones() -> None:
    asked = spreading(constraint(SOFT, key="rack"))
    assert raw_scores(TWO_ZONES, on("a1"), asked, service()) == {"a1": 0, "a2": 0, "b1": 0}


def test_pods_of_a_replica_set_are_spread_apart_from_those_of_the_next_one() -> None:
    def labels(number: int) -> dict[str, str]:
        return WEB | {"pod-template-hash": str(number)}

    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-2", "uid": "2", "controller": True}
    fields = {"metadata": {"name": "web-2", "namespace": "default"}, "spec": {"selector": {"matchLabels": labels(2)}}}
    asked = pod("new", labels=labels(2), metadata={"ownerReferences": [owner]})
    placed = [*on("a1", "a1", "a2", labels=labels(1)), *on("b1", labels=labels(2))]
    assert raw_scores(TWO_ZONES, placed, asked, service(), convert(fields, ReplicaSet)) == {"a1": 6, "a2": 6, "b1": 9}


def test_by_default_a_node_without_a_zone_is_scored_by_what_is_on_it() -> None:
    # Nodes: ln 4 for each pod, and 2; "no zone" counts as a zone for the weight, so the zones have ln 4 too, and 4.
    assert raw_scores([zoned("a1", "a"), zoned("x")], on("a1", "x"), PLAIN, service()) == {"a1": 9, "x": 3}


def test_by_default_no_zone_and_an_empty_zone_are_the_same() -> None:
    # Zones: three pods, ln 3 for each as there is one zone, and 4. Nodes: ln 4 for each, and 2.
    assert raw_scores([zoned("e", ""), zoned("x")], on("e", "e", "x"), PLAIN, service()) == {"e": 12, "x": 3}


def test_a_list_of_default_constraints_may_reject() -> None:
    listed = [{"maxSkew": 1, "topologyKey": ZONE, "whenUnsatisfiable": HARD}]
    args = {"defaultingType": "List", "defaultConstraints": listed}
    assert raw_scores(TWO_ZONES, on("a1"), PLAIN, service(), **args) == {"a1": "no", "a2": "no", "b1": None}


def test_an_empty_list_switches_default_constraints_off() -> None:
    assert raw_scores(TWO_ZONES, on("a1"), PLAIN, service(), defaultingType="List")["a1"] is None
    plugin = make_plugin("PodTopologySpread", PodTopologySpread, ("args", {"defaultingType": "List"}))
    assert "services" not in Profile.of([plugin]).reads


DEFAULT = {"maxSkew": 1, "topologyKey": ZONE, "whenUnsatisfiable": HARD}


@pytest.mark.parametrize(
    ("listed", "problem"),
    [
        pytest.param([DEFAULT | {"maxSkew": 0}], "[0].maxSkew: must be at least 1, not 0", id="no skew at all"),
        pytest.param(
            [DEFAULT | {"topologyKey": ""}], "[0].topologyKey: must be the key of a node label, not ''", id="no key"
        ),
        pytest.param(
            [DEFAULT | {"topologyKey": "a b"}],
            "[0].topologyKey: must be the key of a node label, not 'a b'",
            id="no label",
        ),
        pytest.param(
            [DEFAULT | {"topologyKey": "A/b"}],
            "[0].topologyKey: must be the key of a node label, not 'A/b'",
            id="prefix",
        ),
        pytest.param(
            [DEFAULT, DEFAULT | {"labelSelector": {}}],
            "[1].labelSelector: must be absent: which pods count follows from a pod's Services and controller",
            id="a selector",
        ),
        pytest.param(
            [DEFAULT, DEFAULT | {"maxSkew": 2}], f"[1]: {ZONE} with {HARD} is given twice; remove one", id="twice"
        ),
        pytest.param(
            [{"topologyKey": ZONE, "whenUnsatisfiable": HARD}], "[0].maxSkew: is missing", id="a field is missing"
        ),
    ],
)
def test_a_mistake_in_default_constraints_is_named(listed: list[Fields], problem: str) -> None:
    args = {"defaultingType": "List", "defaultConstraints": listed}
    with pytest.raises(ConfigError) as caught:
        make_plugin("PodTopologySpread", PodTopologySpread, ("args", args))
    assert str(caught.value) == f"args.defaultConstraints{problem}"


def test_system_defaulting_takes_no_list() -> None:
    with pytest.raises(ConfigError, match="defaultConstraints: go with defaultingType: List; remove them or set that"):
        make_plugin("PodTopologySpread", PodTopologySpread, ("args", {"defaultConstraints": [DEFAULT]}))


# ---- hypothetical rows


def rejected_with(asked: Pod, placed: Sequence[Pod], *, on_a1: Sequence[Pod], counts: int) -> str:
    """Return which of the nodes a1 (with pods more or less), a1 and b1 (as they are) are rejected."""
    cache = Cache()
    for one in TWO_ZONES:
        cache.set_node(one)
    for one in placed:
        cache.set_pod(one)
    slots = np.array([cache.view.rows_named(name)[0] for name in ("a1", "a1", "b1")])
    pods = [cache.pod_info(one, placed=True) for one in on_a1]
    moves = Moves(3, pods, np.zeros(len(pods), dtype=np.intp), np.full(len(pods), counts))
    verdicts = PodTopologySpread().filter(Context(), cache.pod_info(asked), WhatIf(cache.view, slots, moves), ALL)
    codes = [0, 0, 0] if verdicts is None else verdicts.codes
    return " ".join(name for name, code in zip(("a1+", "a1", "b1"), codes, strict=True) if code)


@pytest.mark.parametrize(
    ("asked", "placed", "on_a1", "counts", "rejected"),
    [
        pytest.param(spreading(constraint()), [], on("a1"), 1, "a1+", id="a pod more makes its zone fuller"),
        pytest.param(spreading(constraint()), on("a1"), on("a1"), -1, "a1", id="a pod less makes room in its zone"),
        pytest.param(spreading(constraint()), on("b1"), on("a1"), 1, "b1", id="only that row is different"),
        pytest.param(
            spreading(constraint()),
            on("a1", leaving=True),
            on("a1", leaving=True),
            1,
            "a1+",
            id="also one being deleted",
        ),
        pytest.param(
            spreading(constraint(labelSelector={})),
            [],
            on("a1"),
            1,
            "a1+",
            id="also where an empty selector counts nobody",
        ),
        pytest.param(
            spreading(constraint()), [], on("a1", namespace="other"), 1, "", id="not one of another namespace"
        ),
        pytest.param(
            spreading(constraint(skew=1), labels={}),
            on("a1", "a1", "b1"),
            on("a1", "a1"),
            -1,
            "",
            id="the emptiest zone may be the one that pods leave",
        ),
        pytest.param(spreading(constraint(minDomains=3)), on("a1", "b1"), on("a1"), -1, "a1 b1", id="too few domains"),
    ],
)
def test_pods_that_are_tried_count(
    asked: Pod, placed: Sequence[Pod], on_a1: Sequence[Pod], counts: int, rejected: str
) -> None:
    assert rejected_with(asked, placed, on_a1=on_a1, counts=counts) == rejected
