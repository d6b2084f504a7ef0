"""The smallest OpenAPI v3 that `kubectl apply` is content with: which kinds can be patched, and with which parameters.

It says nothing of fields, so kubectl leaves checking them to the server and merges by the types it was built with.
"""

from collections.abc import Iterable
from hashlib import blake2b

import msgspec

from roost.apiserver.resources import Resource
from roost.apiserver.stored import Object

OLD_TYPE = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
OLD_ANSWER_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
"""How kubectl asks for OpenAPI v2, and what it is answered: no bytes, which is a document about nothing.

It asks when v3 does not know a kind; told that nothing is known, it goes on and says what is wrong with the kind.
"""

_PARAMETERS = ("dryRun", "fieldManager", "fieldValidation", "force")


def index(resources: Iterable[Resource]) -> Object:
    """Return what /openapi/v3 answers: where the document of each group and version is."""
    documents: dict[str, list[Resource]] = {}
    for resource in resources:
        documents.setdefault(_root(resource), []).append(resource)
    paths = {root: {"serverRelativeURL": f"/openapi/v3/{root}?hash={_hash(own)}"} for root, own in documents.items()}
    return {"paths": paths}


def document(resources: Iterable[Resource], root: str) -> Object | None:
    """Return the document of a group and version, such as apis/apps/v1; None if there is none."""
    own = [resource for resource in resources if _root(resource) == root]
    return _document(own) if own else None


def _root(resource: Resource) -> str:
    return f"apis/{resource.api_version}" if resource.group else f"api/{resource.version}"


def _document(resources: list[Resource]) -> Object:
    return {
        "openapi": "3.0.0",
        "info": {"title": "Roost's embedded cluster", "version": "v1"},
        "paths": {_path(resource): {"patch": _patch(resource)} for resource in resources},
        "components": {"schemas": {_schema_name(resource): _schema(resource) for resource in resources}},
    }


def _path(resource: Resource) -> str:
    scope = "/namespaces/{namespace}" if resource.namespaced else ""
    return f"/{_root(resource)}{scope}/{resource.plural}/{{name}}"


def _patch(resource: Resource) -> Object:
    parameters = [
        {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}} for name in _PARAMETERS
    ]
    return {
        "parameters": parameters,
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": _kind(resource),
    }


def _schema_name(resource: Resource) -> str:
    reversed_group = ".".join(reversed((resource.group or "core").split(".")))
    return f"{reversed_group}.{resource.version}.{resource.kind}"


def _schema(resource: Resource) -> Object:
    return {
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": True,
        "x-kubernetes-group-version-kind": [_kind(resource)],
    }


def _kind(resource: Resource) -> Object:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _hash(resources: list[Resource]) -> str:
    return blake2b(msgspec.json.encode(_document(resources)), digest_size=16).hexdigest().upper()
