"""TaintToleration: NoSchedule and NoExecute taints must be tolerated; few untolerated soft ones are better."""

from typing import cast

import numpy as np

from roost.framework.kept import Kept
from roost.framework.memory import LiveView
from roost.framework.node_matching import TaintSets
from roost.framework.plugin import Context, Plugin, Scores, Verdicts, default_normalize
from roost.framework.pod_info import PodInfo
from roost.framework.resources import Int64
from roost.framework.status import SUCCESS, unresolvable
from roost.framework.view import Rows, View

UNTOLERATED = unresolvable("node(s) had untolerated taint(s)")


class TaintToleration(Plugin):
    """Reject nodes with taints the pod does not tolerate, and prefer those with fewer such soft taints."""

    name = "TaintToleration"
    reads = frozenset({"node"})
    pod_reads = ("tolerations",)
    weight = 3
    normalizes_by_range = True

    def __init__(self, args: None = None) -> None:
        super().__init__(args)
        self._sets: Kept[TaintSets] = Kept(1 << 20, ("node",))

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        """Reject rows with an untolerated NoSchedule or NoExecute taint."""
        counts = self._taint_sets(view).untolerated(pod.pod.spec.tolerations or (), hard=True)
        if not any(counts):
            return None
        return Verdicts(np.array(counts, dtype=np.bool_).astype(np.int16).take(view.taint_set[rows]), _STATUSES)

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        """Count the untolerated PreferNoSchedule taints of each row."""
        tolerations = [t for t in pod.pod.spec.tolerations or () if t.effect in ("", "PreferNoSchedule")]
        counts = self._taint_sets(view).untolerated(tolerations, hard=False)
        if not any(counts):
            return 0
        return np.array(counts, dtype=np.int64).take(view.taint_set[rows])

    def normalize(self, ctx: Context, pod: PodInfo, scores: Int64) -> Int64:
        """Turn counts into 100 for none down to 0 for the most."""
        return default_normalize(scores, reverse=True)

    def _taint_sets(self, view: View) -> TaintSets:
        cluster = cast(LiveView, view.cluster)
        return self._sets.get(cluster, "", lambda: TaintSets(cluster.taint_sets))


_STATUSES = (SUCCESS, UNTOLERATED)
