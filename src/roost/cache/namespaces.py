"""The labels of namespaces, which terms may select by."""

from collections.abc import Mapping
from types import MappingProxyType

_NONE: Mapping[str, str] = MappingProxyType({})


class Namespaces:
    """Labels by name; a namespace that is not known has none."""

    def __init__(self) -> None:
        self._labels: dict[str, Mapping[str, str]] = {}

    def labels(self, name: str) -> Mapping[str, str]:
        """Return the labels of a namespace."""
        return self._labels.get(name, _NONE)

    def set(self, name: str, labels: Mapping[str, str] | None) -> Mapping[str, str]:
        """Take over the labels of a namespace, None if it is gone; return what it has now."""
        if labels:
            self._labels[name] = labels
        else:
            self._labels.pop(name, None)
        return self.labels(name)
