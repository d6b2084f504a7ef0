"""Makes plugins with the arguments that `pluginConfig` gives them."""

from collections.abc import Mapping
from typing import Any

from roost.config.catalogue import in_one_line
from roost.config.configuration import API_VERSION
from roost.config.decode import at, decode
from roost.errors import ConfigError
from roost.framework.plugin import Args, Plugin

Given = tuple[str, Mapping[str, Any]]
"""The path of a plugin's arguments in the configuration, and the arguments as they are written there."""


def make_plugin(name: str, plugin_class: type[Plugin], given: Given | None) -> Plugin:
    """Return a plugin with its arguments, or with its default ones; what it cannot use is a ConfigError."""
    path, args = given or (f"plugin {name}", {})
    decoded = read_args(name, plugin_class, path, args)
    try:
        return plugin_class(decoded)
    except ConfigError as error:
        raise at(path, error) from error
    except Exception as error:
        raise at(path, f"{name} cannot be made: {in_one_line(error)}") from error


def read_args(name: str, plugin_class: type[Plugin], path: str, args: Mapping[str, Any]) -> Args:
    """Return arguments as the plugin's own type; `apiVersion` and `kind` may stand among them and are checked."""
    expected = {"apiVersion": API_VERSION, "kind": f"{name.rpartition(':')[2]}Args"}
    for field, value in expected.items():
        if args.get(field, value) != value:
            raise at(f"{path}.{field}", f"is {args[field]}, not {value}")
    return decode({key: value for key, value in args.items() if key not in expected}, plugin_class.args_type, path)
