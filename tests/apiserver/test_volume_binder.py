"""The stand-in that binds claims and volumes, by itself and with the live loop."""

import asyncio
from typing import Any

import pytest
from tests.apiserver.building import NOW, Time, new_store, pod
from tests.scheduler.live import running, until
from tests.scheduler.virtual_time import in_virtual_time

from roost.apiserver.in_process import InProcessCluster
from roost.apiserver.resources import NODE, POD
from roost.apiserver.standins import all_standins, run_standins, settle
from roost.apiserver.standins.volume_binder import CLAIM, CLASS, VOLUME
from roost.apiserver.store import Object, Store
from roost.config.profiles import default_profile

ZONE = "topology.kubernetes.io/zone"
SELECTED = {"volume.kubernetes.io/selected-node": "b"}


def world(*, mode: str = "Immediate", provisioner: str = "kubernetes.io/no-provisioner", time: Any = None) -> Store:
    """Two zones with a node each, and a class."""
    store = new_store() if time is None else Store(time)
    for zone in "ab":
        labels = {ZONE: f"zone-{zone}", "kubernetes.io/hostname": zone}
        allocatable = {"cpu": "4", "memory": "8Gi", "pods": "110"}
        store.create(NODE, {"metadata": {"name": zone, "labels": labels}, "status": {"allocatable": allocatable}})
    store.create(CLASS, {"metadata": {"name": "c"}, "provisioner": provisioner, "volumeBindingMode": mode})
    return store


def add_volume(store: Store, name: str, size: str = "1Gi", zone: str = "", **spec: Any) -> None:
    if zone:
        term = {"matchExpressions": [{"key": ZONE, "operator": "In", "values": [zone]}]}
        spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [term]}}
    spec = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": size}, "storageClassName": "c", **spec}
    store.create(VOLUME, {"metadata": {"name": name}, "spec": spec})


def add_claim(store: Store, size: str = "1Gi", annotations: Object | None = None, name: str = "data") -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, "storageClassName": "c"}
    store.create(CLAIM, {"metadata": {"name": name, "annotations": annotations or {}}, "spec": spec}, "default")


def bound_to(store: Store) -> str:
    claim = store.get(CLAIM, "data", "default").object
    name = str(claim["spec"].get("volumeName", ""))
    assert claim["status"]["phase"] == ("Bound" if name else "Pending")
    assert ("pv.kubernetes.io/bind-completed" in claim["metadata"]["annotations"]) == bool(name)
    return name


def phases(store: Store) -> dict[str, str]:
    return {item.name: item.object["status"]["phase"] for item in store.all(VOLUME)}


def test_the_smallest_volume_that_fits_is_bound() -> None:
    store = world()
    for name, size in (("large", "9Gi"), ("small", "1Gi"), ("fitting", "3Gi")):
        add_volume(store, name, size)
    add_claim(store, "2Gi")
    settle(store, NOW, all_standins())
    assert bound_to(store) == "fitting"
    assert phases(store) == {"large": "Available", "small": "Available", "fitting": "Bound"}


def test_a_class_that_waits_leaves_the_choice_to_the_scheduler() -> None:
    store = world(mode="WaitForFirstConsumer")
    add_volume(store, "v")
    add_claim(store)
    settle(store, NOW, all_standins())
    assert bound_to(store) == ""
    assert phases(store) == {"v": "Available"}


def test_a_volume_that_names_a_claim_is_bound_to_it() -> None:
    store = world(mode="WaitForFirstConsumer")
    add_volume(store, "free")
    add_volume(store, "kept", claimRef={"namespace": "default", "name": "data"})
    add_claim(store)
    settle(store, NOW, all_standins())
    assert bound_to(store) == "kept"


@pytest.mark.parametrize(
    ("mode", "annotations", "place"),
    [
        pytest.param("Immediate", None, None, id="at once, for everywhere"),
        pytest.param("WaitForFirstConsumer", SELECTED, "zone-b", id="for the zone of the selected node"),
    ],
)
def test_a_volume_is_made_to_order(mode: str, annotations: Object | None, place: str | None) -> None:
    store = world(mode=mode, provisioner="example.com/maker")
    add_claim(store, "5Gi", annotations)
    settle(store, NOW, all_standins())
    made = store.get(VOLUME, bound_to(store)).object["spec"]
    assert made["capacity"] == {"storage": "5Gi"}
    terms = made.get("nodeAffinity", {}).get("required", {}).get("nodeSelectorTerms")
    assert (terms and terms[0]["matchExpressions"][0]["values"]) == (place and [place])


def test_a_volume_whose_claim_is_gone_is_released() -> None:
    store = world()
    add_volume(store, "v")
    add_claim(store)
    settle(store, NOW, all_standins())
    store.delete(CLAIM, "data", "default")
    settle(store, NOW, all_standins())
    assert phases(store) == {"v": "Released"}


@pytest.mark.parametrize(
    "provisioner",
    [
        pytest.param("kubernetes.io/no-provisioner", id="with a volume that is there"),
        pytest.param("example.com/maker", id="with a volume that is made"),
    ],
)
@in_virtual_time
async def test_pods_follow_their_volume_into_its_zone(provisioner: str) -> None:
    loop = asyncio.get_running_loop()
    store = world(mode="WaitForFirstConsumer", provisioner=provisioner, time=Time(loop.time() + NOW))
    if provisioner.startswith("kubernetes.io"):
        add_volume(store, "v", zone="zone-b")
    add_claim(store)
    cluster = InProcessCluster(store)
    standins = asyncio.create_task(run_standins(store))
    claims = {"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]}
    asking = {"name": "app", "image": "x", "resources": {"requests": {"cpu": "1"}}}

    def nodes() -> list[str]:
        return [str(item.object["spec"].get("nodeName", "")) for item in store.all(POD)]

    async with running(cluster, [default_profile("default-scheduler")]):  # type: ignore[arg-type]
        store.create(POD, pod("first", containers=[asking], spec=claims), "default")
        await until(lambda: all(nodes()))
        store.create(POD, pod("second", containers=[asking], spec=claims), "default")
        await until(lambda: all(nodes()))
    standins.cancel()
    assert len(set(nodes())) == 1
    assert bound_to(store) != ""
