"""Finds a plugin by its name: built in, installed beside Roost, or a class of the user's own.

    NodeResourcesFit         a row of `roost.plugins.registry`
    CheapestFirst            an entry point of the group `roost.plugins`
    policies:CheapestFirst   a class in a module that Python can import, from the working directory too

A class of the simple form (`def score(self, pod, node)`, `def filter(self, pod, node)`) is lifted to a plugin.
"""

import os
import sys
import traceback
from collections.abc import Iterable
from typing import Any

from roost.config.decode import nearest
from roost.config.default_plugins import KUBE_SCHEDULER_PLUGINS
from roost.errors import ConfigError
from roost.framework.plugin import Plugin
from roost.framework.pod_info import PARTS
from roost.framework.simple import lift
from roost.plugins.registry import REGISTRY

GROUP = "roost.plugins"


def find_plugin(name: str) -> type[Plugin]:
    """Return the plugin class of a name; raises ConfigError with what could have been meant."""
    if ":" in name:
        return as_plugin(name, _imported(name))
    if name in REGISTRY:
        return REGISTRY[name]
    if name in KUBE_SCHEDULER_PLUGINS:
        raise ConfigError(f"plugin {name} is not supported yet")
    for entry_point in _entry_points():
        if entry_point.name == name:
            return as_plugin(name, _loaded(entry_point))
    raise _unknown(name)


def is_built_in(name: str) -> bool:
    """Tell whether a name is one of Roost's plugins or of kube-scheduler's, which an installed plugin cannot have."""
    return name in REGISTRY or name in KUBE_SCHEDULER_PLUGINS


def installed_plugins() -> list[str]:
    """Return the names of the plugins that are installed beside Roost."""
    return sorted(one.name for one in _entry_points())


def check_name(name: str) -> None:
    """Raise ConfigError if no plugin can have this name; a plugin of kube-scheduler may be one that Roost lacks."""
    known = name in REGISTRY or name in KUBE_SCHEDULER_PLUGINS or ":" in name
    if not known and all(one.name != name for one in _entry_points()):
        raise _unknown(name)


def _unknown(name: str) -> ConfigError:
    names = {*REGISTRY, *KUBE_SCHEDULER_PLUGINS, *(one.name for one in _entry_points())}
    hint = nearest(name, names) or "; name one of your own as module:Class"
    return ConfigError(f"unknown plugin {name}{hint}")


def _entry_points() -> Iterable[Any]:
    from importlib.metadata import entry_points

    return entry_points(group=GROUP)


def _loaded(entry_point: Any) -> object:
    try:
        return entry_point.load()
    except Exception as error:
        raise ConfigError(f"plugin {entry_point.name} cannot be imported: {in_one_line(error)}") from error


def _imported(path: str) -> object:
    import importlib

    module_name, _, class_name = path.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise ConfigError(f"plugin {path} cannot be imported: {in_one_line(error)}") from error
    if not hasattr(module, class_name):
        classes = [name for name, value in vars(module).items() if isinstance(value, type)]
        raise ConfigError(f"plugin {path}: {module_name} has no class {class_name}{nearest(class_name, classes)}")
    return getattr(module, class_name)


def as_plugin(path: str, found: object) -> type[Plugin]:
    """Return a class as a plugin class, lifted if it is of the simple form; raises ConfigError if it is none."""
    if not isinstance(found, type):
        raise ConfigError(f"plugin {path} is not a class but a {type(found).__name__}")
    if issubclass(found, Plugin):
        found.name = getattr(found, "name", found.__name__)
        return _checked(path, found)
    try:
        return _checked(path, lift(found))
    except TypeError as error:
        raise ConfigError(f"plugin {path}: {error}") from error


def _checked(path: str, plugin: type[Plugin]) -> type[Plugin]:
    """Refuse declarations that would make remembered answers wrong."""
    for field in ("reads", "pre_reads", "filter_reads", "pod_reads"):
        declared = getattr(plugin, field)
        if declared is not None and (isinstance(declared, str) or not all(isinstance(one, str) for one in declared)):
            raise ConfigError(f"plugin {path}: {field} is {declared!r}; write a set or tuple of names")
    for name in plugin.pod_reads:
        if name not in PARTS:
            raise ConfigError(
                f"plugin {path}: pod_reads names {name!r}{nearest(name, PARTS) or '; known are ' + ', '.join(PARTS)}"
            )
    return plugin


def in_one_line(error: Exception) -> str:
    """Return an error of a user's own code with the file and line where it happened."""
    text = str(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {error}"
    places = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
    return f"{text} ({places[-1].filename}, line {places[-1].lineno})" if len(places) > 1 else text
