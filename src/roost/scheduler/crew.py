"""Who works for a scheduler while it runs: the tasks that follow the cluster, and the workers of its lanes."""

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from roost.api.full import NODE_IN_FULL
from roost.api.kinds import NODE, POD
from roost.framework.cycle import Cycle
from roost.framework.measure import STALE_SECONDS
from roost.scheduler.full_nodes import FullNodes
from roost.scheduler.further_kinds import Follower
from roost.scheduler.lane import Lane
from roost.watch.reflector import reflect

if TYPE_CHECKING:
    from roost.scheduler.loop import Scheduler

AGE_SECONDS = 5.0
NOT_ENDED = "status.phase!=Succeeded,status.phase!=Failed"

logger = logging.getLogger("roost.scheduler")


class Crew:
    """The tasks that work for a scheduler while it runs: reflectors and workers."""

    def __init__(self, scheduler: "Scheduler") -> None:
        self._scheduler = scheduler
        self._lanes: list[Lane[Any]] = [
            scheduler.binder.lane,
            scheduler.evictions.lane,
            scheduler.conditions.lane,
            scheduler.recorder.lane,
        ]
        self._reflectors: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Crew":
        for lane in self._lanes:
            lane.start()
        self._reflectors = [
            asyncio.create_task(self._follow_nodes(), name="watch-nodes"),
            asyncio.create_task(self._follow_pods(), name="watch-pods"),
        ]
        for follower in self._scheduler.handlers.followers:
            name = f"watch-{follower.further.kind.plural}"
            self._reflectors.append(asyncio.create_task(self._follow_further(follower), name=name))
        if any(reads_measures(cycle) for cycle in self._scheduler.cycles.values()):
            self._reflectors.append(asyncio.create_task(self._age(), name="age"))
        extenders = self._scheduler.extenders
        if extenders is not None and extenders.nodes is not None:
            self._reflectors.append(asyncio.create_task(self._follow_full(extenders.nodes), name="watch-full-nodes"))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._reflectors:
            task.cancel()
        await asyncio.gather(*self._reflectors, return_exceptions=True)
        await self._scheduler.binder.abandon()
        self._scheduler.conditions.stop()
        for lane in self._lanes:
            await lane.stop()

    async def until_done(self, *tasks: "asyncio.Task[None] | asyncio.Task[bool]") -> None:
        """Wait for the first of the tasks to end; raise what a reflector or a task raised."""
        done, _ = await asyncio.wait([*tasks, *self._reflectors], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def _age(self) -> None:
        """Have measurements that policies read go stale in time."""
        scheduler = self._scheduler
        while True:
            await asyncio.sleep(AGE_SECONDS)
            scheduler.handlers.age(scheduler.wall() - STALE_SECONDS)

    async def _follow_nodes(self) -> None:
        handlers = self._scheduler.handlers
        await reflect(
            self._scheduler.cluster,
            NODE,
            on_replace=handlers.replace_nodes,
            on_events=handlers.change_nodes,
            on_trouble=lambda sentence: logger.warning("watching nodes: %s", sentence),
        )

    async def _follow_further(self, follower: Follower[Any]) -> None:
        kind = follower.further.kind
        await reflect(
            self._scheduler.cluster,
            kind,
            on_replace=follower.replace,
            on_events=follower.change,
            on_trouble=lambda sentence: logger.warning("watching %s: %s", kind.plural, sentence),
            on_lacking=follower.lacking,
        )

    async def _follow_full(self, nodes: FullNodes) -> None:
        await reflect(
            self._scheduler.cluster,
            NODE_IN_FULL,
            on_replace=nodes.replace,
            on_events=nodes.change,
            on_trouble=lambda sentence: logger.warning("watching nodes in full: %s", sentence),
        )

    async def _follow_pods(self) -> None:
        handlers = self._scheduler.handlers
        await reflect(
            self._scheduler.cluster,
            POD,
            field_selector=NOT_ENDED,
            on_replace=handlers.replace_pods,
            on_events=handlers.change_pods,
            on_trouble=lambda sentence: logger.warning("watching pods: %s", sentence),
        )


def reads_measures(cycle: Cycle) -> bool:
    """Tell whether a plugin of the profile reads what is measured, which gets old."""
    filters = any("annotations" in plugin.reads for plugin in cycle.filters)
    return filters or any("annotations" in plugin.reads for plugin in cycle.scorers)
