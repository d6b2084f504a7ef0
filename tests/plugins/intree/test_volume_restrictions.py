from typing import Any

import numpy as np
import pytest
from tests.plugins.intree.volume_world import cache_of, rejected_now, rejections

from roost.framework.changes import Copies
from roost.framework.plugin import Context
from roost.framework.status import SKIP, Code
from roost.framework.view import ALL, WhatIf
from roost.plugins.intree.volume_restrictions import VolumeRestrictions
from roost.testing import node, pod
from roost.testing.storage import claim, using

Fields = dict[str, Any]
NODES = (node("busy"), node("idle"))
ONE_POD = {"access_modes": ["ReadWriteOncePod"]}


def gce(name: str, read_only: bool = False) -> Fields:
    return {"gcePersistentDisk": {"pdName": name, "readOnly": read_only}}


def aws(name: str) -> Fields:
    return {"awsElasticBlockStore": {"volumeID": name}}


def iscsi(iqn: str, read_only: bool = False) -> Fields:
    return {"iscsi": {"iqn": iqn, "readOnly": read_only, "targetPortal": "p", "lun": 0}}


def rbd(*monitors: str, pool: str = "p", image: str = "i", read_only: bool = False) -> Fields:
    return {"rbd": {"monitors": list(monitors), "pool": pool, "image": image, "readOnly": read_only}}


@pytest.mark.parametrize(
    ("wanted", "used", "conflict"),
    [
        pytest.param(gce("d"), gce("d"), True, id="a disk of Google's that both write to"),
        pytest.param(gce("d", read_only=True), gce("d"), True, id="the other writes"),
        pytest.param(gce("d"), gce("d", read_only=True), True, id="the pod writes"),
        pytest.param(gce("d", read_only=True), gce("d", read_only=True), False, id="both only read"),
        pytest.param(gce("d"), gce("e"), False, id="two disks of Google's"),
        pytest.param(aws("v"), aws("v"), True, id="a disk of Amazon's"),
        pytest.param(aws("v"), aws("w"), False, id="two disks of Amazon's"),
        pytest.param(aws("d"), gce("d"), False, id="disks of two clouds with one name"),
        pytest.param(iscsi("q"), iscsi("q", read_only=True), True, id="an iSCSI disk that one writes to"),
        pytest.param(iscsi("q", read_only=True), iscsi("q", read_only=True), False, id="an iSCSI disk both read"),
        pytest.param(rbd("m", "n"), rbd("n", "o"), True, id="a Ceph image by a monitor that both name"),
        pytest.param(rbd("m"), rbd("n"), False, id="Ceph clusters without a common monitor"),
        pytest.param(rbd("m"), rbd("m", pool="q"), False, id="another pool"),
        pytest.param(rbd("m"), rbd("m", image="j"), False, id="another image"),
        pytest.param(rbd("m", read_only=True), rbd("m", read_only=True), False, id="a Ceph image both read"),
        pytest.param({"emptyDir": {}}, {"emptyDir": {}}, False, id="no disks at all"),
    ],
)
def test_disks(wanted: Fields, used: Fields, conflict: bool) -> None:
    there = using(disks=[used], name="there", node_name="busy")
    rejected = rejections(VolumeRestrictions(), using(disks=[wanted]), nodes=NODES, pods=[there])
    assert rejected.keys() == ({"busy"} if conflict else set())
    for status in rejected.values():
        assert (status.code, status.message) == (Code.Unschedulable, "node(s) had no available disk")


def test_a_disk_is_free_again_when_its_pod_has_gone() -> None:
    there = using(disks=[gce("d")], name="there", node_name="busy")
    cache = cache_of(NODES, pods=[there])
    assert rejected_now(VolumeRestrictions(), cache, using(disks=[gce("d")])).keys() == {"busy"}
    cache.remove_pod(there)
    assert rejected_now(VolumeRestrictions(), cache, using(disks=[gce("d")])) == {}


@pytest.mark.parametrize(
    ("of", "used_by", "conflict"),
    [
        pytest.param(claim(**ONE_POD), using("data", name="there", node_name="busy"), True, id="a pod uses it"),
        pytest.param(claim(), using("data", name="there", node_name="busy"), False, id="others may use it too"),
        pytest.param(claim(**ONE_POD), using("else", name="there", node_name="busy"), False, id="another is used"),
        pytest.param(claim(**ONE_POD), using("data", name="there", node_name="gone"), False, id="on no known node"),
        pytest.param(
            claim(**ONE_POD), using("data", name="there", node_name="busy", namespace="b"), False, id="elsewhere"
        ),
    ],
)
def test_a_claim_for_one_pod_is_in_use_wherever_that_pod_is(of: Any, used_by: Any, conflict: bool) -> None:
    rejected = rejections(VolumeRestrictions(), using("data"), [of], nodes=NODES, pods=[used_by])
    assert rejected.keys() == ({"busy", "idle"} if conflict else set())
    for status in rejected.values():
        assert status.code is Code.Unschedulable
        assert "ReadWriteOncePod access mode already in-use" in status.message


def test_a_claim_that_is_not_there_is_named() -> None:
    rejected = rejections(VolumeRestrictions(), using("data"))
    assert {status.message for status in rejected.values()} == {'persistentvolumeclaim "data" not found'}
    assert {status.code for status in rejected.values()} == {Code.UnschedulableAndUnresolvable}


@pytest.mark.parametrize(
    "judged",
    [
        pytest.param(pod(), id="no volumes"),
        pytest.param(using(disks=[{"projected": {}}]), id="volumes that tie to no node"),
        pytest.param(using("data"), id="a claim that nobody uses yet"),
        pytest.param(using(ephemeral=["scratch"]), id="a claim that is made for the pod"),
    ],
)
def test_pods_that_nothing_is_to_be_said_of_are_skipped(judged: Any) -> None:
    cache = cache_of(NODES, [claim(**ONE_POD)])
    assert VolumeRestrictions().pre_filter(Context(), cache.pod_info(judged), cache.view) is SKIP


def test_a_claim_is_free_in_a_cluster_without_the_pod_that_uses_it() -> None:
    there = using("data", name="there", node_name="busy")
    cache = cache_of(NODES, [claim(**ONE_POD)], [there])
    without = WhatIf(cache.view, np.array([0, 1]), Copies(cache.pod_info(there), np.array([-1, 0])))
    verdicts = VolumeRestrictions().filter(Context(), cache.pod_info(using("data")), without, ALL)
    assert verdicts is not None
    assert verdicts.codes.tolist() == [0, 2]
