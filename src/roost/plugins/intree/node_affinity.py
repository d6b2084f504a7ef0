"""NodeAffinity: nodeSelector and required node affinity must match; preferred terms that match add their weights."""

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import cast

import numpy as np

from roost.api.node_selectors import required_node_selector
from roost.api.selectors import NodeAffinity as NodeAffinityRules
from roost.api.selectors import NodeSelectorTerm, PreferredSchedulingTerm
from roost.framework.kept import Kept
from roost.framework.masks import any_true
from roost.framework.memory import LiveView
from roost.framework.node_matching import is_empty, meeting, required_affinity, selected
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


_MASKS_BYTES = 4 << 20


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
    normalizes_by_range = True

    def __init__(self, args: NodeAffinityArgs | None = None) -> None:
        super().__init__(args)
        added = self.args.added_affinity or NodeAffinityRules()
        self._masks: Kept[Bool] = Kept(_MASKS_BYTES)
        self._enforced = added.required_during_scheduling_ignored_during_execution
        self._added_preferences = added.preferred_during_scheduling_ignored_during_execution or ()

    def pre_filter(self, ctx: Context, pod: PodInfo, view: View) -> PreFilterAnswer:
        """Skip pods without rules; narrow to the node names that every required term asks for."""
        required = required_node_selector(pod.pod)
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
        selector, required = pod.pod.spec.node_selector, required_node_selector(pod.pod)
        codes = np.zeros(view.size, dtype=np.int16)[rows]
        if selector is not None or required is not None:
            key = (pod.part("node_selector"), required)
            codes[~self._mask(view, key, lambda cluster: required_affinity(cluster, pod.pod))[rows]] = 1
        if self._enforced is not None:
            codes[~selected(view, self._enforced)[rows]] = 2
        return Verdicts(codes, _STATUSES) if any_true(codes) else None

    def pre_score(self, ctx: Context, pod: PodInfo, view: View) -> Status | None:
        """Skip pods without preferences."""
        return None if _preferred(pod) is not None or self._added_preferences else SKIP

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        """Add up the weights of the preferred terms that match."""
        total: Int64 | int = 0
        for preference in (*self._added_preferences, *(_preferred(pod) or ())):
            term = preference.preference
            if preference.weight and not is_empty(term):
                matches = self._mask(view, term, partial(meeting, term=term))[rows]
                total = total + matches * np.int64(preference.weight)
        return total

    def normalize(self, ctx: Context, pod: PodInfo, scores: Int64) -> Int64:
        """Scale the highest sum to 100."""
        return default_normalize(scores)

    def _mask(self, view: View, key: Hashable, work_out: Callable[[View], Bool]) -> Bool:
        """Return which rows match something, worked out once until a node changes."""
        cluster = cast(LiveView, view.cluster)
        mask = self._masks.get(cluster, key, lambda: work_out(cluster))
        return mask if view is cluster else mask[view.slots]


_STATUSES = (SUCCESS, NO_MATCH, NOT_ENFORCED)


def _preferred(pod: PodInfo) -> Sequence[PreferredSchedulingTerm] | None:
    affinity = pod.pod.spec.affinity
    rules = affinity.node_affinity if affinity is not None else None
    return rules.preferred_during_scheduling_ignored_during_execution if rules is not None else None


def _names(term: NodeSelectorTerm) -> frozenset[str] | None:
    """Return the node names that a term is limited to; None if it is not."""
    names: frozenset[str] | None = None
    for requirement in term.match_fields or ():
        if requirement.key == "metadata.name" and requirement.operator == "In":
            wanted = frozenset(requirement.values or ())
            names = wanted if names is None else names & wanted
    return names
