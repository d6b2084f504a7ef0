"""TaintToleration: NoSchedule and NoExecute taints must be tolerated; few untolerated soft ones are better."""

import numpy as np

from roost.framework.node_matching import count_untolerated, per_taints, tolerated
from roost.framework.plugin import Context, Plugin, Scores, Verdicts, default_normalize
from roost.framework.pod_info import PodInfo
from roost.framework.resources import Int64
from roost.framework.status import unresolvable
from roost.framework.view import Rows, View

UNTOLERATED = unresolvable("node(s) had untolerated taint(s)")


class TaintToleration(Plugin):
    """Reject nodes with taints the pod does not tolerate, and prefer those with fewer such soft taints."""

    name = "TaintToleration"
    reads = frozenset({"node"})
    pod_reads = ("tolerations",)
    weight = 3

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        """Reject rows with an untolerated NoSchedule or NoExecute taint."""
        fits = tolerated(view, rows, pod.pod.spec.tolerations or ())
        return None if fits is None else Verdicts.rejecting(~fits, UNTOLERATED)

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        """Count the untolerated PreferNoSchedule taints of each row."""
        tolerations = [t for t in pod.pod.spec.tolerations or () if t.effect in ("", "PreferNoSchedule")]
        counts = per_taints(view, rows, lambda taints: count_untolerated(taints, tolerations, ("PreferNoSchedule",)))
        return 0 if counts is None else counts.astype(np.int64)

    def normalize(self, ctx: Context, pod: PodInfo, scores: Int64) -> Int64:
        """Turn counts into 100 for none down to 0 for the most."""
        return default_normalize(scores, reverse=True)
