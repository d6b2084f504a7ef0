"""What the documentation says is so: examples run, links lead somewhere, every option and field is described."""

import inspect
import re
import sys
from pathlib import Path
from textwrap import dedent

import pytest
import yaml
from msgspec.structs import fields

import roost
from roost.cli.main import app
from roost.config.configuration import (
    ClientConnection,
    Configuration,
    LeaderElection,
    Plugins,
    ProfileConfiguration,
    Section,
)
from roost.config.default_plugins import DEFAULT_PLUGINS, KUBE_SCHEDULER_PLUGINS
from roost.config.load import load_configuration
from roost.config.profiles import build_profiles
from roost.plugins.registry import REGISTRY
from roost.testing import node, pod

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
README = (ROOT / "README.md").read_text()
CONFIGURATION = (ROOT / "docs/reference/configuration.md").read_text()
COMMAND_LINE = (ROOT / "docs/reference/cli.md").read_text()


def blocks(text: str, language: str) -> list[str]:
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)
    return [dedent(block) for block in found]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_a_page_lead_to_a_heading(page: Path) -> None:
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]*)\)", page.read_text())) <= anchors


@pytest.mark.parametrize(
    "text",
    [
        block
        for page in PAGES
        for block in blocks(page.read_text(), "yaml")
        if "KubeSchedulerConfiguration" in block and "v1alpha1" not in block
    ],
)
def test_configurations_are_ones_that_roost_takes(text: str) -> None:
    assert build_profiles(load_configuration(text))


def test_the_mistake_in_the_reference_is_told_as_it_says() -> None:
    (told,) = re.findall(r"^config\.yaml: (.*)$", CONFIGURATION, re.MULTILINE)
    text = next(b for b in blocks(CONFIGURATION, "yaml") if "KubeSchedulerConfiguration" in b)
    with pytest.raises(Exception, match=f"^{re.escape(told)}$"):
        build_profiles(load_configuration(text.replace("enabled: [{name: NodeRes", "enabled: [{name: NodRes")))


def test_the_policy_of_the_readme_and_its_use_without_a_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    policy, use = blocks(README, "python")
    (tmp_path / "cheap.py").write_text(policy)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "cheap", raising=False)
    exec(use, {})
    assert capsys.readouterr().out == "b\n"


def test_the_plugin_of_the_contributors_page_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (plugin,) = blocks((ROOT / "CONTRIBUTING.md").read_text(), "python")
    (tmp_path / "quiet.py").write_text(plugin)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    nodes, placed = [node("a"), node("b")], [pod("placed", node_name="a")]
    assert roost.decide(pod("new"), nodes, placed, policy="quiet:Quiet").node == "b"


def test_the_extender_of_the_readme_is_one_that_roost_would_ask() -> None:
    documents = [yaml.safe_load(block) for block in blocks(README, "yaml")]
    (extenders,) = (document for document in documents if "extenders" in document)
    header = {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration"}
    (extender,) = load_configuration(yaml.safe_dump(header | extenders)).extenders
    assert (extender.filter_verb, extender.node_cache_capable) == ("filter", True)


def test_the_pod_of_the_readme_names_roost() -> None:
    documents = [yaml.safe_load(block) for block in blocks(README, "yaml")]
    (manifest,) = (document for document in documents if document.get("kind") == "Pod")
    assert manifest["spec"]["schedulerName"] == "roost"


def test_every_option_of_every_command_is_described() -> None:
    commands = [info.callback for info in app.registered_commands if info.callback is not None]
    options = {name for command in commands for name in inspect.signature(command).parameters} - {"names", "target"}
    declared = {f"--{name.replace('_', '-')}" for name in options}
    assert {option for option in declared if f"`{option}" not in COMMAND_LINE} == set()
    assert set(re.findall(r"(?<=`)--[a-z-]+", COMMAND_LINE)) <= declared | {"--help", "--no-leader-elect"}


@pytest.mark.parametrize("section", [Configuration, ClientConnection, LeaderElection, ProfileConfiguration, Plugins])
def test_every_field_of_the_configuration_is_described(section: type[Section]) -> None:
    assert [one.encode_name for one in fields(section) if f"`{one.encode_name}`" not in CONFIGURATION] == []


def test_the_reference_knows_which_plugins_there_are() -> None:
    there_are, lacking = CONFIGURATION.split("## Not supported yet")
    assert {name for name in REGISTRY if f"`{name}`" not in there_are} == set()
    assert set(re.findall(r"`([A-Z][A-Za-z]+)`", lacking)) == KUBE_SCHEDULER_PLUGINS - REGISTRY.keys()
    weights = {
        name: int(weight or 0) for name, weight in re.findall(r"^\| `(\w+)` \| (\d?) ?\|$", there_are, re.MULTILINE)
    }
    in_order = [name for name in DEFAULT_PLUGINS if name in REGISTRY]
    assert list(weights.items()) == [(name, DEFAULT_PLUGINS[name]) for name in in_order]
