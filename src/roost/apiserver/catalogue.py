"""Which resource a path is about: those that are known, and those that came to be by being written."""

from urllib.parse import unquote

from msgspec import Struct

from roost.apiserver.resources import NAMESPACE, RESOURCES, STATUS, Resource, find_resource
from roost.apiserver.status import no_such_resource
from roost.apiserver.stored import Object

_OF_NAMESPACES = (STATUS, "finalize")


class Place(Struct, frozen=True):
    """A path of the API, taken apart."""

    group: str
    version: str
    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""


class Target(Struct, frozen=True):
    """A resource, and which of its objects or collections a request is about."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def read_path(path: str) -> Place | None:
    """Take a path such as /apis/GROUP/VERSION/namespaces/NAMESPACE/PLURAL/NAME/SUBRESOURCE apart."""
    root, *parts = [unquote(part) for part in path.strip("/").split("/")]
    if root == "api" and len(parts) >= 2 and parts[0] == "v1":
        return _place("", "v1", parts[1:])
    if root == "apis" and len(parts) >= 3:
        return _place(parts[0], parts[1], parts[2:])
    return None


def _place(group: str, version: str, parts: list[str]) -> Place | None:
    namespace = ""
    is_of_namespace = not group and len(parts) == 3 and parts[2] in _OF_NAMESPACES
    if parts[0] == NAMESPACE.plural and len(parts) > 2 and not is_of_namespace:
        namespace, parts = parts[1], parts[2:]
    if not all(parts) or len(parts) > 3:
        return None
    plural, name, subresource = (*parts, "", "")[:3]
    return Place(group, version, plural, namespace, name, subresource)


class Catalogue:
    """All resources that are served; one that is not known is taken up when its first object is written."""

    def __init__(self) -> None:
        self._learnt: dict[tuple[str, str], Resource] = {}

    @property
    def resources(self) -> list[Resource]:
        """Everything that is served now."""
        return [*RESOURCES, *self._learnt.values()]

    def target(self, place: Place, body: Object | None = None) -> Target:
        """Return what a path is about; refuses (404) what is not served, unless an object is there to learn it from."""
        resource = find_resource(place.group, place.plural) or self._learnt.get((place.group, place.plural))
        if resource is None and body is not None:
            resource = self._learn(place, body)
        if resource is None or resource.version != place.version or not _fits(resource, place):
            raise no_such_resource()
        return Target(resource, place.namespace, place.name, place.subresource)

    def is_known(self, resource: Resource) -> bool:
        """Tell whether a resource is one of Kubernetes' own."""
        return resource.key not in self._learnt

    def _learn(self, place: Place, body: Object) -> Resource | None:
        kind = body.get("kind")
        if not isinstance(kind, str) or not kind or not place.group:
            return None
        resource = Resource(
            group=place.group,
            version=place.version,
            plural=place.plural,
            kind=kind,
            namespaced=bool(place.namespace),
            subresources=(STATUS,),
        )
        return self._learnt.setdefault(resource.key, resource)


def _fits(resource: Resource, place: Place) -> bool:
    """Tell whether a path has a namespace where the resource has one; a collection may span them all."""
    if place.namespace:
        return resource.namespaced
    return not resource.namespaced or not place.name
