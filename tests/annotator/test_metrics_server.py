"""Usage as metrics-server tells it."""

import msgspec
import pytest

from roost.annotator.metrics_server import MetricsServer, NodeMetrics, read_metrics
from roost.apiserver.in_process import InProcessCluster
from roost.apiserver.store import Store
from roost.errors import ApiError, NotFound, SourceError


def metrics(**fields: object) -> NodeMetrics:
    body = {"metadata": {"name": "a"}, "timestamp": "1970-01-01T00:01:40Z", "window": "15s", **fields}
    return msgspec.convert(body, NodeMetrics)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"cpu": "156340n", "memory": "1024Ki"}, {"cpu": 0.15634, "memory": 1048576.0}),
        ({"cpu": "1500m", "memory": "1Gi"}, {"cpu": 1500.0, "memory": 2.0**30}),
        ({"cpu": "2", "storage": "1"}, {"cpu": 2000.0}),
        ({"cpu": "lots", "memory": "1"}, {"memory": 1.0}),
        (None, {}),
    ],
)
def test_quantities_are_read_in_milli_cores_and_bytes(usage: dict[str, str] | None, expected: dict[str, float]) -> None:
    found = read_metrics(metrics(usage=usage))
    assert {one.resource: one.values.item() for one in found} == expected
    assert all((one.node_name, one.times.item()) == ("a", 100.0) for one in found)


def test_what_has_no_time_is_left_out() -> None:
    assert read_metrics(metrics(timestamp="", usage={"cpu": "1"})) == []


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (NotFound("404: no such thing"), "the cluster has no metrics.k8s.io: install metrics-server, or name a Prom"),
        (ApiError("503: service unavailable"), "metrics.k8s.io: 503: service unavailable"),
    ],
)
async def test_a_metrics_api_that_does_not_answer_is_told(error: ApiError, sentence: str) -> None:
    async def refuse(verb: str, plural: str) -> None:
        raise error

    source = MetricsServer(InProcessCluster(Store(lambda: 0.0), on_request=refuse))
    with pytest.raises(SourceError, match=sentence):
        await source.samples([], 0.0)
