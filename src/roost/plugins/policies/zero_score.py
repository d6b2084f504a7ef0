"""ZeroScore: all nodes score 0; a score that changes nothing, to try an extender with.

From everpeace/k8s-scheduler-extender-example, its priority zero_score.
"""

from roost.framework.plugin import Context, Plugin, Scores
from roost.framework.pod_info import PodInfo
from roost.framework.view import Rows, View


class ZeroScore(Plugin):
    """Score every node with 0."""

    name = "ZeroScore"
    reads = frozenset()
    pod_reads = ()
    webhook = "zero_score"

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        """Return 0 for all rows."""
        return 0
