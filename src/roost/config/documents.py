"""Reads a text as YAML or JSON documents; what is wrong with it is one sentence with line and column.

The YAML library is imported where a text is read, not before: a scheduler that runs without a configuration file never
needs it.
"""

from collections.abc import Callable
from typing import Any

from roost.errors import ConfigError


def read_document(text: str) -> Any:
    """Return the one document of a text as plain data."""
    import yaml

    from roost.config.strict_yaml import StrictLoader

    return _read(lambda: yaml.load(text, StrictLoader))


def read_documents(text: str) -> list[Any]:
    """Return the documents of a text as plain data, in their order, without those that are empty."""
    import yaml

    from roost.config.strict_yaml import StrictLoader

    documents: list[Any] = _read(lambda: list(yaml.load_all(text, StrictLoader)))
    return [one for one in documents if one is not None]


def _read(load: Callable[[], Any]) -> Any:
    import yaml

    try:
        return load()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        what = ", ".join(part for part in (error.context, error.problem) if part)
        raise ConfigError(f"{where}no valid YAML: {what}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"no valid YAML: {' '.join(str(error).split())}") from error
