"""The kinds of objects Roost asks an API server for: where they live and what they decode to."""

from typing import Generic, TypeVar

from msgspec import Struct, field

from roost.api.meta import ObjectMeta, Value
from roost.api.node import Node
from roost.api.pod import Pod

T = TypeVar("T", bound=Value)


class Kind(Struct, Generic[T], frozen=True, kw_only=True):
    """A resource of the API: its group, version, plural name, and the struct its objects decode to."""

    group: str = ""
    version: str = "v1"
    plural: str
    name: str
    type: type[T]
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """The apiVersion as objects spell it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Return the URL path of the collection, of one object, or of its subresource."""
        parts = [f"/apis/{self.group}" if self.group else "/api", self.version]
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/".join(parts)


class Lease(Value):
    """A lease, as leader election reads it; the spec is kept as it comes."""

    metadata: ObjectMeta = ObjectMeta()
    spec: dict[str, object] = field(default_factory=dict)


class AnyObject(Value):
    """An object of which only the metadata is read."""

    metadata: ObjectMeta = ObjectMeta()


POD = Kind(plural="pods", name="Pod", type=Pod)
NODE = Kind(plural="nodes", name="Node", type=Node, namespaced=False)
NAMESPACE = Kind(plural="namespaces", name="Namespace", type=AnyObject, namespaced=False)
EVENT = Kind(group="events.k8s.io", plural="events", name="Event", type=AnyObject)
LEASE = Kind(group="coordination.k8s.io", plural="leases", name="Lease", type=Lease)
