"""NodeName: a pod that names its node fits no other."""

import numpy as np

from roost.framework.plugin import Context, Plugin, Verdicts
from roost.framework.pod_info import PodInfo
from roost.framework.status import unresolvable
from roost.framework.view import Rows, View

OTHER_NODE = unresolvable("node(s) didn't match the requested node name")


class NodeName(Plugin):
    """Reject every node but the one in `spec.nodeName`, if it is set."""

    name = "NodeName"
    reads = frozenset({"node"})
    pod_reads = ("node_name",)

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        """Reject rows of other names."""
        wanted = pod.pod.spec.node_name
        if not wanted:
            return None
        rejected = np.ones(view.size, dtype=np.bool_)
        rejected[list(view.rows_named(wanted))] = False
        return Verdicts.rejecting(rejected[rows], OTHER_NODE)
