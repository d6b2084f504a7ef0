"""The manifests in deploy/rebalance-spot: they fit together, fit the command, and grant no more than they say."""

from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from roost import __version__
from roost.cli.main import app
from roost.cli.rebalance_spot import LEASE

FOLDER = Path(__file__).parents[2] / "deploy" / "rebalance-spot"


def one(name: str, kind: str) -> dict[str, Any]:
    (found,) = (d for d in yaml.safe_load_all((FOLDER / name).read_text()) if d["kind"] == kind)
    return dict(found)


@pytest.fixture(scope="module")
def deployment() -> dict[str, Any]:
    return one("deployment.yaml", "Deployment")


@pytest.fixture(scope="module")
def container(deployment: dict[str, Any]) -> dict[str, Any]:
    (found,) = deployment["spec"]["template"]["spec"]["containers"]
    return dict(found)


def test_every_manifest_is_listed() -> None:
    kustomization = one("kustomization.yaml", "Kustomization")
    assert set(kustomization["resources"]) == {file.name for file in FOLDER.iterdir()} - {"kustomization.yaml"}
    assert kustomization["images"] == [{"name": "roost", "newTag": __version__}]


def test_the_roles_grant_what_is_needed_and_no_more() -> None:
    granted = {
        (group, resource, verb)
        for rule in one("rbac.yaml", "ClusterRole")["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert granted == {
        ("", "nodes", "get"), ("", "nodes", "list"), ("", "nodes", "patch"),
        ("", "pods", "get"), ("", "pods", "list"), ("", "pods/eviction", "create"),
        ("policy", "poddisruptionbudgets", "list"), ("events.k8s.io", "events", "create"),
    }  # fmt: skip


def test_the_lease_is_the_one_that_the_command_holds(container: dict[str, Any]) -> None:
    role = one("rbac.yaml", "Role")
    create, hold = role["rules"]
    assert "--leader-elect" in container["args"]
    assert role["metadata"]["namespace"] == "roost-system"
    assert (create["verbs"], create.get("resourceNames")) == (["create"], None)
    assert (hold["verbs"], hold["resourceNames"]) == (["get", "update"], [LEASE])


@pytest.mark.parametrize("kind", ["ClusterRoleBinding", "RoleBinding"])
def test_roles_are_bound_to_the_account_of_the_deployment(kind: str, deployment: dict[str, Any]) -> None:
    account = one("rbac.yaml", "ServiceAccount")["metadata"]
    subject = {"kind": "ServiceAccount", "name": account["name"], "namespace": account["namespace"]}
    assert one("rbac.yaml", kind)["subjects"] == [subject]
    assert deployment["spec"]["template"]["spec"]["serviceAccountName"] == account["name"]
    assert deployment["metadata"]["namespace"] == account["namespace"]


def test_the_arguments_are_ones_that_the_command_takes_and_change_nothing(container: dict[str, Any]) -> None:
    group: Any = typer.main.get_command(app)
    assert container["args"][:2] == ["rebalance", "spot"]
    parsed = group.commands["rebalance"].commands["spot"].make_context("spot", list(container["args"][2:])).params
    assert (parsed["apply"], parsed["every"], parsed["leader_elect"]) == (False, "10s", True)
    assert parsed["health_address"] == f"0.0.0.0:{container['ports'][0]['containerPort']}"
    assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": container["ports"][0]["name"]}


def test_the_container_has_no_privileges(container: dict[str, Any], deployment: dict[str, Any]) -> None:
    assert deployment["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
