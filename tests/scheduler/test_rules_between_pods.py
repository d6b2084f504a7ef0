"""Pods that wait because of other pods: what alters that brings them back."""

from typing import Any

import pytest
from msgspec import convert
from tests.scheduler.fake_cluster import FakeCluster
from tests.scheduler.live import running, until

from roost.api.kinds import NAMESPACE, NODE, POD, AnyObject
from roost.api.pod import Pod
from roost.config.profiles import default_profile
from roost.framework.profile import Profile
from roost.plugins.policies.zero_score import ZeroScore
from roost.scheduler.further_kinds import kinds_read
from roost.testing import node, pod

WEB = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "web"}}}


def avoiding(name: str, labels: dict[str, str] | None = None, **more: Any) -> Pod:
    """Return a pod that must not be where pods with app=web are."""
    rules = {"requiredDuringSchedulingIgnoredDuringExecution": [WEB | more]}
    return pod(name, labels=labels, spec={"affinity": {"podAntiAffinity": rules}})


def namespace(name: str, **labels: str) -> AnyObject:
    return convert({"metadata": {"name": name, "labels": labels}}, AnyObject)


def cluster_of(*pods: Pod) -> FakeCluster:
    cluster = FakeCluster()
    cluster.add(NODE, node("a", labels={"zone": "a"}))
    for one in pods:
        cluster.add(POD, one)
    return cluster


async def rejected(cluster: FakeCluster, key: str) -> None:
    await until(lambda: bool(cluster.condition(key)))
    assert "node(s) didn't match pod anti-affinity rules" in cluster.condition(key)["message"]


@pytest.mark.parametrize(
    "how",
    [
        pytest.param("leaves", id="the pod it avoids is gone"),
        pytest.param("is relabelled", id="the pod it avoids has another label"),
    ],
)
async def test_a_pod_comes_back_when(how: str) -> None:
    cluster = cluster_of(pod("web", node_name="a", labels={"app": "web"}), avoiding("waits"))
    async with running(cluster):
        await rejected(cluster, "default/waits")
        if how == "leaves":
            cluster.remove(POD, "default/web")
        else:
            cluster.change(POD, "default/web", metadata={"labels": {"app": "db"}})
        await until(lambda: "default/waits" in cluster.placements())


async def test_a_pod_comes_back_when_a_namespace_is_not_meant_any_more() -> None:
    avoids = avoiding("waits", namespaceSelector={"matchLabels": {"team": "x"}})
    cluster = cluster_of(pod("web", namespace="shop", node_name="a", labels={"app": "web"}), avoids)
    cluster.add(NAMESPACE, namespace("shop", team="x"))
    async with running(cluster):
        await rejected(cluster, "default/waits")
        cluster.change(NAMESPACE, "shop", metadata={"labels": {"team": "y"}})
        await until(lambda: "default/waits" in cluster.placements())


async def test_a_placed_pod_keeps_others_away_from_the_moment_it_is_assumed() -> None:
    cluster = cluster_of(*(avoiding(f"web-{number}", labels={"app": "web"}) for number in range(2)))
    cluster.add(NODE, node("b", labels={"zone": "b"}))
    async with running(cluster):
        await until(lambda: len(cluster.placements()) == 2)
    assert sorted(cluster.placements().values()) == ["a", "b"]


def test_namespaces_are_followed_only_where_a_plugin_reads_them() -> None:
    assert NAMESPACE in [further.kind for further in kinds_read([default_profile()])]
    assert NAMESPACE not in [further.kind for further in kinds_read([Profile.of([ZeroScore()])])]
