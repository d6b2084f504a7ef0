"""The loop that makes nodes say what an annotator wants, and keeps them saying it.

    watch of nodes (and pods) ─► in sync ─► round ─► wait ─► round ─► … ─► stop
                                              │
         gather (ask the source) ─► wanted ─► plan ─► patches, at a measured pace

A round that cannot gather does nothing but say so: what nodes say grows old by itself. A patch that fails is counted,
and the others go on; the node is tried again in the next round.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol

from msgspec import Struct

from roost.annotator.bucket import TokenBucket
from roost.annotator.nodes import NODE, AnnotatedNode, Nodes
from roost.annotator.plan import Patch, Wanted, plan
from roost.errors import ApiError, NotFound, RoostError, SourceError, TooManyRequests
from roost.framework.cluster import Cluster, Listing
from roost.framework.measure import STALE_SECONDS
from roost.telemetry.histogram import Histogram, exponential
from roost.watch.reflector import reflect

INTERVAL = 60.0
REFRESH = STALE_SECONDS / 2
PATCHES_PER_SECOND = 10.0
BURST = 20
WRITERS = 4
"""How many patches may be under way at a time."""

SYNC_SECONDS = 60.0
PATIENCE = 1.0

logger = logging.getLogger("roost.annotator")


class Annotator(Protocol):
    """What nodes are to say, and what must be followed and asked to know it."""

    @property
    def at_key(self) -> str:
        """The annotation that says when; empty for none."""
        ...

    @property
    def in_sync(self) -> bool:
        """Whether all that is followed has been seen."""
        ...

    @property
    def malformed(self) -> int:
        """How often an object that is followed could not be read."""
        ...

    def follow(self, cluster: Cluster, notify: Callable[[], None]) -> list[Coroutine[Any, Any, None]]:
        """Return what follows other objects than nodes until cancelled; `notify` is called when a list has come."""
        ...

    async def gather(self, nodes: Collection[AnnotatedNode], now: float) -> None:
        """Find out what is new; raises SourceError or ApiError."""
        ...

    def wanted(self, nodes: Collection[AnnotatedNode], now: float) -> Mapping[str, Wanted]:
        """Return what nodes are to say by name, without those of which nothing is known."""
        ...


class Pace(Struct, frozen=True, kw_only=True):
    """How often and how fast: seconds between rounds, age from which a time is refreshed, patches a second."""

    interval: float = INTERVAL
    refresh: float = REFRESH
    patches_per_second: float = PATCHES_PER_SECOND
    burst: float = BURST


class Counts:
    """What has happened so far."""

    def __init__(self) -> None:
        self.rounds = {"ok": 0, "error": 0}
        self.patches = {"ok": 0, "gone": 0, "error": 0}
        self.nodes = {"annotated": 0, "not ready": 0, "no data": 0}
        self.seconds = Histogram(exponential(0.01, 2, 15))
        self.last_success = 0.0


class Controller:
    """Runs one annotator on a cluster."""

    def __init__(
        self,
        cluster: Cluster,
        annotator: Annotator,
        pace: Pace = Pace(),  # noqa: B008 - it is frozen
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.nodes = Nodes()
        self.counts = Counts()
        self.annotator = annotator
        self._cluster = cluster
        self._pace = pace
        self._clock = clock
        self._wall = wall
        self._bucket = TokenBucket(pace.patches_per_second, pace.burst)
        self._news = asyncio.Event()
        self._told = ""
        self._shown = ""

    @property
    def is_ready(self) -> bool:
        """Whether a round has gone well."""
        return self.counts.rounds["ok"] > 0

    async def run(self) -> None:
        """Annotate until cancelled; raises ApiError if the API server refuses the first lists."""
        async with self._following():
            while True:
                began = self._clock()
                await self.round()
                await asyncio.sleep(max(0.0, began + self._pace.interval - self._clock()))

    async def run_once(self) -> None:
        """Annotate once; raises RoostError if not every node could be written that was to be."""
        async with self._following():
            await self.round(once=True)
        if self.counts.patches["error"]:
            raise RoostError(f"{self.counts.patches['error']} nodes could not be annotated: {self._told}")

    async def round(self, *, once: bool = False) -> None:
        """Gather, plan and patch; with `once`, what cannot be gathered is raised."""
        began = self._clock()
        try:
            await self._round()
        except (SourceError, ApiError) as error:
            self.counts.rounds["error"] += 1
            if once:
                raise
            self._tell(str(error))
        else:
            self.counts.rounds["ok"] += 1
            self.counts.last_success = self._wall()
        self.counts.seconds.observe(self._clock() - began)

    async def _round(self) -> None:
        nodes = list(self.nodes.by_name.values())
        await self.annotator.gather(nodes, self._wall())
        wanted = self.annotator.wanted(nodes, self._wall())
        ready = [node for node in nodes if node.is_ready]
        annotated = sum(node.name in wanted for node in ready)
        self.counts.nodes = {
            "annotated": annotated,
            "not ready": len(nodes) - len(ready),
            "no data": len(ready) - annotated,
        }
        patches = plan(ready, wanted, at_key=self.annotator.at_key, refresh=self._pace.refresh)
        failed = self.counts.patches["error"]
        await self._write(patches)
        if self.counts.patches["error"] == failed:
            self._told = ""
        shown = ", ".join(f"{count} {what}" for what, count in self.counts.nodes.items())
        logger.log(
            logging.INFO if patches or shown != self._shown else logging.DEBUG,
            "%d nodes patched; %s",
            len(patches),
            shown,
        )
        self._shown = shown

    # ---- writing

    async def _write(self, patches: list[Patch]) -> None:
        left = iter(patches)
        async with asyncio.TaskGroup() as writers:
            for _ in range(min(WRITERS, len(patches))):
                writers.create_task(self._write_all(left))

    async def _write_all(self, left: Iterator[Patch]) -> None:
        for patch in left:
            if wait := self._bucket.take(self._clock()):
                await asyncio.sleep(wait)
            await self._write_one(patch)

    async def _write_one(self, patch: Patch) -> None:
        before = self.nodes.by_name.get(patch.node_name)
        try:
            body = {"metadata": {"annotations": dict(patch.annotations)}}
            node = await self._cluster.patch(NODE, patch.node_name, body)
        except NotFound:
            self.counts.patches["gone"] += 1
        except ApiError as error:
            self.counts.patches["error"] += 1
            self._tell(f"node {patch.node_name}: {error}")
            if isinstance(error, TooManyRequests):
                await asyncio.sleep(error.retry_after or PATIENCE)
        except RoostError as error:
            self.counts.patches["error"] += 1
            self._tell(f"node {patch.node_name}: {error}")
        else:
            self.counts.patches["ok"] += 1
            if before is not None and self.nodes.by_name.get(patch.node_name) is before:
                self.nodes.by_name[node.name] = node  # unless the watch was faster, and may know more

    def _tell(self, sentence: str) -> None:
        """Warn once of what goes on; it is told again after a round without it."""
        if sentence != self._told:
            logger.warning("%s", sentence)
        self._told = sentence

    # ---- watching

    @asynccontextmanager
    async def _following(self) -> AsyncIterator[None]:
        """Follow what must be, from the moment when all has been seen; a reflector that ends ends what is inside."""
        coroutines = [self._follow_nodes(), *self.annotator.follow(self._cluster, self._news.set)]
        async with _raising_as_one(), asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in coroutines]
            try:
                await self._until_in_sync()
                yield
            finally:
                for task in tasks:
                    task.cancel()

    async def _follow_nodes(self) -> None:
        def replace(listing: Listing[AnnotatedNode]) -> None:
            self.nodes.replace(listing)
            self._news.set()

        await reflect(
            self._cluster,
            NODE,
            on_replace=replace,
            on_events=self.nodes.change,
            on_trouble=lambda sentence: logger.warning("watching nodes: %s", sentence),
        )

    async def _until_in_sync(self) -> None:
        try:
            async with asyncio.timeout(SYNC_SECONDS):
                while not (self.nodes.in_sync and self.annotator.in_sync):
                    await self._news.wait()
                    self._news.clear()
        except TimeoutError:
            raise RoostError(
                f"nodes and pods could not be listed within {SYNC_SECONDS:g} s; see what was said"
            ) from None


@asynccontextmanager
async def _raising_as_one() -> AsyncIterator[None]:
    """Raise the first of our errors in a group alone, so that it is one sentence."""
    try:
        yield
    except BaseExceptionGroup as group:
        ours = next((error for error in _leaves(group) if isinstance(error, RoostError)), None)
        if ours is None:
            raise
        raise ours from None


def _leaves(group: BaseExceptionGroup[Any]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
