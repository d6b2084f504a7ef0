"""What must hold after any sequence of events: remembered and batched answers are those of a full re-evaluation."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roost.api.node import Node
from roost.api.pod import Pod
from roost.api.quantity import milli_value, value
from roost.api.requests import pod_requests
from roost.cache import Cache
from roost.config.profiles import default_profile, profile_from_fragment
from roost.framework.cycle import Cycle
from roost.framework.decision import Decision
from roost.framework.plugin import Context
from roost.framework.profile import Profile
from roost.testing import node, pod

CPU = st.sampled_from(["0", "1m", "100m", "250m", "1", "1500m"])
MEMORY = st.sampled_from(["0", "1Mi", "128Mi", "1Gi"])
TAINTS = st.lists(
    st.builds(
        lambda key, effect: {"key": key, "effect": effect},
        st.sampled_from(["spot", "gpu"]),
        st.sampled_from(["NoSchedule", "PreferNoSchedule"]),
    ),
    max_size=2,
    unique_by=lambda taint: (taint["key"], taint["effect"]),
)
PREFERENCES = [{"weight": 7, "preference": {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["b"]}]}}]
TERM = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "web"}}}
REQUIRED = {"requiredDuringSchedulingIgnoredDuringExecution": [TERM]}
PREFERRED = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 5, "podAffinityTerm": TERM}]}
SPREAD = {"maxSkew": 1, "topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "web"}}}
SPECS = [
    {},
    {},
    {},
    {"affinity": {"podAffinity": REQUIRED}},
    {"affinity": {"podAntiAffinity": REQUIRED}},
    {"affinity": {"podAffinity": PREFERRED}},
    {"affinity": {"podAntiAffinity": PREFERRED}},
    {"topologySpreadConstraints": [{**SPREAD, "whenUnsatisfiable": "DoNotSchedule"}]},
    {"topologySpreadConstraints": [{**SPREAD, "whenUnsatisfiable": "ScheduleAnyway"}]},
    {"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": PREFERENCES}}},
]


@st.composite
def nodes(draw: st.DrawFn) -> Node:
    return node(
        draw(st.sampled_from([f"n{i}" for i in range(7)])),
        cpu=draw(st.sampled_from(["1", "2", "4"])),
        memory=draw(st.sampled_from(["1Gi", "4Gi"])),
        pods=draw(st.sampled_from([2, 5, 110])),
        allocatable=draw(st.sampled_from([{}, {"example.com/gpu": 2}])),
        labels={"zone": draw(st.sampled_from(["a", "b"]))},
        taints=draw(TAINTS),
        unschedulable=draw(st.booleans()) and draw(st.booleans()),
        images=draw(st.sampled_from([{}, {"app:latest": 300 << 20}])),
    )


@st.composite
def shapes(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "cpu": draw(CPU),
        "memory": draw(MEMORY),
        "requests": draw(st.sampled_from([{}, {}, {"example.com/gpu": 1}])),
        "host_ports": draw(st.sampled_from([(), (), (), (8080,)])),
        "node_selector": draw(st.sampled_from([None, None, {"zone": "a"}])),
        "tolerations": draw(st.sampled_from([(), ({"key": "spot", "operator": "Exists"},)])),
        "spec": draw(st.sampled_from(SPECS)),
        "labels": draw(st.sampled_from([{}, {"app": "web"}, {"app": "db"}])),
    }


@st.composite
def runs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Pods in a row: stretches of identical ones."""
    stretches = draw(st.lists(st.tuples(shapes(), st.integers(1, 9)), min_size=1, max_size=3))
    return [shape for shape, count in stretches for _ in range(count)]


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("set node"), nodes()),
        st.tuples(st.just("remove node"), st.integers(0, 6)),
        st.tuples(st.just("remove pod"), st.integers(0, 30)),
        st.tuples(st.just("run"), runs()),
    ),
    min_size=3,
    max_size=14,
)
PROFILES = {
    "the defaults": default_profile(),
    "packing": profile_from_fragment(
        {
            "pluginConfig": [
                {"name": "NodeResourcesFit", "args": {"scoringStrategy": {"type": "MostAllocated"}}},
                {
                    "name": "NodeResourcesBalancedAllocation",
                    "args": {"resources": [{"name": "cpu"}, {"name": "example.com/gpu"}]},
                },
            ]
        }
    ),
}  # fmt: skip


class World:
    """A cache with one remembering cycle, and beside it the plain objects, to work everything out anew."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.cycle = Cycle(profile)
        self.cache = Cache()
        self.nodes: dict[str, Node] = {}
        self.placed: dict[str, Pod] = {}
        self.created = 0

    def apply(self, event: str, argument: Any) -> None:
        if event == "set node":
            self.nodes[argument.name] = argument
            self.cache.set_node(argument)
        elif event == "remove node":
            self.nodes.pop(f"n{argument}", None)
            self.cache.remove_node(f"n{argument}")
        elif event == "remove pod" and f"default/p{argument}" in self.placed:
            self.cache.remove_pod(self.placed.pop(f"default/p{argument}"))
        elif event == "run":
            self.run([self.new_pod(shape) for shape in argument])

    def new_pod(self, shape: dict[str, Any]) -> Pod:
        self.created += 1
        return pod(f"p{self.created}", **shape)

    def run(self, pods: Sequence[Pod]) -> None:
        infos = [self.cache.pod_info(one) for one in pods]
        for one, decision in zip(pods, self.cycle.decide_run(infos, self.cache.view, Context()), strict=True):
            assert decision.facts == self.worked_out_anew(one).facts
            if decision.node is not None:
                self.cache.assume(decision.pod, decision.node)
                bound = pod_on(one, decision.node)
                self.placed[one.key] = bound
                if self.created % 2:
                    self.cache.set_pod(bound)

    def worked_out_anew(self, one: Pod) -> Decision:
        cache = Cache()
        for placed in self.placed.values():
            cache.set_pod(placed)
        for name in sorted(self.nodes, reverse=True):
            cache.set_node(self.nodes[name])
        return Cycle(self.profile).decide(cache.pod_info(one), cache.view, Context())

    def overcommitted(self) -> list[str]:
        """Return what is used beyond what there was when the pods were placed, on nodes that never changed."""
        used: dict[str, Counter[str]] = {}
        for placed in self.placed.values():
            used.setdefault(placed.spec.node_name, Counter()).update({"pods": 1, **pod_requests(placed)})
        return [
            f"{name}: {resource}"
            for name, amounts in used.items()
            for resource, amount in amounts.items()
            if amount and amount > allocatable(self.nodes[name], resource)
        ]


def pod_on(one: Pod, node_name: str) -> Pod:
    import msgspec

    return msgspec.structs.replace(one, spec=msgspec.structs.replace(one.spec, node_name=node_name))


def allocatable(of: Node, resource: str) -> int:
    quantity = (of.status.allocatable or {}).get(resource, 0)
    return milli_value(quantity) if resource == "cpu" else value(quantity)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(events=EVENTS)
def test_remembered_and_batched_decisions_are_those_of_a_full_evaluation(profile: Profile, events: Any) -> None:
    world = World(profile)
    for event, argument in events:
        world.apply(event, argument)


@settings(max_examples=60, deadline=None)
@given(cluster=st.lists(nodes(), min_size=1, max_size=7, unique_by=lambda n: n.name), pods=st.lists(runs(), max_size=4))
def test_no_node_is_ever_filled_beyond_what_it_has(cluster: list[Node], pods: list[list[dict[str, Any]]]) -> None:
    world = World(PROFILES["the defaults"])
    for one in cluster:
        world.apply("set node", one)
    for run in pods:
        world.apply("run", run)
    assert world.overcommitted() == []


@settings(max_examples=60, deadline=None)
@given(events=EVENTS, shape=shapes())
def test_the_chosen_node_was_rejected_by_no_filter(events: Any, shape: dict[str, Any]) -> None:
    world = World(PROFILES["the defaults"])
    for event, argument in events:
        world.apply(event, argument)
    decision = world.cycle.decide(world.cache.pod_info(world.new_pod(shape)), world.cache.view, Context())
    table = decision.freeze()
    fitting = {name for name, verdict in table.verdicts.items() if verdict.feasible}
    assert decision.feasible == len(fitting)
    assert (decision.node in fitting) if fitting else decision.node is None
    assert set(table.scores) == fitting
    if decision.node is not None:
        assert table.scores[decision.node].total == max(row.total for row in table.scores.values())


@settings(max_examples=30, deadline=None)
@given(events=EVENTS)
def test_the_same_inputs_give_the_same_decisions(events: Any) -> None:
    def decisions() -> list[tuple[str, str]]:
        world = World(PROFILES["the defaults"])
        for event, argument in events:
            world.apply(event, argument)
        return sorted((key, placed.spec.node_name) for key, placed in world.placed.items())

    assert decisions() == decisions()
