"""Plugins of one's own: by module and class, by entry point, and what is said when they cannot be found."""

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from roost.config import catalogue
from roost.config.catalogue import check_name, find_plugin
from roost.config.profiles import policy_profile, profile_from_fragment
from roost.errors import ConfigError
from roost.framework.plugin import FilterPlugin, Plugin, ScorePlugin

Write = Callable[[str], str]

FIVE_LINES = """
class Cheapest:
    def score(self, pod, node):
        return 100 - int(node.labels.get("price", 100))
"""
PLUGIN = "from roost.framework.plugin import Plugin\nclass Mine(Plugin):\n"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Write]:
    """Write a module into the working directory; yields its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    name = f"mine_{request.node.name.partition('[')[0]}"

    def write(text: str) -> str:
        (tmp_path / f"{name}.py").write_text(text)
        return name

    yield write
    sys.modules.pop(name, None)


def sentence(name: str) -> str:
    with pytest.raises(ConfigError) as caught:
        find_plugin(name)
    return str(caught.value)


def test_a_class_of_the_simple_form_is_lifted(module: Write) -> None:
    found = find_plugin(f"{module(FIVE_LINES)}:Cheapest")
    assert issubclass(found, Plugin)
    assert issubclass(found, ScorePlugin)
    assert not issubclass(found, FilterPlugin)
    assert found.name == "Cheapest"


def test_a_plugin_class_is_taken_as_it_is(module: Write) -> None:
    name = module(PLUGIN + "    name = 'Other'")
    found = find_plugin(f"{name}:Mine")
    assert found.__mro__[1] is Plugin
    assert found.name == "Other"


def test_a_plugin_class_without_a_name_is_called_as_the_class(module: Write) -> None:
    name = module(PLUGIN + "    pass")
    assert find_plugin(f"{name}:Mine").name == "Mine"


def test_a_class_of_one_s_own_can_be_a_policy(module: Write) -> None:
    profile = policy_profile([f"{module(FIVE_LINES)}:Cheapest"])
    assert [scorer.plugin.name for scorer in profile.score] == ["Cheapest"]


def test_a_class_of_one_s_own_can_be_enabled_with_a_weight_and_arguments(module: Write) -> None:
    text = """
from roost.framework.plugin import Args

class CheapestArgs(Args):
    label: str = "price"

class Cheapest:
    args_type = CheapestArgs
    def __init__(self, args): self.label = args.label
    def score(self, pod, node): return 1
"""
    name = f"{module(text)}:Cheapest"
    fragment = {
        "plugins": {"score": {"enabled": [{"name": name, "weight": 7}]}},
        "pluginConfig": [{"name": name, "args": {"kind": "CheapestArgs", "label": "cost"}}],
    }
    (scorer,) = (one for one in profile_from_fragment(fragment).score if one.plugin.name == "Cheapest")
    assert (scorer.weight, scorer.plugin.policy.label) == (7, "cost")


@pytest.mark.parametrize(
    ("text", "class_name", "expected"),
    [
        (FIVE_LINES, "Cheapst", "has no class Cheapst; did you mean Cheapest?"),
        (FIVE_LINES, "Elsewhere", "has no class Elsewhere"),
        ("Cheapest = 3", "Cheapest", "is not a class but a int"),
        ("class Cheapest: pass", "Cheapest", "has neither def score(self, pod, node) nor def filter(self, pod, node)"),
    ],
)
def test_a_class_that_cannot_be_used(module: Write, text: str, class_name: str, expected: str) -> None:
    assert sentence(f"{module(text)}:{class_name}").endswith(expected)


def test_a_module_that_is_not_there() -> None:
    assert (
        sentence("no_such_module:A") == "plugin no_such_module:A cannot be imported: No module named 'no_such_module'"
    )


def test_a_module_that_fails_is_told_with_its_line(module: Write) -> None:
    name = module("x = 1\ny = x / 0\n")
    told = sentence(f"{name}:A")
    assert told.startswith(f"plugin {name}:A cannot be imported: ZeroDivisionError: division by zero (")
    assert told.endswith(f"{name}.py, line 2)")


def test_a_module_with_a_syntax_error_is_told_with_its_line(module: Write) -> None:
    name = module("class A:\n    def score(self, pod, node) return 1\n")
    told = sentence(f"{name}:A")
    assert "SyntaxError" in told
    assert told.endswith(f"{name}.py, line 2)")


class TestEntryPoints:
    @pytest.fixture(autouse=True)
    def _installed(self, module: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        sys.path.insert(0, str(tmp_path))
        name = module(FIVE_LINES)
        points = [
            EntryPoint("Cheapest", f"{name}:Cheapest", "roost.plugins"),
            EntryPoint("Gone", "no_such_module:A", ""),
        ]
        monkeypatch.setattr(catalogue, "_entry_points", lambda: points)

    def test_an_installed_plugin_is_found_by_its_name(self) -> None:
        assert find_plugin("Cheapest").name == "Cheapest"
        check_name("Cheapest")

    def test_an_installed_plugin_is_among_the_names_that_could_be_meant(self) -> None:
        assert sentence("Cheapst") == "unknown plugin Cheapst; did you mean Cheapest or CheapestNode?"

    def test_an_installed_plugin_that_cannot_be_imported(self) -> None:
        assert sentence("Gone") == "plugin Gone cannot be imported: No module named 'no_such_module'"


def test_the_names_of_installed_plugins_are_asked_of_python() -> None:
    assert list(catalogue._entry_points()) == []
