"""Finds policies and v1alpha1 configurations in what people have: plain files, ConfigMaps, manifests of many documents.

document ─┬─ kind Policy, or its fields without apiVersion and kind ─────────────────────────► a policy
          ├─ KubeSchedulerConfiguration v1alpha1 ────────────────────────────────────────────► a configuration
          ├─ ConfigMap ─► policy.cfg, and other keys whose text is one of the two above ─────► either
          └─ List ─► its items                              anything else (Deployments, roles) is passed over
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from roost.config.configuration import API_VERSION, KIND
from roost.config.decode import at
from roost.config.documents import read_documents
from roost.config.legacy.types import POLICY_FIELDS
from roost.config.legacy.v1alpha1 import API_VERSIONS
from roost.errors import ConfigError

POLICY_KEY = "policy.cfg"
_WORTH_READING = re.compile(rf"{KIND}|\bkind\W+Policy\b")


class Found(Struct, frozen=True, kw_only=True):
    """A policy or a configuration as plain data, and where it stands."""

    data: Any
    place: str
    namespace: str = ""
    name: str = ""
    key: str = ""

    @contextmanager
    def placed(self) -> Iterator[None]:
        """Let errors start with the place."""
        try:
            yield
        except ConfigError as error:
            raise ConfigError(f"{self.place}: {error}" if self.place else str(error)) from error


def find_legacy(documents: Sequence[tuple[str, Any]]) -> tuple[list[Found], list[Found]]:
    """Return the policies and the v1alpha1 configurations in documents, each of which is a place and plain data."""
    found = [one for place, data in documents for one in _within(data, place)]
    return [one for one in found if one.data.get("kind") != KIND], [
        one for one in found if one.data.get("kind") == KIND
    ]


def is_current(data: Any) -> bool:
    """Return whether a document is a configuration of v1."""
    return isinstance(data, dict) and data.get("apiVersion") == API_VERSION


def _within(data: Any, place: str) -> Iterator[Found]:
    if not isinstance(data, dict):
        return
    if data.get("kind") == "ConfigMap":
        yield from _in_config_map(data)
    elif data.get("kind") in ("List", "ConfigMapList"):
        items = data.get("items")
        for item in items if isinstance(items, list) else ():
            yield from _within(item, place)
    elif _is_legacy(data):
        yield Found(data=data, place=place)


def _is_legacy(data: dict[str, Any]) -> bool:
    kind, version = data.get("kind"), data.get("apiVersion")
    if kind == KIND:
        return version in API_VERSIONS
    if kind is None and version in (None, "v1"):
        keys = {str(key).lower() for key in data}
        return bool(keys & POLICY_FIELDS) and "profiles" not in keys
    return kind == "Policy" and version in (None, "v1")


def _in_config_map(data: dict[str, Any]) -> Iterator[Found]:
    metadata, texts = data.get("metadata"), data.get("data")
    names = metadata if isinstance(metadata, dict) else {}
    namespace, name = str(names.get("namespace") or ""), str(names.get("name") or "")
    title = f"ConfigMap {namespace}/{name}" if namespace else f"ConfigMap {name}"
    for key, text in (texts if isinstance(texts, dict) else {}).items():
        where = Found(data=None, place=f"{title}, {key}", namespace=namespace, name=name, key=str(key))
        yield from _in_value(where, text)


def _in_value(where: Found, text: Any) -> Iterator[Found]:
    is_policy = where.key == POLICY_KEY
    if is_policy and not isinstance(text, str):
        raise at(where.place, "is not a text; write | after the key, and the policy indented below it")
    if not isinstance(text, str) or not (is_policy or _WORTH_READING.search(text)):
        return
    with where.placed():
        documents = [one for one in read_documents(text) if isinstance(one, dict) and _is_legacy(one)]
    if is_policy and not documents:
        raise at(where.place, "holds no policy: a mapping with kind Policy and extenders or the like is expected")
    for data in documents:
        yield replace(where, data=data)
