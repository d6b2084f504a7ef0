"""Reads what `kubectl get nodes,pods,… -o json` or `roost dump` prints into a snapshot of a cluster.

    bytes ─► items, undecoded ─► header of each: apiVersion and kind ─► the struct of its kind ─► Snapshot

JSON is decoded straight into structs, item by item; YAML goes through plain data, which takes many times as long.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct

from roost.analysis.kinds import ADDERS, Add
from roost.analysis.snapshot import Snapshot
from roost.api.explaining import EVENT
from roost.errors import ConfigError
from roost.framework.measure import read_time

Progress = Callable[[str], None]
Take = Callable[[Add, Any], None]
"""Takes an object, with the kind that it is of."""

STEP = 2000
KINDS, AT = "roost.dev/dumped-kinds", "roost.dev/dumped-at"
"""Annotations of the list that `roost dump` writes."""

SLOW_YAML = 4 << 20
"""A YAML file from this size on is worth a word."""


class _Header(Struct, frozen=True, rename="camel"):
    api_version: str = ""
    kind: str = ""


class _ListMeta(Struct, frozen=True):
    annotations: dict[str, str] | None = None


class _List(Struct, frozen=True):
    kind: str = ""
    items: list[Raw] | None = None
    metadata: _ListMeta = _ListMeta()


class Reading(Struct):
    """What there is to say of files beside their objects.

    `unreadable` has a sentence for each object left out; `kinds` and `at` (Unix seconds) are what `roost dump` looked
    at, and when; 0 if nobody says.
    """

    unreadable: list[str] = []
    kinds: set[str] = set()
    at: float = 0.0


class _Adder:
    """How objects of one kind are decoded and added."""

    def __init__(self, add: Add) -> None:
        self.decoder = msgspec.json.Decoder(add.kind.type)
        self.add = add


_ADDERS: Mapping[tuple[str, str], _Adder] = {(add.kind.group, add.kind.name): _Adder(add) for add in ADDERS}
_ADDERS = {**_ADDERS, ("", "Event"): _ADDERS[EVENT.group, EVENT.name]}


def read_dumps(files: Sequence[str], progress: Progress) -> Snapshot:
    """Return the cluster that files hold together (- is standard input); raises ConfigError naming the file."""
    snapshot = Snapshot()
    reading = read_objects(files, lambda add, obj: add.add(snapshot, obj), progress)
    snapshot.unreadable += reading.unreadable
    snapshot.kinds |= reading.kinds
    snapshot.at = reading.at
    return snapshot


def read_objects(files: Sequence[str], take: Take, progress: Progress) -> Reading:
    """Hand on all objects that matter, and return what else there is to say; raises ConfigError."""
    reader = _Reader(take, progress)
    for file in files:
        reader.name = "standard input" if file == "-" else Path(file).name
        data = _read(file)
        try:
            count = reader.read_json(data) if _is_json(data) else reader.read_yaml(data)
        except ConfigError as error:
            raise ConfigError(f"{reader.name}: {error}") from error
        if not count:
            raise ConfigError(
                f"{reader.name}: has no objects that matter; kubectl get nodes,pods -A -o json prints some"
            )
    return reader.reading


def read_manifest(file: str) -> list[dict[str, Any]]:
    """Return the objects of a manifest as plain data, lists taken apart."""
    data = _read(file)
    try:
        documents = [msgspec.json.decode(data)] if _is_json(data) else list(_yaml_documents(data))
    except ValueError as error:
        raise ConfigError(f"{file}: no valid JSON: {error}") from error
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from error
    return [one for document in documents for one in _items(document)]


def _read(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from error


def _is_json(data: bytes) -> bool:
    return data[:64].lstrip()[:1] in (b"{", b"[")


class _Reader:
    """Where objects go, and what could not be read."""

    def __init__(self, take: Take, progress: Progress) -> None:
        self.name = ""
        self.reading = Reading()
        self._take = take
        self._progress = progress

    def read_json(self, data: bytes) -> int:
        """Read a list or an object; return how many objects matter."""
        page = _json_page(data)
        items, kind = page.items or [], page.kind.removesuffix("List")
        if page.items is None and not page.kind.endswith("List"):
            items = [Raw(data)]
        self._note(page.metadata.annotations or {})
        count = 0
        for number, raw in enumerate(items, 1):
            if number % STEP == 0:
                self._progress(f"reading {self.name}: {number} of {len(items)} objects")
            count += self._read_raw(raw, kind)
        return count

    def read_yaml(self, data: bytes) -> int:
        """Read documents, lists among them; return how many objects matter."""
        if len(data) > SLOW_YAML:
            print(  # noqa: T201
                f"roost: {self.name} is {len(data) >> 20} MiB of YAML, which takes long to read; JSON is much faster",
                file=sys.stderr,
            )
        count = 0
        for document in _yaml_documents(data):
            for number, item in enumerate(_items(document), 1):
                if number % STEP == 0:
                    self._progress(f"reading {self.name}: {number} objects")
                count += self._read_plain(item)
        return count

    def _note(self, annotations: Mapping[str, str]) -> None:
        self.reading.kinds.update(filter(None, annotations.get(KINDS, "").split(",")))
        at = read_time(annotations.get(AT, ""))
        self.reading.at = max(self.reading.at, 0.0 if at != at else at)

    def _read_raw(self, raw: Raw, kind: str) -> bool:
        try:
            header = msgspec.json.decode(raw, type=_Header)
        except msgspec.ValidationError as error:
            raise ConfigError(f"has an item that is no Kubernetes object: {error}") from error
        adder = _ADDERS.get((_group(header.api_version), header.kind or kind))
        if adder is None:
            return False
        try:
            obj = adder.decoder.decode(raw)
        except ValueError as error:
            self.reading.unreadable.append(
                f"{header.kind or kind} {_name(msgspec.json.decode(raw))} is left out: {error}"
            )
            return True
        self._take(adder.add, obj)
        return True

    def _read_plain(self, item: dict[str, Any]) -> bool:
        kind = str(item.get("kind", ""))
        adder = _ADDERS.get((_group(str(item.get("apiVersion", ""))), kind))
        if adder is None:
            return False
        try:
            obj = msgspec.convert(item, adder.add.kind.type)
        except msgspec.ValidationError as error:
            self.reading.unreadable.append(f"{kind} {_name(item)} is left out: {error}")
            return True
        self._take(adder.add, obj)
        return True


# ---- JSON


def _json_page(data: bytes) -> _List:
    try:
        return msgspec.json.decode(data, type=_List)
    except msgspec.ValidationError as error:
        raise ConfigError(f"is no list of Kubernetes objects: {error}") from error
    except ValueError as error:
        raise ConfigError(f"no valid JSON: {error}") from error


def _name(data: Any) -> str:
    metadata = data.get("metadata") if isinstance(data, dict) else None
    return str(metadata.get("name", "")) if isinstance(metadata, dict) else ""


def _group(api_version: str) -> str:
    return api_version.partition("/")[0] if "/" in api_version else ""


# ---- YAML


def _items(document: Any) -> Iterator[dict[str, Any]]:
    if document is None:
        return
    if not isinstance(document, dict):
        raise ConfigError("is no Kubernetes object: a mapping with apiVersion and kind is expected")
    kind, items = str(document.get("kind", "")), document.get("items")
    if not kind.endswith("List") or not isinstance(items, list):
        yield document
        return
    for item in items:
        for one in _items(item):
            yield one if one.get("kind") else {**one, "kind": kind.removesuffix("List")}


def _yaml_documents(data: bytes) -> Iterator[Any]:
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class PlainLoader(base):  # type: ignore[misc]
        """Leaves times as text, as JSON does."""

    PlainLoader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in base.yaml_implicit_resolvers.items()
    }
    try:
        yield from yaml.load_all(data, PlainLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ConfigError(f"{where}no valid YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"no valid YAML: {' '.join(str(error).split())}") from error
