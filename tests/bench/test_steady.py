import pytest

from roost.bench.steady import lifetime_that_fits, room_for_pods
from roost.bench.workload import Workload, read_workload
from roost.errors import ConfigError

STEPS = """
name: Mine
about: Pods.
sizes: {One: {nodes: 10}}
steps:
- createNodes: {count: $nodes, node: {status: {capacity: {cpu: "4", memory: 8Gi, pods: "110"}}}}
- createPods: {count: 20, pod: {spec: {containers: [{name: a}]}}}
- createPods: {count: 5, collectMetrics: true, pod: {spec: {containers: [{name: a, resources: {requests: REQUESTS}}]}}}
"""


def workload(requests: str = "{cpu: 100m}", nodes: int = 10) -> Workload:
    return read_workload(STEPS.replace("REQUESTS", requests), "", {"nodes": nodes})


@pytest.mark.parametrize(
    ("requests", "room"),
    [
        pytest.param("{cpu: 100m}", 400, id="CPU is what runs out"),
        pytest.param("{cpu: 100m, memory: 1Gi}", 80, id="memory runs out first"),
        pytest.param("{}", 1100, id="without requests, the number of pods runs out"),
        pytest.param("{example.com/gpu: 1}", 0, id="no node has the resource"),
    ],
)
def test_room_is_what_the_scarcest_resource_allows(requests: str, room: int) -> None:
    assert room_for_pods(workload(requests)) == room


@pytest.mark.parametrize(
    ("rate", "seconds", "lifetime"),
    [
        pytest.param(10, 28, None, id="280 and the 20 before them fit into three quarters of 400"),
        pytest.param(10, 29, 18.0, id="290 do not: half of 400, less the 20, at 10 per second"),
        pytest.param(30, 3600, 6.0, id="for ever"),
    ],
)
def test_pods_stay_for_ever_if_they_fit(rate: float, seconds: float, lifetime: float | None) -> None:
    assert lifetime_that_fits(workload(), rate, seconds) == lifetime


def test_a_stream_whose_pods_would_hardly_live_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"^--rate: 300 pods per second are too many for nodes that hold 400; add nodes"
    ):
        lifetime_that_fits(workload(), 300, 60)
