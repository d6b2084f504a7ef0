"""The API server's audit log: what it was asked, by whom, and what it answered."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# One line per answered request: everything that service accounts ask, and from everyone what a scheduler writes.
# Requests that began and were not answered leave no line.
POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- level: Metadata
  userGroups: ["system:serviceaccounts"]
- level: Metadata
  verbs: [create, patch, update]
  resources:
  - {group: "", resources: [pods/binding, pods/status, bindings, events]}
  - {group: events.k8s.io, resources: [events]}
- level: None
"""


@dataclass(frozen=True)
class Entry:
    """One answered request."""

    user: str
    verb: str
    uri: str
    resource: str
    namespace: str
    name: str
    code: int


class AuditLog:
    """Read an audit log as it grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._position = 0
        self._entries: list[Entry] = []

    def entries(self) -> list[Entry]:
        """Read what is new and return everything so far."""
        if self.path.exists():
            with self.path.open("rb") as log:
                log.seek(self._position)
                complete, _, _ = log.read().rpartition(b"\n")
            self._position += len(complete) + 1 if complete else 0
            self._entries.extend(_entry(json.loads(line)) for line in complete.splitlines())
        return self._entries

    def refused(self, user: str) -> list[Entry]:
        """Find what the server forbade a user."""
        return [entry for entry in self.entries() if entry.user == user and entry.code == 403]

    def writes(self, resource: str, namespace: str) -> list[Entry]:
        """Find the answered writes to a resource (or resource/subresource) in a namespace."""
        return [entry for entry in self.entries() if (entry.resource, entry.namespace) == (resource, namespace)]


class BindCounter:
    """Count the bindings the API server accepted and refused, pod by pod, in one namespace."""

    def __init__(self, log: AuditLog, namespace: str) -> None:
        self._log = log
        self._namespace = namespace

    def accepted(self) -> Counter[str]:
        """Count accepted bindings by pod name."""
        return Counter(entry.name for entry in self._bindings() if entry.code == 201)

    def refused(self) -> Counter[int]:
        """Count refused bindings by status code."""
        return Counter(entry.code for entry in self._bindings() if entry.code != 201)

    def _bindings(self) -> Iterator[Entry]:
        return iter(self._log.writes("pods/binding", self._namespace))


def _entry(line: dict[str, Any]) -> Entry:
    target = line.get("objectRef", {})
    subresource = target.get("subresource")
    return Entry(
        user=line["user"]["username"],
        verb=line["verb"],
        uri=line["requestURI"],
        resource=f"{target.get('resource', '')}/{subresource}" if subresource else target.get("resource", ""),
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        code=line.get("responseStatus", {}).get("code", 0),
    )
