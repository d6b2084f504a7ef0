"""Every example's command prints what its README says, and what it prints is the same each time.

`python tests/examples/test_examples.py` writes what the commands print now into the READMEs: read the difference.
"""

import contextlib
import io
import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from roost.cli.main import app
from roost.config.load import load_configuration
from roost.config.profiles import build_profiles

EXAMPLES = Path(__file__).parents[2] / "examples"
FOLDERS = sorted(path for path in EXAMPLES.iterdir() if path.is_dir())
INDEX = (EXAMPLES / "README.md").read_text()
SHOWN = re.compile(r"^```console\n\$ (roost demo .*)\n((?:.*\n)*?)```$", re.MULTILINE)
POLICY_MODULES = ("licensed",)


def shown_commands() -> Iterator[tuple[Path, str, str]]:
    """Yield the folder, the command and the output of every demo in a README."""
    for folder in FOLDERS:
        for command, output in SHOWN.findall((folder / "README.md").read_text()):
            yield folder, command, output


def run(folder: Path, command: str) -> str:
    """Run a command of ours in a folder, in this process; return what it prints."""
    before = os.getcwd()
    printed = io.StringIO()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(printed):
            app(shlex.split(command)[1:], standalone_mode=False)
    finally:
        os.chdir(before)
    return printed.getvalue()


@pytest.fixture(autouse=True)
def no_traces(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget the folders and modules that a command has put into this process."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for module in POLICY_MODULES:
        sys.modules.pop(module, None)


@pytest.mark.parametrize(
    ("folder", "command", "output"),
    [pytest.param(*shown, id=f"{shown[0].name}: {shown[1]}") for shown in shown_commands()],
)
def test_the_command_prints_what_the_readme_shows(
    folder: Path, command: str, output: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, command) == output
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_readme_shows_a_demo_and_how_to_take_it_to_a_cluster(folder: Path) -> None:
    readme = (folder / "README.md").read_text()
    assert SHOWN.search(readme)
    assert "## On a cluster" in readme
    assert f"({folder.name}/README.md)" in INDEX


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_file_is_one_of_a_command_or_has_a_link(folder: Path) -> None:
    readme = (folder / "README.md").read_text()
    files = {path.name for path in folder.iterdir() if path.is_file()} - {"README.md"}
    assert {name for name in files if name not in readme} == set()


@pytest.mark.parametrize(
    "page", [EXAMPLES / "README.md", *(f / "README.md" for f in FOLDERS)], ids=lambda p: p.parent.name
)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*/*scheduler.yaml")), ids=lambda path: str(path.parent.name))
def test_pods_name_the_scheduler_of_the_configuration(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    (profile,) = build_profiles(load_configuration(path))
    (pods,) = [found for name in ("pods.yaml", "front.yaml") if (found := path.parent / name).exists()]
    specs = [document["spec"] for document in yaml.safe_load_all(pods.read_text()) if document["kind"] != "Service"]
    named = {
        spec.get("template", {"spec": spec})["spec"].get("schedulerName") for spec in specs if "nodeName" not in spec
    }
    assert named == {profile.scheduler_name}


def test_the_test_of_ones_own_policy_works(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    folder = EXAMPLES / "08-your-own-policy"
    (text,) = re.findall(r"^```python\n(.*?)^```$", (folder / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(folder)
    exec(text, {})
    assert capsys.readouterr().out == "b\n"


def rewritten(folder: Path) -> str:
    """Return the README of a folder with what its commands print now."""
    text = (folder / "README.md").read_text()
    return SHOWN.sub(lambda found: f"```console\n$ {found[1]}\n{run(folder, found[1])}```", text)


if __name__ == "__main__":
    for each in FOLDERS:
        (each / "README.md").write_text(rewritten(each))
