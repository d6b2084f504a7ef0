"""Suggestions are true: whatever the cluster, a change that is suggested and made has the pod go where it was said."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.analysis.explaining import Object, World, a_node, a_pod

TAINT = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
DRAIN = {"key": "drain", "effect": "NoExecute"}
APP = {"matchLabels": {"app": "web"}}
ANTI = {
    "podAntiAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": [{"labelSelector": APP, "topologyKey": "zone"}]
    }
}
NEAR = {
    "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"labelSelector": APP, "topologyKey": "zone"}]}
}
NODES_OF_A = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}]
        }
    }
}
SPREAD = [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": APP}]
CPU = st.sampled_from(["100m", "500m", "1", "1500m", "2", "3"])

nodes = st.lists(
    st.builds(
        lambda cpu, zone, disk, taints, cordoned: {
            "cpu": cpu,
            "zone": zone,
            "disk": disk,
            "taints": taints,
            "cordoned": cordoned,
        },
        st.sampled_from(["1", "2", "4"]),
        st.sampled_from(["a", "b"]),
        st.sampled_from(["ssd", "hdd"]),
        st.sampled_from([[], [], [TAINT], [TAINT, DRAIN]]),
        st.sampled_from([False, False, False, True]),
    ),
    min_size=1,
    max_size=4,
).map(lambda shapes: [a_node(f"n{i}", **shape) for i, shape in enumerate(shapes)])

placed = st.lists(
    st.tuples(st.integers(0, 3), CPU, st.sampled_from(["web", "db"]), st.sampled_from([(), (80,)]), st.integers(0, 2)),
    max_size=7,
)

incoming = st.fixed_dictionaries(
    {"cpu": st.sampled_from(["500m", "1", "2", "5"]), "memory": st.sampled_from(["100Mi", "6Gi", "9Gi"])},
    optional={
        "nodeSelector": st.sampled_from([{"disk": "ssd"}, {"disk": "nvme"}, {"disk": "hdd", "zone": "b"}]),
        "tolerations": st.just([{"key": "gpu", "operator": "Exists"}]),
        "ports": st.just((80, 81)),
        "affinity": st.sampled_from([ANTI, NEAR, NODES_OF_A]),
        "topologySpreadConstraints": st.just(SPREAD),
        "priority": st.integers(0, 2),
    },
)


@settings(max_examples=100, deadline=None)
@given(nodes, placed, incoming)
def test_the_pod_fits_after_each_suggestion_that_is_made(nodes: list[Object], others: list[Any], asked: Object) -> None:
    pods = [
        a_pod(f"p{i}", on=f"n{n % len(nodes)}", cpu=cpu, labels={"app": app}, ports=ports, priority=priority)
        for i, (n, cpu, app, ports, priority) in enumerate(others)
    ]
    pod = a_pod("new", labels={"app": "web"}, **asked)
    world = World(nodes, pods)
    if world.place(pod) is not None:
        return
    search = world.search(pod)
    for suggestion in search.suggestions:
        changed, changed_pod = world.changed(suggestion.change, pod)
        assert changed.place(changed_pod) == suggestion.node, suggestion.change
    assert bool(search.suggestions) != bool(search.proof)


@settings(max_examples=40, deadline=None)
@given(nodes, placed, incoming)
def test_evictions_leave_out_nobody_who_could_stay(nodes: list[Object], others: list[Any], asked: Object) -> None:
    pods = [a_pod(f"p{i}", on=f"n{n % len(nodes)}", cpu=cpu) for i, (n, cpu, *_) in enumerate(others)]
    pod = a_pod("new", **{key: asked[key] for key in ("cpu", "memory")})
    world = World(nodes, pods)
    if world.place(pod) is not None:
        return
    for suggestion in world.search(pod).suggestions:
        for kept in suggestion.change.evict:
            gone = set(suggestion.change.evict) - {kept}
            assert (
                World(nodes, [one for one in pods if f"shop/{one['metadata']['name']}" not in gone]).place(pod) is None
            )
