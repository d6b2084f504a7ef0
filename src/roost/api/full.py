"""Objects in full, for those who are sent them: what scheduling does not read is kept as the JSON it came as."""

from typing import Any

from msgspec import Raw

from roost.api.kinds import Kind
from roost.api.meta import Value

_NOTHING = Raw(b"{}")


class FullMeta(Value):
    """All metadata but the managed fields, which are long and concern nobody who is asked about an object."""

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[dict[str, Any]] | None = None
    finalizers: list[str] | None = None


class FullObject(Value):
    """A pod or a node, or anything else that has a spec and a status."""

    metadata: FullMeta = FullMeta()
    spec: Raw = _NOTHING
    status: Raw = _NOTHING


POD_IN_FULL = Kind(plural="pods", name="Pod", type=FullObject)
NODE_IN_FULL = Kind(plural="nodes", name="Node", type=FullObject, namespaced=False)
