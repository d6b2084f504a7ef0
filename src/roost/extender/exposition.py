"""Turns what the webhook server has counted into Prometheus' text format, at the moment somebody asks."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from roost.extender.metrics import unmonitored
from roost.extender.webhook import Webhook
from roost.telemetry.families import counter, gauge, histogram

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

_BY_POLICY = ["verb", "policy"]


class Exposition:
    """Renders the metrics of one webhook server."""

    def __init__(self, webhook: Webhook) -> None:
        self._webhook = webhook
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
        yield from self._requests()
        yield from self._nodes()
        yield from self._cluster()

    def _requests(self) -> "Iterator[Metric]":
        metrics = self._webhook.metrics
        yield counter(
            "roost_extender_requests",
            "Number of requests, by verb, policy and status.",
            [*_BY_POLICY, "code"],
            [([verb, policy, str(code)], count) for (verb, policy, code), count in metrics.requests.items()],
        )
        yield counter(
            "roost_extender_errors",
            "Number of requests that got a sentence in place of an answer.",
            _BY_POLICY,
            [(list(key), count) for key, count in metrics.errors.items()],
        )
        for name, text, found in (
            ("duration_seconds", "Time from a whole request to its answer.", metrics.seconds),
            ("request_bytes", "Bytes of request bodies.", metrics.request_bytes),
            ("response_bytes", "Bytes of answers.", metrics.response_bytes),
        ):
            yield histogram(f"roost_extender_{name}", text, _BY_POLICY, [([*key], one) for key, one in found.items()])

    def _nodes(self) -> "Iterator[Metric]":
        live = self._webhook.live
        counts = {**self._webhook.metrics.unmonitored, **(unmonitored(live.cache.view) if live else {})}
        yield gauge(
            "roost_unmonitored_nodes",
            "Number of nodes without a number that a policy reads, by annotation and reason (missing, unreadable, "
            "stale).",
            ["measure", "reason"],
            [([annotation, reason], count) for (annotation, reason), count in counts.items()],
        )

    def _cluster(self) -> "Iterator[Metric]":
        live = self._webhook.live
        if live is None:
            return
        sizes = {"nodes": live.cache.view.num_nodes, "pods": live.cache.num_pods, "reservations": len(live.reserved)}
        yield gauge(
            "roost_extender_cache_size",
            "Number of nodes, of pods on them, and of pods that are only reserved there.",
            ["type"],
            [([name], size) for name, size in sizes.items()],
        )
        yield gauge(
            "roost_extender_in_sync", "1 once all nodes and pods have been seen.", [], [([], float(live.in_sync))]
        )
        malformed = [([kind], count) for kind, count in live.follower.malformed.items()]
        yield counter("roost_malformed_objects", "Number of objects that could not be read.", ["kind"], malformed)
