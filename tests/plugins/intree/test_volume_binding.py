from typing import Any

import msgspec
import pytest
from tests.plugins.intree.volume_world import THREE_ZONES, ZONE, cache_of, reasons, rejected_now, rejections

from roost.api.meta import KubernetesObject
from roost.api.storage import SELECTED_NODE, CSIDriver, CSIStorageCapacity
from roost.errors import ConfigError
from roost.framework.plugin import Context
from roost.framework.status import SKIP, Code
from roost.plugins.intree.volume_binding import VolumeBinding, VolumeBindingArgs
from roost.testing import node, pod
from roost.testing.storage import claim, csi_node, storage_class, using, volume

MADE = storage_class("made", provisioner="driver")
OWNER = {"ownerReferences": [{"uid": "pod", "controller": True}]}
NODE_CONFLICT = "node(s) didn't match PersistentVolume's node affinity"
NOTHING = "node(s) didn't find available persistent volumes to bind"
NO_ROOM = "node(s) did not have enough free storage"


def fits(storage: list[KubernetesObject], judged: Any = None) -> set[str]:
    rejected = rejections(VolumeBinding(), using("data") if judged is None else judged, storage)
    assert all(status.code is Code.UnschedulableAndUnresolvable for status in rejected.values())
    return {"a", "b", "c"} - rejected.keys()


def capacity(zone: str | None, **fields: Any) -> CSIStorageCapacity:
    topology = None if zone is None else {"matchLabels": {ZONE: zone}} if zone else {}
    of = {"storageClassName": "made", "nodeTopology": topology}
    return msgspec.convert({"metadata": {"name": f"c-{zone}", "namespace": "x"}, **of, **fields}, CSIStorageCapacity)


def driver(tells: bool | None) -> CSIDriver:
    return msgspec.convert({"metadata": {"name": "driver"}, "spec": {"storageCapacity": tells}}, CSIDriver)


# ---- before any node is judged


@pytest.mark.parametrize(
    ("judged", "storage", "message"),
    [
        pytest.param(using("data"), [], 'persistentvolumeclaim "data" not found', id="no claim"),
        pytest.param(
            using("data"), [claim(volume="v", phase="Lost")],
            'persistentvolumeclaim "data" bound to non-existent persistentvolume "v"', id="its volume is lost",
        ),
        pytest.param(
            using("data"), [claim(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})],
            'persistentvolumeclaim "data" is being deleted', id="it is being deleted",
        ),
        pytest.param(
            using("data"), [claim(), storage_class(mode="Immediate")],
            "pod has unbound immediate PersistentVolumeClaims", id="it is to be bound at once, and is not",
        ),
        pytest.param(
            using("data"), [claim()], "pod has unbound immediate PersistentVolumeClaims", id="its class is not there"
        ),
        pytest.param(
            using("data"), [claim(volume="v", bound=False), storage_class()],
            "pod has unbound immediate PersistentVolumeClaims", id="it names a volume and is not bound yet",
        ),
        pytest.param(
            using(ephemeral=["tmp"]), [],
            'waiting for ephemeral volume controller to create the persistentvolumeclaim "pod-tmp"',
            id="it is yet to be made for the pod",
        ),
        pytest.param(
            using(ephemeral=["tmp"]), [claim("pod-tmp")],
            "PVC default/pod-tmp was not created for pod default/pod (pod is not owner)", id="it is not the pod's own",
        ),
    ],
)  # fmt: skip
def test_a_pod_whose_claim_cannot_be_used_is_rejected_at_once(
    judged: Any, storage: list[KubernetesObject], message: str
) -> None:
    rejected = rejections(VolumeBinding(), judged, storage)
    assert {status.message for status in rejected.values()} == {message}
    assert {status.code for status in rejected.values()} == {Code.UnschedulableAndUnresolvable}
    assert len(rejected) == 3


def test_pods_without_claims_are_skipped() -> None:
    cache = cache_of(THREE_ZONES)
    judged = using(disks=[{"emptyDir": {}}, {"iscsi": {"iqn": "q"}}])
    assert VolumeBinding().pre_filter(Context(), cache.pod_info(judged), cache.view) is SKIP


# ---- bound claims


@pytest.mark.parametrize(
    ("found", "where"),
    [
        pytest.param(volume("v"), {"a", "b", "c"}, id="a volume for all nodes"),
        pytest.param(volume("v", reach={ZONE: ["a", "c"]}), {"a", "c"}, id="a volume in two zones"),
        pytest.param(volume("v", reach={ZONE: "x"}), set(), id="a volume that no node can reach"),
        pytest.param(volume("v", reach={ZONE: ["a", "b"], "kubernetes.io/hostname": "b"}), {"b"}, id="two labels"),
        pytest.param(
            volume("v", spec={"nodeAffinity": {"required": {"nodeSelectorTerms": [
                {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["a"]}]}]}}}),
            {"a", "b", "c"}, id="names of nodes are passed over",
        ),
        pytest.param(volume("v", spec={"nodeAffinity": {"required": {"nodeSelectorTerms": []}}}), set(), id="no term"),
        pytest.param(volume("v", reach={ZONE: ["not legal"]}), set(), id="a requirement that cannot be read"),
    ],
)  # fmt: skip
def test_a_bound_volume_must_be_within_reach(found: KubernetesObject, where: set[str]) -> None:
    assert fits([found, claim(volume="v")]) == where


def test_each_node_is_told_all_that_is_in_the_way() -> None:
    taken = volume("v", reach={ZONE: "a"}, phase="Bound")
    storage = [storage_class(), taken, claim("bound", volume="v"), claim("free")]
    assert reasons(rejections(VolumeBinding(), using("bound", "free"), storage)) == {
        "a": (NOTHING,), "b": (NODE_CONFLICT, NOTHING), "c": (NODE_CONFLICT, NOTHING),
    }  # fmt: skip


def test_a_volume_that_is_gone_is_only_the_first_thing_to_be_found() -> None:
    storage = [
        volume("v", reach={ZONE: "a"}), claim("pod-one", volume="v", metadata=OWNER),
        claim("pod-two", volume="gone", metadata=OWNER),
    ]  # fmt: skip
    missing = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"
    assert reasons(rejections(VolumeBinding(), using(ephemeral=["one", "two"]), storage)) == {
        "a": (missing,), "b": (NODE_CONFLICT,), "c": (NODE_CONFLICT,),
    }  # fmt: skip


def test_where_a_driver_took_a_plugin_over_its_label_says_the_zone() -> None:
    nodes = [
        node("kept", labels={ZONE: "a"}),
        node("taken", labels={ZONE: "a"}),
        node("far", labels={"topology.gke.io/zone": "a"}),
    ]
    old = volume("v", reach={ZONE: "a"}, spec={"gcePersistentDisk": {"pdName": "d"}})
    taken_over = [csi_node(name, migrated=["kubernetes.io/gce-pd"]) for name in ("taken", "far")]
    storage = [old, claim(volume="v"), *taken_over]
    assert rejections(VolumeBinding(), using("data"), storage, nodes=nodes).keys() == {"taken"}


# ---- claims that wait for the decision


@pytest.mark.parametrize(
    ("wanted", "there", "where"),
    [
        pytest.param(claim(), volume("v", reach={ZONE: "b"}), {"b"}, id="a volume in a zone"),
        pytest.param(claim(storage="2Gi"), volume("v"), set(), id="too small"),
        pytest.param(claim(storage="1000Mi"), volume("v"), {"a", "b", "c"}, id="larger than need be"),
        pytest.param(claim(storage=None), volume("v"), {"a", "b", "c"}, id="no size at all"),
        pytest.param(claim(), volume("v", storage_class="other"), set(), id="of another class"),
        pytest.param(
            claim(metadata={"annotations": {"volume.beta.kubernetes.io/storage-class": "waiting"}}, storage_class="x"),
            volume("v"), {"a", "b", "c"}, id="the class as it used to be written",
        ),
        pytest.param(claim(), volume("v", phase="Released"), set(), id="not available"),
        pytest.param(claim(), volume("v", metadata={"deletionTimestamp": "now"}), set(), id="being deleted"),
        pytest.param(claim(access_modes=["ReadWriteMany"]), volume("v"), set(), id="an access it does not have"),
        pytest.param(claim(access_modes=[]), volume("v"), {"a", "b", "c"}, id="no access in particular"),
        pytest.param(claim(spec={"volumeMode": "Block"}), volume("v"), set(), id="files, where blocks are wanted"),
        pytest.param(
            claim(spec={"volumeMode": "Block"}), volume("v", spec={"volumeMode": "Block"}), {"a", "b", "c"}, id="blocks"
        ),
        pytest.param(claim(spec={"volumeAttributesClassName": "gold"}), volume("v"), set(), id="other attributes"),
        pytest.param(claim(spec={"selector": {"matchLabels": {"k": "gold"}}}), volume("v"), set(), id="not selected"),
        pytest.param(
            claim(spec={"selector": {"matchLabels": {"k": "gold"}}}), volume("v", labels={"k": "gold"}),
            {"a", "b", "c"}, id="selected by its label",
        ),
        pytest.param(claim(), volume("v", claim="default/other"), set(), id="kept for another claim"),
        pytest.param(claim(), volume("v", claim="default/data", claim_uid="older"), set(), id="kept for one before"),
        pytest.param(
            claim(), volume("v", claim="default/data", phase="Pending"), {"a", "b", "c"}, id="kept for this claim"
        ),
        pytest.param(
            claim(), volume("v", claim="default/data", claim_uid="data", access_modes=[]), {"a", "b", "c"},
            id="kept for it, whatever its access",
        ),
        pytest.param(claim(storage="2Gi"), volume("v", claim="default/data"), set(), id="kept for it, but too small"),
    ],
)  # fmt: skip
def test_a_claim_is_met_where_a_volume_can_be_found(
    wanted: KubernetesObject, there: KubernetesObject, where: set[str]
) -> None:
    assert fits([storage_class(), wanted, there]) == where


def test_where_a_volume_is_kept_for_the_claim_no_other_will_do() -> None:
    kept = volume("kept", reach={ZONE: "b"}, claim="default/data")
    assert fits([storage_class(), claim(), kept, volume("free")]) == {"b"}


def test_two_claims_do_not_get_the_same_volume() -> None:
    volumes = [
        volume("in-a", reach={ZONE: "a"}),
        volume("in-b", reach={ZONE: "b"}),
        volume("also-b", reach={ZONE: "b"}),
    ]
    storage = [storage_class(), claim("one"), claim("two"), *volumes]
    assert fits(storage, using("one", "two")) == {"b"}


def test_the_small_claim_leaves_the_large_volume_to_the_large_one() -> None:
    volumes = [volume("large", storage="9Gi"), volume("small", storage="1Gi")]
    storage = [storage_class(), claim("large", storage="5Gi"), claim("small", storage="1Gi"), *volumes]
    assert fits(storage, using("large", "small")) == {"a", "b", "c"}


# ---- volumes that are yet to be made


@pytest.mark.parametrize(
    ("made_by", "where"),
    [
        pytest.param(MADE, {"a", "b", "c"}, id="anywhere"),
        pytest.param(storage_class("made"), set(), id="by nobody"),
        pytest.param(storage_class("made", provisioner=""), set(), id="by nobody that is named"),
        pytest.param(
            storage_class("made", provisioner="x", topologies=[{ZONE: ["a"]}, {ZONE: ["b"]}]), {"a", "b"}, id="in zones"
        ),
        pytest.param(
            storage_class("made", provisioner="x", topologies=[{ZONE: ["a"], "rack": ["1"]}]), set(), id="both labels"
        ),
        pytest.param(storage_class("made", provisioner="x", topologies=[{}]), set(), id="an empty term"),
    ],
)
def test_a_volume_can_be_made_where_the_class_allows_it(made_by: KubernetesObject, where: set[str]) -> None:
    assert fits([claim(storage_class="made"), made_by]) == where


@pytest.mark.parametrize(
    ("tells", "capacities", "where"),
    [
        pytest.param(True, [capacity("a", capacity="1Gi"), capacity("b", capacity="1023Mi")], {"a"}, id="room in a"),
        pytest.param(True, [capacity("a", capacity="9Gi", maximumVolumeSize="1Mi")], set(), id="no volume so large"),
        pytest.param(True, [capacity("a", maximumVolumeSize="1Gi")], {"a"}, id="as large as can be"),
        pytest.param(True, [capacity("a")], set(), id="it is not known how much"),
        pytest.param(True, [capacity(None, capacity="9Gi")], set(), id="it is not known where"),
        pytest.param(True, [capacity("", capacity="9Gi")], {"a", "b", "c"}, id="everywhere"),
        pytest.param(True, [], set(), id="nothing is known"),
        pytest.param(False, [], {"a", "b", "c"}, id="the driver does not tell"),
        pytest.param(None, [], {"a", "b", "c"}, id="the driver does not say whether it tells"),
    ],
)
def test_there_must_be_room_where_the_driver_tells(
    tells: bool | None, capacities: list[KubernetesObject], where: set[str]
) -> None:
    storage = [claim(storage_class="made"), MADE, driver(tells), *capacities]
    assert fits(storage) == where
    rejected = rejections(VolumeBinding(), using("data"), storage)
    assert {status.message for status in rejected.values()} <= {NO_ROOM}


def test_a_claim_without_a_size_needs_no_room() -> None:
    assert fits([claim(storage_class="made", storage=None), MADE, driver(True)]) == {"a", "b", "c"}


def test_a_claim_whose_node_is_selected_is_for_that_node() -> None:
    assert fits([claim(storage_class="made", node="b"), MADE]) == {"b"}
    assert fits([claim(storage_class="made", node="gone"), MADE]) == set()


def test_a_volume_is_made_only_where_none_is_found() -> None:
    made_in_a = storage_class(provisioner="x", topologies=[{ZONE: ["a"]}])
    assert fits([claim(), made_in_a, volume("v", reach={ZONE: "c"})]) == {"a", "c"}


# ---- what is noticed


def test_what_is_assumed_counts_for_the_next_pod() -> None:
    cache = cache_of(
        THREE_ZONES, [storage_class(), claim("one"), claim("two"), volume("in-a", reach={ZONE: "a"}),
        volume("in-b", reach={ZONE: "b"})],
    )  # fmt: skip
    first, plugin = cache.pod_info(using("one", name="first")), VolumeBinding()
    assert rejected_now(plugin, cache, using("two")).keys() == {"c"}
    cache.assume(first, "a")
    assert rejected_now(plugin, cache, using("two")).keys() == {"a", "c"}
    assert rejected_now(plugin, cache, using("one", name="other")).keys() == {"b", "c"}
    cache.forget(first)
    assert rejected_now(plugin, cache, using("two")).keys() == {"c"}


def test_a_claim_for_which_a_volume_is_to_be_made_is_for_the_node_of_its_first_pod() -> None:
    cache = cache_of(THREE_ZONES, [MADE, claim(storage_class="made")])
    cache.assume(cache.pod_info(using("data", name="first")), "b")
    assert rejected_now(VolumeBinding(), cache, using("data", name="second")).keys() == {"a", "c"}
    claimed = cache.view.storage.claim("default/data")
    assert claimed is not None
    assert claimed.annotations[SELECTED_NODE] == "b"


# ---- arguments


def test_a_negative_timeout_is_refused() -> None:
    with pytest.raises(ConfigError, match="bindTimeoutSeconds"):
        VolumeBinding(VolumeBindingArgs(bind_timeout_seconds=-1))


def test_pods_wait_for_ten_minutes_or_as_long_as_is_said() -> None:
    assert VolumeBinding().pre_bind_seconds == 600
    assert VolumeBinding(VolumeBindingArgs(bind_timeout_seconds=5)).pre_bind_seconds == 5


def test_only_pods_with_something_to_bind_are_prepared() -> None:
    cache = cache_of(THREE_ZONES, [MADE, claim(storage_class="made"), volume("v"), claim("bound", volume="v")])
    prepared = []
    for judged in (pod(), using("bound", name="one"), using("data", name="two")):
        info = cache.pod_info(judged)
        if judged.name == "pod":
            assert not VolumeBinding().prepares(info)
        cache.assume(info, "a")
        prepared.append(VolumeBinding().prepares(info))
    assert prepared == [False, False, True]
