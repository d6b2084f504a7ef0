"""Where images are. Their size is that of the node on which they were seen first, as in kube-scheduler."""

import numpy as np

from roost.api.node import Node
from roost.framework.view import Bool, ImageColumn


class _Image:
    __slots__ = ("present", "size", "slots")

    def __init__(self, size: int) -> None:
        self.size = size
        self.slots: set[int] = set()
        self.present: Bool | None = None


class Images:
    """The images of all nodes by name; the column of an image is made when a pod asks for it."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._images: dict[str, _Image] = {}

    def column(self, name: str, size: int) -> ImageColumn | None:
        """Return where an image is, over the first `size` slots; None if it is nowhere."""
        image = self._images.get(name)
        if image is None:
            return None
        if image.present is None:
            image.present = np.zeros(self._capacity, dtype=np.bool_)
            image.present[list(image.slots)] = True
        return ImageColumn(image.present[:size], image.size, len(image.slots))

    def add(self, slot: int, node: Node) -> None:
        """Count the images of the node in a slot."""
        for held in node.status.images or ():
            for name in held.names or ():
                image = self._images.setdefault(name, _Image(held.size_bytes))
                image.slots.add(slot)
                if image.present is not None:
                    image.present[slot] = True

    def remove(self, slot: int, node: Node) -> None:
        """Forget the images of the node in a slot."""
        for held in node.status.images or ():
            for name in held.names or ():
                self._remove(name, slot)

    def _remove(self, name: str, slot: int) -> None:
        image = self._images.get(name)
        if image is None:
            return
        image.slots.discard(slot)
        if image.present is not None:
            image.present[slot] = False
        if not image.slots:
            del self._images[name]

    def grow(self, capacity: int) -> None:
        """Make room for more slots."""
        self._capacity = capacity
        for image in self._images.values():
            image.present = None
