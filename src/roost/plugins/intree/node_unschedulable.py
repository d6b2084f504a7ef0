"""NodeUnschedulable: a cordoned node takes only pods that tolerate its unschedulable taint."""

from roost.api.taints import Taint
from roost.framework.plugin import Context, Plugin, Verdicts
from roost.framework.pod_info import PodInfo
from roost.framework.status import unresolvable
from roost.framework.view import Rows, View

UNSCHEDULABLE_TAINT = Taint(key="node.kubernetes.io/unschedulable", effect="NoSchedule")
CORDONED = unresolvable("node(s) were unschedulable")


class NodeUnschedulable(Plugin):
    """Reject nodes with `spec.unschedulable`."""

    name = "NodeUnschedulable"
    reads = frozenset({"node"})
    pod_reads = ("tolerations",)

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        """Reject cordoned rows unless the pod tolerates their taint."""
        if not view.num_unschedulable:
            return None
        if any(toleration.tolerates(UNSCHEDULABLE_TAINT) for toleration in pod.pod.spec.tolerations or ()):
            return None
        return Verdicts.rejecting(view.unschedulable[rows], CORDONED)
