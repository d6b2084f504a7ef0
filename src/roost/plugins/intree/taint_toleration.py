"""TaintToleration: NoSchedule and NoExecute taints must be tolerated; few untolerated soft ones are better."""

from collections.abc import Hashable
from typing import cast

import numpy as np

from roost.api.taints import Taint
from roost.framework.kept import Kept
from roost.framework.memory import LiveView
from roost.framework.node_matching import TaintSets
from roost.framework.plugin import Context, Plugin, Scores, Verdicts, default_normalize
from roost.framework.pod_info import PodInfo
from roost.framework.resources import Int64
from roost.framework.status import SUCCESS, unresolvable
from roost.framework.view import Rows, View

UNTOLERATED = unresolvable("node(s) had untolerated taint(s)")
_STATUSES = (SUCCESS, UNTOLERATED)
_MOST_TAINTS = 1024
"""With more different taints than this, pods are told apart by the text of their tolerations."""


class TaintToleration(Plugin):
    """Reject nodes with taints the pod does not tolerate, and prefer those with fewer such soft taints."""

    name = "TaintToleration"
    reads = frozenset({"node"})
    pod_reads = ("tolerations",)
    weight = 3
    normalizes_by_range = True

    def __init__(self, args: None = None) -> None:
        super().__init__(args)
        self._bits: dict[Taint, int] = {}
        self._sets: Kept[TaintSets] = Kept(1 << 20, ("node",))
        self._last: tuple[PodInfo | None, TaintSets | None, int] = (None, None, 0)

    def remember_by(self, pod: PodInfo, view: View) -> Hashable:
        """Return which of the taints that there are the pod does not tolerate."""
        untolerated = self._untolerated(pod, self._taint_sets(view))
        return untolerated if len(self._bits) <= _MOST_TAINTS else None

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        """Reject rows with an untolerated NoSchedule or NoExecute taint."""
        sets = self._taint_sets(view)
        rejected = sets.hard_among(self._untolerated(pod, sets))
        if not any(rejected):
            return None
        return Verdicts(np.array(rejected, dtype=np.int16).take(view.taint_set[rows]), _STATUSES)

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        """Count the untolerated PreferNoSchedule taints of each row."""
        sets = self._taint_sets(view)
        counts = sets.soft_among(self._untolerated(pod, sets))
        return np.array(counts, dtype=np.int64).take(view.taint_set[rows]) if any(counts) else 0

    def normalize(self, ctx: Context, pod: PodInfo, scores: Int64) -> Int64:
        """Turn counts into 100 for none down to 0 for the most."""
        return default_normalize(scores, reverse=True)

    def _taint_sets(self, view: View) -> TaintSets:
        cluster = cast(LiveView, view.cluster)
        bits = self._bits if len(self._bits) <= _MOST_TAINTS else {}
        return self._sets.get(cluster, "", lambda: TaintSets(cluster.taint_sets, bits))

    def _untolerated(self, pod: PodInfo, sets: TaintSets) -> int:
        last, of_sets, bits = self._last
        if last is not pod or of_sets is not sets:
            bits = sets.untolerated(pod.pod.spec.tolerations or ())
            self._last = pod, sets, bits
        return bits
