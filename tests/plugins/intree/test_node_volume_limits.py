from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.plugins.intree.volume_world import cache_of, rejected_now, rejections

from roost.api.meta import KubernetesObject
from roost.api.pod import Pod
from roost.api.storage import VolumeAttachment
from roost.framework.changes import Copies
from roost.framework.plugin import Context
from roost.framework.status import SKIP, Code
from roost.framework.view import ALL, WhatIf
from roost.plugins.intree.node_volume_limits import NodeVolumeLimits
from roost.testing import node, pod
from roost.testing.storage import claim, csi_node, storage_class, using, volume

NODES = (node("n"), node("free"))
LIMIT = csi_node("n", fast=2)
MADE = storage_class("made", provisioner="fast")


def bound(*names: str, driver: str = "fast") -> list[KubernetesObject]:
    """Claims, each bound to a volume of the driver."""
    volumes = [volume(f"v-{name}", driver=driver, phase="Bound") for name in names]
    return [*volumes, *(claim(name, volume=f"v-{name}") for name in names)]


def attachment(name: str, of: str, to: str = "n", attacher: str = "fast") -> VolumeAttachment:
    spec = {"attacher": attacher, "nodeName": to, "source": {"persistentVolumeName": of}}
    return msgspec.convert({"metadata": {"name": name}, "spec": spec}, VolumeAttachment)


def on(node_name: str, *claims: str, name: str = "there") -> Pod:
    return using(*claims, name=name, node_name=node_name)


TOO_MANY = [
    pytest.param(using("x"), bound("a", "b", "x"), [on("n", "a", "b")], id="the node is full"),
    pytest.param(using("x", "y"), bound("a", "x", "y"), [on("n", "a")], id="one of two still fits"),
    pytest.param(using("x", "y", "z"), bound("x", "y", "z"), [], id="more than an empty node takes"),
    pytest.param(
        using("x"), [*bound("a", "b", "x"), attachment("1", "v-b")], [on("n", "a")], id="another is attached, unused"
    ),
    pytest.param(
        using("x", "new"), [*bound("a", "x"), MADE, claim("new", storage_class="made")], [on("n", "a")],
        id="one that is yet to be made counts for the driver of its class",
    ),
    pytest.param(
        using("x"), [*bound("a", "x"), MADE, claim("y", storage_class="made")], [on("n", "a"), on("n", "y", name="q")],
        id="so does one on the node",
    ),
    pytest.param(
        using("x"), [*bound("a", "b", "x"), attachment("1", "v-x")], [on("n", "a")],
        id="what is attached already counts twice, as in kube-scheduler",
    ),
]  # fmt: skip
FITS = [
    pytest.param(using("x"), bound("a", "x"), [on("n", "a")], id="there is room for one"),
    pytest.param(using("a"), bound("a", "b"), [on("n", "a", "b")], id="the same volume does not count again"),
    pytest.param(using("x"), bound("a", "x"), [on("n", "a"), on("n", "a", name="q")], id="two pods share one"),
    pytest.param(using("x"), [*bound("a", "b"), *bound("x", driver="slow")], [on("n", "a", "b")], id="another driver"),
    pytest.param(using("x"), bound("a", "b", "x"), [on("free", "a", "b")], id="they are on another node"),
    pytest.param(using("x"), [claim("x", storage_class=None), *bound("a", "b")], [on("n", "a", "b")], id="no class"),
    pytest.param(
        using("x"), [*bound("a", "x"), attachment("1", "v-a")], [on("n", "a")], id="what is used is attached as well"
    ),
    pytest.param(using("x"), bound("x"), [on("n", "lost", "gone")], id="claims that are not there do not count"),
]


@pytest.mark.parametrize(("judged", "storage", "pods"), TOO_MANY)
def test_no_more_volumes_than_the_driver_can_attach(
    judged: Pod, storage: Sequence[KubernetesObject], pods: Sequence[Pod]
) -> None:
    rejected = rejections(NodeVolumeLimits(), judged, [*storage, LIMIT], nodes=NODES, pods=pods)
    assert rejected.keys() == {"n"}
    assert (rejected["n"].code, rejected["n"].message) == (Code.Unschedulable, "node(s) exceed max volume count")


@pytest.mark.parametrize(("judged", "storage", "pods"), FITS)
def test_what_fits(judged: Pod, storage: Sequence[KubernetesObject], pods: Sequence[Pod]) -> None:
    assert rejections(NodeVolumeLimits(), judged, [*storage, LIMIT], nodes=NODES, pods=pods) == {}


def test_a_driver_without_a_number_has_no_limit() -> None:
    storage = [*bound("a", "b", "c"), csi_node("n", fast=None)]
    assert rejections(NodeVolumeLimits(), using("a", "b", "c"), storage, nodes=NODES) == {}


def test_volumes_of_plugins_of_old_count_for_the_driver_that_took_them_over() -> None:
    taken_over = csi_node("n", **{"ebs.csi.aws.com": 1})
    old = volume("v-a", spec={"awsElasticBlockStore": {"volumeID": "aws://zone/vol-1"}}, phase="Bound")
    storage = [old, claim("a", volume="v-a"), taken_over]
    inline = using(disks=[{"awsElasticBlockStore": {"volumeID": "vol-2"}}])
    same = using(disks=[{"awsElasticBlockStore": {"volumeID": "vol-1"}}])
    assert rejections(NodeVolumeLimits(), inline, storage, nodes=NODES, pods=[on("n", "a")]).keys() == {"n"}
    assert rejections(NodeVolumeLimits(), same, storage, nodes=NODES, pods=[on("n", "a")]) == {}


def test_a_claim_that_is_not_there_is_named_where_no_other_plugin_does() -> None:
    rejected = rejections(NodeVolumeLimits(), using("x"), nodes=NODES)
    assert {status.message for status in rejected.values()} == {
        'looking up PVC default/x: persistentvolumeclaim "x" not found'
    }


@pytest.mark.parametrize("judged", [pod(), using(disks=[{"iscsi": {"iqn": "q"}}])])
def test_pods_without_volumes_of_drivers_are_skipped(judged: Any) -> None:
    cache = cache_of(NODES)
    assert NodeVolumeLimits().pre_filter(Context(), cache.pod_info(judged), cache.view) is SKIP


def test_a_higher_limit_and_a_detached_volume_are_noticed() -> None:
    cache = cache_of(NODES, [*bound("a", "b", "x"), LIMIT, attachment("1", "v-b")], [on("n", "a")])
    judged, plugin = using("x"), NodeVolumeLimits()
    assert rejected_now(plugin, cache, judged).keys() == {"n"}
    cache.remove_storage(attachment("1", "v-b"))
    assert rejected_now(plugin, cache, judged) == {}
    cache.set_storage(csi_node("n", fast=1))
    assert rejected_now(plugin, cache, judged).keys() == {"n"}


def test_a_node_without_one_of_its_pods_has_room_for_its_volumes() -> None:
    there = on("n", "a", "b")
    cache = cache_of(NODES, [*bound("a", "b", "x"), LIMIT], [there, on("n", "b", name="other")])
    without = WhatIf(cache.view, np.array([0, 0]), Copies(cache.pod_info(there), np.array([-1, 0])))
    verdicts = NodeVolumeLimits().filter(Context(), cache.pod_info(using("x")), without, ALL)
    assert verdicts is not None
    assert verdicts.codes.tolist() == [0, 1]
