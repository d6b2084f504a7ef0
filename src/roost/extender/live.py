"""What the webhook server knows when it is connected to a cluster: the nodes, the pods on them, and how to bind."""

import time
from collections.abc import Callable

from roost.cache.cache import Cache
from roost.extender.binding import Binder
from roost.extender.follower import Follower
from roost.extender.reservations import Reservations
from roost.framework.cluster import Cluster


class Live:
    """A cache that follows a cluster, with the pods that our answers have reserved room for."""

    def __init__(self, cluster: Cluster, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.cluster = cluster
        self.cache = Cache()
        self.follower = Follower(self.cache)
        self.reserved = Reservations(self.cache)
        self.binder = Binder(cluster, self.cache, self.reserved, clock=clock)

    @property
    def in_sync(self) -> bool:
        """Whether all nodes and pods have been seen."""
        return self.follower.in_sync

    async def follow(self) -> None:
        """Follow the cluster until cancelled; raises ApiError if the very first lists are refused."""
        await self.follower.follow(self.cluster)
