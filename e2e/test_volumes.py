"""Pods with volumes on a real API server, whose claims are bound by the real PersistentVolume controller."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from e2e.cluster import Cluster, apply_manifest, fresh_cluster
from e2e.conftest import RoostRun, RunScheduler
from e2e.load import CORE, Object, pod_object, wait_until
from e2e.rig import ROOST_ACCOUNT, ControlPlane

RBAC_MANIFEST = Path(__file__).parents[1] / "deploy" / "base" / "rbac.yaml"
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
ZONE = "topology.kubernetes.io/zone"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
BINDER = "persistentvolume-binder-controller"


class Storage:
    """Classes, volumes and claims of one test; the names of what has no namespace are the test's own."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.stamp = cluster.namespace

    def class_(self, name: str, mode: str, provisioner: str = "kubernetes.io/no-provisioner") -> str:
        own = f"{name}-{self.stamp}"
        body = {"metadata": {"name": own}, "provisioner": provisioner, "volumeBindingMode": mode}
        self.cluster.api.create(CLASSES, {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", **body})
        return own

    def volume(self, name: str, class_name: str, zone: str, size: str = "1Gi", claim: str = "") -> str:
        own = f"{name}-{self.stamp}"
        in_zone = {"key": ZONE, "operator": "In", "values": [zone]}
        spec = {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": size},
            "hostPath": {"path": f"/tmp/{own}"},
            "storageClassName": class_name,
            "persistentVolumeReclaimPolicy": "Retain",
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [in_zone]}]}},
        }
        if claim:
            spec["claimRef"] = {"namespace": self.cluster.namespace, "name": claim}
        body = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": own}, "spec": spec}
        self.cluster.api.create(f"{CORE}/persistentvolumes", body)
        return own

    def claim(self, name: str, class_name: str, size: str = "1Gi") -> None:
        spec = {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": size}},
            "storageClassName": class_name,
        }
        body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}
        self.cluster.api.create(self._claims, body)

    def claim_now(self, name: str) -> Object:
        return self.cluster.api.get(f"{self._claims}/{name}")

    def selected_node(self, claim: str) -> str:
        return str((self.claim_now(claim)["metadata"].get("annotations") or {}).get(SELECTED_NODE, ""))

    def select_no_node(self, claim: str) -> None:
        """Give up on a claim as a provisioner does that cannot make its volume."""
        self.cluster.api.patch(f"{self._claims}/{claim}", {"metadata": {"annotations": {SELECTED_NODE: None}}})

    def pod(self, name: str, claims: Sequence[str], **shape: Any) -> None:
        body = pod_object(name, namespace=self.cluster.namespace, **shape)
        body["spec"]["volumes"] = [{"name": c, "persistentVolumeClaim": {"claimName": c}} for c in claims]
        self.cluster.api.create(self.cluster.pods_path, body)

    def until_available(self, *volumes: str) -> None:
        for name in volumes:
            self._until(f"{CORE}/persistentvolumes/{name}", "Available")

    def until_bound(self, claim: str) -> None:
        self._until(f"{self._claims}/{claim}", "Bound")

    def _until(self, path: str, phase: str) -> None:
        wait_until(lambda: self.cluster.api.get(path).get("status", {}).get("phase") == phase, f"{path} is {phase}")

    @property
    def _claims(self) -> str:
        return f"{CORE}/namespaces/{self.cluster.namespace}/persistentvolumeclaims"


@pytest.fixture(scope="module")
def binding_control_plane(control_plane: ControlPlane) -> ControlPlane:
    """A control plane with the controller that binds volumes and claims."""
    if not (control_plane.assets / "kube-controller-manager").exists():
        pytest.skip(f"kube-controller-manager missing in {control_plane.assets}")
    control_plane.start_controller_manager([BINDER])
    return control_plane


@pytest.fixture
def storage(binding_control_plane: ControlPlane, cluster: Cluster) -> Storage:
    """Two nodes in each of three zones."""
    for zone in "abc":
        cluster.create_node(f"{zone}1", labels={ZONE: zone})
        cluster.create_node(f"{zone}2", labels={ZONE: zone})
    return Storage(cluster)


def test_a_claim_is_bound_where_its_first_pod_goes_and_the_next_pod_follows_it(
    storage: Storage, run_scheduler: RunScheduler
) -> None:
    cluster, waiting = storage.cluster, storage.class_("waiting", "WaitForFirstConsumer")
    small, large = storage.volume("small", waiting, "b", "1Gi"), storage.volume("large", waiting, "b", "9Gi")
    storage.until_available(small, large)
    storage.claim("data", waiting)
    storage.pod("first", ["data"])
    run_scheduler()
    cluster.wait_until_bound("first")
    storage.pod("second", ["data"], cpu="3950m")
    storage.pod("third", ["data"], cpu="3950m")
    cluster.wait_until_bound("second")
    cluster.wait_for_condition("third", "Unschedulable")

    assert cluster.node_of("first")[0] == cluster.node_of("second")[0] == "b"
    assert storage.claim_now("data")["spec"]["volumeName"] == small
    assert storage.claim_now("data")["status"]["phase"] == "Bound"
    assert "4 node(s) didn't match PersistentVolume's node affinity" in cluster.condition("third")["message"]


def test_pods_that_come_together_get_a_volume_each_or_are_told_that_there_is_none(
    storage: Storage, run_scheduler: RunScheduler
) -> None:
    cluster, waiting = storage.cluster, storage.class_("waiting", "WaitForFirstConsumer")
    storage.until_available(*(storage.volume(f"in-{zone}", waiting, zone) for zone in "abc"))
    for i in range(4):
        storage.claim(f"data-{i}", waiting)
        storage.pod(f"web-{i}", [f"data-{i}"])
    run_scheduler()
    cluster.wait_for_bindings(3)
    (left,) = {f"web-{i}" for i in range(4)} - cluster.placements().keys()
    condition = cluster.wait_for_condition(left, "Unschedulable")

    assert sorted(node[0] for node in cluster.placements().values()) == ["a", "b", "c"]
    assert condition["message"].startswith(
        "0/6 nodes are available: 6 node(s) didn't find available persistent volumes to bind."
    )
    storage.volume("one-more", waiting, "c")
    cluster.wait_until_bound(left)


def test_a_volume_that_is_bound_already_draws_its_pods_to_its_zone(
    storage: Storage, run_scheduler: RunScheduler
) -> None:
    cluster, immediate = storage.cluster, storage.class_("immediate", "Immediate")
    storage.volume("in-c", immediate, "c")
    storage.claim("data", immediate)
    storage.until_bound("data")
    storage.pod("web", ["data"])
    run_scheduler()
    cluster.wait_until_bound("web")
    assert cluster.node_of("web")[0] == "c"


@pytest.mark.parametrize(
    ("claimed", "told"),
    [
        pytest.param(False, 'persistentvolumeclaim "data" not found', id="there is no such claim"),
        pytest.param(True, "pod has unbound immediate PersistentVolumeClaims", id="nothing is bound to the claim"),
    ],
)
def test_a_pod_whose_claim_cannot_be_used_is_told_so_and_woken_when_it_can(
    storage: Storage, run_scheduler: RunScheduler, claimed: bool, told: str
) -> None:
    cluster, immediate = storage.cluster, storage.class_("immediate", "Immediate")
    if claimed:
        storage.claim("data", immediate)
    storage.pod("web", ["data"])
    run_scheduler()
    condition = cluster.wait_for_condition("web", "Unschedulable")
    assert condition["message"].startswith(f"0/6 nodes are available: {told}.")
    if not claimed:
        storage.claim("data", immediate)
    storage.volume("in-a", immediate, "a")
    cluster.wait_until_bound("web")
    assert cluster.node_of("web")[0] == "a"


def test_a_pod_whose_volume_could_not_be_made_is_tried_again(storage: Storage, run_scheduler: RunScheduler) -> None:
    """The test stands in for the provisioner: it gives up once, then makes the volume."""
    cluster, made = storage.cluster, storage.class_("made", "WaitForFirstConsumer", "example.com/nobody")
    storage.claim("data", made)
    storage.pod("web", ["data"], cpu="3")
    run_scheduler()
    wait_until(lambda: bool(storage.selected_node("data")), "the claim has a node")
    storage.select_no_node("data")
    cluster.wait_for_events("FailedScheduling", 1)
    wait_until(lambda: bool(storage.selected_node("data")), "the claim has a node again")
    assert not cluster.node_of("web")
    storage.volume("made", made, storage.selected_node("data")[0], claim="data")
    cluster.wait_until_bound("web")

    assert cluster.node_of("web") == storage.selected_node("data")
    (event,) = cluster.events("FailedScheduling", "web")
    assert event["note"] == (
        'running PreBind plugin "VolumeBinding": binding volumes: provisioning failed for PVC "data"'
    )


def test_the_room_of_a_pod_whose_volume_is_not_made_in_time_is_given_back(
    storage: Storage, roost_run: RoostRun, tmp_path: Path
) -> None:
    cluster, made = storage.cluster, storage.class_("made", "WaitForFirstConsumer", "example.com/nobody")
    config = tmp_path / "scheduler.yaml"
    config.write_text(
        "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"
        "profiles: [{schedulerName: roost, pluginConfig: [{name: VolumeBinding, args: {bindTimeoutSeconds: 2}}]}]\n"
    )
    storage.claim("data", made)
    storage.pod("web", ["data"], cpu="3")
    roost_run(cluster.control_plane.kubeconfig_for("admin"), "--config", str(config))
    wait_until(lambda: bool(storage.selected_node("data")), "the claim has a node")
    cluster.wait_for_events("FailedScheduling", 1)
    cluster.api.delete(f"{cluster.pods_path}/web")
    for i in range(6):
        cluster.create_pod(f"large-{i}", cpu="4")
    cluster.wait_for_bindings(6)
    event = cluster.events("FailedScheduling", "web")[0]
    assert event["note"] == 'running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded'


@pytest.fixture
def guarded(rbac_control_plane: ControlPlane, request: pytest.FixtureRequest) -> Storage:
    """A cluster that asks its roles, with the roles of the manifest."""
    if not (rbac_control_plane.assets / "kube-controller-manager").exists():
        pytest.skip(f"kube-controller-manager missing in {rbac_control_plane.assets}")
    rbac_control_plane.start_controller_manager([BINDER])
    apply_manifest(rbac_control_plane.api, RBAC_MANIFEST)
    cluster = fresh_cluster(rbac_control_plane, request.node.name)
    cluster.create_node("a1", labels={ZONE: "a"})
    return Storage(cluster)


def test_the_roles_in_deploy_are_enough_to_bind_volumes(roost_run: RoostRun, guarded: Storage) -> None:
    cluster, waiting = guarded.cluster, guarded.class_("waiting", "WaitForFirstConsumer")
    made = guarded.class_("made", "WaitForFirstConsumer", "example.com/nobody")
    guarded.until_available(guarded.volume("in-a", waiting, "a"))
    guarded.claim("found", waiting)
    guarded.claim("made", made)
    guarded.pod("one", ["found"])
    guarded.pod("two", ["made"])
    roost_run(cluster.control_plane.kubeconfig_for(ROOST_ACCOUNT))
    cluster.wait_until_bound("one")
    wait_until(lambda: guarded.selected_node("made") == "a1", "the claim has a node")
    assert not cluster.control_plane.audit.refused(ROOST_ACCOUNT)
