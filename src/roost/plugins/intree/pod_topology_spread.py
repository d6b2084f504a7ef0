"""PodTopologySpread: pods that belong together go to different zones, nodes or other domains.

A constraint names a node label, whose values are the domains, and the pods to count. With DoNotSchedule a node is
rejected where its domain would have more than `maxSkew` pods above the emptiest domain; with ScheduleAnyway domains
with fewer pods score higher. Pods without constraints of their own get the default ones (`defaultingType`): those of
the System, which only score, or a List. The pods they count are those of the same Services and controller.

The arithmetic is in `roost.framework.spreading`; here is what a pod and a configuration ask for.
"""

import re
from collections.abc import Hashable, Sequence
from typing import Literal, cast

import numpy as np
from msgspec.structs import asdict, replace
from numpy.typing import NDArray

from roost.api.labels import is_label_value, selects
from roost.api.pod import Pod
from roost.api.selectors import LabelSelector, Requirement, TopologySpreadConstraint
from roost.errors import ConfigError
from roost.framework.kept import Kept
from roost.framework.memory import LiveView
from roost.framework.plugin import (
    Args,
    Context,
    Following,
    PartialScores,
    Plugin,
    PreFilterAnswer,
    Scores,
    Verdicts,
)
from roost.framework.pod_info import PodInfo
from roost.framework.pod_terms import PodTerm
from roost.framework.resources import Int64
from roost.framework.spread_classes import spread_classes
from roost.framework.spreading import HOSTNAME, MISSING, Constraint, Layout, crowded, lay_out, normalized, spread_scores
from roost.framework.status import SKIP, SUCCESS, Status, unresolvable, unschedulable
from roost.framework.view import Rows, View

SKEWED = unschedulable("node(s) didn't match pod topology spread constraints")
UNLABELLED = unresolvable("node(s) didn't match pod topology spread constraints (missing required label)")

Action = Literal["DoNotSchedule", "ScheduleAnyway"]
HARD: Action = "DoNotSchedule"
SOFT: Action = "ScheduleAnyway"

_SYSTEM = (
    TopologySpreadConstraint(topology_key=HOSTNAME, when_unsatisfiable=SOFT, max_skew=3),
    TopologySpreadConstraint(topology_key="topology.kubernetes.io/zone", when_unsatisfiable=SOFT, max_skew=5),
)
_LAYOUTS_BYTES = 16 << 20
_KINDS_KEPT = 4096
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")


class DefaultConstraint(Args):
    """A constraint for pods without constraints of their own; which pods it counts follows from each pod."""

    max_skew: int
    topology_key: str
    when_unsatisfiable: Action
    label_selector: LabelSelector | None = None
    min_domains: int | None = None
    node_affinity_policy: str | None = None
    node_taints_policy: str | None = None
    match_label_keys: tuple[str, ...] | None = None


class PodTopologySpreadArgs(Args):
    """Which constraints pods have that name none."""

    default_constraints: tuple[DefaultConstraint, ...] = ()
    defaulting_type: Literal["System", "List"] = "System"


class _Rules:
    """Constraints of one action as they stand for pods of one kind; `layout_key` is equal where their domains are."""

    __slots__ = ("all_labels", "constraints", "layout_key")

    def __init__(self, constraints: tuple[Constraint, ...], pod: PodInfo, *, all_labels: bool) -> None:
        self.constraints = constraints
        self.all_labels = all_labels
        self.layout_key = (
            tuple((one.topology_key, one.honors_affinity, one.honors_taints) for one in constraints),
            tuple(pod.part(part) for part in ("node_selector", "node_affinity", "tolerations")),
            all_labels,
        )


class _Kind:
    """What pods ask for that are alike in all that is read of them: the rules that reject, and those that score."""

    __slots__ = ("hard", "selector", "soft")

    def __init__(
        self,
        pod: PodInfo,
        constraints: Sequence[TopologySpreadConstraint],
        selector: LabelSelector | None,
        *,
        all_labels: bool,
    ) -> None:
        self.selector = selector
        hard, soft = (
            tuple(_standing(one, pod.pod, selector) for one in constraints if one.when_unsatisfiable == action)
            for action in (HARD, SOFT)
        )
        self.hard = _Rules(hard, pod, all_labels=True)
        self.soft = _Rules(soft, pod, all_labels=all_labels)


class PodTopologySpread(Plugin):
    """Reject nodes whose domain has too many of the pods that belong together, and prefer domains with few of them."""

    name = "PodTopologySpread"
    args_type = PodTopologySpreadArgs
    reads = frozenset({"node", "nodes", "usage", "pod_labels", "services"})
    pre_reads = frozenset({"services"})
    pod_reads = ("namespace", "labels", "owner", "spread", "node_selector", "node_affinity", "tolerations")
    weight = 2
    remember = False

    def __init__(self, args: PodTopologySpreadArgs | None = None) -> None:
        super().__init__(args)
        _check(self.args)
        self._is_system = self.args.defaulting_type == "System"
        self._defaults = _SYSTEM if self._is_system else tuple(map(_constraint, self.args.default_constraints))
        if not self._defaults:
            self.reads, self.pre_reads = self.reads - {"services"}, frozenset()
        if not any(one.when_unsatisfiable == HARD for one in self._defaults):
            self.filter_reads = self.reads - {"services"}
        self._kinds: dict[Hashable, _Kind] = {}
        self._last: tuple[PodInfo | None, _Kind | None] = (None, None)
        self._layouts: Kept[Layout] = Kept(_LAYOUTS_BYTES)

    def pre_filter(self, ctx: Context, pod: PodInfo, view: View) -> PreFilterAnswer:
        """Skip pods without a constraint that rejects."""
        kind = self._kind(pod, view)
        return None if kind is not None and kind.hard.constraints else SKIP

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        """Judge rows by the constraints in order; the first that a row fails gives the reason."""
        kind = self._kind(pod, view)
        if kind is None or not kind.hard.constraints:
            return None
        domains = self._layout(pod, view, kind.hard).domains
        slots = rows if view is view.cluster else view.slots[rows]
        codes = np.zeros(view.size, dtype=np.int16)[rows]
        for constraint, of_constraint in reversed(list(zip(kind.hard.constraints, domains, strict=True))):
            codes[crowded(view, rows, constraint, of_constraint)] = 2
            codes[of_constraint.ids[slots] == MISSING] = 1
        return Verdicts(codes, (SUCCESS, UNLABELLED, SKEWED)) if codes.any() else None

    def pre_score(self, ctx: Context, pod: PodInfo, view: View) -> Status | None:
        """Skip pods without a constraint that scores."""
        kind = self._kind(pod, view)
        return None if kind is not None and kind.soft.constraints else SKIP

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores | PartialScores:
        """Sum up what the constraints count around each row; rows without a label that the rules need are ignored."""
        kind = self._kind(pod, view)
        if kind is None or not kind.soft.constraints:
            return 0
        layout = self._layout(pod, view, kind.soft)
        ignored = layout.ignored(view, rows)
        raw = spread_scores(view, rows, kind.soft.constraints, layout, ignored)
        return raw if ignored is None else PartialScores(raw, ignored)

    def normalize(self, ctx: Context, pod: PodInfo, scores: Int64) -> Int64:
        """Turn sums round: 100 for the lowest, and as much less as a row has more, in shares of the highest."""
        return normalized(scores)

    def follow(self, ctx: Context, pod: PodInfo, view: View, rows: NDArray[np.intp]) -> Following | None:
        """Return the classes of rows that score alike; None if there are too many, as with a label of single nodes."""
        kind = self._kind(pod, view)
        if kind is None or not kind.soft.constraints:
            return None
        layout = self._layout(pod, view, kind.soft)
        return spread_classes(view, rows, kind.soft.constraints, layout, layout.ignored(view, rows))

    def _kind(self, pod: PodInfo, view: View) -> _Kind | None:
        """Return what a pod asks for; None if it has no constraints, also by default."""
        own, selector = pod.pod.spec.topology_spread_constraints or (), None
        if not own:
            selector = view.default_selector(pod) if self._defaults else None
            if selector is None:
                return None
        last, kind = self._last
        if last is not pod or kind is None or kind.selector is not selector:
            kind = self._known(pod, own, selector)
            self._last = pod, kind
        return kind

    def _known(self, pod: PodInfo, own: Sequence[TopologySpreadConstraint], selector: LabelSelector | None) -> _Kind:
        key = tuple([pod.part(part) for part in self.pod_reads])
        kind = self._kinds.pop(key, None)
        if kind is None or kind.selector is not selector:
            kind = _Kind(pod, own or self._defaults, selector, all_labels=bool(own) or not self._is_system)
            if len(self._kinds) >= _KINDS_KEPT:
                del self._kinds[next(iter(self._kinds))]
        self._kinds[key] = kind
        return kind

    def _layout(self, pod: PodInfo, view: View, rules: _Rules) -> Layout:
        cluster = cast(LiveView, view.cluster)
        return self._layouts.get(
            cluster,
            rules.layout_key,
            lambda: lay_out(cluster, pod.pod, rules.constraints, all_labels=rules.all_labels),
        )


# ---- what a constraint means for a pod


def _standing(given: TopologySpreadConstraint, pod: Pod, selector: LabelSelector | None) -> Constraint:
    """Return a constraint as it stands for a pod; `selector` is what default constraints count."""
    if selector is None:
        selector = _with_own_values(given, pod)
    return Constraint(
        topology_key=given.topology_key,
        max_skew=given.max_skew,
        min_domains=1 if given.min_domains is None else given.min_domains,
        honors_affinity=given.node_affinity_policy in (None, "Honor"),
        honors_taints=given.node_taints_policy == "Honor",
        namespace=pod.namespace,
        selector=selector,
        term=PodTerm((pod.namespace,), selector, counts_terminating=False),
        itself=int(selects(selector, pod.labels)),
    )


def _with_own_values(given: TopologySpreadConstraint, pod: Pod) -> LabelSelector | None:
    """Return the constraint's selector, narrowed to the pod's own values of `matchLabelKeys`."""
    selector, labels = given.label_selector, pod.labels
    own = [key for key in given.match_label_keys or () if key in labels]
    if selector is None or not own:
        return selector
    added = tuple(Requirement(key=key, operator="In", values=(labels[key],)) for key in own)
    return replace(selector, match_expressions=(*(selector.match_expressions or ()), *added))


# ---- the arguments


def _constraint(default: DefaultConstraint) -> TopologySpreadConstraint:
    return TopologySpreadConstraint(**asdict(default))


def _check(args: PodTopologySpreadArgs) -> None:
    if args.defaulting_type == "System" and args.default_constraints:
        raise ConfigError("defaultConstraints: go with defaultingType: List; remove them or set that")
    seen: set[tuple[str, str]] = set()
    for position, one in enumerate(args.default_constraints):
        path = f"defaultConstraints[{position}]"
        if one.max_skew <= 0:
            raise ConfigError(f"{path}.maxSkew: must be at least 1, not {one.max_skew}")
        if not _is_label_key(one.topology_key):
            raise ConfigError(f"{path}.topologyKey: must be the key of a node label, not '{one.topology_key}'")
        if one.label_selector is not None:
            raise ConfigError(
                f"{path}.labelSelector: must be absent: which pods count follows from a pod's Services and controller"
            )
        if (one.topology_key, one.when_unsatisfiable) in seen:
            raise ConfigError(f"{path}: {one.topology_key} with {one.when_unsatisfiable} is given twice; remove one")
        seen.add((one.topology_key, one.when_unsatisfiable))


def _is_label_key(text: str) -> bool:
    prefix, slash, name = text.rpartition("/")
    if slash and (len(prefix) > 253 or not _SUBDOMAIN.fullmatch(prefix)):
        return False
    return bool(name) and is_label_value(name)
