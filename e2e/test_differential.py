"""Roost and a stock kube-scheduler judge the same 300 mixed pods, one by one, each at the same state of a cluster.

For every pod, kube-scheduler says by its own log how it scored each node that fits, or by the pod's condition why none
does. Roost's decision core is given the very objects that the API server holds at that moment. Both must agree:

- on the total of every node that fits, and on what each plugin contributed to it; so the sets of best nodes are equal,
- on the text for a pod that fits nowhere,
- and kube-scheduler's choice must be one of Roost's best nodes.

Once kube-scheduler's pods stay where it puts them. Once they are removed again and a live `roost run`, which knows the
cluster by its watches alone, places the same pods: its choices must be among the nodes that kube-scheduler scored
highest, and its texts the same.

With preemption both find room in turn for 60 pods of high priority on nodes that are full. Where pods must go, Roost's
decision core says beforehand, from what the API server holds, which nodes are equally good and who must go from each:
whoever decides must take one of these nodes and evict exactly those.
"""

import time
from collections.abc import Iterator
from itertools import islice

import pytest

from e2e.cluster import Cluster
from e2e.conftest import Measured, RoostRun
from e2e.differential import ALL_NODES, OBJECTS, STOCK, STORAGE, Trial, described
from e2e.load import SCHEDULER_NAME
from e2e.mixed import MixedWorld
from e2e.rig import ADMIN
from e2e.scheduler_log import HIGHEST_VERBOSITY

PODS = 300
FILLING, URGENT = 250, 60


@pytest.fixture
def world(cluster: Cluster, request: pytest.FixtureRequest) -> MixedWorld:
    """Forty mixed nodes and what pods refer to."""
    cluster.api.delete(f"{STORAGE}/csinodes")
    made = MixedWorld(seed=1, namespace=cluster.namespace)
    made.create(cluster.api)
    return made


@pytest.fixture
def trial(cluster: Cluster, world: MixedWorld) -> Iterator[Trial]:
    """A stock kube-scheduler that logs all scores."""
    if not (cluster.control_plane.assets / "kube-scheduler").exists():
        pytest.skip(f"kube-scheduler missing in {cluster.control_plane.assets}")
    fixed = {key: cluster.api.get(path).get("items") or [] for key, path in OBJECTS.items()}
    stock = cluster.control_plane.start_scheduler(STOCK, profile=ALL_NODES, verbosity=HIGHEST_VERBOSITY)
    yield Trial(cluster, stock, fixed)
    stock.stop()


def test_roost_would_have_done_what_kube_scheduler_did(trial: Trial, world: MixedWorld, measured: Measured) -> None:
    began = time.monotonic()
    for pod in islice(world.pods(), PODS):
        outcome, _ = trial.judged_by_both(pod)
        if not outcome.node:
            trial.delete(pod)
    measured(f"{trial.tally}, in {time.monotonic() - began:.0f} s")
    _assert_all_kinds_of_outcomes(trial)


def test_a_live_roost_does_what_kube_scheduler_would_have_done(
    trial: Trial, world: MixedWorld, roost_run: RoostRun, measured: Measured
) -> None:
    roost_run(trial.cluster.control_plane.kubeconfig_for(ADMIN))
    began = time.monotonic()
    for pod in islice(world.pods(), PODS):
        expected, best = trial.judged_by_both(pod)
        trial.delete(pod)
        found = trial.outcome(trial.create(pod, SCHEDULER_NAME))
        assert found.message == expected.message, described(pod)
        assert found.node in (best or {""}), described(pod)
        if not found.node:
            trial.delete(pod)
    measured(f"{trial.tally}, in {time.monotonic() - began:.0f} s")
    _assert_all_kinds_of_outcomes(trial)


def test_room_is_made_on_the_same_nodes_by_evicting_the_same_pods(
    trial: Trial, world: MixedWorld, roost_run: RoostRun, measured: Measured
) -> None:
    for pod in islice(world.pods(priorities=True), FILLING):
        stored = trial.create(pod, STOCK)
        trial.start(pod) if trial.outcome(stored).node else trial.delete(pod)
    roost_run(trial.cluster.control_plane.kubeconfig_for(ADMIN))
    began = time.monotonic()
    for number, pod in enumerate(islice(world.urgent_pods(), URGENT)):
        outcome = trial.room_made(pod, (STOCK, SCHEDULER_NAME)[number % 2])
        trial.start(pod) if outcome.node else trial.delete(pod)
    measured(f"{trial.tally}, in {time.monotonic() - began:.0f} s")
    assert trial.seen["preempted"] >= URGENT // 4


def _assert_all_kinds_of_outcomes(trial: Trial) -> None:
    """A world in which everything fits, or nothing, would show little."""
    assert trial.seen["scheduled"] >= PODS // 2
    assert trial.seen["unschedulable"] >= PODS // 20
