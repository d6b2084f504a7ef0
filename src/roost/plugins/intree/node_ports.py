"""NodePorts: the host ports a pod asks for must be free on the node; 0.0.0.0 stands for every IPv4 and IPv6 address."""

import numpy as np

from roost.framework.masks import any_true
from roost.framework.plugin import Context, Plugin, PreFilterAnswer, Verdicts
from roost.framework.pod_info import HostPort, PodInfo
from roost.framework.status import SKIP, unschedulable
from roost.framework.view import Bool, Rows, View

IN_USE = unschedulable("node(s) didn't have free ports for the requested pod ports")
ANY_IP = "0.0.0.0"


class NodePorts(Plugin):
    """Reject nodes on which a wanted host port is taken."""

    name = "NodePorts"
    reads = frozenset({"usage"})
    pre_reads = frozenset()
    pod_reads = ("ports",)

    def pre_filter(self, ctx: Context, pod: PodInfo, view: View) -> PreFilterAnswer:
        """Skip pods without host ports."""
        return None if pod.host_ports else SKIP

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        """Reject rows where (protocol, IP, port) conflicts with a pod that is there."""
        wanted = [one for one in pod.host_ports if view.port_users(one[0], one[2])]
        if not wanted:
            return None
        taken = np.zeros(view.size, dtype=np.bool_)
        for one in wanted:
            taken |= _taken(view, one)
        return Verdicts.rejecting(taken[rows], IN_USE) if any_true(taken) else None


def _taken(view: View, wanted: HostPort) -> Bool:
    protocol, ip, port = wanted
    taken = np.zeros(view.size, dtype=np.bool_)
    for used_ip, users in view.port_users(protocol, port).items():
        if ip in (used_ip, ANY_IP) or used_ip == ANY_IP:
            taken |= users > 0
    return taken
