"""What-if answers on small worlds: who lands where, who stays pending, what holds a drain, how full nodes become."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from tests.analysis.spot_world import DAEMON_SET, budget, node, pod

from roost.analysis import add, drain, with_policy
from roost.analysis.evictable import SAFE_TO_EVICT
from roost.analysis.forecast import Forecast
from roost.analysis.snapshot import Snapshot
from roost.api.draining import DisruptionBudget, DrainNode, DrainPod
from roost.api.explaining import PriorityClass
from roost.api.meta import ObjectMeta
from roost.api.storage import StorageClass
from roost.config.profiles import default_profile, policy_profile
from roost.errors import ConfigError, InvalidObject
from roost.framework.plugin import Plugin

GIBI = 1024**3


def cluster(*objects: DrainNode | DrainPod | DisruptionBudget) -> Snapshot:
    snapshot = Snapshot()
    for one in objects:
        if isinstance(one, DrainNode):
            snapshot.add_node(one)
        elif isinstance(one, DrainPod):
            snapshot.add_pod(one)
        else:
            snapshot.add_budget(one)
    return snapshot


def moves(forecast: Forecast) -> dict[str, str]:
    return {move.pod.removeprefix("default/"): f"{move.from_node}>{move.to_node}" for move in forecast.moves}


def pending(forecast: Forecast) -> dict[str, str]:
    return {one.pod.removeprefix("default/"): one.message for one in forecast.pending}


def holds(forecast: Forecast) -> list[str]:
    return [f"{hold.kind} {hold.name} {hold.why}" for hold in forecast.holds]


def use(forecast: Forecast, resource: str = "cpu") -> tuple[int, int, int, int]:
    (found,) = (one for one in forecast.resources if one.resource == resource)
    return found.before.requested, found.before.allocatable, found.after.requested, found.after.allocatable


def one_cpu() -> dict[str, Any]:
    return {"containers": [{"name": "app", "resources": {"requests": {"cpu": "1"}}}]}


LATE = StorageClass(
    metadata=ObjectMeta(name="standard"), provisioner="example.com/disk", volume_binding_mode="WaitForFirstConsumer"
)


def deployment(name: str = "web", replicas: Any = 2, kind: str = "Deployment", **spec: Any) -> dict[str, Any]:
    container = {"name": "app", "image": "app", "resources": {"requests": {"cpu": "1"}}}
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}, **spec,
        },
    }  # fmt: skip


# ---- drain


def test_the_pods_of_a_drained_node_land_elsewhere_and_it_is_emptied() -> None:
    forecast = drain(cluster(node("a"), node("b"), pod("p", "a", cpu="1"), pod("q", "b", cpu="1")), "a")
    assert moves(forecast) == {"p": "a>b"}
    assert forecast.placed[0].why == "the only one of 2 nodes that fits"
    assert (forecast.emptied, forecast.pending, forecast.holds) == (("a",), (), ())
    assert use(forecast) == (2000, 8000, 2000, 4000)
    (a, b) = forecast.nodes
    assert (a.of("cpu").after.requested, b.of("cpu").before.requested, b.of("cpu").after.requested) == (0, 1000, 2000)
    assert b.of("cpu").after.share == 0.5
    assert b.of("nvidia.com/gpu").after.share == 0


def test_a_pod_without_a_place_stays_pending_with_kube_schedulers_message() -> None:
    forecast = drain(cluster(node("a"), node("b", cpu="1"), pod("p", "a", cpu="2")), "a")
    assert moves(forecast) == {}
    assert pending(forecast) == {"p": "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable."}
    assert forecast.emptied == ("a",)


@pytest.mark.parametrize(
    ("made", "why"),
    [
        pytest.param(pod("p", "a", owner=DAEMON_SET), "belongs to a DaemonSet", id="a pod of a DaemonSet"),
        pytest.param(
            pod("p", "a", metadata={"annotations": {"kubernetes.io/config.mirror": "x"}}), "is a static pod",
            id="a static pod",
        ),
        pytest.param(
            pod("p", "a", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}), "is being deleted already",
            id="a pod that is leaving",
        ),
    ],
)  # fmt: skip
def test_what_stays_goes_with_the_node(made: DrainPod, why: str) -> None:
    forecast = drain(cluster(node("a"), node("b"), made), "a")
    assert [(stay.pod, stay.node, stay.why) for stay in forecast.stays] == [("default/p", "a", why)]
    assert (forecast.placed, forecast.emptied) == ((), ())


EMPTY_DIR = {"volumes": [{"name": "cache", "emptyDir": {}}]}
TOLERATES_ALL = [{"operator": "Exists"}]
APP = {"app": "web"}


@pytest.mark.parametrize(
    ("objects", "told"),
    [
        pytest.param([pod("p", "a")], [], id="a pod of a ReplicaSet"),
        pytest.param(
            [pod("p", "a", owner=None)],
            ["Pod default/p has no controller that makes it again: kubectl drain asks for --force"],
            id="a pod without a controller",
        ),
        pytest.param(
            [pod("p", "a", spec=EMPTY_DIR)],
            ["Pod default/p has data on the node, which is lost with it, in its volume cache"],
            id="a pod with data on the node",
        ),
        pytest.param(
            [pod("p", "a", metadata={"annotations": {SAFE_TO_EVICT: "false"}})],
            [f'Pod default/p is not for the cluster autoscaler to evict: its {SAFE_TO_EVICT} is "false"'],
            id="a pod that asks to be left alone",
        ),
        pytest.param(
            [pod("p", "a", tolerations=TOLERATES_ALL)],
            ["Pod default/p tolerates the cordon: it may come back to the node before that is gone"],
            id="a pod that tolerates everything",
        ),
        pytest.param(
            [pod("p", "a", labels=APP), budget("web", 0, **APP)],
            ["PodDisruptionBudget default/web allows no eviction now, and 1 pod of it is to go"],
            id="a budget that allows nothing",
        ),
        pytest.param(
            [pod("p", "a", labels=APP), pod("q", "a", labels=APP), budget("web", 1, **APP)],
            ["PodDisruptionBudget default/web allows 1 eviction at a time, and 2 pods of it are to go"],
            id="a budget that allows one at a time",
        ),
        pytest.param(
            [pod("p", "a", labels=APP), pod("q", "b", labels=APP), budget("web", 1, **APP)],
            [],
            id="a budget that allows it",
        ),
        pytest.param(
            [pod("p", "a", labels=APP), budget("x", 1, **APP), budget("y", 1, **APP)],
            ["Pod default/p has several disruption budgets (x and y), and Kubernetes evicts no such pod"],
            id="two budgets for one pod",
        ),
    ],
)
def test_what_would_hold_a_drain_is_said_and_the_pods_are_placed_all_the_same(
    objects: Sequence[DrainPod | DisruptionBudget], told: Sequence[str]
) -> None:
    forecast = drain(cluster(node("a"), node("b"), *objects), "a")
    assert holds(forecast) == told
    assert moves(forecast)["p"] == "a>b"


def test_several_nodes_are_drained_together() -> None:
    world = cluster(node("a"), node("b"), node("c"), pod("p", "a", cpu="1"), pod("q", "b", cpu="1"))
    forecast = drain(world, ["a", "b"])
    assert moves(forecast) == {"p": "a>c", "q": "b>c"}
    assert (forecast.emptied, use(forecast)[1::2]) == (("a", "b"), (12000, 4000))


def test_pods_of_high_priority_find_a_place_first() -> None:
    world = cluster(
        node("a"), node("b", cpu="1"), pod("low", "a", cpu="1", priority=1), pod("top", "a", cpu="1", priority=9)
    )
    forecast = drain(world, "a")
    assert (moves(forecast), list(pending(forecast))) == ({"top": "a>b"}, ["low"])


def test_a_node_that_is_not_there_is_one_sentence() -> None:
    world = cluster(node("node-1"), node("other"))
    with pytest.raises(ConfigError, match=r"^there is no node node-2; did you mean node-1\?$"):
        drain(world, "node-2")
    with pytest.raises(ConfigError, match=r"^there is no node x$"):
        drain(world, "x")


def test_the_cluster_given_is_not_changed() -> None:
    world = cluster(node("a"), node("b"), pod("p", "a", cpu="1"), pod("q", "b", owner=None), pod("w"))
    before = state(world)
    for ask in (lambda: drain(world, "a"), lambda: with_policy(world, None), lambda: add(world, [deployment()])):
        first = ask()
        assert state(world) == before
        assert ask() == first


def state(world: Snapshot) -> tuple[Any, ...]:
    view = world.cache.view
    nodes = [view.node(row) for row in range(view.size)]
    return (
        {info.key: (world.cache.node_of(info.key), world.cache.is_assumed(info.key)) for info in world.cache.pods},
        nodes, view.usage.tolist(), view.unschedulable.tolist(), sorted(view.controllers._objects),
    )  # fmt: skip


def test_pods_that_wait_already_are_counted_and_left_alone() -> None:
    world = cluster(node("a"), node("b"), pod("p", "a"), pod("w"))
    assert (drain(world, "a").counts["waiting"], add(world, [deployment()]).counts["waiting"]) == (1, 1)


def test_an_object_that_cannot_be_read_is_told() -> None:
    world = cluster(node("a"), node("b"), pod("p", "a", cpu="much"))
    (note,) = drain(world, "a").notes
    assert note.startswith("pod default/p is left out: ")
    assert note.endswith(".")


def test_progress_is_told_pod_by_pod() -> None:
    told: list[tuple[int, int]] = []
    drain(cluster(node("a"), node("b"), pod("p", "a"), pod("q", "a")), "a", progress=lambda *it: told.append(it))
    assert told == [(1, 2), (2, 2)]


# ---- another policy


class Fullest(Plugin):
    """Fill the node with most pods."""

    name = "Fullest"
    reads = frozenset({"usage"})
    pod_reads = ()

    def score(self, ctx: Any, pod: Any, view: Any, rows: Any) -> Any:
        return view.usage[0][rows].copy()


def test_another_policy_places_all_pods_anew_and_says_who_would_be_elsewhere() -> None:
    world = cluster(
        node("a"), node("b"), node("c"),
        pod("p", "a", cpu="1"), pod("q", "b", cpu="1"), pod("proxy", "c", owner=DAEMON_SET), pod("w", cpu="1"),
    )  # fmt: skip
    forecast = with_policy(world, Fullest)
    assert moves(forecast) == {"p": "a>c", "q": "b>c", "w": ">c"}
    assert forecast.emptied == ("a", "b")
    assert [stay.pod for stay in forecast.stays] == ["default/proxy"]
    assert forecast.counts == {"moves": 3, "unmoved": 0, "pending": 0, "stays": 1, "waiting": 0, "emptied": 2}


def test_the_oldest_pod_is_placed_first() -> None:
    young = pod("a-young", "a", cpu="1", metadata={"creationTimestamp": "2026-02-01T00:00:00Z"})
    old = pod("b-old", "a", cpu="1", metadata={"creationTimestamp": "2026-01-01T00:00:00Z"})
    forecast = with_policy(cluster(node("a", cpu="1"), young, old), None)
    assert ([one.pod for one in forecast.placed], list(pending(forecast))) == (["default/b-old"], ["a-young"])


def test_only_the_pods_of_some_schedulers_are_placed_anew() -> None:
    world = cluster(
        node("a"), node("b"),
        pod("mine", "a", cpu="1", scheduler_name="mine"), pod("other", "b", cpu="1", scheduler_name="other"),
        pod("also", "b", cpu="1", scheduler_name=""),
    )  # fmt: skip
    forecast = with_policy(world, Fullest, scheduler_names={"mine"})
    assert (moves(forecast), forecast.emptied) == ({"mine": "a>b"}, ("a",))
    assert [(stay.pod, stay.why) for stay in forecast.stays] == [
        ("default/other", "is for the scheduler other to place"),
        ("default/also", "is for the scheduler default-scheduler to place"),
    ]
    forecast = with_policy(world, Fullest, scheduler_names={"other"})
    assert (moves(forecast), forecast.emptied) == ({"other": "b>a"}, ())


def test_each_profile_decides_for_the_pods_that_name_it_and_the_first_for_all_others() -> None:
    world = cluster(
        node("a"), node("b"), node("c"), pod("load", "c", cpu="1", owner=DAEMON_SET),
        pod("p", "a", cpu="1", scheduler_name="full"), pod("q", "b", cpu="1", scheduler_name="elsewhere"),
    )  # fmt: skip
    profiles = [default_profile("roost"), policy_profile([Fullest], "full")]
    assert moves(with_policy(world, profiles)) == {"p": "a>c", "q": "b>a"}


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param("RandomNode", id="by name"),
        pytest.param(["RandomNode"], id="by several names"),
        pytest.param(policy_profile(["RandomNode"]), id="as a profile"),
        pytest.param([policy_profile(["RandomNode"])], id="as profiles"),
    ],
)
def test_a_policy_is_given_as_for_simulate(policy: Any) -> None:
    assert with_policy(cluster(node("a"), pod("p", "a")), policy).counts["unmoved"] == 1


def test_an_unknown_policy_is_one_sentence() -> None:
    with pytest.raises(ConfigError, match="NoSuch"):
        with_policy(cluster(node("a")), "NoSuch")


# ---- more pods


@pytest.mark.parametrize(
    ("given", "names"),
    [
        pytest.param(deployment(replicas=2), ["web-1", "web-2"], id="a Deployment"),
        pytest.param(deployment(replicas=None), ["web-1"], id="a Deployment that does not say how many"),
        pytest.param(deployment(kind="ReplicaSet"), ["web-1", "web-2"], id="a ReplicaSet"),
        pytest.param(deployment(kind="StatefulSet"), ["web-0", "web-1"], id="a StatefulSet"),
        pytest.param(
            deployment(kind="StatefulSet", ordinals={"start": 5}), ["web-5", "web-6"], id="from an ordinal on"
        ),
        pytest.param(deployment(kind="Job", parallelism=3, completions=2), ["web-1", "web-2"], id="a Job"),
        pytest.param(deployment(kind="Job"), ["web-1"], id="a Job of one pod"),
        pytest.param({"kind": "Pod", "metadata": {"name": "p"}, "spec": {}}, ["p"], id="a pod"),
        pytest.param(pod("p"), ["p"], id="a pod that is one already"),
        pytest.param({"kind": "List", "items": [deployment(replicas=1)]}, ["web-1"], id="a list"),
        pytest.param({"kind": "Service", "metadata": {"name": "s"}}, [], id="what makes no pods"),
    ],
)
def test_manifests_are_the_pods_that_they_make(given: Any, names: Sequence[str]) -> None:
    forecast = add(cluster(node("a", cpu="99")), [given])
    assert [one.pod for one in forecast.placed] == [f"default/{name}" for name in names]
    assert all(one.from_node == "" for one in forecast.moves)


def test_new_pods_fill_the_cluster_until_there_is_no_room() -> None:
    forecast = add(cluster(node("a", cpu="2"), pod("p", "a", cpu="1")), [deployment(replicas=3)])
    assert moves(forecast) == {"web-1": ">a"}
    assert pending(forecast) == dict.fromkeys(["web-2", "web-3"], "0/1 nodes are available: 1 Insufficient cpu.")
    assert use(forecast) == (1000, 2000, 2000, 2000)


def test_a_resource_that_only_the_new_pods_name_is_shown() -> None:
    asks = {"resources": {"limits": {"example.com/chip": "1"}}, "name": "app"}
    forecast = add(cluster(node("a")), [{"kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [asks]}}])
    assert pending(forecast) == {"p": "0/1 nodes are available: 1 Insufficient example.com/chip."}


@pytest.mark.parametrize(
    ("spec", "landed"),
    [
        pytest.param({"containers": [{"resources": {"limits": {"cpu": "9"}}}]}, False, id="requests from limits"),
        pytest.param(
            {"hostNetwork": True, "containers": [{"ports": [{"containerPort": 80}]}]}, False, id="ports of the host"
        ),
        pytest.param({"schedulingGates": [{"name": "g"}], "containers": []}, False, id="a gate"),
        pytest.param({"containers": [{"ports": [{"containerPort": 80}]}]}, True, id="ports of its own"),
    ],
)
def test_what_the_api_server_fills_in_counts(spec: Mapping[str, Any], landed: bool) -> None:
    world = cluster(node("a"), pod("p", "a", host_ports=[80]))
    forecast = add(world, [{"kind": "Pod", "metadata": {"name": "new"}, "spec": spec}])
    assert len(forecast.placed) == landed


def test_the_replicas_of_a_new_deployment_are_spread() -> None:
    world = cluster(
        *(node(name, labels={"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": name}) for name in "abc")
    )
    assert sorted(moves(add(world, [deployment(replicas=3)])).values()) == [">a", ">b", ">c"]


@pytest.mark.parametrize(
    ("objects", "told"),
    [
        pytest.param([deployment(), deployment()], "Deployment default/web exists already: add", id="twice the same"),
        pytest.param([pod("there")], "Pod default/there exists already: add takes", id="a pod that is there"),
        pytest.param(
            [deployment("there", kind="StatefulSet"), pod("there-1")], "Pod default/there-1 exists already",
            id="a pod of a StatefulSet",
        ),
        pytest.param(
            [pod("x-1"), deployment("x", kind="StatefulSet")],
            "StatefulSet default/x: its pod x-1 exists already", id="a StatefulSet with a pod that is there",
        ),
        pytest.param([{"metadata": {}}], "an object has no kind: apiVersion, kind and metadata", id="no kind"),
        pytest.param([{"kind": "Pod"}], "an object of kind Pod has no metadata.name", id="no name"),
        pytest.param([["x"]], "a Kubernetes object is expected", id="no object"),
        pytest.param(
            [{"kind": "Pod", "metadata": {"name": "p"}}], "Pod default/p: spec is missing", id="a pod without a spec"
        ),
        pytest.param(
            [{"kind": "Job", "metadata": {"name": "j"}}], "Job default/j: spec.template.spec is missing",
            id="no template",
        ),
        pytest.param(
            [deployment(replicas="2")],
            "Deployment default/web: spec.replicas must be a whole number from 0, not '2'", id="replicas as text",
        ),
        pytest.param([deployment(replicas=True)], "must be a whole number from 0, not True", id="replicas as a truth"),
        pytest.param([deployment(replicas=-1)], "must be a whole number from 0, not -1", id="fewer than none"),
        pytest.param(
            [{"kind": "Pod", "metadata": {"name": "p"}, "spec": {"nodeSelector": 3}}],
            "Pod default/p cannot be read: Expected `object | null`, got `int` - at `$.spec.nodeSelector`",
            id="a field of the wrong type",
        ),
    ],
)  # fmt: skip
def test_a_wrong_manifest_is_one_sentence(objects: Sequence[Any], told: str) -> None:
    with pytest.raises(InvalidObject) as error:
        add(cluster(node("a"), pod("there", "a")), objects)
    assert told in str(error.value)


def test_a_quantity_that_is_none_keeps_its_pod_pending() -> None:
    forecast = add(cluster(node("a")), [pod("p", cpu="much")])
    assert pending(forecast)["p"].startswith("cannot be read: ")


def test_the_priority_of_a_class_decides_who_comes_first() -> None:
    world = cluster(node("a", cpu="1"))
    world.add_priority_class(PriorityClass(metadata=ObjectMeta(name="high"), value=9))
    low, high = ({"kind": "Pod", "metadata": {"name": name}, "spec": one_cpu()} for name in ("low", "high"))
    high["spec"]["priorityClassName"] = "high"
    assert moves(add(world, [low, high])) == {"high": ">a"}


def test_the_claims_of_a_stateful_set_come_with_it() -> None:
    claims = [{"metadata": {"name": "data"}, "spec": {"storageClassName": "standard"}}]
    missing = add(cluster(node("a")), [deployment("db", 1, kind="StatefulSet", volumeClaimTemplates=claims)])
    assert pending(missing)["db-0"].endswith("pod has unbound immediate PersistentVolumeClaims.")
    world = cluster(node("a"))
    world.cache.set_storage(LATE)
    found = add(world, [deployment("db", 1, kind="StatefulSet", volumeClaimTemplates=claims)])
    assert moves(found) == {"db-0": ">a"}
    assert world.cache.view.storage.claim("default/data-db-0") is None


def test_what_makes_pods_in_another_way_is_told() -> None:
    objects = [{"kind": kind, "metadata": {"name": "x"}} for kind in ("DaemonSet", "CronJob")]
    assert add(cluster(node("a")), objects).notes == (
        "DaemonSet default/x is left out, which puts a pod on each node.",
        "CronJob default/x is left out, which makes its pods later.",
    )
