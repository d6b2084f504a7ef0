"""On any small cluster, verdicts and scores are those of a plain implementation that looks at nodes one by one."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct, convert

from roost.api.controllers import Service
from roost.api.labels import selects
from roost.api.node import Node
from roost.api.node_selectors import required_node_affinity_matches
from roost.api.pod import Pod
from roost.api.selectors import LabelSelector, TopologySpreadConstraint
from roost.cache import Cache
from roost.framework.changes import Moves
from roost.framework.cycle import Cycle
from roost.framework.decision import Table
from roost.framework.plugin import Context
from roost.framework.profile import Profile
from roost.framework.view import ALL, WhatIf
from roost.plugins.intree.node_name import NodeName
from roost.plugins.intree.node_unschedulable import NodeUnschedulable
from roost.plugins.intree.pod_topology_spread import PodTopologySpread, PodTopologySpreadArgs
from roost.testing import node, pod

HOSTNAME, ZONE, RACK = "kubernetes.io/hostname", "topology.kubernetes.io/zone", "rack"
KEYS = (HOSTNAME, ZONE, RACK)
MISSING, SKEWED = "missing label", "skewed"
Constraints = Sequence[TopologySpreadConstraint]


# ---- the plain implementation


class World(Struct):
    """A cluster and a pod to place, with its constraints as they stand; `lenient` ones go by the labels there are."""

    nodes: list[Node]
    pods: list[Pod]
    pod: Pod
    constraints: list[TopologySpreadConstraint]
    lenient: bool

    def of(self, action: str) -> list[TopologySpreadConstraint]:
        return [one for one in self.constraints if one.when_unsatisfiable == action]

    def counted(self, constraint: TopologySpreadConstraint, on: Node) -> int:
        selector = self.selector(constraint)
        if selector is not None and not selector.match_labels and not selector.match_expressions:
            return 0
        return sum(
            one.spec.node_name == on.name
            and one.namespace == self.pod.namespace
            and not one.is_terminating
            and selects(selector, one.labels)
            for one in self.pods
        )

    def selector(self, constraint: TopologySpreadConstraint) -> LabelSelector | None:
        own = {key: self.pod.labels[key] for key in constraint.match_label_keys or () if key in self.pod.labels}
        selector = constraint.label_selector
        if selector is None or not own:
            return selector
        labels = selector.match_labels or {}
        if any(labels.get(key, value) != value for key, value in own.items()):
            return None
        return LabelSelector(match_labels=labels | own, match_expressions=selector.match_expressions)

    def takes_part(self, constraint: TopologySpreadConstraint, on: Node) -> bool:
        if constraint.node_affinity_policy != "Ignore" and not required_node_affinity_matches(self.pod, on):
            return False
        hard = [taint for taint in on.taints if taint.effect in ("NoSchedule", "NoExecute")]
        tolerations = self.pod.spec.tolerations or ()
        tolerated = all(any(one.tolerates(taint) for one in tolerations) for taint in hard)
        return constraint.node_taints_policy != "Honor" or tolerated

    def totals(self, constraint: TopologySpreadConstraint, nodes: Sequence[Node]) -> dict[str, int]:
        totals: dict[str, int] = {}
        for one in nodes:
            if self.takes_part(constraint, one):
                value = one.labels.get(constraint.topology_key, "")
                totals[value] = totals.get(value, 0) + self.counted(constraint, one)
        return totals


def has_all(on: Node, constraints: Constraints) -> bool:
    return all(one.topology_key in on.labels for one in constraints)


def verdict(world: World, on: Node, moved: Mapping[int, int] | None = None) -> str:
    """Judge one node; `moved` says by constraint how many pods more that node has than the world."""
    hard = world.of("DoNotSchedule")
    for number, constraint in enumerate(hard):
        if constraint.topology_key not in on.labels:
            return MISSING
        totals = world.totals(constraint, [one for one in world.nodes if has_all(one, hard)])
        value = on.labels[constraint.topology_key]
        if moved and has_all(on, hard) and world.takes_part(constraint, on):
            totals[value] += moved[number]
        lowest = min(totals.values()) if totals and len(totals) >= (constraint.min_domains or 1) else 0
        itself = selects(world.selector(constraint), world.pod.labels)
        if totals.get(value, 0) + itself - lowest > constraint.max_skew:
            return SKEWED
    return ""


def scores(world: World, fitting: Sequence[Node]) -> tuple[dict[str, int], dict[str, int]] | None:
    """Return raw and normalised scores of the nodes that fit, None if there is nothing to score by."""
    soft = world.of("ScheduleAnyway")
    if not soft:
        return None
    scored = [one for one in fitting if world.lenient or has_all(one, soft)]
    counting = [one for one in world.nodes if world.lenient or has_all(one, soft)]
    raw = {one.name: 0 for one in fitting}
    for one in scored:
        score = 0.0
        for constraint in soft:
            key = constraint.topology_key
            if key not in one.labels:
                continue
            if key == HOSTNAME:
                count, size = world.counted(constraint, one), len(scored)
            else:
                count = world.totals(constraint, counting).get(one.labels[key], 0)
                size = len({other.labels.get(key, "") for other in scored})
            score += count * math.log(size + 2) + (constraint.max_skew - 1)
        raw[one.name] = math.floor(score) + (score - math.floor(score) >= 0.5)
    highest = max((raw[one.name] for one in scored), default=0)
    lowest = min((raw[one.name] for one in scored), default=0)
    normal = dict.fromkeys(raw, 0)
    for one in scored:
        normal[one.name] = 100 * (highest + lowest - raw[one.name]) // highest if highest else 100
    return raw, normal


# ---- clusters


def selectors() -> st.SearchStrategy[Any]:
    return st.sampled_from(
        [
            {"matchLabels": {"app": "web"}},
            {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "db"]}]},
            {"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]},
            {},
            None,
        ]
    )


NODES = st.lists(
    st.builds(
        lambda labels, tainted, cordoned: ({k: v for k, v in labels.items() if v is not None}, tainted, cordoned),
        st.fixed_dictionaries(
            {
                HOSTNAME: st.just("own") | st.sampled_from([None, "shared"]),
                ZONE: st.sampled_from(["a", "b", "c", "", None]),
                RACK: st.sampled_from(["1", "2", None]),
                "disk": st.sampled_from(["ssd", "hdd"]),
            }
        ),
        st.sampled_from([None, None, "NoSchedule", "PreferNoSchedule"]),
        st.sampled_from([False, False, True]),
    ),
    min_size=1,
    max_size=7,
).map(
    lambda shapes: [
        node(
            f"n{number}",
            labels={key: f"n{number}" if value == "own" else value for key, value in labels.items()},
            taints=[{"key": "team", "value": "x", "effect": effect}] if effect else (),
            unschedulable=cordoned,
        )
        for number, (labels, effect, cordoned) in enumerate(shapes)
    ]
)
LABELS = st.sampled_from([{"app": "web"}, {"app": "db"}, {"app": "web", "tier": "front"}, {}])
PLACED = st.lists(
    st.tuples(st.integers(0, 7), LABELS, st.sampled_from(["default", "default", "other"]), st.booleans()), max_size=14
).map(
    lambda shapes: [
        pod(
            f"placed{number}",
            namespace=namespace,
            labels=labels,
            node_name=f"n{on}",
            metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"} if leaving and number % 2 else None,
        )
        for number, (on, labels, namespace, leaving) in enumerate(shapes)
    ]
)
CONSTRAINT = st.fixed_dictionaries(
    {
        "maxSkew": st.integers(1, 3),
        "topologyKey": st.sampled_from(KEYS),
        "whenUnsatisfiable": st.sampled_from(["DoNotSchedule", "ScheduleAnyway"]),
        "labelSelector": selectors(),
    },
    optional={
        "minDomains": st.integers(1, 4),
        "nodeAffinityPolicy": st.sampled_from(["Honor", "Ignore"]),
        "nodeTaintsPolicy": st.sampled_from(["Honor", "Ignore"]),
        "matchLabelKeys": st.just(["tier"]),
    },
)
ASKED = st.fixed_dictionaries(
    {
        "topologySpreadConstraints": st.lists(CONSTRAINT, min_size=1, max_size=3),
        "nodeSelector": st.sampled_from([None, None, {"disk": "ssd"}]),
        "tolerations": st.sampled_from([[], [{"key": "team", "operator": "Exists"}]]),
    }
)


def cache_of(nodes: Sequence[Node], pods: Sequence[Pod], services: Sequence[Service] = ()) -> Cache:
    cache = Cache()
    for one in nodes:
        cache.set_node(one)
    for one in pods:
        cache.set_pod(one)
    for service in services:
        cache.set_controller(service)
    return cache


def decided(plugin: PodTopologySpread, cache: Cache, asked: Pod) -> Table:
    cycle = Cycle(Profile.of([NodeUnschedulable(), NodeName(), plugin]))
    decision = cycle.decide(cache.pod_info(asked), cache.view, Context())
    assert decision.outcome != "error", decision.message
    return decision.freeze()


def check(world: World, table: Table) -> None:
    fitting = []
    for one in world.nodes:
        got = table.verdicts[one.name]
        expected = verdict(world, one)
        if one.spec.unschedulable:
            assert got.status.plugin == "NodeUnschedulable"
        elif expected:
            reason = "node(s) didn't match pod topology spread constraints"
            missing = " (missing required label)" if expected == MISSING else ""
            assert got.status.reasons == (reason + missing,), one.name
        else:
            assert got.feasible, one.name
            fitting.append(one)
    wanted = scores(world, fitting)
    if wanted is None or not fitting:
        assert all("PodTopologySpread" not in row.raw for row in table.scores.values())
        return
    raw, normal = wanted
    assert {name: row.raw["PodTopologySpread"] for name, row in table.scores.items()} == raw
    assert {name: row.weighted["PodTopologySpread"] for name, row in table.scores.items()} == {
        name: 2 * score for name, score in normal.items()
    }


@given(nodes=NODES, placed=PLACED, labels=LABELS, spec=ASKED)
@settings(max_examples=250, deadline=None)
def test_constraints_of_a_pod(nodes: list[Node], placed: list[Pod], labels: dict[str, str], spec: Any) -> None:
    asked = pod("asked", labels=labels, spec=spec)
    world = World(nodes, placed, asked, list(asked.spec.topology_spread_constraints or ()), lenient=False)
    check(world, decided(PodTopologySpread(), cache_of(nodes, placed), asked))


LISTS = st.lists(
    st.fixed_dictionaries(
        {
            "maxSkew": st.integers(1, 3),
            "topologyKey": st.sampled_from(KEYS),
            "whenUnsatisfiable": st.sampled_from(["DoNotSchedule", "ScheduleAnyway"]),
        }
    ),
    max_size=3,
    unique_by=lambda one: (one["topologyKey"], one["whenUnsatisfiable"]),
)
SYSTEM = [
    {"maxSkew": 3, "topologyKey": HOSTNAME, "whenUnsatisfiable": "ScheduleAnyway"},
    {"maxSkew": 5, "topologyKey": ZONE, "whenUnsatisfiable": "ScheduleAnyway"},
]


@given(nodes=NODES, placed=PLACED, labels=LABELS, listed=st.none() | LISTS)
@settings(max_examples=150, deadline=None)
def test_default_constraints(nodes: list[Node], placed: list[Pod], labels: dict[str, str], listed: Any) -> None:
    asked = pod("asked", labels=labels)
    service = convert(
        {"metadata": {"name": "web", "namespace": "default"}, "spec": {"selector": {"app": "web"}}}, Service
    )
    selected = {"matchLabels": {"app": "web"}} if labels.get("app") == "web" else None
    given_ = SYSTEM if listed is None else listed
    constraints = [convert({**one, "labelSelector": selected}, TopologySpreadConstraint) for one in given_]
    world = World(nodes, placed, asked, constraints if selected else [], lenient=listed is None)
    args = {} if listed is None else {"defaultingType": "List", "defaultConstraints": listed}
    plugin = PodTopologySpread(convert(args, PodTopologySpreadArgs))
    check(world, decided(plugin, cache_of(nodes, placed, [service]), asked))


TIGHT = st.fixed_dictionaries(
    {
        "maxSkew": st.integers(1, 2),
        "topologyKey": st.sampled_from([ZONE, ZONE, HOSTNAME]),
        "whenUnsatisfiable": st.just("DoNotSchedule"),
        "labelSelector": selectors(),
    },
    optional={"minDomains": st.integers(1, 3), "nodeTaintsPolicy": st.just("Honor")},
)
IN_ZONES = st.lists(st.tuples(st.sampled_from("aabbc"), st.sampled_from([None, None, None, "NoSchedule"])), min_size=2)
ZONED = IN_ZONES.map(
    lambda shapes: [
        node(
            f"n{number}",
            labels={ZONE: zone, HOSTNAME: f"n{number}"},
            taints=[{"key": "team", "effect": effect}] if effect else (),
        )
        for number, (zone, effect) in enumerate(shapes[:5])
    ]
)


@given(
    nodes=ZONED,
    placed=PLACED,
    labels=LABELS,
    constraints=st.lists(TIGHT, min_size=1, max_size=2),
    added=st.lists(LABELS, max_size=3),
    data=st.data(),
)
@settings(max_examples=250, deadline=None)
def test_hypothetical_rows(
    nodes: list[Node], placed: list[Pod], labels: dict[str, str], constraints: Any, added: Any, data: Any
) -> None:
    """Each row is a cluster of its own, in which every pod that the selector selects counts as one more or less."""
    placed = [one for one in placed if int(one.spec.node_name[1:]) < len(nodes)]
    asked = pod("asked", labels=labels, spec={"topologySpreadConstraints": constraints})
    world = World(nodes, placed, asked, list(asked.spec.topology_spread_constraints or ()), lenient=False)
    hard = world.of("DoNotSchedule")
    cache, plugin = cache_of(nodes, placed), PodTopologySpread()
    info, ctx = cache.pod_info(asked), Context()
    on = data.draw(st.sampled_from(nodes))
    there = [one for one in placed if one.spec.node_name == on.name]
    gone = data.draw(st.lists(st.sampled_from(there), unique_by=lambda one: one.name)) if there else []
    come = [pod(f"new{number}", labels=shape) for number, shape in enumerate(added)]
    pods = [cache.pod_info(one, placed=True) for one in (*gone, *come)]
    counts = np.array([-1] * len(gone) + [1] * len(come), dtype=np.int64)
    slots = np.array([cache.view.rows_named(one.name)[0] for one in (on, *nodes)])
    rows = np.zeros(len(pods), dtype=np.intp)
    moves = Moves(len(slots), pods, rows, counts)
    verdicts = plugin.filter(ctx, info, WhatIf(cache.view, slots, moves), ALL)
    codes = verdicts.codes.tolist() if verdicts is not None else [0] * len(slots)
    moved = {}
    for number, constraint in enumerate(hard):
        selector = world.selector(constraint)
        moved[number] = sum(
            count * (selects(selector, one.labels) and one.namespace == "default")
            for one, count in zip((*gone, *come), counts.tolist(), strict=True)
        )
    expected = [verdict(world, on, moved), *(verdict(world, one) for one in nodes)]
    assert [("", MISSING, SKEWED)[code] for code in codes] == expected
