"""Asking a plugin: its exceptions become one sentence that names the plugin, the file and the line."""

import sys
import traceback
from collections.abc import Callable
from pathlib import PurePath
from typing import Any, ParamSpec, TypeVar

from roost.errors import PluginError

P = ParamSpec("P")
R = TypeVar("R")


def ask(plugin: Any, extension_point: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Call an extension point of a plugin; raises PluginError whatever the plugin raises."""
    try:
        return extension_point(*args, **kwargs)
    except Exception as error:
        raise failure(plugin, extension_point, error) from error


def failure(plugin: Any, extension_point: Callable[..., object], error: Exception) -> PluginError:
    """Return the sentence about an exception of a plugin as an error."""
    return PluginError(_sentence(plugin, extension_point.__name__, error))


def _sentence(plugin: Any, point: str, error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == _file_of(plugin)]
    at = (own or frames)[-1]
    where = f"{PurePath(at.filename).name}:{at.lineno}"
    text = f": {error}" if str(error) else ""
    return f"plugin {plugin.name} failed in {point} at {where}: {type(error).__name__}{text}"


def _file_of(plugin: Any) -> str:
    """Return the file of the user's own class: its line says more than that of a library it calls."""
    written = getattr(plugin, "policy_type", type(plugin))
    return getattr(sys.modules.get(written.__module__), "__file__", None) or ""
