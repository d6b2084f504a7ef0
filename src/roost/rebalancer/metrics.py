"""What is counted while rebalancing, under the names of k8s-spot-rescheduler, so that its dashboards keep working."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from roost.analysis.node_pools import NodePools, Pool
from roost.analysis.spot_plan import NodeUse
from roost.telemetry.families import counter, gauge

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric


class Metrics:
    """The counts of one process; `node_type` is the label that tells a pool, or the pool's name if none was given."""

    def __init__(self, pools: NodePools) -> None:
        self.evicted = 0
        self.drains: Counter[tuple[str, str]] = Counter()
        self.nodes: Sequence[NodeUse] = ()
        self._types: dict[Pool, str] = {
            "spot": pools.spot.text if pools.spot else "spot",
            "on-demand": pools.on_demand.text if pools.on_demand else "on-demand",
        }
        self._registry: CollectorRegistry | None = None

    def drained(self, node_name: str, *, succeeded: bool) -> None:
        """Count a drain."""
        self.drains["Success" if succeeded else "Failure", node_name] += 1

    def render(self) -> bytes:
        """Return all metrics as text; the Prometheus library is imported at the first scrape."""
        from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

        if self._registry is None:
            self._registry = CollectorRegistry()
            ProcessCollector(registry=self._registry)
            self._registry.register(self)
        return generate_latest(self._registry)

    def collect(self) -> "Iterator[Metric]":
        """Yield the families, as the Prometheus library asks for them."""
        types = Counter(dict.fromkeys(self._types.values(), 0))
        types.update(self._types[use.pool] for use in self.nodes)
        yield gauge(
            "spot_rescheduler_nodes_count",
            "Number of nodes in cluster.",
            ["node_type"],
            [([name], count) for name, count in types.items()],
        )
        yield gauge(
            "spot_rescheduler_node_pods_count",
            "Number of pods on each node.",
            ["node_type", "node"],
            [([self._types[use.pool], use.name], use.pods) for use in self.nodes],
        )
        yield counter(
            "spot_rescheduler_node_drain",
            "Number of nodes drained by rescheduler.",
            ["drain_state", "node"],
            [(list(labels), count) for labels, count in self.drains.items()],
        )
        yield counter(
            "spot_rescheduler_evicted_pods", "Number of pods evicted by the rescheduler.", [], [([], self.evicted)]
        )
