"""`roost new policy`, as a newcomer uses it: what it writes works at once, with the commands of its README."""

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml
from tests.apiserver.serving import served

from roost import __version__
from roost.apiserver.kubeconfig import write_kubeconfig
from roost.cli.new_policy import Names, names_from, write_package
from roost.config.load import load_configuration
from roost.config.profiles import build_profiles
from roost.errors import ConfigError

rig = pytest.importorskip("e2e.rig", reason="run the tests as `python -m pytest` at the top of the checkout")
ROOT = Path(__file__).parents[2]
PROGRAMS = Path(sys.executable).parent
SECONDS = 60.0
NAMES = Names(project="cheap-nodes", module="cheap_nodes", type="CheapNodes")
POLICY = "cheap_nodes:CheapNodes"
README = (ROOT / "README.md").read_text()
SECTION = "## From nothing to behind kube-scheduler"
READY = {
    "roost cluster": "Ctrl-C ends it",
    "roost extend": "in sync",
    "kube-scheduler": "Starting Kubernetes Scheduler",
}


@pytest.fixture
def assets() -> Path:
    """The folder with kube-scheduler; looked for late, since tests before these may have built it."""
    found = rig.find_assets()
    if found is None or not (found / "kube-scheduler").exists():
        pytest.skip("no kube-scheduler: run e2e/controlplane/build.sh once")
    return Path(found)


def roost(*args: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "roost", *args]
    environment = {**os.environ, **variables}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, cwd=cwd, env=environment, check=False
    )


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, as the command writes it."""
    folder = tmp_path_factory.mktemp("new")
    done = roost("new", "policy", "cheap-nodes", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"roost demo --policy {POLICY}" in done.stdout
    return folder / "cheap-nodes"


# ---- what is written


def test_it_is_a_policy_a_test_a_readme_an_image_and_manifests(package: Path) -> None:
    files = {str(path.relative_to(package)) for path in package.rglob("*") if path.is_file()}
    manifests = {f"deploy/{name}.yaml" for name in ("config", "deployment", "kustomization", "rbac", "test-pod")}
    code = {"cheap_nodes.py", "test_cheap_nodes.py", "pyproject.toml"}
    assert {file for file in files if "__pycache__" not in file} == {*code, "README.md", "Dockerfile", *manifests}


def test_no_name_of_the_templates_is_left(package: Path) -> None:
    texts = [path.read_text() for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert not re.search("my.?policy|ROOST_VERSION", "".join(texts), re.IGNORECASE)


def test_the_policy_is_short(package: Path) -> None:
    (body,) = re.findall(r"^class CheapNodes:\n(.*?)\n\n\n", (package / "cheap_nodes.py").read_text(), re.DOTALL | re.M)
    assert len([line for line in body.splitlines() if line.strip() and '"""' not in line]) <= 15


def test_the_image_is_made_from_that_of_this_version(package: Path) -> None:
    assert f"FROM roost:{__version__}\n" in (package / "Dockerfile").read_text()


def test_the_configuration_of_the_readme_gives_the_policy_its_argument(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(package)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (text,) = re.findall(r"^```yaml\n(.*?)^```$", (package / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    (profile,) = build_profiles(load_configuration(text))
    (policy,) = (scorer.plugin for scorer in profile.score if scorer.plugin.name == "CheapNodes")
    assert policy.policy.max_price == 0.2
    sys.modules.pop("cheap_nodes", None)


def test_the_manifests_fit_together(package: Path) -> None:
    built = subprocess.run(
        [PROGRAMS / "kubectl", "kustomize", package / "deploy"], capture_output=True, text=True, check=True
    )
    objects = {(o["kind"], o["metadata"]["name"]): o for o in yaml.safe_load_all(built.stdout)}
    spec = objects["Deployment", "my-scheduler"]["spec"]["template"]["spec"]
    scheduler, extender = spec["containers"]
    assert (scheduler["name"], extender["name"]) == ("my-scheduler-ctr", "my-extender-ctr-1")
    assert extender["image"] == "cheap-nodes:0.1.0"
    assert extender["args"][:3] == ["extend", "--policy", POLICY]
    (volume,) = spec["volumes"]
    text = objects["ConfigMap", volume["configMap"]["name"]]["data"]["config.yaml"]
    configuration = load_configuration(text)
    assert (configuration.profiles[0].scheduler_name, len(configuration.extenders)) == ("my-scheduler", 1)
    account = ("ServiceAccount", spec["serviceAccountName"])
    bound = [subject for o in objects.values() for subject in o.get("subjects", ())]
    assert {(subject["kind"], subject["name"]) for subject in bound} == {account} <= set(objects)


# ---- it runs at once


def test_its_test_passes(package: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio"]
    done = subprocess.run(command, cwd=package, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def test_it_runs_under_demo(package: Path) -> None:
    done = roost("demo", "--policy", POLICY, cwd=package)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 node(s) cost more than 0.3 an hour, 5 Insufficient" in done.stdout


def test_it_runs_as_an_extender(package: Path) -> None:
    *_, command = commands((package / "README.md").read_text(), "## Behind kube-scheduler")
    done = roost(*shlex.split(command)[1:], cwd=package)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"test-pod +node-1 +score 10[0-9]{3}, .* 5 of 6 nodes fit", done.stdout)


def test_it_runs_under_run(package: Path, tmp_path: Path) -> None:
    container = {"name": "app", "image": "app", "resources": {"requests": {"cpu": "100m"}}}
    pod = {"metadata": {"name": "one"}, "spec": {"schedulerName": "roost", "containers": [container]}}
    with served(scheduler=False, lives=True) as cluster:
        write_kubeconfig(tmp_path / "kubeconfig", cluster.url)
        assert cluster.ask("POST", "/api/v1/namespaces/default/pods", pod).status == 201
        done = roost("run", "--once", "--policy", POLICY, "--kubeconfig", str(tmp_path / "kubeconfig"), cwd=package)
    assert (done.returncode, done.stdout) == (0, "1 scheduled\n"), done.stderr


def test_an_installed_package_is_found_by_its_name(package: Path, tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", tmp_path / "site", str(package)], check=True, timeout=SECONDS)
    listed = roost("plugins", "CheapNodes", cwd=tmp_path, PYTHONPATH=str(tmp_path / "site"))
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "maxPrice: number = 0.3" in listed.stdout
    done = roost("demo", "--policy", "CheapNodes", cwd=tmp_path, PYTHONPATH=str(tmp_path / "site"))
    assert done.returncode == 0
    assert "Policy: CheapNodes." in done.stdout


# ---- behind kube-scheduler, by the commands of a README


def commands(text: str, heading: str) -> list[str]:
    """Return the commands of a section, without what stands behind them as a comment."""
    _, _, section = text.partition(f"{heading}\n")
    section = re.split(r"^## ", section, flags=re.MULTILINE)[0]
    return [line.split("  #")[0].strip() for line in re.findall(r"^\$ (.*)$", section, re.MULTILINE)]


@contextmanager
def in_background(command: str, cwd: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Run a command until the block ends; begin the block when it has said that it is ready."""
    log = cwd / f"log-{command.split()[0]}-{command.split()[1].strip('-')}"
    with log.open("wb") as file:
        process = subprocess.Popen(shlex.split(command), cwd=cwd, env=environment, stdout=file, stderr=file)
    try:
        ready = next(words for start, words in READY.items() if command.startswith(start))
        deadline = time.monotonic() + SECONDS
        while ready not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(SECONDS)


def run_all(lines: list[str], cwd: Path, assets: Path, ports: Mapping[str, str]) -> str:
    """Run the commands of a README with free ports in place of its ports; return what the last one prints."""
    path = f"{PROGRAMS}:{assets}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "HTTP_PORT": ports["8888"], "PYTHONPATH": str(ROOT / "src")}
    printed = ""
    with ExitStack() as stack:
        for line in lines:
            line = line.replace("6444", ports["6444"])
            if line.startswith("cd "):
                cwd /= line.removeprefix("cd ")
                config = cwd / "deploy" / "config.yaml"
                config.write_text(config.read_text().replace("8888", ports["8888"]))
            elif line.endswith("&"):
                stack.enter_context(in_background(line.removesuffix("&").strip(), cwd, environment))
            else:
                done = subprocess.run(
                    shlex.split(line),
                    cwd=cwd,
                    env=environment,
                    capture_output=True,
                    text=True,
                    timeout=SECONDS,
                    check=False,
                )
                assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
                printed = done.stdout
    return printed


def free_ports() -> dict[str, str]:
    from e2e.processes import free_port

    return {"6444": str(free_port()), "8888": str(free_port())}


def test_the_readme_of_the_package_leads_behind_kube_scheduler(tmp_path: Path, assets: Path) -> None:
    write_package(NAMES, tmp_path / "cheap-nodes")
    readme = (tmp_path / "cheap-nodes" / "README.md").read_text()
    *lines, last = commands(readme, "## Behind kube-scheduler")
    assert last.startswith("roost demo ")
    assert "node-1 " in run_all(["cd cheap-nodes", *lines], tmp_path, assets, free_ports())


@pytest.mark.skipif(SECTION not in README, reason="the README has no such section yet")
def test_the_readme_of_roost_leads_from_nothing_behind_kube_scheduler(tmp_path: Path, assets: Path) -> None:
    lines = commands(README, SECTION)
    assert lines[0].startswith("roost new policy ")
    assert any(line.startswith("kube-scheduler ") for line in lines)
    assert "node-1 " in run_all(lines, tmp_path, assets, free_ports())


# ---- names, and what is refused


@pytest.mark.parametrize(
    ("given", "project", "module", "type_"),
    [
        pytest.param("cheap-nodes", "cheap-nodes", "cheap_nodes", "CheapNodes", id="with hyphens"),
        pytest.param("cheap_nodes", "cheap-nodes", "cheap_nodes", "CheapNodes", id="with underscores"),
        pytest.param("CheapNodes", "cheap-nodes", "cheap_nodes", "CheapNodes", id="in camel case"),
        pytest.param("cheapest", "cheapest", "cheapest", "Cheapest", id="one word"),
        pytest.param("GPUFirst", "gpu-first", "gpu_first", "GPUFirst", id="capitals stay together"),
        pytest.param("Zone2Zone", "zone2-zone", "zone2_zone", "Zone2Zone", id="digits belong to the word before them"),
        pytest.param("my-policy-2", "my-policy-2", "my_policy_2", "MyPolicy2", id="like the templates"),
    ],
)
def test_one_name_gives_three(given: str, project: str, module: str, type_: str) -> None:
    assert names_from(given) == Names(project, module, type_)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        pytest.param("", "is no name of a policy", id="nothing"),
        pytest.param("2nd", "is no name of a policy", id="a digit first"),
        pytest.param("cheap nodes", "is no name of a policy", id="a space"),
        pytest.param("../cheap", "is no name of a policy", id="a path"),
        pytest.param("günstig", "is no name of a policy", id="other letters"),
        pytest.param("a" * 51, "is no name of a policy", id="too long"),
        pytest.param("node-index", "NodeIndex is a plugin of Roost", id="a policy of Roost"),
        pytest.param("GangScheduling", "or of kube-scheduler", id="a plugin of kube-scheduler that Roost lacks"),
        pytest.param("json", "Python has json already", id="a module of Python"),
        pytest.param("class", "Python has class already", id="a word of Python"),
        pytest.param("roost", "Python has roost already", id="an installed package"),
        pytest.param("pod", "every policy uses the Pod of Roost", id="what a policy imports"),
    ],
)
def test_a_name_that_cannot_be_used_is_one_sentence(given: str, says: str) -> None:
    with pytest.raises(ConfigError, match=f"^NAME: .*{re.escape(says)}"):
        names_from(given)


def test_nothing_is_overwritten(package: Path) -> None:
    done = roost("new", "policy", "CheapNodes", cwd=package.parent)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == ("roost: cheap-nodes is there already; remove it, or name another folder with --output\n")


def test_it_is_written_where_output_says(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    files = write_package(NAMES, tmp_path / "empty")
    assert tmp_path / "empty" / "cheap_nodes.py" in files
    with pytest.raises(ConfigError, match="is there already"):
        write_package(NAMES, tmp_path / "empty" / "README.md")
    with pytest.raises(ConfigError, match=r"^cannot write .*: Not a directory$"):
        write_package(NAMES, tmp_path / "empty" / "README.md" / "below")
