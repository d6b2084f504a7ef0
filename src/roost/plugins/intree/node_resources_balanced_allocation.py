"""NodeResourcesBalancedAllocation: prefer nodes on which the pod evens out the use of the resources.

    balance = (1 - standard deviation of the used fractions) * 100
    score   = 50 + (50 + balance with the pod - balance without it) / 2        (as of Kubernetes 1.36)

The idea is that of Wei Huang et al., "An Energy Efficient Virtual Machine Placement Algorithm with Balanced Resource
Utilization".
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from roost.framework.plugin import MAX_NODE_SCORE, Args, Context, Plugin, Scores
from roost.framework.pod_info import PodInfo
from roost.framework.resources import Int64
from roost.framework.status import SKIP, Status
from roost.framework.view import Rows, View
from roost.plugins.intree.node_resources import DEFAULT_RESOURCES, Amounts, ResourceSpec, amounts, checked

Float = NDArray[np.float64]
HALF = MAX_NODE_SCORE // 2


class NodeResourcesBalancedAllocationArgs(Args):
    """The resources to balance."""

    resources: tuple[ResourceSpec, ...] = ()


class NodeResourcesBalancedAllocation(Plugin):
    """Score how much the pod improves the balance of a node's resources."""

    name = "NodeResourcesBalancedAllocation"
    args_type = NodeResourcesBalancedAllocationArgs
    reads = frozenset({"node", "usage"})
    pod_reads = ("requests",)

    def __init__(self, args: NodeResourcesBalancedAllocationArgs | None = None) -> None:
        super().__init__(args)
        self._resources = checked(self.args.resources, "resources") or DEFAULT_RESOURCES

    def pre_score(self, ctx: Context, pod: PodInfo, view: View) -> Status | None:
        """Skip pods that request none of the resources."""
        requests = pod.requests.balanced_score
        return None if any(requests.get(resource.name, 0) for resource in self._resources) else SKIP

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        """Return 50…100: 75 where the balance stays as it is."""
        requests = pod.requests.balanced_score
        counted = list(amounts(view, rows, self._resources, requests, nonzero=False))
        if not counted:
            return HALF + HALF // 2
        specs = tuple(ResourceSpec(name=resource.name) for resource in counted)

        def without_pod(view: View, rows: Rows) -> Int64:
            return balance(list(amounts(view, rows, specs, None, nonzero=False)), with_pod=False)

        before = view.derived((self.name, specs), ("node", "usage"), without_pod)[rows]
        scores: Scores = HALF + (HALF + balance(counted, with_pod=True) - before) // 2
        return scores


def balance(resources: Sequence[Amounts], *, with_pod: bool) -> Int64:
    """Return (1 - deviation) * 100, truncated; resources a node does not have are left out on it."""
    fractions = [_fraction(resource, with_pod) for resource in resources]
    if len(fractions) == 2 and all(resource.everywhere for resource in resources):
        deviation: Float = np.abs(fractions[0] - fractions[1])
        deviation /= 2
    else:
        deviation = _deviation(fractions, [resource.capacity != 0 for resource in resources])
    return ((1 - deviation) * MAX_NODE_SCORE).astype(np.int64)


def _fraction(resource: Amounts, with_pod: bool) -> Float:
    used = resource.used + resource.added if with_pod else resource.used
    fraction: Float = used / np.maximum(resource.capacity, 1)
    return np.minimum(fraction, 1.0, out=fraction)


def _deviation(fractions: Sequence[Float], present: Sequence[NDArray[np.bool_]]) -> Float:
    count = sum(p.astype(np.int64) for p in present)
    mean = sum(f * p for f, p in zip(fractions, present, strict=True)) / np.maximum(count, 1)
    squares = sum((f - mean) * (f - mean) * p for f, p in zip(fractions, present, strict=True))
    highest = np.max([np.where(p, f, -np.inf) for f, p in zip(fractions, present, strict=True)], axis=0)
    lowest = np.min([np.where(p, f, np.inf) for f, p in zip(fractions, present, strict=True)], axis=0)
    of_many: Float = np.sqrt(squares / np.maximum(count, 1))
    with np.errstate(invalid="ignore"):
        return np.where(count == 2, (highest - lowest) / 2, np.where(count > 2, of_many, 0.0))
