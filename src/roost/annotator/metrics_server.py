"""Usage of nodes from metrics-server (`metrics.k8s.io`): what each uses now, asked for again and again."""

from collections.abc import Collection

import numpy as np

from roost.annotator.nodes import AnnotatedNode
from roost.annotator.usage import Samples
from roost.api.kinds import Kind
from roost.api.meta import ObjectMeta, QuantityText, Value
from roost.api.quantity import MILLI, billionths, value
from roost.errors import ApiError, InvalidObject, NotFound, SourceError
from roost.framework.cluster import Cluster
from roost.framework.measure import read_time


class NodeMetrics(Value):
    """What a node uses, and when that was measured."""

    metadata: ObjectMeta = ObjectMeta()
    timestamp: str = ""
    usage: dict[str, QuantityText] | None = None


NODE_METRICS = Kind(
    group="metrics.k8s.io", version="v1beta1", plural="nodes", name="NodeMetrics", type=NodeMetrics, namespaced=False
)


class MetricsServer:
    """Fits `usage.Source`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def samples(self, nodes: Collection[AnnotatedNode], now: float) -> list[Samples]:
        """Return what every node uses; raises SourceError if there is no metrics API, ApiError if it fails."""
        try:
            listing = await self._cluster.list(NODE_METRICS)
        except NotFound as error:
            raise SourceError(
                "the cluster has no metrics.k8s.io: install metrics-server, or name a Prometheus with --prometheus"
            ) from error
        except ApiError as error:
            raise SourceError(f"metrics.k8s.io: {error}") from error
        return [sample for item in listing.items for sample in read_metrics(item)]


def read_metrics(metrics: NodeMetrics) -> list[Samples]:
    """Return the samples of a node: none of what has no time or cannot be read."""
    at = read_time(metrics.timestamp)
    if np.isnan(at):
        return []
    used = {resource: _amount(resource, text) for resource, text in (metrics.usage or {}).items()}
    return [
        Samples(metrics.metadata.name, resource, np.array([at]), np.array([amount]))
        for resource, amount in used.items()
        if amount is not None
    ]


def _amount(resource: str, text: QuantityText) -> float | None:
    try:
        match resource:
            case "cpu":
                return billionths(text) / MILLI
            case "memory":
                return float(value(text))
            case _:
                return None
    except InvalidObject:
        return None
