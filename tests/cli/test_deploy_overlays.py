"""The overlays in deploy/: one for every policy, weights that win, no privileges; the scripts that make runs."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from deploy.overlay import OVERLAYS, Object, Pod, build, pod_of

from roost import __version__
from roost.config.configuration import Configuration, Extender
from roost.config.default_plugins import DEFAULT_PLUGINS
from roost.config.extender_profile import extender_profile
from roost.config.load import load_configuration
from roost.config.profiles import build_profiles
from roost.extender.originals import manners_of
from roost.extender.paths import lay_out, plugins_of
from roost.extender.webhook import Webhook
from roost.framework.profile import Profile
from roost.plugins.registry import POLICIES

DEPLOY = OVERLAYS.parent
ROOT = DEPLOY.parent
NAMES = sorted(folder.name for folder in OVERLAYS.iterdir())
KUBECTL = str(Path(sys.executable).with_name("kubectl"))
CONFIG = "/my-scheduler/config.yaml"
BUILT_IN = 100 * sum(DEFAULT_PLUGINS.values())
"""The most that kube-scheduler's own scores can come to."""

ONE_LEVEL = {"spot-first": 10}
"""The least difference between two scores of an extender, where it is not 1."""

ALIKE = ("always-true", "foo")
"""Policies that score all nodes alike, so that no weight matters."""


@pytest.fixture(scope="module", params=NAMES)
def objects(request: pytest.FixtureRequest) -> list[Object]:
    return build(OVERLAYS / request.param, KUBECTL)


@pytest.fixture(scope="module")
def deployment(objects: list[Object]) -> Object:
    (found,) = (o for o in objects if o["kind"] == "Deployment")
    return found


@pytest.fixture(scope="module")
def pod(objects: list[Object]) -> Pod:
    return pod_of(objects)


@pytest.fixture
def configuration(pod: Pod) -> Configuration:
    return load_configuration(pod.files[CONFIG])


def served(pod: Pod) -> Iterator[tuple[int, Profile]]:
    """Yield port and policies of each extender."""
    for program in pod.extenders:
        words = dict(zip(program.words, program.words[1:], strict=False))
        config = words.get("--config")
        asked = load_configuration(pod.files[config]) if config else words["--policy"].split(",")
        yield int(program.env["HTTP_PORT"]), extender_profile(asked)


def points(extender: Extender, score: int) -> int:
    """Return what kube-scheduler makes of a score."""
    return score * extender.weight * 10


def test_every_policy_has_an_overlay() -> None:
    found = {
        plugin.name
        for name in NAMES
        for _, profile in served(pod_of(build(OVERLAYS / name, KUBECTL)))
        for plugin in plugins_of(profile)
    }
    assert found == set(POLICIES)


def test_the_scheduler_and_its_containers_have_the_names_that_users_know(
    deployment: Object, configuration: Configuration
) -> None:
    (profile,) = build_profiles(configuration)
    containers = {one["name"]: one for one in deployment["spec"]["template"]["spec"]["containers"]}
    scheduler = containers.pop("my-scheduler-ctr")
    assert (deployment["metadata"]["name"], profile.scheduler_name) == ("my-scheduler", "my-scheduler")
    assert scheduler["image"].partition(":")[0].endswith("/kube-scheduler")
    assert sorted(containers) == [f"my-extender-ctr-{number + 1}" for number in range(len(containers))]
    assert {one["image"] for one in containers.values()} == {f"roost:{__version__}"}
    assert [
        next(e["value"] for e in containers[name]["env"] if e["name"] == "HTTP_PORT") for name in sorted(containers)
    ] == (["8888"] if len(containers) == 1 else ["5401", "5402"])


def test_the_lease_is_its_own(objects: list[Object], configuration: Configuration) -> None:
    election = configuration.leader_election
    (role,) = (o for o in objects if o["kind"] == "Role")
    (rule,) = role["rules"]
    assert election.leader_elect
    assert (election.resource_namespace, [election.resource_name]) == ("kube-system", ["my-scheduler"])
    assert (role["metadata"]["namespace"], rule["resourceNames"]) == ("kube-system", ["my-scheduler"])


def test_extenders_are_asked_where_they_listen_about_what_they_answer(pod: Pod, configuration: Configuration) -> None:
    routes = {}
    for port, profile in served(pod):
        manners = manners_of([plugin.name for plugin in plugins_of(profile)], is_original=False)
        routes[port] = lay_out(Webhook(), profile, manners, lambda: b"").paths
    for entry in configuration.extenders:
        url = urlsplit(entry.url_prefix)
        verbs = (entry.filter_verb, entry.prioritize_verb, entry.preempt_verb, entry.bind_verb)
        assert url.hostname == "127.0.0.1"
        assert {f"{url.path}/{verb}" for verb in verbs if verb} <= routes[url.port or 80].keys()
        assert entry.node_cache_capable
    assert {urlsplit(entry.url_prefix).port for entry in configuration.extenders if entry.filter_verb} == routes.keys()
    assert configuration.percentage_of_nodes_to_score == 100


def test_a_policy_outweighs_the_scores_of_kube_scheduler(
    request: pytest.FixtureRequest, pod: Pod, configuration: Configuration
) -> None:
    overlay = request.node.callspec.params["objects"]
    if overlay in ALIKE:
        return
    below = BUILT_IN
    for weight in sorted({entry.weight for entry in configuration.extenders}):
        alike = [entry for entry in configuration.extenders if entry.weight == weight]
        assert points(alike[0], ONE_LEVEL.get(overlay, 1)) > below
        below += sum(points(entry, 10) for entry in alike)
    text = (OVERLAYS / overlay / "config.yaml").read_text()
    assert f"{BUILT_IN:,} at most" in text, "each overlay says how"
    assert f"{points(configuration.extenders[-1], ONE_LEVEL.get(overlay, 1)):,}" in text


def test_rights_are_those_of_a_kube_scheduler_and_few_more(objects: list[Object]) -> None:
    bound = {o["roleRef"]["name"] for o in objects if o["kind"] in ("ClusterRoleBinding", "RoleBinding")}
    assert bound == {
        "system:kube-scheduler",
        "system:volume-scheduler",
        "extension-apiserver-authentication-reader",
        "my-scheduler-leader-election",
        "my-scheduler-extender",
    }
    subjects = [s for o in objects if "subjects" in o for s in o["subjects"]]
    assert all(s == {"kind": "ServiceAccount", "name": "my-scheduler", "namespace": "kube-system"} for s in subjects)
    (role,) = (o for o in objects if o["kind"] == "ClusterRole")
    granted = {(resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}
    reads = {(resource, verb) for resource in ("nodes", "pods") for verb in ("get", "list", "watch")}
    binds = any("bindVerb" in text for o in objects if o["kind"] == "ConfigMap" for text in o["data"].values())
    assert granted == reads | ({("pods/binding", "create")} if binds else set())


def test_containers_have_no_privileges_and_say_how_they_are(deployment: Object) -> None:
    spec = deployment["spec"]["template"]["spec"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    named = [port["name"] for container in spec["containers"] for port in container["ports"]]
    assert len(set(named)) == len(named)
    for container in spec["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        probes = {name: container[name]["httpGet"] for name in ("livenessProbe", "readinessProbe")}
        assert {name: probe["path"] for name, probe in probes.items()} == {
            "livenessProbe": "/livez",
            "readinessProbe": "/readyz",
        }
        assert {probe["port"] for probe in probes.values()} == {port["name"] for port in container["ports"]}
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}


def test_only_probes_can_be_reached_from_outside_the_pod(pod: Pod) -> None:
    for program in pod.extenders:
        words = dict(zip(program.words, program.words[1:], strict=False))
        (port,) = program.ports.values()
        assert (words["--address"], words["--health-address"]) == ("127.0.0.1", f"0.0.0.0:{port}")


def test_the_variables_are_those_of_the_replaced_manifests() -> None:
    safe = {"SAFEUTILIZATION": "90", "SAFEPERCENTILE": "30", "SAFEPRINTTABLE": "false", "SAFEFORECASTWEIGHT": "20"}
    congestion = {"CONGESTION_FACTOR_MAX": "10"}
    pigeon = {"NUM_RESOURCES": "2", "POLICY_OBJECTIVE": "A_BINPACK"}
    expected = {"safe": [safe], "congestion": [congestion], "pigeon": [pigeon]}
    expected |= {"safe-congestion": [safe, congestion], "safe-pigeon": [safe, pigeon]}
    for name, per_extender in expected.items():
        for program, variables in zip(pod_of(build(OVERLAYS / name, KUBECTL)).extenders, per_extender, strict=True):
            assert program.env.items() >= {**variables, "LOG_LEVEL": "INFO"}.items()


@pytest.mark.parametrize(
    "manifest", sorted(DEPLOY.rglob("test-*.yaml")), ids=lambda path: str(path.relative_to(DEPLOY))
)
def test_test_objects_ask_for_the_scheduler(manifest: Path) -> None:
    tested = yaml.safe_load(manifest.read_text())
    spec = tested["spec"] if tested["kind"] == "Pod" else tested["spec"]["template"]["spec"]
    assert spec["schedulerName"] == "my-scheduler"
    assert all({"cpu", "memory"} <= one["resources"]["requests"].keys() for one in spec["containers"])


# ---- what make runs


def run(*words: str, **env: str) -> "subprocess.CompletedProcess[str]":
    variables = {**os.environ, "KUBECTL": KUBECTL, "KUBECONFIG": "", "HOME": "/nonexistent", **env}
    return subprocess.run(words, env=variables, capture_output=True, text=True, timeout=120)


def script(verb: str, policy: str, **env: str) -> "subprocess.CompletedProcess[str]":
    return run(str(DEPLOY / "deploy.sh"), verb, policy, **env)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        pytest.param("", f"roost:{__version__}", id="without an image, that of this version"),
        pytest.param("roost:dev", "roost:dev", id="a name and a tag"),
        pytest.param("example.com:5000/a/b/roost:1.2", "example.com:5000/a/b/roost:1.2", id="a registry with a port"),
        pytest.param("example.com:5000/a/b/roost", "example.com:5000/a/b/roost:latest", id="without a tag, the latest"),
        pytest.param(f"a/roost@sha256:{'0' * 64}", f"a/roost@sha256:{'0' * 64}", id="a digest"),
    ],
)
def test_the_image_is_put_in_wherever_roost_runs(image: str, expected: str) -> None:
    done = script("render", "safe-pigeon", IMAGE=image, KUBE_SCHEDULER_IMAGE="mirror/kube-scheduler:v1.34.1")
    images = {container["name"]: container["image"] for container in containers(done.stdout)}
    assert images == {
        "my-scheduler-ctr": "mirror/kube-scheduler:v1.34.1",
        "my-extender-ctr-1": expected,
        "my-extender-ctr-2": expected,
    }


def containers(manifests: str) -> Iterator[dict[str, Any]]:
    for document in yaml.safe_load_all(manifests):
        if document["kind"] == "Deployment":
            yield from document["spec"]["template"]["spec"]["containers"]


def test_other_manifests_can_be_deployed_too_and_undeploying_them_keeps_the_namespace(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    fake = tmp_path / "kubectl"
    fake.write_text(
        f'#!/bin/sh\nif [ "$1" = kustomize ]; then exec {KUBECTL} "$@"; fi\ncat > {seen}; echo "$@" >> {seen}\n'
    )
    fake.chmod(0o755)
    kinds = {}
    for verb in ("deploy", "undeploy"):
        assert script(verb, "base", KUBECTL=str(fake), IMAGE="a/b:c").returncode == 0
        kinds[verb] = [line for line in seen.read_text().splitlines() if line.startswith("kind: ")]
        assert (
            seen.read_text().splitlines()[-1]
            == {
                "deploy": "apply -f -",
                "undeploy": "delete --ignore-not-found -f -",
            }[verb]
        )
    assert sorted([*kinds["undeploy"], "kind: Namespace"]) == sorted(kinds["deploy"])


@pytest.mark.parametrize("policy", ["", "parts", "nonsense"])
@pytest.mark.parametrize("command", [[str(DEPLOY / "deploy.sh"), "deploy"], [sys.executable, str(DEPLOY / "tryit.py")]])
def test_without_a_policy_that_exists_one_sentence_lists_them(command: list[str], policy: str) -> None:
    done = run(*command, policy)
    assert done.returncode == 2
    assert " ".join(NAMES) in done.stderr.splitlines()[-1]


def test_tryit_without_a_cluster_runs_the_extenders_of_the_overlay_and_ends(tmp_path: Path) -> None:
    done = run(sys.executable, str(DEPLOY / "tryit.py"), "safe-congestion", TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    told, heading, *pods = done.stdout.splitlines()
    assert told.startswith("safe-congestion on an embedded cluster")
    assert heading.split() == ["POD", "NODE", "SCHEDULED", "BY"]
    placed = [line.split() for line in pods]
    assert len(placed) == 4
    assert {node for _, node, _ in placed} <= {"node-4", "node-5"}, "the idle ones"
    assert {who for _, _, who in placed} == {"my-scheduler"}
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(shutil.which("make") is None, reason="make is missing")
def test_make_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "docker").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "docker").chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = run("make", "--no-print-directory", "-C", str(ROOT), "build", "IMAGE=a/b:c", PATH=path)
    assert done.returncode != 0
    assert done.stdout.startswith("make: docker is missing, or its daemon does not answer")
    done = run("make", "--no-print-directory", "-C", str(ROOT), "deploy", "POLICY=safe", "KUBECTL=/nonexistent/kubectl")
    assert done.returncode != 0
    assert done.stdout.startswith("make: kubectl is missing")
