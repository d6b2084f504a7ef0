"""Reads the manifests that an embedded cluster is to hold, and tells which objects bring pods to be scheduled."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from roost.apiserver.resources import DEPLOYMENT, NODE, POD, REPLICA_SET, Resource, resource_of_kind
from roost.apiserver.store import Object
from roost.config.documents import read_documents
from roost.errors import ConfigError

_MAKE_PODS = (DEPLOYMENT, REPLICA_SET)


class GivenObject(Struct, frozen=True):
    """An object of a manifest, the resource it is of, and where it is written."""

    resource: Resource
    object: Object
    origin: str

    @property
    def label(self) -> str:
        """The object as kind/name."""
        return f"{self.resource.kind}/{self.object['metadata']['name']}"

    @property
    def is_node(self) -> bool:
        """Whether it is a node."""
        return self.resource is NODE

    @property
    def pods_to_come(self) -> int:
        """How many pods it brings that wait for a node."""
        spec = self.object.get("spec") or {}
        if self.resource is POD:
            return 0 if spec.get("nodeName") else 1
        replicas = spec.get("replicas", 1) if self.resource in _MAKE_PODS else 0
        return replicas if isinstance(replicas, int) else 1


def read_objects(paths: Sequence[Path]) -> list[GivenObject]:
    """Return the objects of manifests in their order; raises ConfigError naming the file and what is wrong in it."""
    return [given for path in paths for given in _objects_in(path)]


def _objects_in(path: Path) -> Iterator[GivenObject]:
    try:
        documents = read_documents(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the manifest {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text") from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    for number, document in enumerate(_without_lists(documents), start=1):
        yield _given(document, f"{path}, object {number}")


def _without_lists(documents: Sequence[Any]) -> Iterator[Any]:
    """Yield documents, and the items of those that are a List, as `kubectl get -o yaml` prints."""
    for document in documents:
        if isinstance(document, dict) and document.get("kind") == "List":
            yield from document.get("items") or ()
        else:
            yield document


def _given(document: Any, origin: str) -> GivenObject:
    if not isinstance(document, dict):
        raise ConfigError(f"{origin}: a Kubernetes object is expected, with apiVersion, kind and metadata")
    for field in ("apiVersion", "kind"):
        if not isinstance(document.get(field), str):
            raise ConfigError(f"{origin}: {field} is missing")
    metadata = document.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise ConfigError(f"{origin}: metadata.name is missing")
    resource = resource_of_kind(document["apiVersion"], document["kind"])
    if resource is None:
        kind = f"{document['kind']} of {document['apiVersion']}"
        raise ConfigError(f"{origin}: {kind} is not served by the embedded cluster; leave it out")
    return GivenObject(resource, document, origin)
