"""The manifests in deploy/: they fit together, fit the command, and grant no more than they say."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from roost import __version__
from roost.config.configuration import Configuration
from roost.config.load import load_configuration
from roost.config.profiles import build_profiles
from roost.scheduler.further_kinds import FURTHER_KINDS

BASE = Path(__file__).parents[2] / "deploy" / "base"


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((BASE / name).read_text()))


def one(name: str, kind: str, object_name: str = "") -> dict[str, Any]:
    (found,) = (d for d in documents(name) if d["kind"] == kind and object_name in ("", d["metadata"]["name"]))
    return found


@pytest.fixture(scope="module")
def configuration() -> Configuration:
    return load_configuration(one("configmap.yaml", "ConfigMap")["data"]["config.yaml"])


@pytest.fixture(scope="module")
def deployment() -> dict[str, Any]:
    return one("deployment.yaml", "Deployment")


@pytest.fixture(scope="module")
def container(deployment: dict[str, Any]) -> dict[str, Any]:
    (found,) = deployment["spec"]["template"]["spec"]["containers"]
    return dict(found)


def test_every_manifest_is_listed() -> None:
    (kustomization,) = documents("kustomization.yaml")
    assert set(kustomization["resources"]) == {file.name for file in BASE.iterdir()} - {"kustomization.yaml"}
    assert kustomization["images"] == [{"name": "roost", "newTag": __version__}]


def test_the_configuration_is_one_that_roost_takes(configuration: Configuration) -> None:
    (profile,) = build_profiles(configuration)
    assert profile.scheduler_name == "roost"
    assert configuration.leader_election.leader_elect


def test_the_roles_grant_what_is_needed_and_no_more() -> None:
    rules = one("rbac.yaml", "ClusterRole", "roost-scheduler")["rules"]
    granted = {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    reads = {("", resource, verb) for resource in ("nodes", "pods") for verb in ("get", "list", "watch")}
    writes = {("", "pods/binding", "create"), ("", "pods/status", "patch"), ("", "pods", "delete")}
    events = {("events.k8s.io", "events", verb) for verb in ("create", "patch")}
    further = {(f.kind.group, f.kind.plural, verb) for f in FURTHER_KINDS for verb in ("list", "watch")}
    binds_volumes = {("", f"persistentvolume{kind}", verb) for kind in ("s", "claims") for verb in ("get", "patch")}
    assert granted == reads | further | binds_volumes | writes | events


def test_the_lease_is_the_one_that_the_configuration_asks_for(configuration: Configuration) -> None:
    election = configuration.leader_election
    role = one("rbac.yaml", "Role")
    create, hold = role["rules"]
    assert role["metadata"]["namespace"] == election.resource_namespace
    assert (create["verbs"], create.get("resourceNames")) == (["create"], None)
    assert (hold["verbs"], hold["resourceNames"]) == (["get", "update"], [election.resource_name])


@pytest.mark.parametrize("kind", ["ClusterRoleBinding", "RoleBinding"])
def test_roles_are_bound_to_the_account_of_the_deployment(kind: str, deployment: dict[str, Any]) -> None:
    account = one("rbac.yaml", "ServiceAccount")["metadata"]
    subject = {"kind": "ServiceAccount", "name": account["name"], "namespace": account["namespace"]}
    assert one("rbac.yaml", kind)["subjects"] == [subject]
    assert deployment["spec"]["template"]["spec"]["serviceAccountName"] == account["name"]
    assert deployment["metadata"]["namespace"] == account["namespace"]


def test_the_probes_ask_where_health_is_served(container: dict[str, Any]) -> None:
    address = container["args"][container["args"].index("--health-address") + 1]
    (port,) = container["ports"]
    assert address == f"0.0.0.0:{port['containerPort']}"
    probes = {name: container[name]["httpGet"] for name in ("livenessProbe", "readinessProbe")}
    assert probes == {
        "livenessProbe": {"path": "/livez", "port": port["name"]},
        "readinessProbe": {"path": "/readyz", "port": port["name"]},
    }


def test_the_configuration_is_mounted_where_the_command_looks(
    container: dict[str, Any], deployment: dict[str, Any]
) -> None:
    path = Path(container["args"][container["args"].index("--config") + 1])
    (mount,) = container["volumeMounts"]
    (volume,) = deployment["spec"]["template"]["spec"]["volumes"]
    config_map = one("configmap.yaml", "ConfigMap")
    assert (str(path.parent), volume["name"]) == (mount["mountPath"], mount["name"])
    assert volume["configMap"]["name"] == config_map["metadata"]["name"]
    assert path.name in config_map["data"]


def test_the_container_has_no_privileges(container: dict[str, Any], deployment: dict[str, Any]) -> None:
    pod = deployment["spec"]["template"]["spec"]["securityContext"]
    assert pod["runAsNonRoot"]
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    dockerfile = (BASE.parents[1] / "Dockerfile").read_text()
    assert f"USER {pod['runAsUser']}:{pod['runAsGroup']}" in dockerfile
