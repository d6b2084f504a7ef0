"""Roost with no more rights than its manifests give it."""

from pathlib import Path

import pytest

from e2e.cluster import Cluster, apply_manifest, fresh_cluster, more_than_once
from e2e.conftest import RoostRun
from e2e.rig import NOBODY, ROOST_ACCOUNT, ControlPlane

RBAC_MANIFEST = Path(__file__).parents[1] / "deploy" / "base" / "rbac.yaml"
PODS = 300


@pytest.fixture
def guarded(rbac_control_plane: ControlPlane, request: pytest.FixtureRequest) -> Cluster:
    """A cluster that asks its roles, with the roles of the manifest."""
    apply_manifest(rbac_control_plane.api, RBAC_MANIFEST)
    return fresh_cluster(rbac_control_plane, request.node.name)


def test_the_roles_in_deploy_are_enough_to_schedule_and_to_explain(roost_run: RoostRun, guarded: Cluster) -> None:
    guarded.create_nodes(30)
    guarded.create_pods(PODS)
    guarded.create_pod("impossible", cpu="1000")
    roost_run(guarded.control_plane.kubeconfig_for(ROOST_ACCOUNT))
    guarded.wait_for_bindings(PODS)
    guarded.wait_for_condition("impossible", "Unschedulable")
    guarded.wait_for_events("Scheduled", PODS)
    guarded.wait_for_events("FailedScheduling", 1)

    assert len(guarded.placements()) == PODS
    assert not more_than_once(guarded.binds.accepted())
    assert not guarded.overfull_nodes()
    assert not guarded.control_plane.audit.refused(ROOST_ACCOUNT)
    assert any(entry.user == ROOST_ACCOUNT for entry in guarded.control_plane.audit.entries())


def test_without_rights_the_command_ends_with_one_sentence(roost_run: RoostRun, guarded: Cluster) -> None:
    guarded.create_nodes(1)
    run = roost_run(guarded.control_plane.kubeconfig_for(NOBODY))
    assert run.wait(60) == 1
    text = run.log_text()
    assert "Traceback" not in text
    assert "forbidden" in text.splitlines()[-1].lower() or NOBODY in text.splitlines()[-1]
