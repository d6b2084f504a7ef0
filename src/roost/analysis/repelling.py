"""Pods that a plan must not count on a place for, although the decision core may find one.

What ties their volume claims to nodes is not read here. And where the required anti-affinity of another pod selects
one, which of the two leaves its node first is not certain: it is taken to have no place at all, whatever the topology.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from roost.api.draining import DrainPod
from roost.api.labels import selects
from roost.api.selectors import PodAffinityTerm


class Repeller(Struct, frozen=True):
    """A pod on a node, and what it must not share its surroundings with."""

    pod: DrainPod
    terms: tuple[PodAffinityTerm, ...]


def find_repellers(pods: Iterable[DrainPod]) -> list[Repeller]:
    """Return the pods that have required anti-affinity."""
    return [Repeller(pod, terms) for pod in pods if (terms := _required_anti_affinity(pod))]


def repelled(pod: DrainPod, repellers: Sequence[Repeller]) -> str:
    """Return why a pod is not moved, or nothing."""
    if any(volume.persistent_volume_claim or volume.ephemeral for volume in pod.spec.volumes or ()):
        return "it has volume claims, which may tie it to a zone; this plan does not read them"
    for one in repellers:
        if one.pod.key != pod.key and any(_selects(term, one.pod, pod) for term in one.terms):
            return f"{one.pod.key} has required anti-affinity against it"
    return ""


def _required_anti_affinity(pod: DrainPod) -> tuple[PodAffinityTerm, ...]:
    affinity = pod.spec.affinity
    rules = affinity.pod_anti_affinity if affinity is not None else None
    return (rules.required_during_scheduling_ignored_during_execution or ()) if rules is not None else ()


def _selects(term: PodAffinityTerm, owner: DrainPod, other: DrainPod) -> bool:
    """Tell whether a term may mean another pod; a selector of namespaces may mean any."""
    named = term.namespaces or (() if term.namespace_selector is not None else (owner.namespace,))
    return (term.namespace_selector is not None or other.namespace in named) and selects(
        term.label_selector, other.labels
    )
