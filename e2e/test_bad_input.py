"""A user's mistake ends `roost run` with one sentence and the documented exit code."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from e2e.conftest import roost_command
from e2e.rig import ADMIN, ControlPlane

FAILURE = 1
BAD_CONFIGURATION = 2


@dataclass(frozen=True)
class Ending:
    """How the command ended."""

    code: int
    errors: str

    @property
    def last_line(self) -> str:
        return ([line for line in self.errors.splitlines() if line.strip()] or [""])[-1]


@pytest.fixture(autouse=True)
def _own_command(pytestconfig: pytest.Config) -> None:
    if pytestconfig.getoption("--scheduler") != "roost":
        pytest.skip("a test of Roost's own command")


def test_a_server_that_is_not_there(control_plane: ControlPlane) -> None:
    kubeconfig = control_plane.unreachable_kubeconfig()
    ending = _run("--kubeconfig", str(kubeconfig))
    _assert_one_sentence(ending, FAILURE, r"127\.0\.0\.1:\d+")


def test_a_server_whose_certificate_another_authority_signed(control_plane: ControlPlane) -> None:
    ending = _run("--kubeconfig", str(control_plane.wrong_ca_kubeconfig()))
    _assert_one_sentence(ending, FAILURE, "certificate")


def test_a_kubeconfig_that_is_not_there(tmp_path: Path) -> None:
    ending = _run("--kubeconfig", str(tmp_path / "absent"))
    _assert_one_sentence(ending, BAD_CONFIGURATION, "absent")


def test_a_context_the_kubeconfig_does_not_have(control_plane: ControlPlane) -> None:
    ending = _run("--kubeconfig", str(control_plane.kubeconfig_for(ADMIN)), "--context", "elsewhere")
    _assert_one_sentence(ending, BAD_CONFIGURATION, "elsewhere")


def test_a_configuration_file_that_is_no_yaml(control_plane: ControlPlane, tmp_path: Path) -> None:
    ending = _run_with_config(control_plane, tmp_path, "profiles: [unfinished\n  - : {")
    _assert_one_sentence(ending, BAD_CONFIGURATION, r"config\.yaml")


def test_a_configuration_file_with_an_unknown_plugin(control_plane: ControlPlane, tmp_path: Path) -> None:
    ending = _run_with_config(
        control_plane,
        tmp_path,
        "apiVersion: kubescheduler.config.k8s.io/v1\n"
        "kind: KubeSchedulerConfiguration\n"
        "profiles:\n"
        "- schedulerName: roost\n"
        "  plugins:\n"
        "    score:\n"
        "      enabled: [{name: NoSuchPlugin}]\n",
    )
    _assert_one_sentence(ending, BAD_CONFIGURATION, "NoSuchPlugin")


def test_a_configuration_file_with_a_misspelt_field(control_plane: ControlPlane, tmp_path: Path) -> None:
    text = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nprofilez: []\n"
    _assert_one_sentence(_run_with_config(control_plane, tmp_path, text), BAD_CONFIGURATION, "profilez")


def test_an_unknown_policy(control_plane: ControlPlane) -> None:
    ending = _run("--kubeconfig", str(control_plane.kubeconfig_for(ADMIN)), "--policy", "NoSuchPolicy")
    _assert_one_sentence(ending, BAD_CONFIGURATION, "NoSuchPolicy")


def test_an_unknown_option() -> None:
    assert _run("--no-such-option").code == BAD_CONFIGURATION


def _run_with_config(control_plane: ControlPlane, folder: Path, text: str) -> Ending:
    config = folder / "config.yaml"
    config.write_text(text)
    return _run("--kubeconfig", str(control_plane.kubeconfig_for(ADMIN)), "--config", str(config))


def _run(*arguments: str) -> Ending:
    ended = subprocess.run([*roost_command(), "run", *arguments], capture_output=True, text=True, timeout=60)
    return Ending(ended.returncode, ended.stderr)


def _assert_one_sentence(ending: Ending, code: int, names: str) -> None:
    assert ending.code == code, ending.errors
    assert "Traceback" not in ending.errors
    assert re.search(names, ending.last_line), ending.errors
