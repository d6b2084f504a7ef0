"""Turns what a scheduler has counted into Prometheus' text format, at the moment somebody asks.

Names, labels and buckets are kube-scheduler's, so that its dashboards and alerts keep working; what it does not have is
named `roost_…`. The Prometheus library is imported at the first scrape: starting up does not wait for it.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from roost.telemetry.families import counter, gauge, histogram

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

    from roost.scheduler.loop import Scheduler


class Exposition:
    """Renders the metrics of one scheduler."""

    def __init__(self, scheduler: "Scheduler") -> None:
        self._scheduler = scheduler
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
        yield from self._attempts()
        yield from self._preemption()
        yield from self._queue()
        yield from self._cluster()
        yield from self._own()

    def _attempts(self) -> "Iterator[Metric]":
        metrics = self._scheduler.metrics
        attempts = [([result, profile], histogram) for (result, profile), histogram in metrics.attempts.items()]
        yield counter(
            "scheduler_schedule_attempts",
            "Number of attempts to schedule pods, by the result. 'unschedulable' means a pod could not be scheduled, "
            "while 'error' means an internal scheduler problem.",
            ["result", "profile"],
            [(labels, histogram.count) for labels, histogram in attempts],
        )
        yield histogram(
            "scheduler_scheduling_attempt_duration_seconds",
            "Scheduling attempt latency in seconds (scheduling algorithm + binding)",
            ["result", "profile"],
            attempts,
        )
        yield histogram(
            "scheduler_scheduling_algorithm_duration_seconds",
            "Scheduling algorithm latency in seconds",
            [],
            [([], metrics.algorithm)],
        )
        yield histogram(
            "scheduler_pod_scheduling_sli_duration_seconds",
            "E2e latency for a pod being scheduled, from the time the pod enters the scheduling queue and might "
            "involve multiple scheduling attempts.",
            ["attempts"],
            [([attempts_], histogram) for attempts_, histogram in metrics.sli.items()],
        )
        yield histogram(
            "scheduler_pod_scheduling_attempts",
            "Number of attempts to successfully schedule a pod.",
            [],
            [([], metrics.attempts_per_pod)],
        )
        yield counter(
            "scheduler_pod_scheduled_after_flush",
            "Number of pods that were successfully scheduled after being flushed from unschedulablePods due to "
            "timeout.",
            [],
            [([], metrics.scheduled_after_flush)],
        )

    def _preemption(self) -> "Iterator[Metric]":
        metrics = self._scheduler.metrics
        yield counter(
            "scheduler_preemption_attempts",
            "Total preemption attempts in the cluster till now",
            [],
            [([], metrics.preemption_attempts)],
        )
        yield histogram(
            "scheduler_preemption_victims",
            "Number of selected preemption victims",
            [],
            [([], metrics.preemption_victims)],
        )

    def _queue(self) -> "Iterator[Metric]":
        queue = self._scheduler.queue
        yield gauge(
            "scheduler_pending_pods",
            "Number of pending pods, by the queue type.",
            ["queue"],
            [([place], count) for place, count in queue.counts().items()],
        )
        yield counter(
            "scheduler_queue_incoming_pods",
            "Number of pods added to scheduling queues by event and queue type.",
            ["queue", "event"],
            [([place, event], count) for (place, event), count in queue.incoming.items()],
        )
        yield gauge(
            "scheduler_unschedulable_pods",
            "The number of unschedulable pods broken down by plugin name.",
            ["plugin", "profile"],
            [([plugin, profile], count) for (plugin, profile), count in queue.rejections().items()],
        )

    def _cluster(self) -> "Iterator[Metric]":
        cache = self._scheduler.cache
        sizes = {"nodes": cache.view.num_nodes, "pods": cache.num_pods, "assumed_pods": cache.num_assumed}
        yield gauge(
            "scheduler_cache_size",
            "Number of nodes, pods, and assumed (bound) pods in the scheduler cache.",
            ["type"],
            [([name], size) for name, size in sizes.items()],
        )

    def _own(self) -> "Iterator[Metric]":
        scheduler = self._scheduler
        recorder, binds = scheduler.recorder, scheduler.binder.lane
        for name, text, value in (
            ("roost_binding_cycles", "Number of pods that are being bound now.", binds.busy),
            ("roost_bindings_waiting", "Number of pods that wait to be bound.", binds.waiting),
            ("roost_events_waiting", "Number of events that wait to be sent.", recorder.lane.waiting),
        ):
            yield gauge(name, text, [], [([], value)])
        for name, text, value in (
            ("roost_events_sent", "Number of events written.", recorder.sent),
            ("roost_events_lost", "Number of events that could not be written.", recorder.dropped),
            ("roost_conditions_patched", "Number of pod conditions written.", scheduler.conditions.patched),
        ):
            yield counter(name, text, [], [([], value)])
        yield histogram(
            "roost_extender_duration_seconds",
            "Time until an extender had answered, or failed to.",
            ["extender", "verb", "result"],
            [(list(labels), taken) for labels, taken in scheduler.metrics.extenders.items()],
        )
        malformed = [([kind], count) for kind, count in scheduler.metrics.malformed.items()]
        yield counter("roost_malformed_objects", "Number of objects that could not be read.", ["kind"], malformed)
        yield counter(
            "roost_remembered_answers",
            "Number of times a plugin's remembered answer was looked for, by whether there was one.",
            ["profile", "extension_point", "plugin", "result"],
            list(_memory_use(scheduler)),
        )


def _memory_use(scheduler: "Scheduler") -> Iterator[tuple[list[str], int]]:
    for name, cycle in scheduler.cycles.items():
        yield [name, "", "those that read no usage", "hit"], cycle.static.memory.hits
        yield [name, "", "those that read no usage", "miss"], cycle.static.memory.misses
        for point, remembered in [("Filter", f) for f in cycle.filters] + [("Score", s) for s in cycle.scorers]:
            yield [name, point, remembered.name, "hit"], remembered.memory.hits
            yield [name, point, remembered.name, "miss"], remembered.memory.misses
