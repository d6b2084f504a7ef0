"""What must hold after any sequence of events: volumes on nodes are what a count of all objects anew would give."""

from collections import Counter
from typing import Any

import msgspec
import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from roost.api.pod import Pod
from roost.api.storage import VolumeAttachment
from roost.cache import Cache
from roost.framework.changes import Copies
from roost.framework.csi_migration import VolumeId
from roost.framework.node_volumes import NO_LIMIT, disks_of
from roost.framework.pod_volumes import pod_volumes
from roost.framework.view import WhatIf
from roost.testing import node
from roost.testing.storage import claim, csi_node, storage_class, using, volume

NODES = st.sampled_from(["n0", "n1", "n2"])
CLAIMS = st.sampled_from(["c0", "c1", "c2", "c3"])
VOLUMES = st.sampled_from(["v0", "v1", "v2"])
DRIVERS = st.sampled_from(["fast", "slow"])
DISKS = st.sampled_from(
    [
        {"gcePersistentDisk": {"pdName": "d"}},
        {"gcePersistentDisk": {"pdName": "d", "readOnly": True}},
        {"rbd": {"monitors": ["m", "n"], "pool": "p", "image": "i"}},
        {"iscsi": {"iqn": "q"}},
    ]
)
PODS = st.builds(
    lambda name, claims, disks, ephemeral: using(*claims, disks=disks, ephemeral=ephemeral, name=name),
    st.sampled_from(["p0", "p1", "p2", "p3"]),
    st.lists(CLAIMS, max_size=3),
    st.lists(DISKS, max_size=2),
    st.sampled_from([[], [], ["tmp"]]),
)
ALL_DRIVERS = ("fast", "slow", "made", "pd.csi.storage.gke.io")


class Events(RuleBasedStateMachine):
    """A cache under events in any order, beside plain dictionaries of what should be there."""

    @initialize()
    def start(self) -> None:
        self.cache = Cache()
        self.nodes: set[str] = set()
        self.pods: dict[str, tuple[Pod, str]] = {}
        self.claims: dict[str, Any] = {}
        self.volumes: dict[str, Any] = {}
        self.classes: dict[str, Any] = {}
        self.csi_nodes: dict[str, Any] = {}
        self.attachments: dict[str, Any] = {}
        for number in range(3):
            self.set_node(f"n{number}")
            self.set_claim(f"c{number}", f"v{number}")
            self.set_volume(f"v{number}", "fast", "own")

    # ---- events

    @rule(name=NODES)
    def set_node(self, name: str) -> None:
        self.nodes.add(name)
        self.cache.set_node(node(name))

    @rule(name=NODES)
    def remove_node(self, name: str) -> None:
        self.nodes.discard(name)
        self.cache.remove_node(name)

    @rule(new=PODS, on=NODES)
    def set_pod(self, new: Pod, on: str) -> None:
        if new.key in self.pods:
            return
        placed = msgspec.structs.replace(new, spec=msgspec.structs.replace(new.spec, node_name=on))
        self.pods[new.key] = placed, on
        self.cache.set_pod(placed)

    @rule(key=st.sampled_from(["default/p0", "default/p1", "default/p2"]))
    def remove_pod(self, key: str) -> None:
        if key in self.pods:
            self.cache.remove_pod(self.pods.pop(key)[0])

    @rule(name=st.one_of(CLAIMS, st.sampled_from(["p0-tmp", "p1-tmp"])), to=st.one_of(st.just(""), VOLUMES))
    def set_claim(self, name: str, to: str) -> None:
        self.claims[name] = claim(name, volume=to, storage_class="made")
        self.cache.set_storage(self.claims[name])

    @rule(name=VOLUMES, driver=st.sampled_from(["fast", "slow", "", "old"]), handle=st.sampled_from(["h", "own"]))
    def set_volume(self, name: str, driver: str, handle: str) -> None:
        source: dict[str, Any] = {"csi": {"driver": driver, "volumeHandle": handle if handle == "h" else name}}
        if driver in ("", "old"):
            source = {"gcePersistentDisk": {"pdName": "d"}} if driver else {}
        self.volumes[name] = volume(name, phase="Bound", spec=source)
        self.cache.set_storage(self.volumes[name])

    @rule(provisioner=st.sampled_from(["made", "kubernetes.io/gce-pd"]))
    def set_class(self, provisioner: str) -> None:
        self.classes["made"] = storage_class("made", provisioner=provisioner)
        self.cache.set_storage(self.classes["made"])

    @rule(name=NODES, limits=st.dictionaries(DRIVERS, st.sampled_from([None, 1, 5])))
    def set_csi_node(self, name: str, limits: dict[str, int | None]) -> None:
        self.csi_nodes[name] = csi_node(name, **limits)
        self.cache.set_storage(self.csi_nodes[name])

    @rule(name=st.sampled_from(["a0", "a1"]), of=VOLUMES, to=NODES, by=DRIVERS)
    def attach(self, name: str, of: str, to: str, by: str) -> None:
        spec = {"attacher": by, "nodeName": to, "source": {"persistentVolumeName": of}}
        self.attachments[name] = msgspec.convert({"metadata": {"name": name}, "spec": spec}, VolumeAttachment)
        self.cache.set_storage(self.attachments[name])

    @rule(kind=st.sampled_from(["claims", "volumes", "classes", "csi_nodes", "attachments"]), number=st.integers(0, 3))
    def remove_storage(self, kind: str, number: int) -> None:
        known = getattr(self, kind)
        if len(known) > number:
            self.cache.remove_storage(known.pop(sorted(known)[number]))

    # ---- what a recount gives

    def behind(self, name: str) -> VolumeId | None:
        known = self.claims.get(name)
        if known is None:
            return None
        found = self.volumes.get(known.spec.volume_name)
        if found is not None and found.spec.csi is not None:
            return VolumeId(found.spec.csi.driver, found.spec.csi.volume_handle)
        if found is not None:
            disk = found.spec.gce_persistent_disk
            return disk and VolumeId("pd.csi.storage.gke.io", "projects/UNSPECIFIED/zones/UNSPECIFIED/disks/d")
        if "made" not in self.classes:
            return None
        made = self.classes["made"].provisioner
        driver = "pd.csi.storage.gke.io" if made.startswith("kubernetes.io") else made
        return VolumeId(driver, f"to be made for {known.key}")

    def used_on(self, name: str) -> Counter[VolumeId]:
        used: Counter[VolumeId] = Counter()
        for placed, on in self.pods.values():
            if on == name:
                volumes = pod_volumes(placed)
                used.update(v for use in volumes.claims if (v := self.behind(use.name)) is not None)
                used.update(volumes.migrated)
        return used

    def attached_to(self, name: str) -> set[VolumeId]:
        found = set()
        for attachment in self.attachments.values():
            of = self.volumes.get(attachment.spec.source.persistent_volume_name)
            if attachment.spec.node_name == name and of is not None and of.spec.csi is not None:
                found.add(VolumeId(attachment.spec.attacher, of.spec.csi.volume_handle))
        return found

    # ---- invariants

    @invariant()
    def volumes_are_counted(self) -> None:
        view = self.cache.view
        for name in self.nodes:
            (slot,) = view.rows_named(name)
            used, attached = self.used_on(name), self.attached_to(name)
            for driver in ALL_DRIVERS:
                expected = len({volume for volume in used.keys() | attached if volume.driver == driver})
                assert view.volumes.count(driver)[slot] == expected
            for one in used.keys() | attached:
                assert view.volumes.pods_with(one)[slot] == used[one]
                assert view.volumes.attached(one)[slot] == (one in attached)

    @invariant()
    def limits_are_those_of_the_drivers(self) -> None:
        for name in self.nodes:
            (slot,) = self.cache.view.rows_named(name)
            limits = self.csi_nodes[name].limits if name in self.csi_nodes else {}
            for driver in ALL_DRIVERS:
                column = self.cache.view.volumes.limit(driver)
                assert (NO_LIMIT if column is None else column[slot]) == limits.get(driver, NO_LIMIT)

    @invariant()
    def claims_and_disks_in_use_are_known(self) -> None:
        view = self.cache.view
        there = [(pod_volumes(placed), on) for placed, on in self.pods.values() if on in self.nodes]
        mentioned = {use.key for volumes, _ in there for use in volumes.claims if use.owner is None}
        assert {f"default/c{i}" for i in range(4) if view.volumes.is_used(f"default/c{i}")} == mentioned
        for disk in {disk for volumes, _ in there for disk in disks_of(volumes)}:
            for name in self.nodes:
                count = sum(list(disks_of(volumes)).count(disk) for volumes, on in there if on == name)
                assert view.volumes.disk_users(disk)[view.rows_named(name)[0]] == count

    @invariant()
    def what_is_left_without_a_pod_is_what_would_be_counted(self) -> None:
        view = self.cache.view
        for key, (placed, on) in list(self.pods.items())[:1]:
            if on not in self.nodes:
                continue
            slots, less = np.array(view.rows_named(on)), np.array([-1])
            without = WhatIf(view, slots, Copies(self.cache.pod_info(placed), less)).volumes
            del self.pods[key]
            used, attached = self.used_on(on), self.attached_to(on)
            self.pods[key] = placed, on
            for driver in ALL_DRIVERS:
                expected = len({volume for volume in used.keys() | attached if volume.driver == driver})
                assert without.count(driver).tolist() == [expected]


TestEvents = Events.TestCase
TestEvents.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
