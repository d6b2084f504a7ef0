"""NodeResourcesBalancedAllocation: prefer nodes on which the pod evens out the use of the resources.

    balance = (1 - standard deviation of the used fractions) * 100
    score   = 50 + (50 + balance with the pod - balance without it) / 2        (as of Kubernetes 1.36)

The idea is that of Wei Huang et al., "An Energy Efficient Virtual Machine Placement Algorithm with Balanced Resource
Utilization".
"""

import numpy as np

from roost.errors import ConfigError
from roost.framework.node_resources import DEFAULT_RESOURCES, Amounts, ResourceSpec, amounts, checked
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
    pod_reads = ("requests",)

    def __init__(self, args: NodeResourcesBalancedAllocationArgs | None = None) -> None:
        super().__init__(args)
        self._resources = checked(self.args.resources, "resources") or DEFAULT_RESOURCES
        for position, resource in enumerate(self._resources):
            if resource.weight != 1:
                raise ConfigError(f"resources[{position}].weight: balance knows no weights; leave it out, or write 1")

    def pre_score(self, ctx: Context, pod: PodInfo, view: View) -> Status | None:
        """Skip pods that request none of the resources."""
        requests = pod.requests.balanced_score
        return None if any(requests.get(resource.name, 0) for resource in self._resources) else SKIP

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        """Return 50…100: 75 where the balance stays as it is."""
        counted = amounts(view, rows, self._resources, pod.requests.balanced_score, nonzero=False)
        if counted is None:
            return HALF + HALF // 2
        used = counted.used.astype(np.float64)  # whole numbers below 2**53 stay what they are
        score = balance(counted, used + counted.added)
        score -= balance(counted, used)
        score += HALF
        score >>= 1  # the sum is not negative, so this is integer division
        score += HALF
        return score


def balance(resources: Amounts, used: Float64) -> Int64:
    """Return (1 - deviation) * 100, truncated; resources a node does not have are left out on it.

    `used` is worked upon in place.
    """
    used /= resources.divisor
    fractions = np.minimum(used, 1.0, out=used)
    if len(fractions) == 2 and resources.everywhere:
        deviation: Float64 = fractions[0] - fractions[1]
        np.abs(deviation, out=deviation)
        deviation *= 0.5
    else:
        deviation = _deviation(fractions, resources.capacity != 0)
    np.subtract(1, deviation, out=deviation)
    deviation *= MAX_NODE_SCORE
    return deviation.astype(np.int64)


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
