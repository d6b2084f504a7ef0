"""Asking a plugin: its exceptions become one sentence that names the plugin, the file and the line."""

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
        raise PluginError(_sentence(plugin, extension_point.__name__, error)) from error


def _sentence(plugin: Any, point: str, error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"
    text = f": {error}" if str(error) else ""
    return f"plugin {plugin.name} failed in {point} at {where}: {type(error).__name__}{text}"
