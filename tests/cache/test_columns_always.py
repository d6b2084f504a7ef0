"""What must hold after any sequence of events: the columns are what counting all objects anew would give."""

from collections import Counter
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from roost.api.node import Node
from roost.api.pod import Pod
from roost.api.quantity import milli_value, value
from roost.api.requests import pod_requests, scoring_requests
from roost.cache import Cache
from roost.framework.pod_info import PodInfo, host_ports
from roost.framework.resources import NATIVE
from roost.testing import node, pod

GPU = "example.com/gpu"
NODE_NAMES = st.sampled_from([f"n{number}" for number in range(5)])
NODES = st.builds(
    node,
    NODE_NAMES,
    cpu=st.sampled_from(["0", "1500m", "4"]),
    allocatable=st.sampled_from([{}, {GPU: 2}, {"example.com/nic": 1}]),
    labels=st.sampled_from([None, {"zone": "a"}, {"zone": "b"}]),
    unschedulable=st.booleans(),
    images=st.sampled_from([None, {"app": 5}]),
)
SHAPES = st.fixed_dictionaries(
    {
        "cpu": st.sampled_from([None, "0", "100m", "1"]),
        "requests": st.sampled_from([{}, {GPU: 1}, {"example.com/tpu": 3}]),
        "host_ports": st.sampled_from([(), (80,), (80, 443)]),
        "uid": st.sampled_from(["u1", "u2"]),
    }
)
POD_NAMES = st.sampled_from([f"p{number}" for number in range(8)])


class Events(RuleBasedStateMachine):
    """A cache under events in any order, beside plain dictionaries of what should be there."""

    assumptions = Bundle("assumptions")

    @initialize()
    def start(self) -> None:
        self.cache = Cache()
        self.nodes: dict[str, Node] = {}
        self.pods: dict[str, Pod] = {}
        self.assumed: dict[str, PodInfo] = {}

    @rule(new=NODES)
    def set_node(self, new: Node) -> None:
        self.nodes[new.name] = new
        self.cache.set_node(new)

    @rule(name=NODE_NAMES)
    def remove_node(self, name: str) -> None:
        self.nodes.pop(name, None)
        self.cache.remove_node(name)

    @rule(name=POD_NAMES, node_name=NODE_NAMES, shape=SHAPES)
    def set_pod(self, name: str, node_name: str, shape: dict[str, Any]) -> None:
        bound = pod(name, node_name=node_name, **shape)
        self.pods[bound.key] = bound
        self.assumed.pop(bound.key, None)
        self.cache.set_pod(bound)

    @rule(name=POD_NAMES, uid=st.sampled_from(["u1", "u2"]))
    def remove_pod(self, name: str, uid: str) -> None:
        gone = pod(name, uid=uid)
        if gone.key in self.pods and self.pods[gone.key].metadata.uid == uid:
            del self.pods[gone.key]
            self.assumed.pop(gone.key, None)
        self.cache.remove_pod(gone)

    @rule(target=assumptions, name=POD_NAMES, node_name=NODE_NAMES, shape=SHAPES)
    def assume(self, name: str, node_name: str, shape: dict[str, Any]) -> PodInfo:
        info = self.cache.pod_info(pod(name, **shape))
        if info.key not in self.pods:
            self.pods[info.key] = pod(name, node_name=node_name, **shape)
            self.assumed[info.key] = info
            self.cache.assume(info, node_name)
        return info

    @rule(info=consumes(assumptions))
    def forget(self, info: PodInfo) -> None:
        known = self.assumed.get(info.key)
        if known is not None and known.uid == info.uid:
            del self.assumed[info.key], self.pods[info.key]
        self.cache.forget(info)

    @rule(names=st.sets(NODE_NAMES))
    def relist(self, names: set[str]) -> None:
        for gone in self.nodes.keys() - names:
            self.cache.remove_node(gone)
        self.nodes = {name: known for name, known in self.nodes.items() if name in names}
        for known in [*self.nodes.values()]:
            assert self.cache.set_node(known) is None
        for key, bound in self.pods.items():
            if key not in self.assumed:
                assert self.cache.set_pod(bound) is None

    @invariant()
    def every_node_has_a_slot_of_its_own(self) -> None:
        view = self.cache.view
        assert {view.name(slot): view.node(slot) for slot in view.alive.nonzero()[0]} == self.nodes
        assert (view.num_nodes, int(view.unschedulable.sum())) == (len(self.nodes), view.num_unschedulable)
        assert sorted(self.nodes) == [
            view.name(slot) for slot in sorted(view.alive.nonzero()[0], key=lambda s: view.rank[s])
        ]

    @invariant()
    def the_columns_are_a_recount(self) -> None:
        view = self.cache.view
        for slot in view.alive.nonzero()[0]:
            name = view.name(slot)
            assert dict(zip(view.resources.names, view.usage[:, slot].tolist(), strict=True)) == self.usage_of(name)
            allocatable = dict(zip(view.resources.names, view.allocatable[:, slot].tolist(), strict=True))
            assert allocatable == self.allocatable_of(name)
            assert view.divisor[:, slot].tolist() == [max(amount, 1) for amount in allocatable.values()]
            assert view.occupancy.free[:, slot].tolist() == (view.allocatable - view.usage)[:, slot].tolist()
            assert view.occupancy.used[:, slot].tolist() == view.usage[:, slot].tolist()
            share = np.minimum(view.usage[:, slot] / view.divisor[:, slot], 1.0)
            assert view.occupancy.share[:, slot].tolist() == share.tolist()

    @invariant()
    def what_is_counted_over_all_nodes_is_a_recount(self) -> None:
        view = self.cache.view
        having = Counter(r for name in self.nodes for r, amount in self.allocatable_of(name).items() if amount)
        assert dict(zip(view.resources.names, view.nodes_with.tolist(), strict=True)) == {
            resource: having[resource] for resource in view.resources.names
        }
        image = view.image("app")
        found = set() if image is None else {view.name(slot) for slot in image.present.nonzero()[0]}
        assert found == {name for name, known in self.nodes.items() if known.status.images}

    @invariant()
    def label_and_port_columns_are_a_recount(self) -> None:
        view = self.cache.view
        zones, ports = view.label("zone"), view.port_users("TCP", 80).get("0.0.0.0")
        for slot in view.alive.nonzero()[0]:
            assert zones.values[zones.ids[slot]] == self.nodes[view.name(slot)].labels.get("zone", "")
            holders = [one for one in self.on(view.name(slot)) if ("TCP", "0.0.0.0", 80) in host_ports(one)]
            assert (0 if ports is None else ports[slot]) == len(holders)

    @invariant()
    def pods_are_counted(self) -> None:
        assert (self.cache.num_pods, self.cache.num_assumed) == (len(self.pods), len(self.assumed))

    def on(self, name: str) -> list[Pod]:
        return [known for known in self.pods.values() if known.spec.node_name == name]

    def usage_of(self, name: str) -> dict[str, int]:
        usage = Counter(dict.fromkeys(self.cache.view.resources.names, 0))
        for one in self.on(name):
            cpu, memory = scoring_requests(one, placed=True)
            usage.update({"pods": 1, NATIVE[4]: cpu, NATIVE[5]: memory, **pod_requests(one, placed=True)})
        return dict(usage)

    def allocatable_of(self, name: str) -> dict[str, int]:
        has = self.nodes[name].status.allocatable or {}
        amounts = {key: milli_value(amount) if key == "cpu" else value(amount) for key, amount in has.items()}
        known = {resource: amounts.get(resource, 0) for resource in self.cache.view.resources.names}
        return known | {NATIVE[4]: known["cpu"], NATIVE[5]: known["memory"]}


TestEvents = Events.TestCase
TestEvents.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
