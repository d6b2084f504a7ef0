"""Metrics: plain counts while scheduling, kube-scheduler's names when somebody asks."""

import asyncio
import subprocess
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.scheduler.fake_cluster import NODE, POD, FakeCluster
from tests.scheduler.live import running, until
from tests.scheduler.virtual_time import in_virtual_time

from roost.scheduler.exposition import Exposition
from roost.scheduler.metrics import ATTEMPT_SECONDS, SLI_SECONDS, Metrics
from roost.telemetry.histogram import Histogram
from roost.testing.builders import node, pod

Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]


def test_a_value_on_a_bound_is_counted_at_or_below_it() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 2.0, 9.0):
        histogram.observe(value)
    assert histogram.counts == [2, 2, 1]
    assert (histogram.count, histogram.sum) == (5, 14.0)


def test_the_buckets_are_kube_schedulers() -> None:
    assert (ATTEMPT_SECONDS[0], ATTEMPT_SECONDS[-1], len(ATTEMPT_SECONDS)) == (0.001, pytest.approx(16.384), 15)
    assert (SLI_SECONDS[0], SLI_SECONDS[-1], len(SLI_SECONDS)) == (0.01, pytest.approx(5242.88), 20)


def test_many_attempts_share_a_label() -> None:
    metrics = Metrics()
    for attempts in (1, 14, 15, 200):
        metrics.bound(attempts, 0.5)
    assert set(metrics.sli) == {"1", "14", "15+"}


@in_virtual_time
async def test_a_scrape_shows_what_happened() -> None:
    cluster = FakeCluster()
    cluster.add(NODE, node("node-1", cpu="1"))
    cluster.add(NODE, node("odd", cpu="lots"))
    for i in range(5):
        cluster.add(POD, pod(f"pod-{i}", cpu="100m"))
    cluster.add(POD, pod("big", cpu="2"))
    cluster.add(POD, pod("gated", gates=["gate"]))
    async with running(cluster) as scheduler:
        await until(lambda: len(cluster.events("Scheduled")) == 5 and bool(cluster.condition("default/big")))
        await asyncio.sleep(0.1)
        exposition = Exposition(scheduler)
        exposition.render()
        samples = parse(exposition.render())
    assert samples["scheduler_schedule_attempts_total"] == {
        (("profile", "roost"), ("result", "scheduled")): 5,
        (("profile", "roost"), ("result", "unschedulable")): 1,
    }
    assert samples["scheduler_pending_pods"] == {
        (("queue", "active"),): 0,
        (("queue", "backoff"),): 0,
        (("queue", "unschedulable"),): 1,
        (("queue", "gated"),): 1,
    }
    assert samples["scheduler_queue_incoming_pods_total"][("event", "UnschedulablePodAdd"), ("queue", "active")] == 6
    assert samples["scheduler_unschedulable_pods"] == {(("plugin", "NodeResourcesFit"), ("profile", "roost")): 1}
    assert samples["scheduler_cache_size"] == {
        (("type", "nodes"),): 1,
        (("type", "pods"),): 5,
        (("type", "assumed_pods"),): 0,
    }
    assert samples["scheduler_scheduling_attempt_duration_seconds_count"][
        ("profile", "roost"), ("result", "scheduled")
    ] == 5  # fmt: skip
    assert samples["scheduler_scheduling_algorithm_duration_seconds_count"] == {(): 6}
    assert samples["scheduler_pod_scheduling_sli_duration_seconds_bucket"][("attempts", "1"), ("le", "+Inf")] == 5
    assert samples["scheduler_pod_scheduling_attempts_sum"] == {(): 5}
    assert samples["scheduler_pod_scheduled_after_flush_total"] == {(): 0}
    assert samples["roost_malformed_objects_total"] == {(("kind", "node"),): 1}
    assert samples["roost_events_sent_total"] == {(): 6}
    assert "process_cpu_seconds_total" in samples


def parse(text: bytes) -> Samples:
    samples: Samples = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            samples.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return samples


def test_the_prometheus_library_is_not_imported_at_the_start() -> None:
    program = "import sys, roost.scheduler.loop, roost.telemetry.health; print('prometheus_client' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "False"
