"""Terms about pods: which pods a rule of affinity or of spreading means, as values that counts are kept by.

    PodTerm        which pods: by namespace and labels
    AffinityTerm   a PodTerm, what "near" means (a node label), and how much it counts
    PodTerms       all affinity terms of one pod, by kind

The cache counts pods by PodTerm and the terms of placed pods by AffinityTerm, so equal terms must be equal values.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import msgspec
from msgspec import Struct

from roost.api.labels import selects
from roost.api.pod import Pod
from roost.api.selectors import LabelSelector, PodAffinity, PodAffinityTerm, Requirement

TermKind = Literal["required_affinity", "required_anti_affinity", "preferred_affinity", "preferred_anti_affinity"]
NamespaceLabels = Callable[[str], Mapping[str, str]]
"""The labels of a namespace by its name; empty if it is not known."""

EVERYTHING = LabelSelector()
_encode = msgspec.msgpack.Encoder(order="deterministic").encode


class PodTerm:
    """Which pods are meant: those whose labels `selector` selects, in some namespaces. Equal ones are the same.

    The namespaces are those named and those whose labels `namespace_selector` selects. Of either selector, none selects
    nothing and an empty one selects everything. Pods that are being deleted are meant if `counts_terminating`.
    """

    __slots__ = ("_hash", "_key", "counts_terminating", "namespace_selector", "namespaces", "selector")

    def __init__(
        self,
        namespaces: Iterable[str],
        selector: LabelSelector | None,
        *,
        namespace_selector: LabelSelector | None = None,
        counts_terminating: bool = True,
    ) -> None:
        self.namespaces = frozenset(namespaces)
        self.selector = selector
        self.namespace_selector = namespace_selector
        self.counts_terminating = counts_terminating
        self._key = _encode([sorted(self.namespaces), selector, namespace_selector, counts_terminating])
        self._hash = hash(self._key)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PodTerm) and self._key == other._key

    def __repr__(self) -> str:
        return f"PodTerm({self._key!r})"

    def covers(self, namespace: str, labels_of: NamespaceLabels) -> bool:
        """Tell whether pods of a namespace can be meant."""
        if namespace in self.namespaces:
            return True
        return self.namespace_selector is not None and selects(self.namespace_selector, labels_of(namespace))

    def matches(self, pod: Pod, labels_of: NamespaceLabels) -> bool:
        """Tell whether a pod is meant."""
        if not self.covers(pod.metadata.namespace, labels_of) or not selects(self.selector, pod.labels):
            return False
        return self.counts_terminating or not pod.is_terminating


class AffinityTerm(Struct, frozen=True):
    """Pods to be near to, or away from, in the sense of a node label; `weight` is 0 where that is required."""

    term: PodTerm
    topology_key: str
    weight: int = 0


class PodTerms(Struct, frozen=True):
    """The affinity terms of a pod."""

    required_affinity: tuple[AffinityTerm, ...] = ()
    required_anti_affinity: tuple[AffinityTerm, ...] = ()
    preferred_affinity: tuple[AffinityTerm, ...] = ()
    preferred_anti_affinity: tuple[AffinityTerm, ...] = ()

    def of(self, kind: TermKind) -> tuple[AffinityTerm, ...]:
        """Return the terms of one kind."""
        terms: tuple[AffinityTerm, ...] = getattr(self, kind)
        return terms


NO_TERMS = PodTerms()
KINDS: tuple[TermKind, ...] = (
    "required_affinity",
    "required_anti_affinity",
    "preferred_affinity",
    "preferred_anti_affinity",
)


def affinity_terms(pod: Pod) -> PodTerms:
    """Return the affinity terms of a pod as they stand against pods that come later."""
    affinity = pod.spec.affinity
    if affinity is None or (affinity.pod_affinity is None and affinity.pod_anti_affinity is None):
        return NO_TERMS
    near, away = affinity.pod_affinity, affinity.pod_anti_affinity
    return PodTerms(_required(pod, near), _required(pod, away), _preferred(pod, near), _preferred(pod, away))


def incoming(term: PodTerm) -> PodTerm:
    """Return a term of a pod that is to be placed, as it stands against the pods that are there.

    kube-scheduler looks such a term's namespaces up beforehand, and then compares the selector, which it meant to
    drop, with no labels at all: one that selects those means every namespace.
    """
    if not term.namespace_selector or not selects(term.namespace_selector, {}):
        return term
    return PodTerm(
        term.namespaces, term.selector, namespace_selector=EVERYTHING, counts_terminating=term.counts_terminating
    )


def _required(pod: Pod, rules: PodAffinity | None) -> tuple[AffinityTerm, ...]:
    terms = rules and rules.required_during_scheduling_ignored_during_execution
    return tuple([AffinityTerm(_pod_term(pod, term), term.topology_key) for term in terms or ()])


def _preferred(pod: Pod, rules: PodAffinity | None) -> tuple[AffinityTerm, ...]:
    terms = rules and rules.preferred_during_scheduling_ignored_during_execution
    return tuple(
        [
            AffinityTerm(_pod_term(pod, one.pod_affinity_term), one.pod_affinity_term.topology_key, one.weight)
            for one in terms or ()
        ]
    )


def _pod_term(pod: Pod, term: PodAffinityTerm) -> PodTerm:
    own = not term.namespaces and term.namespace_selector is None
    namespaces = (pod.metadata.namespace,) if own else term.namespaces or ()
    return PodTerm(namespaces, _selector(pod, term), namespace_selector=term.namespace_selector)


def _selector(pod: Pod, term: PodAffinityTerm) -> LabelSelector | None:
    """Return the label selector with what `matchLabelKeys` add, where no API server has added it already."""
    selector = term.label_selector
    if selector is None or not (term.match_label_keys or term.mismatch_label_keys):
        return selector
    expressions = selector.match_expressions or ()
    known = {one.key for one in expressions}
    keys = [(key, "In") for key in term.match_label_keys or ()]
    keys += [(key, "NotIn") for key in term.mismatch_label_keys or ()]
    added = [
        Requirement(key=key, operator=operator, values=(pod.labels[key],))
        for key, operator in keys
        if key in pod.labels and key not in known
    ]
    return LabelSelector(match_labels=selector.match_labels, match_expressions=(*expressions, *added))
