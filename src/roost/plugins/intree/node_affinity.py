"""NodeAffinity: nodeSelector and required node affinity must match; preferred terms that match add their weights.

A requirement is judged once per distinct value of its label, then spread over the rows by the label's id column.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from roost.api.labels import requirement_matches
from roost.api.node_selectors import is_legal
from roost.api.selectors import NodeAffinity as NodeAffinityRules
from roost.api.selectors import NodeSelector, NodeSelectorTerm, PreferredSchedulingTerm, Requirement
from roost.framework.plugin import (
    Args,
    Context,
    OnlyNodes,
    Plugin,
    PreFilterAnswer,
    Scores,
    Verdicts,
    default_normalize,
)
from roost.framework.pod_info import PodInfo
from roost.framework.resources import Int64
from roost.framework.status import SKIP, SUCCESS, Status, unresolvable
from roost.framework.view import Bool, Rows, View

NO_MATCH = unresolvable("node(s) didn't match Pod's node affinity/selector")
NOT_ENFORCED = unresolvable("node(s) didn't match scheduler-enforced node affinity")
CONFLICT = unresolvable("pod affinity terms conflict")


class NodeAffinityArgs(Args):
    """Node affinity that is added to that of every pod of the profile."""

    added_affinity: NodeAffinityRules | None = None


class NodeAffinity(Plugin):
    """Reject nodes that the pod's selector or required affinity excludes, and prefer those it prefers."""

    name = "NodeAffinity"
    args_type = NodeAffinityArgs
    reads = frozenset({"node"})
    pre_reads = frozenset()
    pod_reads = ("node_selector", "node_affinity")
    weight = 2

    def __init__(self, args: NodeAffinityArgs | None = None) -> None:
        super().__init__(args)
        added = self.args.added_affinity or NodeAffinityRules()
        self._enforced = added.required_during_scheduling_ignored_during_execution
        self._added_preferences = added.preferred_during_scheduling_ignored_during_execution or ()

    def pre_filter(self, ctx: Context, pod: PodInfo, view: View) -> PreFilterAnswer:
        """Skip pods without rules; narrow to the node names that every required term asks for."""
        required = _required(pod)
        if required is None and self._enforced is None and pod.pod.spec.node_selector is None:
            return SKIP
        terms = required.node_selector_terms if required is not None else None
        named = [_names(term) for term in terms or ()]
        if not named or any(names is None for names in named):
            return None
        names = frozenset().union(*(names for names in named if names is not None))
        return OnlyNodes(names) if names else CONFLICT

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        """Reject rows by the profile's added affinity first, then by the pod's own rules."""
        selector, required = pod.pod.spec.node_selector, _required(pod)
        codes = np.zeros(view.size, dtype=np.int16)[rows]
        if selector is not None or required is not None:
            codes[~(_selected(view, selector) & _any_term(view, required))[rows]] = 1
        if self._enforced is not None:
            codes[~_any_term(view, self._enforced)[rows]] = 2
        return Verdicts(codes, (SUCCESS, NO_MATCH, NOT_ENFORCED)) if codes.any() else None

    def pre_score(self, ctx: Context, pod: PodInfo, view: View) -> Status | None:
        """Skip pods without preferences."""
        return None if _preferred(pod) is not None or self._added_preferences else SKIP

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        """Add up the weights of the preferred terms that match."""
        total = np.zeros(view.size, dtype=np.int64)
        for preference in (*self._added_preferences, *(_preferred(pod) or ())):
            if preference.weight and not _is_empty(preference.preference):
                total += _term(view, preference.preference) * np.int64(preference.weight)
        return total[rows]

    def normalize(self, ctx: Context, pod: PodInfo, scores: Int64) -> Int64:
        """Scale the highest sum to 100."""
        return default_normalize(scores)


def _rules(pod: PodInfo) -> NodeAffinityRules | None:
    affinity = pod.pod.spec.affinity
    return affinity.node_affinity if affinity is not None else None


def _required(pod: PodInfo) -> NodeSelector | None:
    rules = _rules(pod)
    return rules.required_during_scheduling_ignored_during_execution if rules is not None else None


def _preferred(pod: PodInfo) -> Sequence[PreferredSchedulingTerm] | None:
    rules = _rules(pod)
    return rules.preferred_during_scheduling_ignored_during_execution if rules is not None else None


def _names(term: NodeSelectorTerm) -> frozenset[str] | None:
    """Return the node names that a term is limited to; None if it is not."""
    names: frozenset[str] | None = None
    for requirement in term.match_fields or ():
        if requirement.key == "metadata.name" and requirement.operator == "In":
            wanted = frozenset(requirement.values or ())
            names = wanted if names is None else names & wanted
    return names


def _is_empty(term: NodeSelectorTerm) -> bool:
    return not term.match_expressions and not term.match_fields


def _selected(view: View, selector: dict[str, str] | None) -> Bool:
    matches = np.ones(view.size, dtype=np.bool_)
    for key, value in (selector or {}).items():
        column = view.label(key)
        matches &= column.ids == column.index.get(value, -1)
    return matches


def _any_term(view: View, selector: NodeSelector | None) -> Bool:
    if selector is None:
        return np.ones(view.size, dtype=np.bool_)
    matches = np.zeros(view.size, dtype=np.bool_)
    for term in selector.node_selector_terms or ():
        if not _is_empty(term):
            matches |= _term(view, term)
    return matches


def _term(view: View, term: NodeSelectorTerm) -> Bool:
    matches = np.ones(view.size, dtype=np.bool_)
    if not all(is_legal(requirement) for requirement in term.match_expressions or ()):
        return ~matches
    for requirement in term.match_expressions or ():
        matches &= _label_matches(view, requirement)
    for requirement in term.match_fields or ():
        matches &= _name_matches(view, requirement)
    return matches


def _label_matches(view: View, requirement: Requirement) -> Bool:
    column = view.label(requirement.key)
    if requirement.operator in ("In", "NotIn"):
        chosen = [column.index[value] for value in requirement.values or () if value in column.index]
        truth = _truth(len(column.values), chosen)
        return truth[column.ids] if requirement.operator == "In" else ~truth[column.ids]
    key = requirement.key
    truth = np.array([requirement_matches(requirement, {key: value}) for value in column.values], dtype=np.bool_)
    truth[0] = requirement_matches(requirement, {})
    return truth[column.ids]


def _name_matches(view: View, requirement: Requirement) -> Bool:
    if requirement.key != "metadata.name" or len(requirement.values or ()) != 1:
        return np.zeros(view.size, dtype=np.bool_)
    if requirement.operator not in ("In", "NotIn"):
        return np.zeros(view.size, dtype=np.bool_)
    named = _truth(view.size, [row for name in requirement.values or () for row in view.rows_named(name)])
    return named if requirement.operator == "In" else ~named


def _truth(size: int, true_at: Iterable[int]) -> Bool:
    truth = np.zeros(size, dtype=np.bool_)
    truth[list(true_at)] = True
    return truth
