import pytest

from roost.bench.catalogue import find_workload, list_workloads
from roost.bench.on_core import run_on_core
from roost.bench.result import Result
from roost.bench.workload import read_workload
from roost.errors import ConfigError, RoostError

SMALLEST = [f"{found.name}/{next(iter(found.sizes))}" for found in list_workloads()]

POD = "{spec: {priority: 10, containers: [{name: pause, resources: {requests: {cpu: AMOUNT}}}]}}"


def run(steps: str, *, pace: float = 1000.0) -> Result:
    head = "name: Mine\nabout: Pods.\nsizes: {One: {}}\nsteps:\n"
    nodes = "- createNodes: {count: 2, node: {status: {capacity: {cpu: '4', pods: '500'}}}}\n"
    return run_on_core(read_workload(head + nodes + steps), pace=pace)


def pods(count: int, cpu: str, more: str = "") -> str:
    return f"- createPods: {{count: {count}, {more} pod: {POD.replace('AMOUNT', cpu)}}}\n"


def measured(count: int, cpu: str = "10m") -> str:
    return pods(count, cpu, "collectMetrics: true,")


@pytest.mark.parametrize("wanted", SMALLEST)
def test_every_workload_runs_and_places_all_its_pods(wanted: str) -> None:
    workload = find_workload(wanted)
    result = run_on_core(workload)
    assert result.placement.problem == ""
    assert result.placement.pods == result.measured == len(result.bind_times) == workload.measured
    assert result.bind_times[0] == 0.0
    assert list(result.bind_times) == sorted(result.bind_times)


def test_decisions_for_pods_that_come_in_between_are_counted() -> None:
    churn = f"- churn: {{mode: create, intervalMilliseconds: 100, templates: [{{kind: Pod, {POD[1:-1]}}}]}}\n"
    result = run(churn.replace("AMOUNT", "'9'") + measured(20) + measured(400), pace=1000.0)
    assert result.deciding is not None
    assert result.deciding.decisions == 400 + result.deciding.rejected
    assert result.deciding.rejected >= 2


def test_the_same_workload_takes_the_same_decisions_however_long_they_take() -> None:
    first, second = (run_on_core(find_workload("PreemptionAsync", {"nodes": 40, "initPods": 80})) for _ in range(2))
    assert first.deciding is not None
    assert second.deciding is not None
    assert (first.deciding.decisions, first.deciding.preempting) == (
        second.deciding.decisions,
        second.deciding.preempting,
    )
    assert first.placement == second.placement


def test_a_pod_that_preempts_takes_its_victims_place() -> None:
    low = pods(8, "900m").replace("priority: 10", "priority: 0")
    result = run(low + measured(2, "'3'"))
    assert result.deciding is not None
    assert result.deciding.preempting == 2
    assert result.placement.problem == ""


def test_a_rejected_pod_is_placed_when_others_are_deleted() -> None:
    full = pods(4, "'2'", "namespace: full,")
    deletion = "- deletePods: {namespace: full, deletePodsPerSecond: 1, skipWaitToCompletion: true}\n"
    result = run(full + deletion + measured(4, "'2'"))
    assert result.deciding is not None
    assert result.deciding.rejected >= 4
    assert result.placement.unbound == 0


def test_a_barrier_waits_for_pods_that_nobody_waited_for() -> None:
    result = run(pods(3, "10m", "skipWaitToCompletion: true,") + "- barrier: {}\n" + measured(5))
    assert result.deciding is not None
    assert result.deciding.decisions == 5


STUCK = {
    "a pod that is too large": (measured(3, "'5'"), "3 pods of the workload find no node, .*: 0/2 nodes are available"),
    "a pod behind a gate": (
        measured(1).replace("{spec: {", "{spec: {schedulingGates: [{name: hold}], "),
        "1 pods of the workload find no node, .*: it waits behind a gate",
    ),
}


@pytest.mark.parametrize(("steps", "says"), STUCK.values(), ids=STUCK)
def test_pods_that_fit_nowhere_end_the_run_with_the_reason(steps: str, says: str) -> None:
    with pytest.raises(RoostError, match=says):
        run(steps)


def test_objects_that_schedulers_do_not_read_are_refused() -> None:
    steps = "- createObjects: {objects: [{apiVersion: v1, kind: Teapot, metadata: {name: x}}]}\n"
    with pytest.raises(ConfigError, match="the core cannot create a Teapot"):
        run(steps + measured(1))
