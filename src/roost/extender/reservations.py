"""Counts a pod on the node that an answer points at, until the pod is bound there or it shows that it will not be.

kube-scheduler asks about the next pod before the last one is bound. A policy that reads which pods are on a node would
send both to the same one, since it cannot see the first there yet.

    an answer points at a node ──► reserved ──► bound by us, or shown as bound by the watch: it counts for good
                                      │ asked about again, bound elsewhere, or 30 seconds: let go
                                      ▼
                                    (free)
"""

from msgspec import Struct

from roost.cache.cache import Cache
from roost.framework.pod_info import PodInfo

SECONDS = 30.0
"""How long a pod may take from our answer to its binding."""


class Reservation(Struct, frozen=True):
    """A pod that is counted on a node until a time."""

    pod: PodInfo
    node_name: str
    until: float


class Reservations:
    """The pods that are counted where our answers point, by uid, the oldest first; one node for each pod."""

    def __init__(self, cache: Cache, seconds: float = SECONDS) -> None:
        self._cache = cache
        self._seconds = seconds
        self._held: dict[str, Reservation] = {}

    def __len__(self) -> int:
        return len(self._held)

    def node_of(self, uid: str) -> str | None:
        """Return where a pod is reserved."""
        held = self._held.get(uid)
        return None if held is None else held.node_name

    def reserve(self, pod: PodInfo, node_name: str, now: float) -> None:
        """Count a pod on a node, and nowhere else; not if it is on a node already."""
        self.release(pod.uid)
        if pod.uid and self._cache.node_of(pod.key) is None:
            self._cache.assume(pod, node_name)
            self._held[pod.uid] = Reservation(pod, node_name, now + self._seconds)

    def release(self, uid: str) -> None:
        """Count a pod nowhere, unless it has been seen on its node meanwhile."""
        held = self._held.pop(uid, None)
        if held is not None:
            self._cache.forget(held.pod)

    def settle(self, uid: str) -> None:
        """Count a pod for good where it is reserved: it has been bound."""
        self._held.pop(uid, None)

    def expire(self, now: float) -> None:
        """Let go of the pods whose time is over."""
        for uid in [uid for uid, held in self._held.items() if held.until <= now]:
            self.release(uid)
