"""InterPodAffinity: keep a pod near to some pods and away from others, by its own rules and by theirs.

    filter   its required affinity, its required anti-affinity, the required anti-affinity of pods that are there
    score    the weights of its preferred terms for each pod they mean, and those of placed pods' terms that mean it;
             required affinity of placed pods counts `hardPodAffinityWeight`; anti-affinity counts negative

"Near" is the same value of a node label. Pods are counted by term and summed over domains; no pod is looked at. Source:
kube-scheduler 1.36, pkg/scheduler/framework/plugins/interpodaffinity.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

import numpy as np

from roost.errors import ConfigError
from roost.framework.plugin import MAX_NODE_SCORE, Args, Context, Plugin, PreFilterAnswer, Scores, Verdicts
from roost.framework.pod_info import PodInfo
from roost.framework.pod_terms import TermKind, incoming
from roost.framework.resources import Int64
from roost.framework.status import SKIP, SUCCESS, Status, unresolvable, unschedulable
from roost.framework.topology import counted, counted_by_key, sum_cluster, sum_domains
from roost.framework.view import Bool, Int32, Rows, View

AFFINITY = unresolvable("node(s) didn't match pod affinity rules")
ANTI_AFFINITY = unschedulable("node(s) didn't match pod anti-affinity rules")
EXISTING_ANTI_AFFINITY = unschedulable("node(s) didn't satisfy existing pods anti-affinity rules")

_STATUSES = (SUCCESS, AFFINITY, ANTI_AFFINITY, EXISTING_ANTI_AFFINITY)
_HIGHEST_WEIGHT = 100

Said = tuple[str, Int32, int]
"""What "near" means to a term, how many pods of each row it is about, and what one of them counts."""


class InterPodAffinityArgs(Args):
    """What the rules of placed pods count in scores."""

    hard_pod_affinity_weight: int = 1
    ignore_preferred_terms_of_existing_pods: bool = False


class InterPodAffinity(Plugin):
    """Reject nodes by required rules between pods, and prefer nodes by preferred ones."""

    name = "InterPodAffinity"
    args_type = InterPodAffinityArgs
    reads = frozenset({"node", "nodes", "usage", "pod_labels", "pod_terms", "namespaces"})
    # Where it skips a pod, it goes on to do so until one of these changes: a pod with rules alters "pod_terms".
    pre_reads = frozenset({"node", "nodes", "pod_terms", "namespaces"})
    pod_reads = ("namespace", "labels", "affinity")
    weight = 2
    remember = False

    def __init__(self, args: InterPodAffinityArgs | None = None) -> None:
        super().__init__(args)
        hard = self.args.hard_pod_affinity_weight
        if not 0 <= hard <= _HIGHEST_WEIGHT:
            raise ConfigError(f"hardPodAffinityWeight: must be from 0 to {_HIGHEST_WEIGHT}, not {hard}")
        self._existing: tuple[tuple[TermKind, int, int], ...] = (
            ("required_affinity", 0, hard),
            ("preferred_affinity", 1, 0),
            ("preferred_anti_affinity", -1, 0),
        )

    def pre_filter(self, ctx: Context, pod: PodInfo, view: View) -> PreFilterAnswer:
        """Skip pods that neither have required rules nor are meant by the anti-affinity of a placed pod."""
        if pod.terms.required_affinity or pod.terms.required_anti_affinity:
            return None
        said = _bearers(view, pod, "required_anti_affinity")
        return None if any(_is_anywhere(view, one) for one in said) else SKIP

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        """Reject rows by affinity first, then by anti-affinity, then by the anti-affinity of placed pods."""
        codes = np.zeros(view.size, dtype=np.int16)
        codes[_avoided_by_placed(view, pod)] = 3
        if pod.terms.required_anti_affinity:
            codes[_avoided(view, pod)] = 2
        if pod.terms.required_affinity:
            codes[~_near(view, pod)] = 1
        judged = codes[rows]
        return Verdicts(judged, _STATUSES) if judged.any() else None

    def pre_score(self, ctx: Context, pod: PodInfo, view: View) -> Status | None:
        """Skip pods of which no term says anything."""
        own = pod.terms.preferred_affinity or pod.terms.preferred_anti_affinity
        if self.args.ignore_preferred_terms_of_existing_pods and not own:
            return SKIP
        return None if any(_is_anywhere(view, one) for one in self._said(view, pod)) else SKIP

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        """Add up what all terms say, for each pod of the row's domains."""
        total = np.zeros(view.size, dtype=np.int64)
        for key, weights in counted_by_key(view, lambda view: _sums(self._said(view, pod))).items():
            total += sum_domains(view, key, weights)
        return total[rows]

    def normalize(self, ctx: Context, pod: PodInfo, scores: Int64) -> Int64:
        """Scale the lowest sum to 0 and the highest to 100; all are 0 where there is no difference."""
        lowest, highest = scores.min(), scores.max()
        if lowest == highest:
            return np.zeros_like(scores)
        scaled: Int64 = (MAX_NODE_SCORE * ((scores - lowest) / np.float64(highest - lowest))).astype(np.int64)
        return scaled

    def _said(self, view: View, pod: PodInfo) -> Iterator[Said]:
        for one in pod.terms.preferred_affinity:
            yield one.topology_key, view.matching(incoming(one.term)), one.weight
        for one in pod.terms.preferred_anti_affinity:
            yield one.topology_key, view.matching(incoming(one.term)), -one.weight
        for kind, factor, weight in self._existing:
            if factor or weight:
                yield from _bearers(view, pod, kind, factor, weight)


def _near(view: View, pod: PodInfo) -> Bool:
    """Return where the pods are that all terms of required affinity mean: some in each of the row's domains.

    If they are nowhere, the pod may be the first of them, and any node will do that has all the labels.
    """
    keys = {one.topology_key for one in pod.terms.required_affinity}
    terms = tuple(incoming(one.term) for one in pod.terms.required_affinity)
    pods = counted(view, lambda view: view.matching(*terms))
    near = np.ones(view.size, dtype=np.bool_)
    for key in keys:
        near &= sum_domains(view, key, pods) > 0
    if all(term.matches(pod.pod, view.namespace_labels) for term in terms):
        anywhere = sum_cluster(
            view, counted(view, lambda view: view.matching(*terms) * _labelled(view, keys).any(axis=0))
        )
        near |= _labelled(view, keys).all(axis=0) & (anywhere == 0)
    return near


def _labelled(view: View, keys: Collection[str]) -> Bool:
    """Return which rows have each of some labels, by key."""
    return np.array([view.label(key).ids != 0 for key in keys], dtype=np.bool_)


def _avoided(view: View, pod: PodInfo) -> Bool:
    """Return where pods are that a term of required anti-affinity means."""
    terms = [(one.topology_key, incoming(one.term)) for one in pod.terms.required_anti_affinity]
    return _any_near(view, lambda view: ((key, view.matching(term), 1) for key, term in terms))


def _avoided_by_placed(view: View, pod: PodInfo) -> Bool:
    """Return where pods are of which a term of required anti-affinity means this pod."""
    return _any_near(view, lambda view: _bearers(view, pod, "required_anti_affinity"))


def _bearers(view: View, pod: PodInfo, kind: TermKind, factor: int = 0, weight: int = 1) -> Iterator[Said]:
    """Yield which rows have pods that bear a term which means this pod."""
    for one, column in view.existing_terms(kind, pod).items():
        yield one.topology_key, column, factor * one.weight + weight


def _any_near(view: View, said: Callable[[View], Iterable[Said]]) -> Bool:
    near = np.zeros(view.size, dtype=np.bool_)
    for key, pods in counted_by_key(view, lambda view: _sums(said(view))).items():
        near |= sum_domains(view, key, pods) > 0
    return near


def _sums(said: Iterable[Said]) -> Mapping[str, Int64]:
    """Add up what is said, by the key of the label that says what is near."""
    sums: dict[str, Int64] = {}
    for key, column, weight in said:
        weighed = column * np.int64(weight)
        sums[key] = sums[key] + weighed if key in sums else weighed
    return sums


def _is_anywhere(view: View, said: Said) -> bool:
    """Tell whether anything said counts: whether one of the pods is on a node that has the label."""
    key, column, _ = said
    return bool(column[view.label(key).ids != 0].any())
