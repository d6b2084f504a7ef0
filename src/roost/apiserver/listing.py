"""Pages of a list: all pages of one list show the same moment, whatever is written between them."""

import base64
import binascii
from itertools import islice

import msgspec
from msgspec import Struct

from roost.apiserver.collection import Collection, Name
from roost.apiserver.refusals import bad_request, not_yet, page_expired
from roost.apiserver.selection import Selection
from roost.apiserver.stored import Stored
from roost.errors import Gone


class Listed(Struct, frozen=True):
    """Objects at one resourceVersion; with a token if there are more, and how many more if that is known."""

    items: list[Stored]
    resource_version: int
    continue_token: str = ""
    remaining: int | None = None


class _Token(Struct, frozen=True):
    version: int
    after: Name


def list_page(
    collection: Collection, selection: Selection, current: int, version: int, limit: int, token: str
) -> Listed:
    """Return one page; a version of 0 asks for the present. Raises Gone if the moment asked for is forgotten."""
    if version > current:
        raise not_yet(version, current)
    if token:
        return _next_page(collection, selection, _read(token), limit)
    return _page(collection, selection, version or current, limit, ("", ""))


def _next_page(collection: Collection, selection: Selection, token: _Token, limit: int) -> Listed:
    try:
        return _page(collection, selection, token.version, limit, token.after)
    except Gone as error:
        raise page_expired() from error


def _page(collection: Collection, selection: Selection, version: int, limit: int, after: Name) -> Listed:
    rest = (item for item in collection.in_order(version) if (item.namespace, item.name) > after)
    selected = (item for item in rest if selection.matches(item))
    if not limit:
        return Listed([item.seen_as(selection.resource) for item in selected], version)
    items = list(islice(selected, limit))
    remaining = sum(1 for _ in selected)
    token = _write(_Token(version, (items[-1].namespace, items[-1].name))) if remaining else ""
    # As kube-apiserver: with a selector it does not say how many more there are.
    known = remaining if remaining and not (selection.labels or selection.fields) else None
    return Listed([item.seen_as(selection.resource) for item in items], version, token, known)


def _write(token: _Token) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(token)).decode().rstrip("=")


def _read(text: str) -> _Token:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=_Token)
    except (binascii.Error, ValueError) as error:
        raise bad_request(f"continue key is not valid: {error}") from error
