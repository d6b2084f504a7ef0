"""A cluster from what is at hand: a dump as text, or objects; for notebooks and tests.

cluster = roost.analysis.load(Path("dump.json").read_bytes())          kubectl get nodes,pods,pdb -A -o json
cluster = roost.analysis.load([node("a"), pod("p", node_name="a")])    values, or manifests as plain data
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from msgspec import DecodeError, Raw, Struct, ValidationError, convert
from msgspec.json import Decoder
from msgspec.structs import replace

from roost.analysis.kinds import ADDERS, Add
from roost.analysis.snapshot import Snapshot
from roost.api.kinds import Kind
from roost.api.meta import KubernetesObject
from roost.api.pod import Pod
from roost.config.documents import read_documents
from roost.errors import ConfigError, InvalidObject

Manifest = Mapping[str, Any]
Given = KubernetesObject | Manifest


class _Header(Struct, frozen=True, rename="camel"):
    api_version: str = ""
    kind: str = ""
    items: list[Raw] | None = None


_read_header = Decoder(_Header).decode


def load(dump: bytes | str | Iterable[Given]) -> Snapshot:
    """Return the cluster in a dump: JSON or YAML as text, or objects as values or plain data.

    Kinds that deciding does not read are passed over; so is an object that cannot be read, with a sentence in
    `unreadable`. Pods without a namespace are in `default`. Raises ConfigError for a text that is neither, and
    InvalidObject for what is no object.
    """
    snapshot = Snapshot()
    if isinstance(dump, str | bytes):
        _load_text(snapshot, dump)
    else:
        for one in dump:
            _add_given(snapshot, one)
    return snapshot


def _load_text(snapshot: Snapshot, text: bytes | str) -> None:
    data = text.encode() if isinstance(text, str) else text
    if data.lstrip()[:1] == b"{":
        try:
            _add_json(snapshot, Raw(data))
        except ValidationError as error:
            raise InvalidObject(f"the dump has something that is no Kubernetes object: {error}") from error
        except DecodeError as error:
            raise ConfigError(f"the dump is no valid JSON: {error}") from error
        return
    for document in read_documents(data.decode()):
        _add_given(snapshot, document)


def _add_json(snapshot: Snapshot, raw: Raw, listed: str = "") -> None:
    """Add an object or the items of a list; `listed` is the kind of items that do not name theirs."""
    header = _read_header(raw)
    if header.items is not None and header.kind.endswith("List"):
        for item in header.items:
            _add_json(snapshot, item, header.kind.removesuffix("List"))
        return
    kind = header.kind or listed
    add = _adders().get((header.api_version.rpartition("/")[0], kind))
    if add is not None:
        _add(snapshot, add, lambda: _decoder(add.kind).decode(raw))


def _add_given(snapshot: Snapshot, given: Given) -> None:
    if isinstance(given, KubernetesObject):
        _add_of_type(type(given)).add(snapshot, _in_namespace(given))
        return
    for manifest in _without_lists(given):
        add = _adders().get((str(manifest.get("apiVersion", "")).rpartition("/")[0], manifest["kind"]))
        if add is not None:
            _add_plain(snapshot, add, manifest)


def _add_plain(snapshot: Snapshot, add: Add, manifest: Manifest) -> None:
    _add(snapshot, add, lambda: convert(manifest, add.kind.type))


def _add(snapshot: Snapshot, add: Add, read: Callable[[], Any]) -> None:
    try:
        obj = read()
    except ValidationError as error:
        snapshot.unreadable.append(f"an object of kind {add.kind.name} is left out: {error}")
        return
    add.add(snapshot, _in_namespace(obj))


def _without_lists(manifest: Any) -> Iterator[Manifest]:
    if not isinstance(manifest, Mapping) or not isinstance(manifest.get("kind"), str):
        raise InvalidObject("a Kubernetes object is expected, with apiVersion, kind and metadata")
    if manifest["kind"] != "List":
        yield manifest
        return
    for item in manifest.get("items") or ():
        yield from _without_lists(item)


def _in_namespace(obj: Any) -> Any:
    if isinstance(obj, Pod) and not obj.metadata.namespace:
        return replace(obj, metadata=replace(obj.metadata, namespace="default"))
    return obj


def _add_of_type(given: type) -> Add:
    for add in ADDERS:
        if issubclass(given, add.kind.type) or (given is not KubernetesObject and issubclass(add.kind.type, given)):
            return add
    raise InvalidObject(f"a {given.__name__} is no kind of object that deciding reads")


@cache
def _adders() -> Mapping[tuple[str, str], Add]:
    return {(add.kind.group, add.kind.name): add for add in ADDERS}


@cache
def _decoder(kind: Kind[Any]) -> Decoder[Any]:
    return Decoder(kind.type)
