"""The state of the cluster as columns: `Cache` is written by event handlers and read by plugins as a `View`."""

from roost.cache.cache import Cache, Change

__all__ = ["Cache", "Change"]
