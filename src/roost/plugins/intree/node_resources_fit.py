"""NodeResourcesFit: what the pod asks for must be free on the node; scores by one of three strategies.

    LeastAllocated               (capacity - requested) * 100 / capacity, averaged by resource weight
    MostAllocated                requested * 100 / capacity, averaged by resource weight
    RequestedToCapacityRatio     a broken line over the utilisation of 0…100 %, averaged over the resources above 0

Integers are truncated where kube-scheduler truncates. `requested` includes the pod and counts 100 milli-cores and
200 MiB for containers that request nothing.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
from msgspec import Struct

from roost.errors import ConfigError
from roost.framework.masks import any_true
from roost.framework.node_resources import (
    DEFAULT_RESOURCES,
    Amounts,
    Counting,
    ResourceSpec,
    checked,
    floor_percent,
    floor_percent_exactly,
    is_extended,
    select_lines,
)
from roost.framework.plugin import Args, Context, Plugin, Scores, Verdicts
from roost.framework.pod_info import PodInfo
from roost.framework.resources import Int64
from roost.framework.status import Code, Status
from roost.framework.view import Bool, Float64, Rows, View

Strategy = Literal["LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"]
_TABLE_BITS = 12


class ShapePoint(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A corner of the broken line: utilisation of 0…100 %, score of 0…10."""

    utilization: int = 0
    score: int = 0


class RatioParam(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The broken line of RequestedToCapacityRatio."""

    shape: tuple[ShapePoint, ...] = ()


class ScoringStrategy(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How to score, over which resources."""

    type: Strategy = "LeastAllocated"
    resources: tuple[ResourceSpec, ...] = ()
    requested_to_capacity_ratio: RatioParam | None = None


class NodeResourcesFitArgs(Args):
    """Extended resources and resource groups not to be checked, and the scoring strategy."""

    ignored_resources: tuple[str, ...] = ()
    ignored_resource_groups: tuple[str, ...] = ()
    scoring_strategy: ScoringStrategy | None = None


class NodeResourcesFit(Plugin):
    """Reject nodes without room for the pod, and score the room."""

    name = "NodeResourcesFit"
    args_type = NodeResourcesFitArgs
    reads = frozenset({"node", "usage"})
    bounded = True
    pod_reads = ("requests",)

    def __init__(self, args: NodeResourcesFitArgs | None = None) -> None:
        super().__init__(args)
        for position, group in enumerate(self.args.ignored_resource_groups):
            if "/" in group:
                field = f"ignoredResourceGroups[{position}]"
                raise ConfigError(
                    f"{field}: '{group}' is a resource; name its group, which is the part before the slash"
                )
        strategy = self.args.scoring_strategy or ScoringStrategy()
        resources = checked(strategy.resources, "scoringStrategy.resources") or DEFAULT_RESOURCES
        self._counting = Counting(resources, nonzero=True)
        self._ignores_some = bool(self.args.ignored_resources or self.args.ignored_resource_groups)
        self._rate = _rater(strategy)

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        """Reject rows where any request exceeds what is free; beyond what the node has at all, unresolvably."""
        asked = pod.requests.asked
        if self._ignores_some:
            asked = tuple([one for one in asked if not self._ignores(view.resources.names[one[0]])])
        lines = [row for row, _ in asked]
        wanted = [[amount] for _, amount in asked]
        short = _short(view, rows, lines, wanted)
        if not any_true(short):
            return None
        hopeless = short & (select_lines(view.allocatable, lines, rows) < np.array(wanted, dtype=np.int64))
        hopeless[0] = False  # the first is `pods`: removing some always helps
        return _verdicts(short, np.asarray(hopeless.any(axis=0)), [view.resources.names[row] for row in lines])

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        """Return 0…100 by the strategy."""
        counted = self._counting.amounts(view, rows, pod.requests.fit_score)
        return 0 if counted is None else self._rate(counted)

    def _ignores(self, resource: str) -> bool:
        args = self.args
        if not is_extended(resource):
            return False
        return resource in args.ignored_resources or resource.split("/")[0] in args.ignored_resource_groups


def _short(view: View, rows: Rows, lines: Sequence[int], wanted: Sequence[Sequence[int]]) -> Bool:
    """Return which rows have less free of each resource than is wanted."""
    if view.float_is_exact:
        return select_lines(view.occupancy.free, lines, rows) < np.array(wanted, dtype=np.float64)
    left = select_lines(view.allocatable, lines, rows) - np.array(wanted, dtype=np.int64)
    return select_lines(view.usage, lines, rows) > left


def _verdicts(short: Bool, hopeless: Bool, resources: Sequence[str]) -> Verdicts:
    """Turn what is short per resource and row into codes: bit 0 of a mask is hopeless, 1… are the resources."""
    failed = hopeless.astype(np.int64)
    for bit, lacking in enumerate(short, start=1):
        failed |= lacking.astype(np.int64) << bit
    if len(resources) <= _TABLE_BITS:
        masks = np.flatnonzero(np.bincount(failed))
        table = np.zeros(int(masks[-1]) + 1, dtype=np.int16)
        offset = 0 if masks[0] == 0 else 1
        table[masks] = np.arange(len(masks)) + offset
        codes = table[failed]
    else:
        masks, inverse = np.unique(failed, return_inverse=True)
        offset = 0 if masks[0] == 0 else 1
        codes = (inverse + offset).astype(np.int16)
    statuses = [_status(int(mask), resources) for mask in masks if mask]
    return Verdicts(codes, (Status(Code.Success), *statuses))


def _status(mask: int, resources: Sequence[str]) -> Status:
    short = [name for bit, name in enumerate(resources, start=1) if mask >> bit & 1]
    reasons = tuple("Too many pods" if name == "pods" else f"Insufficient {name}" for name in short)
    return Status(Code.UnschedulableAndUnresolvable if mask & 1 else Code.Unschedulable, reasons)


# ---- strategies


def _rater(strategy: ScoringStrategy) -> Callable[[Amounts], Scores]:
    if strategy.type == "LeastAllocated":
        return least_allocated
    if strategy.type == "MostAllocated":
        return most_allocated
    line = broken_line(_shape(strategy))
    return lambda resources: requested_to_capacity_ratio(resources, line)


def least_allocated(resources: Amounts) -> Scores:
    """Return the free share in percent, 0 where more is requested than there is."""
    if not resources.float_is_exact:
        left = resources.capacity - resources.used_exactly - resources.added
        return _average(resources, floor_percent_exactly(np.maximum(left, 0), resources))
    free = resources.free - resources.added.astype(np.float64)
    if free.item(free.argmin()) < 0:  # looking is cheaper than clipping, which is seldom needed
        np.maximum(free, 0, out=free)
    return _average(resources, floor_percent(free, resources))


def most_allocated(resources: Amounts) -> Scores:
    """Return the used share in percent, at most 100."""
    requested = np.minimum(resources.used_exactly + resources.added, resources.capacity)
    return _average(resources, _percent(requested, resources))


def requested_to_capacity_ratio(resources: Amounts, line: Int64) -> Scores:
    """Return the broken line's score at each utilisation, averaged over the resources where it is above 0."""
    requested, capacity = resources.used_exactly + resources.added, resources.capacity
    full = requested > capacity
    utilization = np.where(full, 100, _percent(np.where(full, 0, requested), resources)).astype(np.int64)
    rated = line[utilization]
    weights = np.where((capacity != 0) & (rated > 0), resources.lines.weights, 0)
    average: Float64 = (rated * weights).sum(axis=0) / np.maximum(weights.sum(axis=0), 1)
    return np.floor(average + 0.5).astype(np.int64)


def _percent(part: Int64, resources: Amounts) -> Float64:
    if resources.float_is_exact:
        return floor_percent(part.astype(np.float64), resources)
    return floor_percent_exactly(part, resources)


def _average(resources: Amounts, rated: Float64) -> Scores:
    """Return the weighted average in integers: whole numbers below 2**53 may be divided as float64 and truncated."""
    weights = resources.lines.weights
    if resources.everywhere and resources.lines.is_even_pair:
        average: Float64 = rated[0]
        average += rated[1]
        average *= 0.5
    else:
        weights = np.where(resources.capacity != 0, weights, 0)
        average = (rated * weights).sum(axis=0) / np.maximum(weights.sum(axis=0), 1)
    return average.astype(np.int64)


def broken_line(shape: Sequence[ShapePoint]) -> Int64:
    """Return the score of 0…100 at each utilisation of 0…100 %, interpolated in integers."""
    line = np.full(101, shape[-1].score * 10, dtype=np.int64)
    line[: shape[0].utilization + 1] = shape[0].score * 10
    for left, right in pairwise(shape):
        span, rise = right.utilization - left.utilization, (right.score - left.score) * 10
        for step in range(1, span + 1):
            climbed = abs(rise) * step // span  # truncated towards zero, as Go divides
            line[left.utilization + step] = left.score * 10 + (climbed if rise >= 0 else -climbed)
    return line


def _shape(strategy: ScoringStrategy) -> tuple[ShapePoint, ...]:
    field = "scoringStrategy.requestedToCapacityRatio.shape"
    shape = strategy.requested_to_capacity_ratio.shape if strategy.requested_to_capacity_ratio else ()
    if not shape:
        raise ConfigError(f"{field}: RequestedToCapacityRatio needs at least one point")
    for position, point in enumerate(shape):
        if not 0 <= point.utilization <= 100:
            raise ConfigError(f"{field}[{position}].utilization: {point.utilization} is not between 0 and 100")
        if not 0 <= point.score <= 10:
            raise ConfigError(f"{field}[{position}].score: {point.score} is not between 0 and 10")
        if position and point.utilization <= shape[position - 1].utilization:
            raise ConfigError(f"{field}[{position}].utilization: must be greater than the one before it")
    return shape
