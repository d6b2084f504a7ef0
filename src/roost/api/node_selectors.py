"""Judges one node by a node selector: the plain rule, beside which the columns for all nodes can be checked."""

from collections.abc import Mapping

from roost.api.labels import is_label_value, requirement_matches
from roost.api.node import Node
from roost.api.pod import Pod
from roost.api.selectors import NodeSelector, NodeSelectorTerm, Requirement


def term_matches(term: NodeSelectorTerm, labels: Mapping[str, str], name: str) -> bool:
    """Tell whether a node with these labels and this name meets a whole term; an empty term matches no node."""
    expressions, fields = term.match_expressions or (), term.match_fields or ()
    if not expressions and not fields:
        return False
    if not all(is_legal(requirement) and requirement_matches(requirement, labels) for requirement in expressions):
        return False
    return all(_name_matches(requirement, name) for requirement in fields)


def node_selector_matches(selector: NodeSelector, node: Node) -> bool:
    """Tell whether a node meets at least one term; a selector without terms matches no node."""
    return any(term_matches(term, node.labels, node.name) for term in selector.node_selector_terms or ())


def required_node_affinity_matches(pod: Pod, node: Node) -> bool:
    """Tell whether a node meets both the pod's nodeSelector and its required node affinity; what is absent is met."""
    labels = node.labels
    if any(labels.get(key) != value for key, value in (pod.spec.node_selector or {}).items()):
        return False
    required = required_node_selector(pod)
    return required is None or node_selector_matches(required, node)


def required_node_selector(pod: Pod) -> NodeSelector | None:
    """Return the required part of the pod's node affinity, None if it has none."""
    affinity = pod.spec.affinity
    if affinity is None or affinity.node_affinity is None:
        return None
    return affinity.node_affinity.required_during_scheduling_ignored_during_execution


def is_legal(requirement: Requirement) -> bool:
    """Tell whether Kubernetes can read a requirement on labels; a term with one that it cannot read matches no node."""
    values = requirement.values or ()
    takes_values = requirement.operator not in ("Exists", "DoesNotExist")
    return bool(values) == takes_values and all(is_label_value(value) for value in values)


def _name_matches(requirement: Requirement, name: str) -> bool:
    if requirement.key != "metadata.name" or len(requirement.values or ()) != 1:
        return False
    return requirement.operator in ("In", "NotIn") and requirement_matches(requirement, {"metadata.name": name})
