"""A stock kube-scheduler asks `roost extend`: 200 pods are where each policy wants them, without an error."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import roost
from e2e.cluster import Cluster, more_than_once
from e2e.conftest import roost_command
from e2e.extenders import NO_SCORES, Extenders, trouble, wait_seconds
from e2e.load import Object, create_nodes, list_nodes, numbered, wait_until
from e2e.processes import free_port
from e2e.rig import ControlPlane
from roost.config.extender_profile import extender_profile

PODS = 200
MEBI = 1024 * 1024
SCHEDULER = "asks-extenders"
FILLS_TEN = {"cpu": "2", "memory": "64Gi", "pods": "20"}
"""The shape of nodes of which ten hold all the pods."""


@pytest.fixture
def extenders(control_plane: ControlPlane, tmp_path: Path) -> Iterator[Extenders]:
    if not (control_plane.assets / "kube-scheduler").exists():
        pytest.skip(f"kube-scheduler missing in {control_plane.assets}")
    started = Extenders(control_plane, tmp_path, roost_command())
    yield started
    started.stop()


def per_node(cluster: Cluster) -> dict[str, int]:
    return dict(sorted(Counter(cluster.placements().values()).items()))


def schedule_all(cluster: Cluster, pods: int = PODS, **shape: str) -> None:
    cluster.create_pods(pods, scheduler=SCHEDULER, **shape)
    cluster.wait_until_all_bound()
    assert not more_than_once(cluster.binds.accepted())
    assert not cluster.overfull_nodes()


def usage(free_cpu: int, free_memory: int, *, deviation: int = 100) -> dict[str, str]:
    """Describe what a node has free: millicores and MiB, with a standard deviation of both."""
    return {
        "mean-free-cpu": str(free_cpu),
        "std-free-cpu": str(deviation),
        "mean-free-memory": str(free_memory * MEBI),
        "std-free-memory": str(deviation * MEBI),
    }


# ---- each policy alone, asked by name


def test_congestion_fills_the_least_congested_nodes_first(cluster: Cluster, extenders: Extenders) -> None:
    for number in range(12):
        factor = {"congestion-factor": str(min(10 * number, 100))}
        cluster.create_node(f"node-{number:02}", annotations=factor, **FILLS_TEN)
    congestion = extenders.extend("--policy", "Congestion")
    scheduler = extenders.schedule(SCHEDULER, congestion.entry("prioritize"), profile=NO_SCORES)
    schedule_all(cluster)

    assert per_node(cluster) == {f"node-{number:02}": 20 for number in range(10)}
    assert not trouble(scheduler)


def test_safe_overload_keeps_pods_off_nodes_that_are_likely_to_be_overloaded(
    cluster: Cluster, extenders: Extenders
) -> None:
    for number in range(6):
        cluster.create_node(f"idle-{number}", annotations=usage(3600, 28000), pods="110")
        cluster.create_node(f"busy-{number}", annotations=usage(300, 2000, deviation=400), pods="110")
    safe = extenders.extend("--policy", "SafeOverload")
    scheduler = extenders.schedule(SCHEDULER, safe.entry("filter", "prioritize"))
    schedule_all(cluster)

    assert set(per_node(cluster)) == {f"idle-{number}" for number in range(6)}
    assert not trouble(scheduler)


def test_a_pod_that_every_node_rejects_is_told_why(cluster: Cluster, extenders: Extenders) -> None:
    cluster.create_nodes(3, annotations=usage(100, 500, deviation=400))
    safe = extenders.extend("--policy", "SafeOverload")
    extenders.schedule(SCHEDULER, safe.entry("filter", "prioritize"))
    cluster.create_pod("unsafe", scheduler=SCHEDULER)
    message = str(cluster.wait_for_condition("unsafe", "Unschedulable")["message"])

    assert message.startswith("0/3 nodes are available: 3 node(s) would exceed 90 percent"), message


def test_safe_balance_prefers_nodes_with_low_and_steady_usage(cluster: Cluster, extenders: Extenders) -> None:
    for number in range(12):
        free = 3900 - 300 * number
        cluster.create_node(f"node-{number:02}", annotations=usage(free, 8 * free, deviation=1), **FILLS_TEN)
    balance = extenders.extend("--policy", "SafeBalance")
    scheduler = extenders.schedule(SCHEDULER, balance.entry("prioritize"), profile=NO_SCORES)
    schedule_all(cluster)

    placed = per_node(cluster)
    best = scores(cluster, "SafeBalance", cluster.pods()[0])
    lowest = min(best[node] for node in placed)
    assert lowest < max(best.values())
    assert all(placed.get(node) == 20 for node, score in best.items() if score > lowest), (placed, best)
    assert not trouble(scheduler)


def test_pigeon_holing_packs_pods_on_few_nodes_and_spreads_them_evenly_as_it_is_told(
    cluster: Cluster, extenders: Extenders
) -> None:
    nodes = numbered("node", 10)
    cluster.create_nodes(10, cpu="5", memory="64Gi", pods="41")
    for number, node in enumerate(nodes):  # no two nodes alike: of equal ones kube-scheduler takes any
        cluster.create_pod(f"seed-{number}", cpu=f"{10 * number + 10}m", scheduler="nobody")
        cluster.place(f"seed-{number}", node)
    packing = extenders.extend("--policy", "PigeonHoling", env={"POLICY_OBJECTIVE": "CONSOLIDATE"})
    scheduler = extenders.schedule(SCHEDULER, packing.entry("prioritize"), profile=NO_SCORES)
    schedule_all(cluster)
    assert per_node(cluster) == dict.fromkeys(nodes[:5], 1) | dict.fromkeys(nodes[5:], 41)
    assert not trouble(scheduler)

    spreading = extenders.extend("--policy", "PigeonHoling", env={"POLICY_OBJECTIVE": "LOAD_BALANCE"})
    other = extenders.schedule("spreads", spreading.entry("prioritize"), profile=NO_SCORES)
    cluster.create_pods(100, prefix="spread", scheduler="spreads")
    cluster.wait_until_all_bound()
    spread = Counter(node for pod, node in cluster.placements().items() if pod.startswith("spread"))
    assert set(spread) == set(nodes[:5])
    assert max(spread.values()) - min(spread.values()) <= 2
    assert not trouble(other)


def test_adaptive_bin_packing_learns_and_places_every_pod(cluster: Cluster, extenders: Extenders) -> None:
    cluster.create_nodes(8, cpu="4", memory="32Gi", pods="40")
    packing = extenders.extend("--policy", "PigeonHoling")
    scheduler = extenders.schedule(SCHEDULER, packing.entry("prioritize"), profile=NO_SCORES)
    cluster.create_pods(PODS // 2, prefix="small", scheduler=SCHEDULER, cpu="50m", memory="200Mi")
    schedule_all(cluster, PODS // 2, cpu="150m", memory="1Gi")

    assert not trouble(scheduler)


def test_lucky_places_each_pod_on_the_luckiest_node(cluster: Cluster, extenders: Extenders) -> None:
    cluster.create_nodes(20, pods="110")
    lucky = extenders.extend("--policy", "Lucky", "--seed", "7")
    scheduler = extenders.schedule(SCHEDULER, lucky.entry("filter", "prioritize"), profile=NO_SCORES)
    schedule_all(cluster)

    for pod in cluster.pods():
        drawn = scores(cluster, "Lucky", pod, seed=7)
        assert drawn[pod["spec"]["nodeName"]] == max(drawn.values())
    assert not trouble(scheduler)


@pytest.mark.parametrize("policy", ["Foo", "AlwaysTrue,ZeroScore"])
def test_a_template_lets_every_pod_pass(cluster: Cluster, extenders: Extenders, policy: str) -> None:
    cluster.create_nodes(10)
    template = extenders.extend("--policy", policy)
    scheduler = extenders.schedule(SCHEDULER, template.entry("filter", "prioritize"))
    schedule_all(cluster)

    assert len(per_node(cluster)) == 10
    assert not trouble(scheduler)


def test_node_index_outweighs_the_scores_of_kube_scheduler_and_fills_nodes_in_the_order_of_their_names(
    cluster: Cluster, extenders: Extenders
) -> None:
    cluster.create_nodes(12, **FILLS_TEN)
    index = extenders.extend("--policy", "NodeIndex")
    scheduler = extenders.schedule(SCHEDULER, index.entry("prioritize", weight=10))
    schedule_all(cluster)

    assert per_node(cluster) == dict.fromkeys(numbered("node", 10), 20)
    assert not trouble(scheduler)


def test_pods_per_node_gives_every_controller_its_n_per_node_node_by_node(
    cluster: Cluster, extenders: Extenders, tmp_path: Path
) -> None:
    cluster.create_nodes(20)
    config = tmp_path / "node-index.yaml"
    config.write_text(PODS_PER_NODE)
    index = extenders.extend("--config", str(config))
    asks = index.entry("filter", "prioritize", "bind", weight=10)
    scheduler = extenders.schedule(SCHEDULER, asks, profile={"percentageOfNodesToScore": 100})
    for number in range(5):
        cluster.create_pods(PODS // 5, prefix=f"proxy-{number}", scheduler=SCHEDULER, owner=f"proxy-{number}")
    placements = cluster.wait_until_all_bound()

    for number in range(5):
        mine = Counter(node for pod, node in placements.items() if pod.startswith(f"proxy-{number}-"))
        assert mine == dict.fromkeys(numbered("node", 13), 3) | {"node-0013": 1}
    assert not more_than_once(cluster.binds.accepted())
    assert not trouble(scheduler)


# ---- other ways of asking


def test_with_full_nodes_in_the_body_an_extender_needs_no_cluster(cluster: Cluster, extenders: Extenders) -> None:
    for number in range(12):
        factor = {"congestion-factor": str(min(10 * number, 100))}
        cluster.create_node(f"node-{number:02}", annotations=factor, **FILLS_TEN)
    congestion = extenders.extend("--policy", "Congestion,AlwaysTrue", cluster=False)
    asks = congestion.entry("filter", "prioritize", nodeCacheCapable=False)
    scheduler = extenders.schedule(SCHEDULER, asks, profile=NO_SCORES)
    schedule_all(cluster)

    assert per_node(cluster) == {f"node-{number:02}": 20 for number in range(10)}
    assert not trouble(scheduler)


def test_the_original_routes_work_behind_todays_scheduler(cluster: Cluster, extenders: Extenders) -> None:
    cluster.create_nodes(12, **FILLS_TEN)
    index = extenders.extend("--policy", "NodeIndex", "--compat", "original")
    entry = {
        "urlPrefix": f"{index.url}/scheduler",
        "prioritizeVerb": "priorities/node_index",
        "weight": 10,
        "nodeCacheCapable": True,
    }
    scheduler = extenders.schedule(SCHEDULER, entry)
    schedule_all(cluster)

    assert set(per_node(cluster)) == set(numbered("node", 12)[2:]), "the last names come first, as they did"
    assert not trouble(scheduler)


def test_two_extenders_decide_together(cluster: Cluster, extenders: Extenders) -> None:
    for number in range(10):
        congestion = {"congestion-factor": str(10 * number)}
        cluster.create_node(f"idle-{number}", annotations=usage(3600, 28000) | congestion, cpu="4", pods="40")
        cluster.create_node(f"busy-{number}", annotations=usage(300, 2000, deviation=400) | {"congestion-factor": "0"})
    safe = extenders.extend("--policy", "SafeOverload")
    congested = extenders.extend("--policy", "Congestion")
    entries = [safe.entry("filter"), congested.entry("prioritize")]
    scheduler = extenders.schedule(SCHEDULER, *entries, profile=NO_SCORES)
    schedule_all(cluster)

    assert per_node(cluster) == {f"idle-{number}": 40 for number in range(5)}
    assert not trouble(scheduler)


def test_the_victims_of_a_preemption_are_on_a_node_that_the_policy_accepts(
    cluster: Cluster, extenders: Extenders
) -> None:
    create_nodes(cluster.api, ["busy-0", "busy-1", "busy-2"], annotations=usage(300, 2000, deviation=400), cpu="1")
    create_nodes(cluster.api, ["idle-0"], annotations=usage(3600, 28000), cpu="1")
    for node in ("busy-0", "busy-1", "busy-2", "idle-0"):
        for number in range(2):
            cluster.create_pod(f"low-{node}-{number}", cpu="500m", scheduler="nobody")
            cluster.place(f"low-{node}-{number}", node)
    high = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": cluster.namespace}}
    cluster.api.create("/apis/scheduling.k8s.io/v1/priorityclasses", {**high, "value": 1000})
    safe = extenders.extend("--policy", "SafeOverload")
    extenders.schedule(SCHEDULER, safe.entry("filter", "prioritize", "preempt"))
    cluster.create_pod("high", cpu="400m", scheduler=SCHEDULER, priority_class=cluster.namespace)

    cluster.wait_until_bound("high")
    assert cluster.node_of("high") == "idle-0"
    assert len(cluster.events("Preempted")) == 1


@pytest.mark.parametrize("ignorable", [True, False])
def test_an_extender_that_is_killed_in_mid_run_behaves_as_the_protocol_says(
    cluster: Cluster, extenders: Extenders, ignorable: bool
) -> None:
    cluster.create_nodes(10, pods="110")
    port = free_port()
    foo = extenders.extend("--policy", "Foo", port=port)
    asks = foo.entry("filter", "prioritize", ignorable=ignorable)
    scheduler = extenders.schedule(SCHEDULER, asks)
    cluster.create_pods(PODS, scheduler=SCHEDULER)
    wait_until(lambda: len(cluster.placements()) >= 20, "some pods are bound", every=0.02)
    foo.process.kill()
    if ignorable:
        cluster.wait_until_all_bound()
        assert any("Skipping extender" in line for line in scheduler.log_text().splitlines())
        return
    cluster.create_pods(20, prefix="later", scheduler=SCHEDULER)
    wait_seconds(3)
    waiting = [pod for pod in numbered("later", 20) if not cluster.node_of(pod)]
    assert len(waiting) == 20, "a pod was bound although its extender could not be asked"
    extenders.extend("--policy", "Foo", port=port)
    cluster.wait_until_all_bound()
    assert not more_than_once(cluster.binds.accepted())


# ---- what the tests compare with


def scores(cluster: Cluster, policy: str, pod: Object, seed: int = 0) -> dict[str, int]:
    """Return the scores that an extender gives the nodes on which the policy lets a pod run."""
    decision = roost.decide(pod, list_nodes(cluster.api), policy=extender_profile([policy]), seed=seed)
    return {node: row.total for node, row in decision.freeze().scores.items()}


PODS_PER_NODE = """
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles:
  - plugins:
      multiPoint: {enabled: [{name: NodeIndex}]}
    pluginConfig:
      - name: NodeIndex
        args: {podsPerNode: 3}
"""
