"""Looks up every plugin that a profile mentions, and answers for each with the path where it stands.

Every name is looked at, also those in `disabled` and in `pluginConfig` of plugins that are not enabled: a name with a
typing error would otherwise do nothing, silently.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from roost.config.arguments import Given, read_args
from roost.config.catalogue import check_name, find_plugin
from roost.config.configuration import FIELD_OF, Plugins, ProfileConfiguration
from roost.config.decode import at
from roost.config.plugin_sets import EVERY
from roost.errors import ConfigError
from roost.framework.plugin import EXTENSION_POINTS, Plugin

T = TypeVar("T")


def enabled_classes(plugins: Plugins, path: str, given: Mapping[str, type[Plugin]]) -> dict[str, type[Plugin]]:
    """Return the classes of the plugins that a profile itself enables, by name; some may be given as classes."""
    found: dict[str, type[Plugin]] = dict(given)
    for point in FIELD_OF:
        for where, name in _entries(plugins, point, "disabled", path):
            if name != EVERY:
                _answer_at(where, check_name, name)
        for where, name in _entries(plugins, point, "enabled", path):
            found[name] = found.get(name) or _answer_at(where, find_plugin, name)
            _check_point(where, found[name], name, point)
    return found


def given_args(profile: ProfileConfiguration, classes: Mapping[str, type[Plugin]], path: str) -> dict[str, Given]:
    """Return the arguments a profile gives to plugins, by name; those that no plugin will read are checked here."""
    given: dict[str, Given] = {}
    for i, config in enumerate(profile.plugin_config):
        where = f"{path}[{i}]"
        if config.name in given:
            raise at(f"{where}.name", f"{config.name} stands in this list twice")
        given[config.name] = (f"{where}.args", config.args)
        if config.name not in classes:
            plugin_class = _answer_at(f"{where}.name", find_plugin, config.name)
            read_args(config.name, plugin_class, f"{where}.args", config.args)
    return given


def _entries(plugins: Plugins, point: str, kind: str, path: str) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for i, entry in enumerate(getattr(plugins.at(point), kind)):
        where = f"{path}.{point}.{kind}[{i}].name"
        if entry.name in seen:
            raise at(where, f"{entry.name} stands in this list twice")
        seen.add(entry.name)
        yield where, entry.name


def _check_point(path: str, plugin_class: type[Plugin], name: str, point: str) -> None:
    if point == "multiPoint":
        return
    if point not in EXTENSION_POINTS:
        raise at(path, f"the extension point {point} is not supported yet")
    if not issubclass(plugin_class, EXTENSION_POINTS[point]):
        raise at(path, f"plugin {name} does not implement {point}")


def _answer_at(path: str, ask: Callable[[str], T], name: str) -> T:
    try:
        return ask(name)
    except ConfigError as error:
        raise at(path, error) from error
