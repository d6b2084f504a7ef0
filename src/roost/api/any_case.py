"""Reads JSON as Go does: keys in any case, null as nothing said, and whatever follows the first value ignored.

The usual spelling costs one typed decode. What does not read that way is taken apart key by key, field by field, by the
structs it should become. `roost.api.extender` reads the messages of other people's programs with it.
"""

import re
from collections.abc import Iterator
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import FieldInfo, fields

from roost.errors import InvalidObject

T = TypeVar("T")
Json = bytes | bytearray | memoryview | Raw

_UNREADABLE = (ValueError, RecursionError)  # msgspec's own errors and UnicodeDecodeError are ValueErrors
_TRAILING = re.compile(r"trailing characters \(byte (\d+)\)")
_STRING = re.compile(rb'"((?:[^"\\]++|\\.)*+)"\s*+(:?)', re.DOTALL)
_HALF_A_PAIR = re.compile(rb"\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])")
_PROBLEM = re.compile(r"Expected `(?P<wanted>[^`]*)`, got `(?P<got>[^`]*)`(?: - at .*)?", re.DOTALL)
_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_NOTHING: dict[Any, Any] = {str: "", int: 0, float: 0.0, bool: False, list: [], tuple: (), dict: {}}


def read(data: Json, kind: type[T]) -> T:
    """Return the first JSON value of `data` as a struct, or as a list or mapping of structs.

    Unknown keys are ignored, also by structs that forbid them. What a struct's `aliases` maps (folded key to field) are
    other words for its fields. Raises InvalidObject with one sentence that names the field.
    """
    try:
        return _read(data, kind, "")  # type: ignore[no-any-return]
    except _Trailing as trailing:
        return _read(memoryview(data)[: trailing.start], kind, "")  # type: ignore[no-any-return]


class _Trailing(Exception):
    """The value has ended, and something else starts at a byte."""

    def __init__(self, start: int) -> None:
        super().__init__(start)
        self.start = start


def _read(data: Json, kind: Any, path: str) -> Any:
    """Return a value of a kind; the usual spelling first."""
    if _is_plain(kind) or (_is_loose(kind) and not _odd_keys(data, kind)):
        try:
            return msgspec.json.decode(data, type=kind)
        except _UNREADABLE:
            pass  # what is wrong, and whether it is wrong at all, is said by reading it key by key
    return _read_by_key(data, kind, path)


def _read_by_key(data: Json, kind: Any, path: str) -> Any:
    kind = _member(kind)
    origin = get_origin(kind) or kind
    if isinstance(origin, type) and issubclass(origin, Struct):
        return _read_struct(data, kind, path)
    if origin in (list, tuple) and kind is not origin:
        items = _decode(data, list[Raw] | None, path) or []
        return origin(_read_item(item, get_args(kind)[0], f"{path}[{row}]") for row, item in enumerate(items))
    if origin is dict and kind is not origin:
        values = _decode(data, dict[str, Raw] | None, path) or {}
        return {key: _read_item(value, get_args(kind)[1], _join(path, key)) for key, value in values.items()}
    return _decode(data, kind, path)


def _read_struct(data: Json, kind: type[Struct], path: str) -> Struct:
    found: dict[str, Any] = {}
    for key, value in _decode(data, dict[str, Raw], path).items():
        one = _field_of(kind, key)
        if one is not None and not _is_null(value):
            found[one.name] = _read(value, one.type, _join(path, one.encode_name))
    return kind(**found)


def _read_item(data: Raw, kind: Any, path: str) -> Any:
    return _nothing(kind) if _is_null(data) else _read(data, kind, path)


def _decode(data: Json, kind: Any, path: str) -> Any:
    """Decode what has no keys of ours in it, and say in a sentence why that is not possible."""
    try:
        return msgspec.json.decode(data, type=kind)
    except _UNREADABLE as error:
        trailing = _TRAILING.search(str(error))
        if trailing and not path:
            raise _Trailing(int(trailing[1]) - 1) from None
        raise InvalidObject(f"{path}: {_said(error, data)}" if path else f"the message {_said(error, data)}") from error


def _said(error: Exception, data: Json) -> str:
    text = str(error)
    problem = _PROBLEM.fullmatch(text)
    if problem:
        return f"is {_in_words(problem['got'])}, not {_in_words(problem['wanted'])}"
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    if isinstance(error, UnicodeDecodeError) or "surrogate" in text or _HALF_A_PAIR.search(data):
        return "has a text that is not valid Unicode"
    if "truncated" in text:
        return "is empty" if not memoryview(data).nbytes else "is JSON that ends too early"
    if text.startswith("Expected") or "out of range" in text:
        return "is a number beyond 64 bits"
    return f"is not JSON: {text.removeprefix('JSON is malformed: ')}"


def _in_words(kinds: str) -> str:
    names = kinds.split(" | ")
    return " or ".join(_WORDS.get(name, name) for name in names if name != "null" or len(names) == 1)


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _is_null(value: Raw) -> bool:
    return memoryview(value).nbytes == 4 and bytes(value) == b"null"


def _nothing(kind: Any) -> Any:
    """Return what null is where Go has no null: an empty text, 0, a message without fields."""
    if _member(kind) is not kind and get_origin(kind) is not Annotated:
        return None
    kind = _member(kind)
    kind = get_origin(kind) or kind
    return kind() if isinstance(kind, type) and issubclass(kind, Struct) else _NOTHING.get(kind)


def _field_of(kind: type[Struct], key: str) -> FieldInfo | None:
    known = _spellings(kind)
    return known.get(key) or known.get(key.casefold())


@cache
def _spellings(kind: type[Struct]) -> dict[str, FieldInfo]:
    """Return the fields of a struct by their exact and by their folded names."""
    by_name = {one.name: one for one in fields(kind)}
    aliases: dict[str, str] = getattr(kind, "aliases", {})
    folded = {one.encode_name.casefold(): one for one in by_name.values()}
    other_words = {word: by_name[name] for word, name in aliases.items()}
    return other_words | folded | {one.encode_name: one for one in by_name.values()}


def _odd_keys(data: Json, kind: Any) -> bool:
    """Return whether some key, at any depth, could be a field spelled in another case."""
    exact, folded = _all_spellings(kind)
    keys = {key for key, colon in _STRING.findall(data) if colon} - exact
    return any(b"\\" in key or key.decode(errors="replace").casefold() in folded for key in keys)


@cache
def _all_spellings(kind: Any) -> tuple[frozenset[bytes], frozenset[str]]:
    names = {one.encode_name for struct in _structs(kind) for one in fields(struct)}
    return frozenset(name.encode() for name in names), frozenset(name.casefold() for name in names)


@cache
def _is_plain(kind: Any) -> bool:
    """Return whether a typed decode would complain about every key it does not know."""
    return all(struct.__struct_config__.forbid_unknown_fields for struct in _structs(kind))


@cache
def _is_loose(kind: Any) -> bool:
    """Return whether no struct in a kind complains about unknown keys: then one look at the text tells."""
    return not any(struct.__struct_config__.forbid_unknown_fields for struct in _structs(kind))


@cache
def _structs(kind: Any) -> frozenset[type[Struct]]:
    """Return all structs that a kind is made of."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        inner: Iterator[Any] = (one.type for one in fields(kind))
        return frozenset({kind}).union(*map(_structs, inner))
    return frozenset[type[Struct]]().union(*(_structs(one) for one in get_args(kind) if one is not NoneType))


def _member(kind: Any) -> Any:
    """Return the type of `X | None` that is not None, without its bounds."""
    if get_origin(kind) in (Union, UnionType):
        members = [one for one in get_args(kind) if one not in (NoneType, msgspec.UnsetType)]
        return members[0] if len(members) == 1 else kind
    return kind
