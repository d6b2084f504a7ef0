"""Kinds besides nodes and pods: followed where a plugin reads them, and done without where the server lacks them."""

from typing import Any

import msgspec
import pytest
from tests.scheduler.fake_cluster import FakeCluster
from tests.scheduler.live import running, until

from roost.api.devices import DeviceClass
from roost.api.kinds import DEVICE_CLASS, NODE, POD, Kind
from roost.cache import Cache, Change
from roost.config.profiles import default_profile, policy_profile
from roost.errors import NotFound
from roost.framework.cluster import Listing, Malformed, WatchEvent
from roost.framework.profile import Profile
from roost.plugins.policies.zero_score import ZeroScore
from roost.scheduler.further_kinds import FURTHER_KINDS, Follower, kinds_read
from roost.testing import node, pod

GPU = "example.com/gpu"
DEVICES = next(further for further in FURTHER_KINDS if further.kind is DEVICE_CLASS)


def device_class(name: str, resource: str | None = None) -> DeviceClass:
    return msgspec.convert({"metadata": {"name": name}, "spec": {"extendedResourceName": resource}}, DeviceClass)


class World:
    """A follower of DeviceClasses with a real cache; what it says is kept."""

    def __init__(self) -> None:
        self.cache = Cache()
        self.changes: list[Change] = []
        self.reported: list[str] = []
        self.notified = 0
        self.follower = Follower(DEVICES, self.cache, note=self._note, report=self._report, notify=self._notify)

    def _note(self, change: Change | None) -> None:
        self.changes += [change] if change is not None else []

    def _report(self, kind: str, malformed: Any) -> None:
        self.reported += [one.key for one in malformed]

    def _notify(self) -> None:
        self.notified += 1

    @property
    def classes(self) -> set[str]:
        return set(self.cache.view.device_resources.values())


def test_what_a_new_list_leaves_out_is_gone_but_not_what_cannot_be_read() -> None:
    world = World()
    world.follower.replace(Listing([device_class("a"), device_class("b"), device_class("c")], "1"))
    world.follower.replace(Listing([device_class("a")], "2", [Malformed("b", "unreadable")]))
    assert world.classes == {"a", "b"}
    assert world.reported == ["b"]
    assert len(world.changes) == 4


def test_changes_are_taken_over_one_by_one_and_told_once_together() -> None:
    world = World()
    a, b = device_class("a"), device_class("b")
    world.follower.change(
        [
            WatchEvent("ADDED", a, "1"),
            WatchEvent("ADDED", b, "2"),
            WatchEvent("DELETED", a, "3"),
            WatchEvent("MALFORMED", None, "4", Malformed("x", "unreadable")),
        ]
    )
    assert world.classes == {"b"}
    assert (world.reported, world.notified) == (["x"], 1)


def test_it_is_in_sync_after_a_list_or_once_the_server_is_known_to_lack_the_kind() -> None:
    listed, lacking = World(), World()
    assert not listed.follower.in_sync
    listed.follower.replace(Listing([], "1"))
    lacking.follower.lacking()
    assert listed.follower.in_sync
    assert lacking.follower.in_sync


def test_a_kind_that_the_server_lacks_after_all_is_empty() -> None:
    world = World()
    world.follower.replace(Listing([device_class("a")], "1"))
    world.follower.lacking()
    assert world.classes == set()


@pytest.mark.parametrize(
    ("profile", "followed"),
    [
        pytest.param(default_profile(), True, id="the default profile reads device classes"),
        pytest.param(Profile.of([ZeroScore()]), False, id="a profile whose plugins read nothing"),
    ],
)
def test_a_kind_is_followed_where_a_plugin_reads_it(profile: Profile, followed: bool) -> None:
    assert (DEVICES in kinds_read([profile])) is followed
    assert DEVICES in kinds_read([profile, policy_profile(["RandomNode"]), default_profile()])


class Older(FakeCluster):
    """A server from before there were DeviceClasses."""

    async def list(self, kind: Kind[Any], **options: str) -> Listing[Any]:
        if kind.plural == DEVICE_CLASS.plural:
            raise NotFound("the server could not find the requested resource", status=404)
        return await super().list(kind, **options)


async def test_a_pod_that_asks_for_devices_waits_until_no_class_maps_its_resource_any_more() -> None:
    cluster = FakeCluster()
    cluster.add(NODE, node(allocatable={GPU: 1}))
    cluster.add(DEVICE_CLASS, device_class("gpu", GPU))
    cluster.add(POD, pod("asks", requests={GPU: 1}))
    async with running(cluster):
        await until(lambda: bool(cluster.condition("default/asks")))
        message = cluster.condition("default/asks")["message"]
        assert f"resource {GPU}, which DeviceClass gpu maps to devices, is not supported by Roost yet." in message
        cluster.remove(DEVICE_CLASS, "gpu")
        await until(lambda: "default/asks" in cluster.placements())


async def test_a_server_without_the_kind_is_scheduled_on_like_any_other() -> None:
    cluster = Older()
    cluster.add(NODE, node())
    cluster.add(POD, pod())
    async with running(cluster):
        await until(lambda: cluster.bindings.total() == 1)
