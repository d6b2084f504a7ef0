"""Volumes of plugins of old: the names and the zones by which the drivers know them."""

from typing import Any

import msgspec
import pytest

from roost.api.volumes import Volume
from roost.framework.csi_migration import VolumeId, migrated_affinity, migrated_id, plugin_of
from roost.testing.storage import volume

ZONE, OLD_ZONE = "topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"
REGION, OLD_REGION = "topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"
GCE: dict[str, Any] = {"gcePersistentDisk": {"pdName": "d"}}
GCE_DRIVER, AWS_DRIVER = "pd.csi.storage.gke.io", "ebs.csi.aws.com"


@pytest.mark.parametrize(
    ("source", "known_as"),
    [
        pytest.param(GCE, VolumeId(GCE_DRIVER, "projects/UNSPECIFIED/zones/UNSPECIFIED/disks/d"), id="Google's"),
        pytest.param({"awsElasticBlockStore": {"volumeID": "vol-1"}}, VolumeId(AWS_DRIVER, "vol-1"), id="Amazon's"),
        pytest.param(
            {"awsElasticBlockStore": {"volumeID": "aws://us-east-1a/vol-1"}}, VolumeId(AWS_DRIVER, "vol-1"),
            id="Amazon's, with its zone",
        ),
        pytest.param({"awsElasticBlockStore": {"volumeID": "aws://us-east-1a/disk"}}, None, id="no volume of Amazon's"),
        pytest.param({"azureDisk": {"diskURI": "u"}}, VolumeId("disk.csi.azure.com", "u"), id="Microsoft's"),
        pytest.param(
            {"azureDisk": {"diskURI": "u", "kind": "MANAGED"}}, VolumeId("disk.csi.azure.com", "u"), id="managed"
        ),
        pytest.param({"azureDisk": {"diskURI": "u", "kind": "Shared"}}, None, id="Microsoft's, not managed"),
        pytest.param({"cinder": {"volumeID": "c"}}, VolumeId("cinder.csi.openstack.org", "c"), id="OpenStack's"),
        pytest.param({"portworxVolume": {"volumeID": "p"}}, VolumeId("pxd.portworx.com", "p"), id="Portworx's"),
        pytest.param({"iscsi": {"iqn": "q"}}, None, id="nobody took it over"),
    ],
)  # fmt: skip
def test_a_volume_is_known_to_the_driver_that_took_its_plugin_over(source: Any, known_as: VolumeId | None) -> None:
    assert migrated_id(msgspec.convert(source, Volume)) == known_as


@pytest.mark.parametrize(
    ("label", "where"),
    [
        pytest.param("us-east1-b", "zones/us-east1-b", id="one zone"),
        pytest.param("us-east1-b__us-east1-c", "regions/us-east1", id="zones of one region"),
        pytest.param("us-east1-b__us-west1-c", None, id="zones of two regions"),
        pytest.param("b__c", None, id="zones that name no region"),
    ],
)
def test_a_disk_of_google_s_is_where_its_label_says(label: str, where: str | None) -> None:
    handle = where and VolumeId(GCE_DRIVER, f"projects/UNSPECIFIED/{where}/disks/d")
    for key in (ZONE, OLD_ZONE):
        of = volume(labels={key: label}, spec=GCE)
        assert migrated_id(of.spec, of.labels) == handle


@pytest.mark.parametrize(
    ("source", "reach", "labels", "after"),
    [
        pytest.param(GCE, {ZONE: "a"}, {}, {"topology.gke.io/zone": ("a",)}, id="a zone in the affinity"),
        pytest.param(GCE, {OLD_ZONE: "a"}, {}, {"topology.gke.io/zone": ("a",)}, id="as it used to be labelled"),
        pytest.param(
            GCE, {OLD_ZONE: "a", OLD_REGION: "r"}, {}, {"topology.gke.io/zone": ("a",), REGION: ("r",)}, id="a region"
        ),
        pytest.param(GCE, None, {ZONE: "b__a"}, {"topology.gke.io/zone": ("a", "b")}, id="zones on the volume"),
        pytest.param(
            GCE, {"rack": "1"}, {ZONE: "a"}, {"rack": ("1",), "topology.gke.io/zone": ("a",)}, id="zones besides a rack"
        ),
        pytest.param(GCE, None, {}, {}, id="no zone at all"),
        pytest.param(
            {"cinder": {"volumeID": "c"}}, {ZONE: "a"}, {}, {"topology.cinder.csi.openstack.org/zone": ("a",)},
            id="OpenStack's label",
        ),
        pytest.param({"azureDisk": {"diskURI": "u"}}, {ZONE: "a"}, {}, {ZONE: ("a",)}, id="no label of its own"),
    ],
)  # fmt: skip
def test_zones_are_told_in_the_driver_s_label(
    source: Any, reach: Any, labels: dict[str, str], after: dict[str, tuple[str, ...]]
) -> None:
    of = volume(reach=reach, labels=labels, spec=source)
    selector = migrated_affinity(of, plugin_of(of.spec) or "")
    terms = () if selector is None else selector.node_selector_terms or ()
    assert {r.key: r.values for term in terms for r in term.match_expressions or ()} == after
