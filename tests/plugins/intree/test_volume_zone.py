from typing import Any

import pytest
from tests.plugins.intree.volume_world import REGION, THREE_ZONES, ZONE, cache_of, rejections

from roost.framework.plugin import Context
from roost.framework.status import SKIP, Code
from roost.plugins.intree.volume_zone import VolumeZone
from roost.testing import node, pod
from roost.testing.storage import claim, storage_class, using, volume

OLD_ZONE, OLD_REGION = "failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region"


@pytest.mark.parametrize(
    ("labels", "fits"),
    [
        pytest.param({ZONE: "b"}, {"b"}, id="one zone"),
        pytest.param({ZONE: "a__c"}, {"a", "c"}, id="several zones"),
        pytest.param({ZONE: " a __ c "}, {"a", "c"}, id="zones with blanks around them"),
        pytest.param({ZONE: "a____c"}, {"a", "b", "c"}, id="a label that is no list of zones is passed over"),
        pytest.param({OLD_ZONE: "b"}, {"b"}, id="the older label is met by the newer one"),
        pytest.param({ZONE: "b", OLD_ZONE: "c"}, set(), id="both labels must be met"),
        pytest.param({REGION: "r"}, set(), id="a region that no node is in"),
        pytest.param({OLD_REGION: "r"}, set(), id="the older label of regions"),
        pytest.param({"kubernetes.io/hostname": "b"}, {"a", "b", "c"}, id="labels that say no zone"),
        pytest.param({ZONE: "elsewhere"}, set(), id="a zone without nodes"),
    ],
)
def test_a_volume_with_zone_labels_is_for_the_nodes_of_its_zones(labels: dict[str, str], fits: set[str]) -> None:
    rejected = rejections(VolumeZone(), using("data"), [volume("v", labels=labels), claim(volume="v")])
    assert {"a", "b", "c"} - rejected.keys() == fits
    for status in rejected.values():
        assert status.code is Code.UnschedulableAndUnresolvable
        assert status.message == "node(s) had no available volume zone"


def test_a_node_without_zone_labels_is_of_a_cluster_without_zones() -> None:
    nodes = [*THREE_ZONES, node("plain")]
    storage = [volume("v", labels={ZONE: "a"}), claim(volume="v")]
    assert rejections(VolumeZone(), using("data"), storage, nodes=nodes).keys() == {"b", "c"}


def test_a_node_with_the_older_label_is_judged_by_it() -> None:
    nodes = [node("old", labels={OLD_ZONE: "x", ZONE: "a"}), node("new", labels={ZONE: "a"})]
    storage = [volume("v", labels={OLD_ZONE: "a"}), claim(volume="v")]
    assert rejections(VolumeZone(), using("data"), storage, nodes=nodes).keys() == {"old"}


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        pytest.param([], 'persistentvolumeclaim "data" not found', id="no claim"),
        pytest.param([claim(volume="v")], 'persistentvolume "v" not found', id="no volume"),
        pytest.param(
            [claim(storage_class=None)], "PersistentVolumeClaim had no pv name and storageClass name", id="no class"
        ),
        pytest.param([claim()], 'storageclass.storage.k8s.io "waiting" not found', id="a class that is not there"),
        pytest.param(
            [claim(), storage_class(mode="Immediate")], "PersistentVolume had no name", id="not bound, and should be"
        ),
    ],
)
def test_what_cannot_be_told_is_said(storage: list[Any], message: str) -> None:
    rejected = rejections(VolumeZone(), using("data"), storage)
    assert {status.message for status in rejected.values()} == {message}


@pytest.mark.parametrize(
    "judged",
    [
        pytest.param(pod(), id="no volumes"),
        pytest.param(using("data"), id="a claim that waits for the decision"),
        pytest.param(using("plain"), id="a volume without labels"),
        pytest.param(using(ephemeral=["data"]), id="a claim that is made for the pod"),
    ],
)
def test_pods_without_volumes_in_zones_are_skipped(judged: Any) -> None:
    storage = [storage_class(), claim(), volume("v"), claim("plain", volume="v")]
    cache = cache_of(THREE_ZONES, storage)
    assert VolumeZone().pre_filter(Context(), cache.pod_info(judged), cache.view) is SKIP
