"""NodeResourcesBalancedAllocation: prefer nodes on which the pod evens out the use of the resources.

    balance = (1 - standard deviation of the used fractions) * 100
    score   = 50 + (50 + balance with the pod - balance without it) / 2        (as of Kubernetes 1.36)

The idea is that of Wei Huang et al., "An Energy Efficient Virtual Machine Placement Algorithm with Balanced Resource
Utilization".
"""

import numpy as np

from roost.errors import ConfigError
from roost.framework.node_resources import DEFAULT_RESOURCES, Amounts, Counting, ResourceSpec, checked
from roost.framework.plugin import MAX_NODE_SCORE, Args, Context, Plugin, Scores
from roost.framework.pod_info import PodInfo
from roost.framework.resources import Int64
from roost.framework.status import SKIP, Status
from roost.framework.view import Bool, Float64, Rows, View

HALF = MAX_NODE_SCORE // 2


class NodeResourcesBalancedAllocationArgs(Args):
    """The resources to balance."""

    resources: tuple[ResourceSpec, ...] = ()


class NodeResourcesBalancedAllocation(Plugin):
    """Score how much the pod improves the balance of a node's resources."""

    name = "NodeResourcesBalancedAllocation"
    args_type = NodeResourcesBalancedAllocationArgs
    reads = frozenset({"node", "usage"})
    pre_reads = frozenset()
    bounded = True
    pod_reads = ("requests",)

    def __init__(self, args: NodeResourcesBalancedAllocationArgs | None = None) -> None:
        super().__init__(args)
        self._resources = checked(self.args.resources, "resources") or DEFAULT_RESOURCES
        self._counting = Counting(self._resources, nonzero=False)
        for position, resource in enumerate(self._resources):
            if resource.weight != 1:
                raise ConfigError(f"resources[{position}].weight: balance knows no weights; leave it out, or write 1")

    def pre_score(self, ctx: Context, pod: PodInfo, view: View) -> Status | None:
        """Skip pods that request none of the resources."""
        requests = pod.requests.balanced_score
        return None if any(requests.get(resource.name, 0) for resource in self._resources) else SKIP

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        """Return 50…100: 75 where the balance stays as it is."""
        counted = self._counting.amounts(view, rows, pod.requests.balanced_score)
        if counted is None:
            return HALF + HALF // 2
        before, after = _balances(counted, counted.share, _share_with_pod(counted))
        score: Int64 = after - before
        score += 3 * HALF
        score >>= 1  # what is halved is not negative, so this is integer division
        return score


def _share_with_pod(resources: Amounts) -> Float64:
    share = resources.used + resources.added.astype(np.float64)
    share /= resources.divisor
    if share.item(share.argmax()) > 1:  # looking is cheaper than clipping, which is seldom needed
        np.minimum(share, 1.0, out=share)
    return share


def _balances(resources: Amounts, *shares: Float64) -> Int64:
    """Return (1 - deviation) * 100, truncated, of each of the shares; what a node does not have is left out on it."""
    evenness = np.empty((len(shares), shares[0].shape[1]))
    if len(shares[0]) == 2 and resources.everywhere:
        # Half of the difference deviates; halves are exact, so they may be taken from the factors.
        for even, share in zip(evenness, shares, strict=True):
            np.subtract(share[0], share[1], out=even)
        np.abs(evenness, out=evenness)
        np.subtract(2, evenness, out=evenness)
        evenness *= HALF
    else:
        present = resources.capacity != 0
        for even, share in zip(evenness, shares, strict=True):
            np.subtract(1, _deviation(share, present), out=even)
        evenness *= MAX_NODE_SCORE
    return evenness.astype(np.int64)


def _deviation(fractions: Float64, present: Bool) -> Float64:
    count = present.sum(axis=0)
    mean = _in_order(fractions * present) / np.maximum(count, 1)
    squares = _in_order((fractions - mean) * (fractions - mean) * present)
    of_many = np.sqrt(squares / np.maximum(count, 1))
    highest = np.where(present, fractions, 0.0).max(axis=0)
    lowest = np.where(present, fractions, 1.0).min(axis=0)
    return np.where(count == 2, (highest - lowest) / 2, np.where(count > 2, of_many, 0.0))


def _in_order(lines: Float64) -> Float64:
    """Add lines one after the other, as kube-scheduler does: another order could round otherwise."""
    total: Float64 = sum(lines[1:], start=lines[0])
    return total
