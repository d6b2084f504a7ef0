"""Wakes the stand-ins: each when something it reads has changed, or when it has asked to be woken."""

import asyncio
from collections.abc import Callable, Sequence

from roost.apiserver.standins.deployments import Deployments
from roost.apiserver.standins.disruption import Disruption
from roost.apiserver.standins.expiry import EventExpiry
from roost.apiserver.standins.garbage import GarbageCollector, PodCollector
from roost.apiserver.standins.kubelet import Kubelet
from roost.apiserver.standins.namespaces import Namespaces
from roost.apiserver.standins.node_taints import NodeTaints
from roost.apiserver.standins.replica_sets import ReplicaSets
from roost.apiserver.standins.standin import Standin
from roost.apiserver.standins.volume_binder import VolumeBinder
from roost.apiserver.store import Store
from roost.apiserver.stored import Change

PAUSE = 0.02
"""Seconds in which changes gather before the stand-ins look again."""

REST = 3.0
"""How much longer than they worked the stand-ins leave the processor to others."""

_MANY_ROUNDS = 1000


def all_standins() -> list[Standin]:
    """Return one of each, in the order in which work flows."""
    return [
        NodeTaints(),
        VolumeBinder(),
        Deployments(),
        ReplicaSets(),
        Kubelet(),
        Disruption(),
        GarbageCollector(),
        PodCollector(),
        Namespaces(),
        EventExpiry(),
    ]


async def run_standins(
    store: Store, clock: Callable[[], float] | None = None, standins: Sequence[Standin] | None = None
) -> None:
    """Run stand-ins until cancelled; `clock` is the store's if none is given."""
    clock, timer = clock or store.clock, asyncio.get_running_loop().time
    rounds = Rounds(store, all_standins() if standins is None else standins)
    news = asyncio.Event()
    stop = store.listen(lambda _: news.set())
    try:
        while True:
            news.clear()
            began = timer()
            due = rounds.step(clock())
            worked = timer() - began
            await _wait(news, None if due is None else max(0.0, due - clock()))
            await asyncio.sleep(max(PAUSE, worked * REST))
    finally:
        stop()
        rounds.close()


def settle(store: Store, now: float, standins: Sequence[Standin] | None = None) -> float | None:
    """Run stand-ins until nothing moves at this time; return when something would."""
    rounds = Rounds(store, all_standins() if standins is None else standins)
    try:
        for _ in range(_MANY_ROUNDS):
            before = store.version
            due = rounds.step(now)
            if store.version == before:
                return due
        raise RuntimeError("the stand-ins do not come to rest")
    finally:
        rounds.close()


class Rounds:
    """Knows which stand-ins have something to do."""

    def __init__(self, store: Store, standins: Sequence[Standin]) -> None:
        self._store = store
        self._standins = standins
        self._due: list[float | None] = [0.0] * len(standins)
        self._readers: dict[tuple[str, str], list[int]] = {}
        for i, standin in enumerate(standins):
            for resource in standin.reads:
                self._readers.setdefault(resource.table, []).append(i)
        self.close = store.listen(self._note)

    def step(self, now: float) -> float | None:
        """Call those who are due, once each; return when the next is due: the past, if changes are waiting."""
        for i, standin in enumerate(self._standins):
            due = self._due[i]
            if due is not None and due <= now:
                self._due[i] = None
                again = standin.reconcile(self._store, now)
                if again is not None:
                    self._due[i] = again if self._due[i] is None else 0.0
        return min((due for due in self._due if due is not None), default=None)

    def _note(self, change: Change) -> None:
        for i in self._readers.get(change.item.resource.table, ()):
            if self._standins[i].is_woken_by(change):
                self._due[i] = 0.0


async def _wait(news: asyncio.Event, seconds: float | None) -> None:
    try:
        async with asyncio.timeout(seconds):
            await news.wait()
    except TimeoutError:
        pass
