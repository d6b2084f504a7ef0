"""Which resources of pods stand for devices, by the DeviceClasses there are."""

from collections.abc import Mapping
from types import MappingProxyType

from roost.api.devices import DeviceClass


class DeviceClasses:
    """The resources that map to a DeviceClass; `resources` gives the name of a class for each."""

    def __init__(self) -> None:
        self.resources: Mapping[str, str] = MappingProxyType({})
        self._classes: dict[str, tuple[str, ...]] = {}

    def set(self, device_class: DeviceClass) -> bool:
        """Add or update a class; tell whether other resources map to it now."""
        if self._classes.get(device_class.name) == device_class.resources:
            return False
        self._classes[device_class.name] = device_class.resources
        self._map()
        return True

    def remove(self, name: str) -> bool:
        """Forget a class; tell whether it was known."""
        if self._classes.pop(name, None) is None:
            return False
        self._map()
        return True

    def _map(self) -> None:
        """Several classes may name one resource, such as while users move to a new class: any of them will do."""
        pairs = {resource: name for name, resources in self._classes.items() for resource in resources}
        self.resources = MappingProxyType(pairs)
