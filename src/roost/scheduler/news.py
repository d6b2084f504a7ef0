"""Wakes those who wait until something has changed: bindings that are being prepared."""

import asyncio


class News:
    """Something has changed, or has not yet.

    Take `next` before looking at how things are, and wait for it afterwards: then no change is missed in between.
    """

    def __init__(self) -> None:
        self.next = asyncio.Event()

    def tell(self) -> None:
        """Wake all who wait."""
        self.next.set()
        self.next = asyncio.Event()
