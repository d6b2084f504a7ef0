"""Where images are. Their size is that of the node on which they were seen first, as in kube-scheduler.

Up to `SPARSE` nodes are a set; where there are more, a bit for each slot takes less. A column is made of either when a
pod asks for the image, and kept.
"""

import numpy as np

from roost.api.node import Node
from roost.framework.view import Bool, ImageColumn

SPARSE = 64
"""How many slots are kept as a set: beyond that, bits of a few tens of thousands of slots are smaller."""


class _Image:
    __slots__ = ("bits", "count", "present", "size", "slots")

    def __init__(self, size: int) -> None:
        self.size = size
        self.count = 0
        self.slots: set[int] = set()
        self.bits: bytearray | None = None
        self.present: Bool | None = None

    def add(self, slot: int, capacity: int, sparse: int) -> None:
        if self.present is not None:
            self.present[slot] = True
        if self.bits is not None:
            byte, bit = slot >> 3, 1 << (slot & 7)
            self.count += not self.bits[byte] & bit
            self.bits[byte] |= bit
            return
        self.slots.add(slot)
        self.count = len(self.slots)
        if self.count > sparse:
            self.bits = bytearray(np.packbits(self.column(capacity), bitorder="little").tobytes())
            self.slots.clear()

    def remove(self, slot: int) -> None:
        if self.present is not None:
            self.present[slot] = False
        if self.bits is None:
            self.slots.discard(slot)
            self.count = len(self.slots)
            return
        byte, bit = slot >> 3, 1 << (slot & 7)
        self.count -= bool(self.bits[byte] & bit)
        self.bits[byte] &= ~bit

    def column(self, capacity: int) -> Bool:
        if self.bits is not None:
            bits = np.frombuffer(self.bits, dtype=np.uint8)
            return np.unpackbits(bits, count=capacity, bitorder="little").view(np.bool_)
        column = np.zeros(capacity, dtype=np.bool_)
        column[list(self.slots)] = True
        return column

    def grow(self, capacity: int) -> None:
        self.present = None
        if self.bits is not None:
            self.bits.extend(bytes(-(-capacity // 8) - len(self.bits)))


class Images:
    """The images of all nodes by name; the column of an image is made when a pod asks for it."""

    def __init__(self, capacity: int, sparse: int = SPARSE) -> None:
        self._capacity = capacity
        self._sparse = sparse
        self._images: dict[str, _Image] = {}

    def column(self, name: str, size: int) -> ImageColumn | None:
        """Return where an image is, over the first `size` slots; None if it is nowhere."""
        image = self._images.get(name)
        if image is None:
            return None
        if image.present is None:
            image.present = image.column(self._capacity)
        return ImageColumn(image.present[:size], image.size, image.count)

    def add(self, slot: int, node: Node) -> None:
        """Count the images of the node in a slot."""
        for held in node.status.images or ():
            for name in held.names or ():
                image = self._images.get(name)
                if image is None:
                    image = self._images[name] = _Image(held.size_bytes)
                image.add(slot, self._capacity, self._sparse)

    def remove(self, slot: int, node: Node) -> None:
        """Forget the images of the node in a slot."""
        for held in node.status.images or ():
            for name in held.names or ():
                self._remove(name, slot)

    def _remove(self, name: str, slot: int) -> None:
        image = self._images.get(name)
        if image is not None:
            image.remove(slot)
            if not image.count:
                del self._images[name]

    def grow(self, capacity: int) -> None:
        """Make room for more slots."""
        self._capacity = capacity
        for image in self._images.values():
            image.grow(capacity)
