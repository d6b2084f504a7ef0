"""What every plugin that ships with Roost keeps to, so that remembering, requeueing and the docs can rely on it."""

import inspect
from typing import Any

import pytest

from roost.framework import plugin as contract
from roost.framework.plugin import EXTENSION_POINTS, Args, NormalizePlugin, Plugin, ScorePlugin
from roost.framework.pod_info import PARTS
from roost.plugins.registry import IN_TREE, POLICIES, REGISTRY
from roost.scheduler.further_kinds import FURTHER_KINDS

POINTS: dict[str, type] = {
    **{name: protocol for name, protocol in EXTENSION_POINTS.items() if name != "reserve"},
    "normalize": NormalizePlugin,
    "reserve": contract.ReservePlugin,
}
EPOCHS = {"images", "nodes", "pod_labels", "pod_terms", "claims_in_use", *(further.epoch for further in FURTHER_KINDS)}
"""What a plugin may read beside nodes and usage; an epoch that the cache never moves would never wake anybody."""


def methods(protocol: type) -> list[str]:
    return [name for name, member in vars(protocol).items() if inspect.isfunction(member) and not name.startswith("_")]


CLAIMS = [
    pytest.param(plugin, protocol, method, id=f"{name}.{method}")
    for name, plugin in REGISTRY.items()
    for protocol in POINTS.values()
    if issubclass(plugin, protocol)
    for method in methods(protocol)
]
plugins = pytest.mark.parametrize(
    ("name", "plugin"), [pytest.param(name, plugin, id=name) for name, plugin in REGISTRY.items()]
)


@pytest.mark.parametrize(("plugin", "protocol", "method"), CLAIMS)
def test_an_extension_point_takes_what_the_cycle_gives_it(plugin: type[Plugin], protocol: type, method: str) -> None:
    wanted, given = getattr(protocol, method), getattr(plugin, method)
    assert list(inspect.signature(given).parameters) == list(inspect.signature(wanted).parameters)
    assert inspect.iscoroutinefunction(given) == inspect.iscoroutinefunction(wanted)


@plugins
def test_a_plugin_s_name_is_its_key_in_the_registry(name: str, plugin: type[Plugin]) -> None:
    assert plugin.name == name
    assert plugin().name == name


@plugins
def test_a_plugin_says_what_it_reads(name: str, plugin: type[Plugin]) -> None:
    assert isinstance(plugin.reads, frozenset)
    assert plugin.reads <= {"node", "annotations", "usage"} | EPOCHS
    assert set(plugin.pod_reads) <= set(PARTS)
    assert len(set(plugin.pod_reads)) == len(plugin.pod_reads)


@plugins
def test_what_a_plugin_reads_beforehand_is_no_more_than_it_reads(name: str, plugin: type[Plugin]) -> None:
    assert plugin.pre_reads is None or plugin.pre_reads <= plugin.reads


@plugins
def test_a_plugin_of_our_own_says_so_itself_and_not_by_default(name: str, plugin: type[Plugin]) -> None:
    """The defaults read everything: right for users, wasteful here."""
    if name in IN_TREE:
        assert {"reads", "pod_reads"} <= vars(plugin).keys()
    else:
        assert plugin.reads is not Plugin.reads


@plugins
def test_a_plugin_implements_something(name: str, plugin: type[Plugin]) -> None:
    assert any(issubclass(plugin, protocol) for protocol in EXTENSION_POINTS.values())


@plugins
def test_a_plugin_has_a_docstring_of_one_sentence(name: str, plugin: type[Plugin]) -> None:
    assert plugin.__doc__ is not None
    assert plugin.__doc__.strip().endswith(".")
    assert "\n" not in plugin.__doc__.strip()


@plugins
def test_arguments_have_defaults_and_a_docstring(name: str, plugin: type[Plugin]) -> None:
    assert issubclass(plugin.args_type, Args)
    assert plugin.args_type().__class__.__doc__
    if plugin.args_type is not Args:
        assert plugin.args_type.__name__ == f"{name}Args"


@plugins
def test_a_scorer_has_a_weight_and_a_scale(name: str, plugin: type[Plugin]) -> None:
    assert 1 <= plugin.weight <= 100
    assert plugin.scale in ("percent", "rank")
    assert not issubclass(plugin, NormalizePlugin) or issubclass(plugin, ScorePlugin)


def test_every_extension_point_is_one_of_kube_scheduler_s_in_snake_case() -> None:
    for name, protocol in EXTENSION_POINTS.items():
        snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
        assert methods(protocol)[0] == snake


def test_in_tree_plugins_and_policies_have_different_names() -> None:
    assert not IN_TREE.keys() & POLICIES.keys()
    assert REGISTRY == IN_TREE | POLICIES


def test_the_default_declarations_read_everything() -> None:
    """So a plugin of a user's that declares nothing is never remembered wrongly."""
    assert (set(Plugin.reads), tuple(Plugin.pod_reads)) == ({"node", "usage"}, PARTS)


def test_a_plugin_without_arguments_gets_empty_ones() -> None:
    class Bare(Plugin):
        name = "Bare"

    bare: Any = Bare()
    assert (bare.args, repr(bare), bare.remember) == (Args(), "Bare()", True)
