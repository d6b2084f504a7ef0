"""What must hold after any sequence of events: pods and terms are counted as counting all of them anew would give."""

from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec import convert, structs

from roost.api.kinds import AnyObject
from roost.api.labels import selects
from roost.api.pod import Pod
from roost.api.selectors import LabelSelector
from roost.api.sharing import Sharing
from roost.cache import Cache
from roost.cache.pod_groups import PodGroups
from roost.cache.pod_terms import PlacedTerms
from roost.framework.changes import Moves
from roost.framework.pod_terms import KINDS, AffinityTerm, PodTerm, TermKind, affinity_terms
from roost.framework.view import View, WhatIf
from roost.testing import node, pod

NODES = st.sampled_from(["a", "b", "c"])
NAMESPACES = st.sampled_from(["red", "blue"])
NAMESPACE_LABELS = st.sampled_from([{}, {"team": "x"}, {"team": "y"}])
LABELS = st.sampled_from([{}, {"app": "web"}, {"app": "db"}, {"app": "web", "tier": "front"}])
SELECTORS: tuple[dict[str, Any] | None, ...] = (
    None,
    {},
    {"matchLabels": {"app": "web"}},
    {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "db"]}], "matchLabels": {"tier": "front"}},
    {"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]},
)
NAMESPACE_SELECTORS: tuple[dict[str, Any] | None, ...] = (
    None,
    {},
    {"matchLabels": {"team": "x"}},
    {"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["x"]}]},
)
TERMS = [
    PodTerm(
        namespaces,
        convert(selector, LabelSelector | None),
        namespace_selector=convert(namespace_selector, LabelSelector | None),
        counts_terminating=counts_terminating,
    )
    for namespaces in ((), ("red",), ("red", "blue"))
    for selector in SELECTORS
    for namespace_selector in NAMESPACE_SELECTORS
    for counts_terminating in (False, True)
]
ASKED = [*((term,) for term in TERMS), *pairwise(TERMS)]
RULES = st.fixed_dictionaries(
    {
        "labelSelector": st.sampled_from(SELECTORS),
        "namespaceSelector": st.sampled_from(NAMESPACE_SELECTORS),
        "topologyKey": st.sampled_from(["zone", "kubernetes.io/hostname"]),
    }
)
REQUIRED, PREFERRED = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)
WEIGHTED = st.fixed_dictionaries({"weight": st.integers(1, 2), "podAffinityTerm": RULES})
SIDE = st.fixed_dictionaries({REQUIRED: st.lists(RULES, max_size=2), PREFERRED: st.lists(WEIGHTED, max_size=1)})
AFFINITY = st.one_of(st.none(), st.fixed_dictionaries({"podAffinity": SIDE, "podAntiAffinity": SIDE}))
SHARING = Sharing()


def build_pod(
    name: str,
    namespace: str,
    node_name: str,
    labels: dict[str, str],
    affinity: dict[str, Any] | None,
    *,
    leaving: bool,
    shares: bool,
) -> Pod:
    """Return a pod whose parts are its own, or the same objects that other pods have."""
    built = pod(
        name,
        namespace=namespace,
        node_name=node_name,
        labels=labels,
        metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"} if leaving else None,
        spec={"affinity": affinity},
    )
    if shares:
        SHARING.pod(built)
    return built


PODS = st.builds(
    build_pod,
    st.sampled_from([f"p{number}" for number in range(6)]),
    NAMESPACES,
    NODES,
    LABELS,
    AFFINITY,
    leaving=st.booleans(),
    shares=st.booleans(),
)


class Events(RuleBasedStateMachine):
    """A cache under events in any order, beside plain dictionaries of what should be there."""

    @initialize(
        kept=st.sampled_from([3, 1024]),
        sparse=st.integers(0, 2),
        labels=st.tuples(NAMESPACE_LABELS, NAMESPACE_LABELS),
        pods=st.lists(PODS, max_size=5),
    )
    def start(self, kept: int, sparse: int, labels: tuple[Mapping[str, str], ...], pods: list[Pod]) -> None:
        self.cache = Cache()
        # With few counts kept, most are made anew whenever they are asked for.
        self.cache.view._groups = PodGroups(64, self.cache.view.namespace_labels, most_kept=kept)
        self.cache.view._placed_terms = PlacedTerms(64, sparse=sparse)
        self.nodes, self.pods = set[str](), dict[str, Pod]()
        self.namespaces: dict[str, Mapping[str, str]] = {}
        for name in ("a", "b"):
            self.set_node(name)
        for name, of_namespace in zip(("red", "blue"), labels, strict=True):
            self.set_namespace(name, of_namespace)
        for one in pods:
            self.set_pod(one)

    @rule(name=NODES)
    def set_node(self, name: str) -> None:
        self.nodes.add(name)
        self.cache.set_node(node(name))

    @rule(name=NODES)
    def remove_node(self, name: str) -> None:
        self.nodes.discard(name)
        self.cache.remove_node(name)

    @rule(one=PODS)
    def set_pod(self, one: Pod) -> None:
        self.pods[one.key] = one
        self.cache.set_pod(one)

    @rule(which=st.integers(0, 5), labels=LABELS, leaving=st.booleans())
    def relabel_pod(self, which: int, labels: dict[str, str], leaving: bool) -> None:
        if which < len(self.pods):
            old = list(self.pods.values())[which]
            deleted = "2026-01-01T00:00:00Z" if leaving else None
            metadata = structs.replace(old.metadata, labels=labels, deletion_timestamp=deleted)
            self.set_pod(structs.replace(old, metadata=metadata))

    @rule(one=PODS)
    def assume_pod(self, one: Pod) -> None:
        if one.key not in self.pods:
            self.pods[one.key] = one
            self.cache.assume(self.cache.pod_info(one), one.spec.node_name)

    @rule(one=PODS)
    def remove_pod(self, one: Pod) -> None:
        if self.pods.pop(one.key, None) is not None:
            self.cache.remove_pod(one)

    @rule(name=NAMESPACES, labels=NAMESPACE_LABELS)
    def set_namespace(self, name: str, labels: Mapping[str, str]) -> None:
        self.namespaces[name] = labels
        self.cache.set_namespace(convert({"metadata": {"name": name, "labels": labels}}, AnyObject))

    @rule(name=NAMESPACES)
    def remove_namespace(self, name: str) -> None:
        self.namespaces.pop(name, None)
        self.cache.remove_namespace(convert({"metadata": {"name": name}}, AnyObject))

    @invariant()
    def counts_of_pods_are_a_recount(self) -> None:
        for terms in ASKED:
            expected = Counter(one.spec.node_name for one in self.on_nodes() if all(self.means(t, one) for t in terms))
            assert by_name(self.cache.view, self.cache.view.matching(*terms)) == expected

    @invariant()
    def terms_of_placed_pods_are_a_recount(self) -> None:
        for kind in KINDS:
            assert existing(self.cache.view, kind, self.incoming()) == self.recounted(kind, self.on_nodes())

    @rule(added=PODS)
    def what_if_pods_came_and_went(self, added: Pod) -> None:
        view, gone = self.cache.view, self.on_nodes()[:1]
        moved = [(added, 1), *((one, -1) for one in gone)]
        if added.spec.node_name not in self.nodes:
            return
        slots = np.flatnonzero(view.alive)
        rows = [view.rows_named(one.spec.node_name)[0] for one, _ in moved]
        changes = Moves(
            len(slots),
            [self.cache.pod_info(one, placed=True) for one, _ in moved],
            np.array([slots.tolist().index(row) for row in rows], dtype=np.intp),
            np.array([times for _, times in moved], dtype=np.int64),
        )
        then = [*(one for one in self.on_nodes() if one not in gone), added]
        row_of = WhatIf(view, slots, changes)
        for terms in ASKED:
            expected = Counter(one.spec.node_name for one in then if all(self.means(term, one) for term in terms))
            assert by_name(row_of, row_of.matching(*terms)) == expected
        for kind in KINDS:
            assert existing(row_of, kind, self.incoming()) == self.recounted(kind, then)
        assert row_of.cluster is view

    def incoming(self) -> Pod:
        return pod("incoming", namespace="red", labels={"app": "web"})

    def on_nodes(self) -> list[Pod]:
        return [one for one in self.pods.values() if one.spec.node_name in self.nodes]

    def recounted(self, kind: TermKind, pods: list[Pod]) -> dict[AffinityTerm, Counter[str]]:
        found: dict[AffinityTerm, Counter[str]] = {}
        for one in pods:
            for term in affinity_terms(one).of(kind):
                if self.means(term.term, self.incoming()):
                    found.setdefault(term, Counter())[one.spec.node_name] += 1
        return found

    def means(self, term: PodTerm, one: Pod) -> bool:
        """Tell what a term means without the code that is tested."""
        in_namespace = one.namespace in term.namespaces
        if term.namespace_selector is not None:
            in_namespace |= selects(term.namespace_selector, self.namespaces.get(one.namespace, {}))
        lives = term.counts_terminating or one.metadata.deletion_timestamp is None
        return in_namespace and lives and selects(term.selector, one.labels)


def by_name(view: View, column: Any) -> dict[str, int]:
    return {view.name(row): int(column[row]) for row in np.flatnonzero(column)}


def existing(view: View, kind: TermKind, incoming: Pod) -> dict[AffinityTerm, dict[str, int]]:
    info = Cache().pod_info(incoming)
    found = {term: by_name(view, column) for term, column in view.existing_terms(kind, info).items()}
    return {term: counts for term, counts in found.items() if counts}


TestEvents = Events.TestCase
TestEvents.settings = settings(max_examples=40, stateful_step_count=15, deadline=None)
