"""AlwaysTrue: every node fits; a filter that changes nothing, to try an extender with.

From everpeace/k8s-scheduler-extender-example, its predicate always_true.
"""

from roost.framework.plugin import Context, Plugin, Verdicts
from roost.framework.pod_info import PodInfo
from roost.framework.view import Rows, View


class AlwaysTrue(Plugin):
    """Accept every node."""

    name = "AlwaysTrue"
    reads = frozenset()
    pod_reads = ()
    webhook = "always_true"

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        """Reject no row."""
        return None
