"""TaintToleration: NoSchedule and NoExecute taints must be tolerated; few untolerated PreferNoSchedule ones are better.

Nodes with equal taints share a taint set, so tolerations are compared once per set, not once per node.
"""

from collections.abc import Callable, Sequence

import numpy as np

from roost.api.taints import Taint, Toleration
from roost.framework.plugin import Context, Plugin, Scores, Verdicts, default_normalize
from roost.framework.pod_info import PodInfo
from roost.framework.resources import Int64
from roost.framework.status import unresolvable
from roost.framework.view import Int32, Rows, View

UNTOLERATED = unresolvable("node(s) had untolerated taint(s)")
_HARD = ("NoSchedule", "NoExecute")


class TaintToleration(Plugin):
    """Reject nodes with taints the pod does not tolerate, and prefer those with fewer such soft taints."""

    name = "TaintToleration"
    reads = frozenset({"node"})
    pod_reads = ("tolerations",)
    weight = 3

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        """Reject rows with an untolerated NoSchedule or NoExecute taint."""
        tolerations = pod.pod.spec.tolerations or ()
        untolerated = _per_row(view, rows, lambda taints: int(_count(taints, tolerations, _HARD) > 0))
        return None if untolerated is None else Verdicts.rejecting(untolerated > 0, UNTOLERATED)

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        """Count the untolerated PreferNoSchedule taints of each row."""
        tolerations = [t for t in pod.pod.spec.tolerations or () if t.effect in ("", "PreferNoSchedule")]
        counts = _per_row(view, rows, lambda taints: _count(taints, tolerations, ("PreferNoSchedule",)))
        return 0 if counts is None else counts.astype(np.int64)

    def normalize(self, ctx: Context, pod: PodInfo, scores: Int64) -> Int64:
        """Turn counts into 100 for none down to 0 for the most."""
        return default_normalize(scores, reverse=True)


def _per_row(view: View, rows: Rows, measure: Callable[[Sequence[Taint]], int]) -> Int32 | None:
    """Return a measure of each row's taints; None if it is 0 for all taint sets there are."""
    measures = np.array([measure(taints) for taints in view.taint_sets], dtype=np.int32)
    if not measures.any():
        return None
    per_row: Int32 = measures[view.taint_set[rows]]
    return per_row


def _count(taints: Sequence[Taint], tolerations: Sequence[Toleration], effects: Sequence[str]) -> int:
    count = 0
    for taint in taints:
        if taint.effect in effects:
            for toleration in tolerations:
                if toleration.tolerates(taint):
                    break
            else:
                count += 1
    return count
