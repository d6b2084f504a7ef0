"""Which nodes match a node selector, and which have taints that are not tolerated: as columns, for any plugin.

A requirement is judged once per distinct value of its label, then spread over the rows by the label's id column. Nodes
with equal taints share a taint set, so tolerations are compared once per set.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from roost.api.labels import requirement_matches
from roost.api.node_selectors import is_legal, required_node_selector
from roost.api.pod import Pod
from roost.api.selectors import NodeSelector, NodeSelectorTerm, Requirement
from roost.api.taints import Taint, Toleration
from roost.framework.view import Bool, Rows, View

HARD = ("NoSchedule", "NoExecute")
"""The effects of taints that keep a pod off a node."""

SOFT = ("PreferNoSchedule",)


def required_affinity(view: View, pod: Pod) -> Bool:
    """Return which rows meet both the pod's nodeSelector and its required node affinity; what is absent is met."""
    matches = labelled(view, pod.spec.node_selector)
    required = required_node_selector(pod)
    if required is not None:
        matches &= selected(view, required)
    return matches


def labelled(view: View, labels: Mapping[str, str] | None) -> Bool:
    """Return which rows have all these labels."""
    matches = np.ones(view.size, dtype=np.bool_)
    for key, value in (labels or {}).items():
        column = view.label(key)
        matches &= column.ids == column.index.get(value, -1)
    return matches


def selected(view: View, selector: NodeSelector) -> Bool:
    """Return which rows meet at least one term of a node selector; an empty term matches nothing."""
    matches = np.zeros(view.size, dtype=np.bool_)
    for term in selector.node_selector_terms or ():
        if not is_empty(term):
            matches |= meeting(view, term)
    return matches


def is_empty(term: NodeSelectorTerm) -> bool:
    """Tell whether a term has no requirement."""
    return not term.match_expressions and not term.match_fields


def meeting(view: View, term: NodeSelectorTerm) -> Bool:
    """Return which rows meet every requirement of a term that is not empty; one that is not legal is met by none."""
    matches = np.ones(view.size, dtype=np.bool_)
    if not all(is_legal(requirement) for requirement in term.match_expressions or ()):
        return ~matches
    for requirement in term.match_expressions or ():
        matches &= _label_matches(view, requirement)
    for requirement in term.match_fields or ():
        matches &= _name_matches(view, requirement)
    return matches


class TaintSets:
    """The distinct taints of nodes as numbers: one bit for each taint, the same as long as `bits` is the same."""

    def __init__(self, taint_sets: Sequence[Sequence[Taint]], bits: dict[Taint, int]) -> None:
        """Number the taints that have no number in `bits` yet."""
        self._taints = {taint: bits.setdefault(taint, 1 << len(bits)) for taints in taint_sets for taint in taints}
        self._hard = [self._mask(taints, HARD) for taints in taint_sets]
        self._soft = [[self._taints[one] for one in taints if one.effect in SOFT] for taints in taint_sets]

    @property
    def nbytes(self) -> int:
        """The memory held, roughly."""
        return 256 * (1 + len(self._taints) + len(self._hard))

    def untolerated(self, tolerations: Sequence[Toleration]) -> int:
        """Return the bits of the taints that no toleration matches."""
        by_key: dict[str, list[Toleration]] = {}
        for toleration in tolerations:
            by_key.setdefault(toleration.key, []).append(toleration)
        of_any_key, bits = by_key.get("", []), 0
        for taint, bit in self._taints.items():
            candidates = by_key.get(taint.key, of_any_key)
            if candidates is not of_any_key and of_any_key:
                candidates = candidates + of_any_key
            if not (candidates and any(one.tolerates(taint) for one in candidates)):
                bits |= bit
        return bits

    def hard_among(self, bits: int) -> list[bool]:
        """Tell of each taint set whether one of these taints is in it and keeps pods off."""
        return [bool(mask & bits) for mask in self._hard]

    def soft_among(self, bits: int) -> list[int]:
        """Count in each taint set those of these taints that pods had better avoid."""
        return [sum(bool(bit & bits) for bit in soft) for soft in self._soft]

    def _mask(self, taints: Sequence[Taint], effects: Sequence[str]) -> int:
        mask = 0
        for taint in taints:
            if taint.effect in effects:
                mask |= self._taints[taint]
        return mask


def tolerated(view: View, rows: Rows, tolerations: Sequence[Toleration]) -> Bool | None:
    """Return which of the rows have no NoSchedule or NoExecute taint beyond these tolerations; None if all of them."""
    sets = TaintSets(view.taint_sets, {})
    rejected = sets.hard_among(sets.untolerated(tolerations))
    return ~np.array(rejected)[view.taint_set[rows]] if any(rejected) else None


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
