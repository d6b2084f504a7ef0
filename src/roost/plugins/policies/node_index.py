"""NodeIndex: the node whose name comes first, always in the same order; it fills nodes one after the other.

Score: n for the first of n nodes of the cluster by name, n - 1 for the next … 1 for the last, names compared byte by
byte ("node-10" before "node-9"). Summed as it is, so every node has a score of its own, however many there are.
`order: descending` puts the last name first. With `maxScore: m` it is max(0, m - i) for the i-th node, from 0.

Filter, with `podsPerNode: N`: a node that has N pods of the pod's controller takes no more of them. Together with the
order, N pods of a Deployment go on each node, one node after the other. Pods without a controller are only ordered, and
pods that are being deleted do not count.

From mumoshu's kube-node-index-prioritizing-scheduler, which promised earlier names, preferred later ones, and had 10
scores: max(0, 10 - i) for the i-th node from the end, among those that it was asked about; `compat: original` restores
that. Its setting for N pods per node had no effect.
"""

from typing import Literal

import numpy as np

from roost.errors import ConfigError
from roost.framework.plugin import MAX_EXTENDER_SCORE, Args, Context, Plugin, Scale, Scores, Verdicts
from roost.framework.pod_info import PodInfo
from roost.framework.resources import Int64
from roost.framework.status import unschedulable
from roost.framework.view import Rows, View

_HIGHEST_OF_ORIGINAL = MAX_EXTENDER_SCORE


class NodeIndexArgs(Args):
    """Which names come first (`ascending` unless said otherwise), the highest score, and pods of a controller per node.

    `compat: original` has an order and a highest score of its own.
    """

    order: Literal["ascending", "descending"] | None = None
    max_score: int | None = None
    pods_per_node: int | None = None
    compat: Literal["original"] | None = None


class NodeIndex(Plugin):
    """Prefer nodes by the order of their names, and let no node have too many pods of one controller."""

    name = "NodeIndex"
    args_type = NodeIndexArgs
    reads = frozenset({"nodes"})  # a node that comes or goes shifts the positions of others
    pod_reads: tuple[str, ...] = ()
    webhook = "node_index"
    scale: Scale = "rank"

    def __init__(self, args: NodeIndexArgs | None = None) -> None:
        super().__init__(args)
        _check(self.args)
        is_original = self.args.compat == "original"
        self._descends = is_original or self.args.order == "descending"
        self.idle_at = frozenset() if is_original else frozenset({"normalize"})
        if is_original:
            self.scale = "extender"
            self.reply_order = "by score"
        if self.args.pods_per_node is None:
            self.idle_at |= {"filter"}
        else:
            self.reads = frozenset({"nodes", "usage"})
            self.filter_reads = frozenset({"usage"})
            self.pod_reads = ("owner",)

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        """Reject rows that have as many pods of the controller as they may."""
        limit = self.args.pods_per_node
        if limit is None or not pod.owner:
            return None
        full = view.pods_of(pod.owner)[rows] >= limit
        pods = "1 pod" if limit == 1 else f"{limit} pods"
        reason = f"node(s) already have {pods} of the same controller"
        return Verdicts.rejecting(full, unschedulable(reason)) if full.any() else None

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        """Return the position of each row's node in the order, counted from its end, or the highest score less it."""
        rank = view.rank[rows]
        from_end = rank + 1 if self._descends else view.num_nodes - rank
        highest = self.args.max_score
        return from_end if highest is None else np.maximum(0, highest - view.num_nodes + from_end)

    def normalize(self, ctx: Context, pod: PodInfo, scores: Int64) -> Int64:
        """Give 10 to the first of the nodes asked about, 9 to the next, and so on: what the original did."""
        order = np.argsort(-scores, kind="stable")
        normal = np.zeros_like(scores)
        normal[order] = np.maximum(0, _HIGHEST_OF_ORIGINAL - np.arange(len(scores)))
        return normal


def _check(args: NodeIndexArgs) -> None:
    for field, number in (("maxScore", args.max_score), ("podsPerNode", args.pods_per_node)):
        if number is not None and number < 1:
            raise ConfigError(f"{field}: must be 1 or more, not {number}")
    if args.compat == "original" and args.order == "ascending":
        raise ConfigError("order: compat: original is descending; leave out one of the two")
    if args.compat == "original" and args.max_score is not None:
        raise ConfigError(f"maxScore: compat: original has {_HIGHEST_OF_ORIGINAL}; leave out one of the two")
