"""NodeIndex: the node whose name comes first, always in the same order; it fills nodes one after the other.

Score: n for the first of n nodes of the cluster by name, n - 1 for the next … 1 for the last, names compared byte by
byte ("node-10" before "node-9"). Summed as it is, so every node has a score of its own, however many there are.
`order: descending` puts the last name first.

From mumoshu's kube-node-index-prioritizing-scheduler, which promised earlier names, preferred later ones, and had 10
scores: max(0, 10 - i) for the i-th node from the end (from 0), among those that fit. That is
max(0, 10 - n + score) of ours with `order: descending`, as far as all nodes fit.
"""

from typing import Literal

from roost.framework.plugin import Args, Context, Plugin, Scores
from roost.framework.pod_info import PodInfo
from roost.framework.view import Rows, View


class NodeIndexArgs(Args):
    """Which names come first: `ascending` the first ones, `descending` the last ones."""

    order: Literal["ascending", "descending"] = "ascending"


class NodeIndex(Plugin):
    """Prefer nodes by the order of their names, whatever the pod and the load."""

    name = "NodeIndex"
    args_type = NodeIndexArgs
    reads = frozenset({"nodes"})  # a node that comes or goes shifts the positions of others
    pod_reads = ()
    scale = "rank"

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        """Return the position of each row's node in the order, counted from its end."""
        rank = view.rank[rows]
        return rank + 1 if self.args.order == "descending" else view.num_nodes - rank
