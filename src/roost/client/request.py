"""Requests as bytes and query strings: plain functions, so that a request is one concatenation and one write."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from roost.api.kinds import Kind
from roost.client.target import Address
from roost.version import __version__

JSON = "application/json"
STRATEGIC_MERGE = "application/strategic-merge-patch+json"
PAGE_SIZE = 500

_BINDING = (
    b'{"apiVersion":"v1","kind":"Binding","metadata":{"name":%b,"namespace":%b,"uid":%b},'
    b'"target":{"apiVersion":"v1","kind":"Node","name":%b}}'
)


class Heads:
    """The head of all requests to one server with one credential, prepared as far as they are alike."""

    def __init__(self, address: Address, authorization: str = "", accept: str = JSON) -> None:
        login = f"Authorization: {authorization}\r\n" if authorization else ""
        self._before = address.path
        self._after = (
            f" HTTP/1.1\r\nHost: {address.host_header}\r\n{login}"
            f"User-Agent: roost/{__version__}\r\nAccept: {accept}\r\n"
        )

    def build(self, method: str, path: str, body: bytes = b"", content_type: str = JSON) -> bytes:
        """Return a whole request."""
        if not body and method == "GET":
            return f"{method} {self._before}{path}{self._after}\r\n".encode("ascii")
        head = (
            f"{method} {self._before}{path}{self._after}"
            f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode("ascii") + body


def object_path(kind: Kind[Any], namespace: str = "", name: str = "", subresource: str = "") -> str:
    """Return the URL path of a collection or an object, with its names quoted."""
    path = _collection_path(kind, namespace)
    if name:
        path = f"{path}/{name if _is_plain(name) else quote(name, safe='')}"
    return f"{path}/{subresource}" if subresource else path


@lru_cache(maxsize=1024)
def _collection_path(kind: Kind[Any], namespace: str) -> str:
    return kind.path(quote(namespace, safe=""))


_is_plain = re.compile(r"[a-z0-9.-]+").fullmatch
"""Nearly every name, and cheaper to see than to quote."""


def group_path(api_version: str) -> str:
    """Return the URL path under which the resources of an apiVersion are named."""
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def list_query(
    field_selector: str = "", label_selector: str = "", *, limit: int = PAGE_SIZE, continue_token: str = ""
) -> str:
    """Return the query of one page of a list; no limit asks for everything at once."""
    return _query(
        fieldSelector=field_selector, labelSelector=label_selector, limit=limit or "", **{"continue": continue_token}
    )


def watch_query(resource_version: str, field_selector: str = "", label_selector: str = "", *, seconds: int) -> str:
    """Return the query of a watch that the server ends after so many seconds."""
    return _query(
        watch="true",
        allowWatchBookmarks="true",
        resourceVersion=resource_version,
        timeoutSeconds=seconds,
        fieldSelector=field_selector,
        labelSelector=label_selector,
    )


def _query(**parameters: str | int) -> str:
    given = {key: value for key, value in parameters.items() if value != ""}
    return "?" + urlencode(given, quote_via=quote) if given else ""


def binding(namespace: str, name: str, uid: str, node_name: str) -> bytes:
    """Return the JSON that binds a pod to a node, on condition that it still has this uid."""
    encode = msgspec.json.encode
    return _BINDING % (encode(name), encode(namespace), encode(uid), encode(node_name))


def eviction(namespace: str, name: str, uid: str = "", grace_seconds: int | None = None) -> bytes:
    """Return the JSON that asks for a pod's eviction, on condition that it still has this uid (if given)."""
    body: dict[str, object] = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": namespace},
    }
    options: dict[str, object] = {"preconditions": {"uid": uid}} if uid else {}
    if grace_seconds is not None:
        options["gracePeriodSeconds"] = grace_seconds
    if options:
        body["deleteOptions"] = options
    return msgspec.json.encode(body)


def delete_options(uid: str = "", resource_version: str = "") -> bytes:
    """Return the JSON that deletes an object on the conditions that are given."""
    given = {"uid": uid, "resourceVersion": resource_version}
    preconditions = {key: value for key, value in given.items() if value}
    body: Mapping[str, object] = {"apiVersion": "v1", "kind": "DeleteOptions"}
    return msgspec.json.encode({**body, "preconditions": preconditions} if preconditions else body)
