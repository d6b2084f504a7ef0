"""The fixtures of the end-to-end tests: a real control plane, and Roost (or the stock scheduler) beside it."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from e2e.cluster import Cluster, fresh_cluster
from e2e.load import SCHEDULER_NAME
from e2e.processes import Process
from e2e.rig import ADMIN, Authorization, ControlPlane, find_assets

BUILD_SCRIPT = Path(__file__).parent / "controlplane" / "build.sh"
MEASURES = pytest.StashKey[list[str]]()


class RoostRun(Protocol):
    """Start `roost run` with a kubeconfig and further arguments."""

    def __call__(self, kubeconfig: Path, *arguments: str) -> Process: ...


RunScheduler = Callable[[], Process]
Measured = Callable[[str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--scheduler",
        choices=["roost", "kube-scheduler"],
        default="roost",
        help="what schedules the pods; kube-scheduler tests the tests",
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    measures = config.stash.get(MEASURES, [])
    if measures:
        terminalreporter.section("measured")
        for line in measures:
            terminalreporter.write_line(line)


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Measured:
    """Note a measured value: it is printed after the tests."""
    lines = request.config.stash.setdefault(MEASURES, [])
    return lambda text: lines.append(f"{request.node.name}: {text}")


@pytest.fixture(scope="session")
def assets(pytestconfig: pytest.Config) -> Path:
    """The folder with the control plane's programs, built now if need be."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl program is missing: it makes the test cluster's certificates")
    found = find_assets() or _build(pytestconfig)
    missing = [program for program in ("etcd", "kube-apiserver") if not (found / program).exists()]
    if missing:
        pytest.skip(f"{' and '.join(missing)} missing in {found}")
    return found


@pytest.fixture(scope="module")
def control_plane(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """An API server that lets everyone do everything."""
    yield from _control_plane(assets, tmp_path_factory, "AlwaysAllow")


@pytest.fixture(scope="module")
def rbac_control_plane(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """An API server that asks its roles."""
    yield from _control_plane(assets, tmp_path_factory, "RBAC")


@pytest.fixture
def cluster(control_plane: ControlPlane, request: pytest.FixtureRequest) -> Cluster:
    """The control plane without nodes and pods, and a namespace for this test."""
    return fresh_cluster(control_plane, request.node.name)


@pytest.fixture
def roost_run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RoostRun]:
    """Start `roost run` any number of times; all end with the test."""
    if request.config.getoption("--scheduler") != "roost":
        pytest.skip("a test of Roost's own command")
    started: list[Process] = []

    def run(kubeconfig: Path, *arguments: str) -> Process:
        command = [*roost_command(), "run", "--kubeconfig", str(kubeconfig), *arguments]
        started.append(Process(command, tmp_path / f"roost-{len(started)}.log"))
        return started[-1]

    yield run
    for process in started:
        process.stop()
        print(f"--- {process.log.name} ends:\n{process.tail(40)}")


@pytest.fixture
def run_scheduler(request: pytest.FixtureRequest, control_plane: ControlPlane) -> Iterator[RunScheduler]:
    """Start the scheduler under test on the control plane, as an admin, any number of times."""
    if request.config.getoption("--scheduler") == "roost":
        roost: RoostRun = request.getfixturevalue("roost_run")
        yield lambda: roost(control_plane.kubeconfig_for(ADMIN))
        return
    started: list[Process] = []

    def run() -> Process:
        started.append(control_plane.start_scheduler(SCHEDULER_NAME))
        return started[-1]

    yield run
    for process in started:
        process.stop()


def roost_command() -> list[str]:
    """Name the command under test, as the Python of these tests runs it."""
    return [sys.executable, "-m", "roost"]


def _build(config: pytest.Config) -> Path:
    if shutil.which("go") is None:
        pytest.skip("no control plane: name its programs' folder in KUBEBUILDER_ASSETS, or install Go to build them")
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        built = subprocess.run([BUILD_SCRIPT], check=True, stdout=subprocess.PIPE, text=True)
    return Path(built.stdout.splitlines()[-1])


def _control_plane(
    assets: Path, factory: pytest.TempPathFactory, authorization: Authorization
) -> Iterator[ControlPlane]:
    with ControlPlane(assets, factory.mktemp(authorization.lower()), authorization=authorization) as running:
        yield running
