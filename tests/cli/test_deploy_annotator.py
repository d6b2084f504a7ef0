"""The manifests in deploy/annotator: they fit together, fit the command, and grant no more than they say."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from roost import __version__
from roost.cli.annotate import annotate

BASE = Path(__file__).parents[2] / "deploy" / "annotator"
KINDS = ["allocation", "usage"]


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((BASE / name).read_text()))


def of_kind(kind: str, name: str) -> dict[str, Any]:
    (found,) = (one for one in documents("rbac.yaml") if (one["kind"], one["metadata"]["name"]) == (kind, name))
    return found


def test_every_manifest_is_listed() -> None:
    (kustomization,) = documents("kustomization.yaml")
    assert set(kustomization["resources"]) == {file.name for file in BASE.iterdir()} - {"kustomization.yaml"}
    assert kustomization["images"] == [{"name": "roost", "newTag": __version__}]


@pytest.mark.parametrize(
    ("what", "more"),
    [
        ("allocation", {("", "pods", verb) for verb in ("list", "watch")}),
        ("usage", {("metrics.k8s.io", "nodes", verb) for verb in ("get", "list")}),
    ],
)
def test_the_roles_grant_what_is_needed_and_no_more(what: str, more: set[tuple[str, str, str]]) -> None:
    granted = {
        (group, resource, verb)
        for rule in of_kind("ClusterRole", f"roost-annotate-{what}")["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert granted == {("", "nodes", verb) for verb in ("get", "list", "watch", "patch")} | more


@pytest.mark.parametrize("what", KINDS)
def test_each_annotator_has_an_account_of_its_own_and_no_privileges(what: str) -> None:
    (deployment,) = documents(f"{what}.yaml")
    name, spec = f"roost-annotate-{what}", deployment["spec"]["template"]["spec"]
    binding = of_kind("ClusterRoleBinding", name)
    account = {"kind": "ServiceAccount", "name": name, "namespace": deployment["metadata"]["namespace"]}
    assert (binding["roleRef"]["name"], binding["subjects"]) == (name, [account])
    assert of_kind("ServiceAccount", name)["metadata"]["namespace"] == account["namespace"]
    assert spec["serviceAccountName"] == name
    assert spec["securityContext"]["runAsNonRoot"]
    (container,) = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@pytest.mark.parametrize("what", KINDS)
def test_the_arguments_and_the_probes_are_ones_that_the_command_knows(what: str) -> None:
    (deployment,) = documents(f"{what}.yaml")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    program, name, *options = container["args"]
    assert (program, name) == ("annotate", what)
    get_command(annotate).commands[name].make_context(name, list(options))  # type: ignore[attr-defined]
    (port,) = container["ports"]
    assert options[options.index("--health-address") + 1] == f"0.0.0.0:{port['containerPort']}"
    assert {container[probe]["httpGet"]["port"] for probe in ("livenessProbe", "readinessProbe")} == {port["name"]}
