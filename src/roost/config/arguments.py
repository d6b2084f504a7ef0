"""Makes plugins with the arguments that `pluginConfig` gives them, or variables of the process where it gives none."""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import fields

from roost.config.catalogue import in_one_line
from roost.config.configuration import API_VERSION
from roost.config.decode import at, decode, nearest
from roost.errors import ConfigError
from roost.framework.plugin import Args, Plugin, Surroundings

logger = logging.getLogger("roost.config")

Given = tuple[str, Mapping[str, Any]]
"""The path of a plugin's arguments in the configuration, and the arguments as they are written there."""


def _read_file(name: str) -> str | None:
    try:
        return Path(name).read_bytes().decode()  # carriage returns stay: some programs stumbled over them
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {name}: {error}") from error


SURROUNDINGS = Surroundings(os.environ, _read_file, logger.warning)


def make_plugin(name: str, plugin_class: type[Plugin], given: Given | None) -> Plugin:
    """Return a plugin with its arguments, or with its default ones; what it cannot use is a ConfigError."""
    path, args = given or (f"plugin {name}", {})
    written = {key: value for key, value in args.items() if value is not None}
    args = {**args, **plugin_class.defaults(SURROUNDINGS, written), **written}
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
    own = {key: value for key, value in args.items() if key not in expected}
    decoded = decode(own, plugin_class.args_type, path)
    _check_nothing_ignored(own, decoded, path)
    return decoded


def _check_nothing_ignored(given: object, decoded: object, path: str) -> None:
    """Refuse fields that the types of Kubernetes objects within arguments would ignore."""
    if isinstance(decoded, Struct) and isinstance(given, Mapping):
        known = {field.encode_name: field.name for field in fields(decoded)}
        for key, value in given.items():
            if key not in known:
                raise at(f"{path}.{key}", f"unknown field{nearest(key, known)}")
            _check_nothing_ignored(value, getattr(decoded, known[key]), f"{path}.{key}")
    elif isinstance(decoded, tuple | list) and isinstance(given, Sequence):
        for i, (one, value) in enumerate(zip(given, decoded, strict=True)):
            _check_nothing_ignored(one, value, f"{path}[{i}]")
