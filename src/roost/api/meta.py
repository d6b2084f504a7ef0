"""What all Kubernetes objects share: the struct they are made of, and their metadata."""

from typing import dataclass_transform

from msgspec import Struct, field

QuantityText = str | int | float
"""A quantity as it is spelled in an object; `roost.api.quantity` reads it."""


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
class Value(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """A frozen value decoded straight from JSON; unknown fields are ignored, absent ones take their default."""


class OwnerReference(Value):
    """Who owns an object; `controller` marks the one that manages it."""

    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None


class ObjectMeta(Value):
    """The metadata a scheduler reads."""

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: tuple[OwnerReference, ...] | None = None
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None


class KubernetesObject(Value):
    """What every object has, with short ways to it."""

    metadata: ObjectMeta = ObjectMeta()

    @property
    def name(self) -> str:
        """The name, unique within a namespace, or in the cluster for what has none."""
        return self.metadata.name

    @property
    def labels(self) -> dict[str, str]:
        """The labels; empty if there are none."""
        return self.metadata.labels or {}

    @property
    def annotations(self) -> dict[str, str]:
        """The annotations; empty if there are none."""
        return self.metadata.annotations or {}


class Resources(Value):
    """Requests and limits of a container or a pod; quantities as they are spelled."""

    requests: dict[str, QuantityText] | None = None
    limits: dict[str, QuantityText] | None = None


class Condition(Value):
    """One condition of a pod or a node."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
