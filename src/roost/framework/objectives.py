"""What a whole cluster would be like with one pod more, for every node that may take it, all at once. Pure arithmetic.

    load_balance           the standard deviation of how full nodes are
    consolidation          1 less how far nodes are from the mean, on the way to empty or to full
    adaptive_bin_packing   how far the variation of nodes is from the variation of what pods ask for

Less is better. A pod on node i changes one term of each sum over the nodes: the sums are made once, and each node takes
its old term out and puts its new one in. So n nodes cost a few passes over n numbers, not n * n.

The objectives are those of libpigeon of IBM/kube-safe-scheduler. `as_original` calculates as it did: what it kept in
memory, its results among them, has the precision of float32, and only sums have that of float64.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from roost.framework.demands import DOUBLE, SINGLE, Demands
from roost.framework.view import Bool, Float64

Column = NDArray[Any]
"""Numbers of nodes, of float64 or of float32."""

BITS = 40
"""Values that differ only further behind, in binary digits, are the same: that is the rounding of sums over nodes."""

_ROUNDING = 1e-13
"""A variance is none if it is that small beside the squares of which it is the difference."""


class Cluster(Struct, frozen=True):
    """Nodes, a pod, and which of the nodes may take it: the columns `asked`.

    `capacity` and `usage` have shape (resources, nodes), `demand` one number per resource, in the same units.
    """

    capacity: Float64
    usage: Float64
    demand: Float64
    asked: NDArray[np.intp]
    as_original: bool = False

    @property
    def number(self) -> np.dtype[Any]:
        """The type of the numbers that are kept."""
        return SINGLE if self.as_original else DOUBLE

    @property
    def fits(self) -> Bool:
        """Which of the nodes asked about have enough left of every resource."""
        fits = np.ones(len(self.asked), dtype=np.bool_)
        for capacity, usage, demand in zip(self.capacity, self.usage, self.demand, strict=True):
            fits &= (capacity - usage)[self.asked] >= demand
        return fits


def load_balance(cluster: Cluster, resource: int) -> Float64:
    """Return the standard deviation of the utilisation of a resource, with the pod on each node asked about."""
    line = _line(cluster, resource, _part, centred=True)
    mean, square = line.mean(), line.mean_product(line)
    return _rounded(cluster, np.sqrt(_variance(cluster, square - mean * mean, square)))


def consolidation(cluster: Cluster, resource: int) -> Float64:
    """Return 1 less the root mean square of how far nodes are from the mean utilisation a, for each node asked about.

    A node of utilisation u is (a - u) / a of the way to empty or (u - a) / (1 - a) of the way to full. 0 where the mean
    is not between 0 and 1.
    """
    line = _line(cluster, resource, _part, centred=True)
    mean = line.mean()
    below, above = _squares_around(mean, line.before)
    for sign, values in ((-1, line.old), (1, line.after)):
        squares = sign * (values - mean) ** 2
        below += np.where(values < mean, squares, 0)
        above += np.where(values < mean, 0, squares)
    level = mean + line.origin
    inside = (level > 0) & (level < 1)
    level = np.where(inside, level, 0.5)
    most = (line.before**2).sum() + len(line.before) * mean**2
    distance = _variance(cluster, below, most) / level**2 + _variance(cluster, above, most) / (1 - level) ** 2
    return _rounded(cluster, np.where(inside, 1 - np.sqrt(distance / len(line.before)), 0))


def adaptive_bin_packing(cluster: Cluster, demands: Demands) -> Float64:
    """Return the distance of two coefficients of variation: of the nodes' utilisation, and of the pods' demands.

    Both are of all resources together, after Albert and Zhang: sqrt(m' S m) / (m' m) with means m and covariances S.
    """
    of_nodes = _variation(cluster, _node_moments(cluster))
    of_demands = _variation(cluster, _demand_moments(cluster, demands))
    return _rounded(cluster, np.abs(of_nodes - of_demands))


class _Line(Struct, frozen=True):
    """How full of one resource nodes are: all before, those asked about before and with the pod, all less `origin`."""

    before: Column
    old: Column
    after: Column
    origin: float

    def mean(self) -> Float64:
        """Return the mean over all nodes, with the pod on each of those asked about."""
        return _mean_with(self.before, self.old, self.after)

    def mean_product(self, other: "_Line") -> Float64:
        """Return the mean of the products with another line, in the same way."""
        return _mean_with(self.before * other.before, self.old * other.old, self.after * other.after)


class _Moments(Struct, frozen=True):
    """Means by resource, mean squares, and covariance[j][k] for k up to j."""

    mean: Sequence[Column]
    square: Sequence[Column]
    covariance: Sequence[Sequence[Column]]


Part = Callable[[Float64, Float64], Float64]


def _node_moments(cluster: Cluster) -> _Moments:
    """Return the moments of how full nodes are, with the pod on each node asked about."""
    number, size = cluster.number, range(len(cluster.capacity))
    lines = [_line(cluster, resource, _part_within, centred=not cluster.as_original) for resource in size]
    mean = [line.mean().astype(number) for line in lines]
    product = [[lines[j].mean_product(lines[k]) for k in range(j + 1)] for j in size]
    covariance = [[(product[j][k] - mean[j] * mean[k]).astype(number) for k in range(j + 1)] for j in size]
    origins = [line.origin for line in lines]
    return _Moments([mean[j] + origins[j] for j in size], [product[j][j] for j in size], covariance)


def _demand_moments(cluster: Cluster, demands: Demands) -> _Moments:
    """Return the moments of demands in units of a node's mean capacity; a resource that no node has is left out."""
    number, size = cluster.number, len(cluster.capacity)
    unit = _mean_capacity(cluster).astype(number)
    lacking = unit == 0
    unit[lacking] = 1
    mean = np.array(demands.mean, dtype=number)[:size] / unit
    products = np.array(demands.products, dtype=number)[:size, :size] / (unit[:, None] * unit)
    if cluster.as_original:
        products[np.ix_(~lacking, lacking)] = np.nan  # 0 by 0, which counts if the resource is not the last one
    else:
        mean[lacking] = products[lacking] = products[:, lacking] = 0
    covariance = (products - mean[:, None] * mean).astype(number)
    return _Moments(mean, products.diagonal(), covariance)


def _mean_capacity(cluster: Cluster) -> Float64:
    """Return the mean capacity of the nodes that have any, by resource; 0 if none has."""
    some = cluster.capacity > 0
    mean: Float64 = np.where(some, cluster.capacity, 0).sum(axis=1) / np.maximum(some.sum(axis=1), 1)
    return mean


def _variation(cluster: Cluster, moments: _Moments) -> Float64:
    """Return the coefficient of variation of several variables together; 0 where there is none, or no number."""
    mean, covariance = moments.mean, moments.covariance
    variance = length = most = np.zeros(())
    for j in range(len(mean)):
        terms = [covariance[max(j, k)][min(j, k)] * mean[k] for k in range(len(mean))]
        variance = variance + mean[j] * _sum(terms).astype(cluster.number)
        length = length + mean[j] * mean[j]
        most = most + np.abs(mean[j]) * np.sqrt(np.maximum(moments.square[j], 0))
    deviation = np.sqrt(_variance(cluster, variance, most**2))
    variation: Float64 = np.divide(deviation, length, where=length > 0, out=np.zeros_like(deviation))
    return variation


def _line(cluster: Cluster, resource: int, part: Part, *, centred: bool) -> _Line:
    """Return how full of a resource the nodes are, less their mean if centred: near it, squares lose no digits."""
    capacity, usage, asked = cluster.capacity[resource], cluster.usage[resource], cluster.asked
    before = part(capacity, usage).astype(cluster.number)
    after = part(capacity[asked], usage[asked] + cluster.demand[resource]).astype(cluster.number)
    origin = before.mean(dtype=DOUBLE) if centred else 0
    before, after = before - origin, after - origin
    return _Line(before, before[asked], after, origin)


def _part(capacity: Float64, usage: Float64) -> Float64:
    """Return usage by capacity; what has no capacity is full."""
    part: Float64 = np.divide(usage, capacity, where=capacity > 0, out=np.ones_like(usage))
    return part


def _part_within(capacity: Float64, usage: Float64) -> Float64:
    """Return usage by capacity, held within 0…1; what has no capacity is empty if nothing is used."""
    used = (usage != 0).astype(DOUBLE)
    part: Float64 = np.clip(np.divide(usage, capacity, where=capacity != 0, out=used), 0, 1)
    return part


def _mean_with(before: Column, old: Column, after: Column) -> Float64:
    """Return the mean of a column in which one term is exchanged, for each of several terms."""
    mean: Float64 = (before.sum(dtype=DOUBLE) - old + after) / len(before)
    return mean


def _squares_around(points: Float64, values: Float64) -> tuple[Float64, Float64]:
    """Return, for each point, the sum of squared distances to it of the values below it, and of the others."""
    ordered = np.sort(values)
    first = np.concatenate(([0.0], np.cumsum(ordered)))
    second = np.concatenate(([0.0], np.cumsum(ordered * ordered)))
    count = np.searchsorted(ordered, points)
    below = count * points**2 - 2 * points * first[count] + second[count]
    rest = len(values) - count
    above = rest * points**2 - 2 * points * (first[-1] - first[count]) + second[-1] - second[count]
    return below, above


def _variance(cluster: Cluster, variance: Float64, squares: Float64) -> Float64:
    """Return a variance, or 0 where it is only rounding, below 0, or no number."""
    least = 0 if cluster.as_original else squares * _ROUNDING
    return np.where(variance > least, variance, 0)


def _sum(terms: Sequence[Column]) -> Float64:
    return sum(terms, np.zeros((), dtype=DOUBLE))


def _rounded(cluster: Cluster, values: Float64) -> Float64:
    if cluster.as_original:
        return values.astype(SINGLE).astype(DOUBLE)
    unit = np.ldexp(1.0, np.maximum(np.frexp(values)[1], 0) - BITS)
    rounded: Float64 = np.round(values / unit) * unit
    return rounded
