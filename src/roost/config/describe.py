"""Describes plugins for people and programs: what they do, where they take part, what arguments they take."""

from collections.abc import Sequence
from typing import Any, Literal, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo, fields

from roost.config.catalogue import find_plugin, installed_plugins
from roost.framework.plugin import EXTENSION_POINTS, Plugin
from roost.plugins.registry import IN_TREE, REGISTRY

Description = dict[str, Any]
_WORDS: dict[object, str] = {str: "text", int: "whole number", float: "number", bool: "true or false"}


def describe_plugins(names: Sequence[str] = ()) -> list[Description]:
    """Return descriptions as plain data, of all plugins or of those named; raises ConfigError for an unknown name."""
    return [_describe(name, find_plugin(name)) for name in names or (*REGISTRY, *installed_plugins())]


def _describe(name: str, plugin_class: type[Plugin]) -> Description:
    points = [point for point, protocol in EXTENSION_POINTS.items() if issubclass(plugin_class, protocol)]
    return {
        "name": name,
        "does": (plugin_class.__doc__ or "").strip().split("\n")[0],
        "origin": "default" if name in IN_TREE else "policy" if name in REGISTRY else "installed",
        "extensionPoints": points,
        "weight": plugin_class.weight,
        "args": [_describe_arg(field) for field in fields(plugin_class.args_type)],
    }


def _describe_arg(field: FieldInfo) -> Description:
    default = field.default if field.default is not msgspec.NODEFAULT else None
    if field.default_factory is not msgspec.NODEFAULT:
        default = field.default_factory()
    return {"name": field.encode_name, "type": _type_name(field.type), "default": msgspec.to_builtins(default)}


def _type_name(wanted: Any) -> str:
    inner = [one for one in get_args(wanted) if one not in (type(None), ...)]
    if get_origin(wanted) is Literal:
        return " | ".join(map(str, inner))
    if get_origin(wanted) in (tuple, list):
        return f"list of {_type_name(inner[0])}"
    if inner:
        return " | ".join(_type_name(one) for one in inner)
    return _WORDS.get(wanted) or str(getattr(wanted, "__name__", wanted))
