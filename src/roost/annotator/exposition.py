"""The counts of a controller in Prometheus' text format, at the moment somebody asks."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from roost.annotator.controller import Controller
from roost.telemetry.families import counter, gauge, histogram

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric


class Exposition:
    """Renders the metrics of one controller."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._registry: CollectorRegistry | None = None

    def render(self) -> bytes:
        """Return all metrics as text."""
        from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

        if self._registry is None:
            self._registry = CollectorRegistry()
            ProcessCollector(registry=self._registry)
            self._registry.register(self)
        return generate_latest(self._registry)

    def collect(self) -> "Iterator[Metric]":
        """Yield the families, as the Prometheus library asks for them."""
        controller, counts = self._controller, self._controller.counts
        yield counter("roost_annotator_patches", "Number of patches of nodes.", ["result"], _labelled(counts.patches))
        yield counter(
            "roost_annotator_rounds", "Number of rounds over all nodes.", ["result"], _labelled(counts.rounds)
        )
        yield gauge(
            "roost_annotator_nodes",
            "Number of nodes in the last round, by whether there was something to say of them.",
            ["state"],
            _labelled({state.replace(" ", "_"): count for state, count in counts.nodes.items()}),
        )
        yield histogram("roost_annotator_round_seconds", "Time that a round took.", [], [([], counts.seconds)])
        yield gauge(
            "roost_annotator_last_success_timestamp_seconds",
            "When the last round that went well ended.",
            [],
            [([], counts.last_success)],
        )
        malformed = {"node": controller.nodes.malformed, "pod": controller.annotator.malformed}
        yield counter("roost_malformed_objects", "Number of objects not read.", ["kind"], _labelled(malformed))


def _labelled(counts: Mapping[str, int]) -> list[tuple[list[str], float]]:
    return [([label], count) for label, count in counts.items()]
