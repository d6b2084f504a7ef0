"""The numbers of `usage` for a scheduler or a webhook server in the same process: into its cache, without annotations.

    watch of nodes ─► source ─► window ─► what it says of each node ─► give(node name, numbers, time)

`give` hands them to the cache (`Cache.set_measured`), where they go before what nodes say themselves. It is called for
some nodes at a time, with room for other work in between.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from roost.annotator.nodes import NODE, Nodes
from roost.annotator.usage import BATCH, Source, Usage
from roost.errors import ApiError, SourceError
from roost.framework.cluster import Cluster
from roost.watch.reflector import reflect

Give = Callable[[str, Mapping[str, float | None], float], None]
"""Takes a node's name, its numbers by annotation (None: there is none), and when they were measured."""

logger = logging.getLogger("roost.annotator")


class UsageFeeder:
    """Feeds measured usage: once to `start`, then every `interval` seconds until cancelled."""

    def __init__(
        self,
        cluster: Cluster,
        source: Source,
        usage: Usage,
        give: Give,
        *,
        interval: float,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.nodes = Nodes()
        self._cluster = cluster
        self._source = source
        self._usage = usage
        self._give = give
        self._interval = interval
        self._wall = wall
        self._told = ""

    async def start(self) -> None:
        """Feed once, before anything is decided; raises ApiError if the nodes cannot be listed."""
        self.nodes.replace(await self._cluster.list(NODE))
        await self.round()

    async def run(self) -> None:
        """Follow the nodes and feed until cancelled; raises ApiError in a group if the list of nodes is refused."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(), name="watch-nodes-for-usage")
            group.create_task(self._feed(), name="feed-usage")

    async def round(self) -> None:
        """Ask the source once, and hand on what is known; trouble is said, and what was known grows old."""
        nodes = list(self.nodes.by_name.values())
        try:
            samples = await self._source.samples(nodes, self._wall())
        except (SourceError, ApiError) as error:
            if str(error) != self._told:
                logger.warning("no usage: %s", error)
            self._told = str(error)
            return
        self._told = ""
        names = {node.name for node in nodes}
        for start in range(0, len(samples), BATCH):
            self._usage.take(samples[start : start + BATCH], names)
            await asyncio.sleep(0)
        for batch in self._usage.of(nodes, self._wall()):
            for one in batch:
                self._give(one.node_name, one.numbers, one.at)
            await asyncio.sleep(0)

    async def _feed(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            await self.round()

    async def _follow(self) -> None:
        await reflect(
            self._cluster,
            NODE,
            on_replace=self.nodes.replace,
            on_events=self.nodes.change,
            on_trouble=lambda sentence: logger.warning("watching nodes for their usage: %s", sentence),
        )
