"""What must hold in any small cluster: the plugin says what asking every single pod would give, also of a what-if."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct, convert, structs

from roost.api.kinds import AnyObject
from roost.api.labels import selects
from roost.api.node import Node
from roost.api.pod import Pod
from roost.api.selectors import PodAffinityTerm
from roost.cache import Cache
from roost.framework.changes import Moves
from roost.framework.plugin import Context
from roost.framework.status import SKIP
from roost.framework.view import ALL, View, WhatIf
from roost.plugins.intree.inter_pod_affinity import InterPodAffinity, InterPodAffinityArgs
from roost.testing import node, pod

REQUIRED, PREFERRED = (
    "required_during_scheduling_ignored_during_execution",
    "preferred_during_scheduling_ignored_during_execution",
)
NEAR, AWAY = "pod_affinity", "pod_anti_affinity"
LABELS = st.sampled_from([{"app": "web"}, {"app": "db"}, {}])
TERMS = st.fixed_dictionaries(
    {
        "topologyKey": st.sampled_from(["zone", "host"]),
        "labelSelector": st.sampled_from([None, {}, {"matchLabels": {"app": "web"}}, {"matchLabels": {"app": "db"}}]),
    },
    optional={
        "namespaces": st.just(["shop"]),
        "namespaceSelector": st.sampled_from(
            [
                {},
                {"matchLabels": {"team": "x"}},
                {"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]},
                {"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["x"]}]},
            ]
        ),
    },
)
WISHES = st.fixed_dictionaries({"weight": st.integers(1, 3), "podAffinityTerm": TERMS})
RULES = st.fixed_dictionaries(
    {},
    optional={
        "requiredDuringSchedulingIgnoredDuringExecution": st.lists(TERMS, min_size=1, max_size=2),
        "preferredDuringSchedulingIgnoredDuringExecution": st.lists(WISHES, min_size=1, max_size=2),
    },
)
AFFINITY = st.fixed_dictionaries({}, optional={"podAffinity": RULES, "podAntiAffinity": RULES})
NODE_NAMES = [f"n{number}" for number in range(4)]
NODE_LABELS = st.sampled_from(
    [{}, {"zone": "a"}, {"zone": "b"}, {"zone": "a", "host": "1"}, {"zone": "b", "host": "2"}]
)


def pods(names: list[str]) -> st.SearchStrategy[list[Pod]]:
    return st.tuples(*(PODS.map(lambda made, name=name: renamed(made, name)) for name in names)).map(list)


def renamed(made: Pod, name: str) -> Pod:
    return structs.replace(made, metadata=structs.replace(made.metadata, name=name, uid=name))


PODS = st.builds(
    lambda namespace, labels, affinity, at: pod(
        namespace=namespace, labels=labels, spec={"affinity": affinity}, node_name=at
    ),
    st.sampled_from(["default", "shop"]),
    LABELS,
    AFFINITY,
    st.sampled_from(NODE_NAMES),
)


class World(Struct):
    """A cluster as plain objects, and what a pod is told in it when every pod is asked."""

    nodes: list[Node]
    pods: list[Pod]
    namespaces: Mapping[str, Mapping[str, str]]
    args: InterPodAffinityArgs

    def cache(self) -> Cache:
        cache = Cache()
        for name, labels in self.namespaces.items():
            cache.set_namespace(convert({"metadata": {"name": name, "labels": labels}}, AnyObject))
        for one in self.nodes:
            cache.set_node(one)
        for placed in self.pods:
            cache.set_pod(placed)
        return cache

    def at(self, name: str) -> Mapping[str, str]:
        return next(one.labels for one in self.nodes if one.name == name)

    def means(self, owner: Pod, term: PodAffinityTerm, other: Pod, *, incoming: bool) -> bool:
        """Tell whether a term of one pod means another; `incoming` says that the owner is the pod to be placed."""
        wanted = term.namespace_selector
        named = set(term.namespaces or (() if wanted is not None else (owner.namespace,)))
        if wanted is not None:
            if incoming and (wanted.match_labels or wanted.match_expressions):
                named |= {name for name, labels in self.namespaces.items() if selects(wanted, labels)}
                anyway = selects(wanted, {})
            else:
                anyway = selects(wanted, self.namespaces.get(other.namespace, {}))
            if anyway:
                named.add(other.namespace)
        return other.namespace in named and selects(term.label_selector, other.labels)

    def verdict(self, incoming: Pod, name: str) -> int:
        """Return 0 if a node fits, or whose rules it breaks first: 1 and 2 for the pod's own, 3 for those of others."""
        labels, wanted = self.at(name), terms(incoming, NEAR, REQUIRED)
        friends = [p for p in self.pods if wanted and all(self.means(incoming, t, p, incoming=True) for t in wanted)]
        found = {(t.topology_key, self.at(p.spec.node_name).get(t.topology_key)) for p in friends for t in wanted}
        found = {(key, value) for key, value in found if value is not None}
        if any(t.topology_key not in labels for t in wanted):
            return 1
        if any((t.topology_key, labels[t.topology_key]) not in found for t in wanted) and (
            found or not all(self.means(incoming, t, incoming, incoming=True) for t in wanted)
        ):
            return 1
        for t in terms(incoming, AWAY, REQUIRED):
            if any(self.means(incoming, t, p, incoming=True) and self.shares(t, p, name) for p in self.pods):
                return 2
        for p in self.pods:
            for t in terms(p, AWAY, REQUIRED):
                if self.means(p, t, incoming, incoming=False) and self.shares(t, p, name):
                    return 3
        return 0

    def shares(self, term: PodAffinityTerm, placed: Pod, name: str) -> bool:
        here, there = (self.at(at).get(term.topology_key) for at in (name, placed.spec.node_name))
        return here is not None and here == there

    def said(self, incoming: Pod) -> Iterator[tuple[PodAffinityTerm, Pod, int]]:
        """Yield the terms that say something, about pods on nodes that have the label, and what they count."""
        for p in self.pods:
            for side, sign in ((NEAR, 1), (AWAY, -1)):
                for t, weight in wishes(incoming, side):
                    if self.means(incoming, t, p, incoming=True):
                        yield t, p, sign * weight
                for t, weight in wishes(p, side):
                    if self.means(p, t, incoming, incoming=False):
                        yield t, p, sign * weight
            for t in terms(p, NEAR, REQUIRED) if self.args.hard_pod_affinity_weight else ():
                if self.means(p, t, incoming, incoming=False):
                    yield t, p, self.args.hard_pod_affinity_weight

    def scores(self, incoming: Pod) -> dict[str, int] | None:
        has_wishes = [*wishes(incoming, NEAR), *wishes(incoming, AWAY)]
        if self.args.ignore_preferred_terms_of_existing_pods and not has_wishes:
            return None
        counted = [(t, p, w) for t, p, w in self.said(incoming) if t.topology_key in self.at(p.spec.node_name)]
        if not counted:
            return None
        names = [one.name for one in self.nodes]
        return {name: sum(w for t, p, w in counted if self.shares(t, p, name)) for name in names}


def rules_of(owner: Pod, side: str, strength: str) -> tuple[Any, ...]:
    rules = getattr(owner.spec.affinity, side, None)
    return (getattr(rules, strength) or ()) if rules is not None else ()


def terms(owner: Pod, side: str, strength: str) -> tuple[PodAffinityTerm, ...]:
    return rules_of(owner, side, strength)


def wishes(owner: Pod, side: str) -> list[tuple[PodAffinityTerm, int]]:
    return [(wish.pod_affinity_term, wish.weight) for wish in rules_of(owner, side, PREFERRED)]


WORLDS = st.builds(
    World,
    st.tuples(*(NODE_LABELS.map(lambda labels, name=name: node(name, labels=labels)) for name in NODE_NAMES)).map(list),
    st.integers(0, 5).flatmap(lambda count: pods([f"p{number}" for number in range(count)])),
    st.fixed_dictionaries(
        {}, optional={"default": st.sampled_from([{}, {"team": "x"}]), "shop": st.just({"team": "y"})}
    ),
    st.builds(
        InterPodAffinityArgs,
        hard_pod_affinity_weight=st.integers(0, 2),
        ignore_preferred_terms_of_existing_pods=st.booleans(),
    ),
)


def verdicts(plugin: InterPodAffinity, cache: Cache, incoming: Pod, view: View) -> dict[str, int]:
    judged = plugin.filter(Context(), cache.pod_info(incoming), view, ALL)
    codes = np.zeros(view.size) if judged is None else judged.codes
    return {view.name(row): int(codes[row]) for row in range(view.size)}


def scores(plugin: InterPodAffinity, cache: Cache, incoming: Pod, view: View) -> dict[str, int]:
    rated: Any = plugin.score(Context(), cache.pod_info(incoming), view, ALL)
    return {view.name(row): int(rated[row]) for row in range(view.size)}


@given(WORLDS, PODS)
@settings(max_examples=300, deadline=None)
def test_it_says_what_asking_every_pod_gives(world: World, incoming: Pod) -> None:
    incoming = structs.replace(incoming, spec=structs.replace(incoming.spec, node_name=""))
    cache, plugin = world.cache(), InterPodAffinity(world.args)
    info, expected = cache.pod_info(incoming), {one.name: world.verdict(incoming, one.name) for one in world.nodes}
    assert verdicts(plugin, cache, incoming, cache.view) == expected
    rules = terms(incoming, NEAR, REQUIRED) or terms(incoming, AWAY, REQUIRED)
    skips = plugin.pre_filter(Context(), info, cache.view) is SKIP
    assert skips == (not rules and not any(expected.values()))
    rated = world.scores(incoming)
    assert (plugin.pre_score(Context(), info, cache.view) is SKIP) == (rated is None)
    assert rated is None or scores(plugin, cache, incoming, cache.view) == rated


@given(WORLDS, PODS, PODS)
@settings(max_examples=200, deadline=None)
def test_of_a_what_if_it_says_what_it_says_once_that_has_happened(world: World, incoming: Pod, added: Pod) -> None:
    """Every row is a cluster of its own, in which the pods of one node go and another comes there."""
    cache, plugin = world.cache(), InterPodAffinity(world.args)
    added, base = renamed(added, "added"), cache.view
    gone = [
        (row, cache.pod_info(p)) for row in range(base.size) for p in world.pods if base.name(row) == p.spec.node_name
    ]
    changed = [*((row, one, -1) for row, one in gone), *((row, cache.pod_info(added), 1) for row in range(base.size))]
    rows, infos, counts = zip(*changed, strict=True)
    view = WhatIf(base, np.arange(base.size), Moves(base.size, infos, np.array(rows), np.array(counts, dtype=np.int64)))
    found, rated = verdicts(plugin, cache, incoming, view), scores(plugin, cache, incoming, view)
    for name in NODE_NAMES:
        there = structs.replace(added, spec=structs.replace(added.spec, node_name=name))
        after = structs.replace(world, pods=[*(p for p in world.pods if p.spec.node_name != name), there])
        assert found[name] == after.verdict(incoming, name)
        real = after.cache()
        assert rated[name] == scores(plugin, real, incoming, real.view)[name]
