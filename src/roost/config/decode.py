"""Turns plain data into configuration types, and what is wrong with it into one sentence that names the field.

`msgspec` does the work; its messages are rewritten so that they start with the path of the field as the user sees it in
the file and end with what to do, such as the nearest known name.
"""

import difflib
import re
from collections.abc import Iterable
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import Struct
from msgspec.structs import FieldInfo, fields

from roost.config.configuration import Duration
from roost.errors import ConfigError

T = TypeVar("T", bound=Struct)

_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}
_PROBLEM = re.compile(r"(?P<what>.*?)( - at (?P<key>`key` in )?`\$(?P<path>[^`]*)`)?", re.DOTALL)
_FIELD_FIRST = re.compile(r"[a-z]\w*([.\[][\w\].\[]*)?: ")


def decode(data: object, into: type[T], path: str = "") -> T:
    """Return data as a type; a field that is null is as good as absent, as in kube-scheduler."""
    try:
        return msgspec.convert(_without_nulls(data), into, dec_hook=_from_text)
    except msgspec.ValidationError as error:
        raise ConfigError(_sentence(str(error), into, path)) from error


def at(path: str, problem: object) -> ConfigError:
    """Return an error that starts with the path of a field; a problem that names a field within joins the path."""
    text = str(problem)
    separator = "" if not path else "." if _FIELD_FIRST.match(text) else ": "
    return ConfigError(f"{path}{separator}{text}")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a question that names what could have been meant, or nothing."""
    spelled = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name.lower(), spelled, n=2, cutoff=0.7)
    return f"; did you mean {' or '.join(spelled[one] for one in close)}?" if close else ""


def _without_nulls(data: object) -> object:
    if isinstance(data, dict):
        return {key: _without_nulls(value) for key, value in data.items() if value is not None}
    if isinstance(data, list | tuple):
        return [_without_nulls(item) for item in data]
    return data


def _from_text(wanted: type, data: object) -> object:
    if wanted is Duration:
        return Duration.parse(data)
    raise NotImplementedError(wanted)


def _sentence(message: str, into: type[Struct], path: str) -> str:
    """Rewrite a message of msgspec, such as "Expected `int`, got `str` - at `$.parallelism`"."""
    what, key, inner = _parts(message)
    where = _join(path, inner)
    wanted = _type_at(into, inner)
    quoted = re.findall(r"`([^`]*)`", what)
    if what.startswith("Object contains unknown field"):
        return f"{_join(where, quoted[0])}: {_unknown_field(quoted[0], wanted)}"
    if what.startswith("Object missing required field"):
        return f"{_join(where, quoted[0])}: is missing"
    if key:
        what = "a name in this mapping is not a text; put it in quotes"
    elif what.startswith("Expected") and len(quoted) == 2:
        what = "is {1}, not {0}".format(*map(_in_words, quoted))
    elif what.startswith("Invalid enum value"):
        what = f"{what.removeprefix('Invalid enum value ')} is none of {', '.join(map(str, _choices(wanted)))}"
    return str(at(where, what))


def _parts(message: str) -> tuple[str, bool, str]:
    """Return what is wrong, whether with the name of a field, and the path."""
    match = _PROBLEM.fullmatch(message)
    if match is None:
        return message, False, ""
    return match["what"], match["key"] is not None, (match["path"] or "").removeprefix(".")


def _unknown_field(name: str, wanted: Any) -> str:
    known = [one.encode_name for one in _fields(wanted)]
    return f"unknown field{nearest(name, known) or ('; known are ' if known else '') + ', '.join(known)}"


def _choices(wanted: Any) -> Iterable[object]:
    return get_args(wanted) or [one.value for one in wanted]


def _in_words(kinds: str) -> str:
    return " or ".join(_WORDS.get(kind, kind) for kind in kinds.split(" | ") if kind != "null")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path and name and not name.startswith("[") else f"{path}{name}"


def _type_at(into: Any, path: str) -> Any:
    """Return the type of the field at a path such as `profiles[0].plugins`."""
    for step in re.findall(r"[^.\[\]]+|\[[^\]]*\]", path):
        into = _inside(into, step)
    return _member(into)


def _inside(into: Any, step: str) -> Any:
    into = _member(into)
    if step.startswith("["):
        arguments = get_args(into) or (Any,)
        return arguments[-1] if get_origin(into) is dict else arguments[0]
    return next((one.type for one in _fields(into) if one.encode_name == step), Any)


def _fields(into: Any) -> Iterable[FieldInfo]:
    return fields(into) if isinstance(into, type) and issubclass(into, Struct) else ()


def _member(into: Any) -> Any:
    """Return the type of `X | None` that is not None."""
    if get_origin(into) in (Union, UnionType):
        return next(one for one in get_args(into) if one is not type(None))
    return into
