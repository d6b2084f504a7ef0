"""Classes of devices of dynamic resource allocation, as far as scheduling reads them."""

from roost.api.meta import KubernetesObject, Value

IMPLICIT_RESOURCE_PREFIX = "deviceclass.resource.kubernetes.io/"
"""With the name of a class behind it: a resource that asks for its devices without any field of the class."""


class DeviceClassSpec(Value):
    """What a class stands for; pods may ask for its devices by an extended resource instead of a claim."""

    extended_resource_name: str | None = None


class DeviceClass(KubernetesObject):
    """A class of devices."""

    spec: DeviceClassSpec = DeviceClassSpec()

    @property
    def resources(self) -> tuple[str, ...]:
        """The resources by which a pod asks for devices of this class."""
        explicit = self.spec.extended_resource_name
        implicit = IMPLICIT_RESOURCE_PREFIX + self.name
        return (implicit, explicit) if explicit else (implicit,)
