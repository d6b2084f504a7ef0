"""The live loop follows Services and controllers, and spreads the pods that they stand for."""

import pytest
from msgspec import convert
from tests.scheduler.fake_cluster import FakeCluster
from tests.scheduler.live import running, until

from roost.api.controllers import ReplicaSet, Service
from roost.api.kinds import NODE, POD, REPLICA_SET, SERVICE
from roost.testing import node, pod

WEB = {"app": "web"}
METADATA = {"name": "web", "namespace": "default"}
ROOMY = node("roomy", cpu=64, labels={"kubernetes.io/hostname": "roomy", "topology.kubernetes.io/zone": "a"})
SMALL = node("small", cpu=2, labels={"kubernetes.io/hostname": "small", "topology.kubernetes.io/zone": "b"})
OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "web", "controller": True}


@pytest.mark.parametrize(
    ("grouping", "expected"),
    [
        pytest.param("none", {"roomy"}, id="nothing says that the pods belong together"),
        pytest.param("service", {"roomy", "small"}, id="a service does"),
        pytest.param("replica set", {"roomy", "small"}, id="a replica set does"),
    ],
)
async def test_pods_that_belong_together_go_to_different_nodes(grouping: str, expected: set[str]) -> None:
    cluster = FakeCluster()
    for one in (ROOMY, SMALL):
        cluster.add(NODE, one)
    if grouping == "service":
        cluster.add(SERVICE, convert({"metadata": METADATA, "spec": {"selector": WEB}}, Service))
    if grouping == "replica set":
        cluster.add(
            REPLICA_SET, convert({"metadata": METADATA, "spec": {"selector": {"matchLabels": WEB}}}, ReplicaSet)
        )
    for name in ("p1", "p2"):
        cluster.add(POD, pod(name, cpu=1, labels=WEB, metadata={"ownerReferences": [OWNER]}))
    async with running(cluster):
        await until(lambda: len(cluster.placements()) == 2)
    assert set(cluster.placements().values()) == expected
