"""Keep a picture of one kind of object true: list it once, then follow its changes, whatever happens to the connection.

    list ──> watch from its version ──> (ended, cut) ──> watch from the last version seen
      ^                                                         │
      └──────────────── Gone: that version is no longer kept ───┘

Nothing is lost: a version is only taken over after the events (or the bookmark) that lead to it were handed on. Each
failure waits longer, from 0.2 s to 10 s and never two schedulers alike; a watch that gave something, or lived for long
enough, makes the next wait short again.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from roost.api.kinds import Kind
from roost.api.meta import Value
from roost.errors import ApiError, Forbidden, Gone, NotFound, Unauthorized
from roost.framework.cluster import Cluster, Listing, WatchEvent

T = TypeVar("T", bound=Value)
FIRST_WAIT = 0.2
LONGEST_WAIT = 10.0
LONG_LIFE = 10.0
LACKING_WAIT = 300.0
"""How long until a server that lacks the kind is asked again: it may be upgraded."""


class Timing(NamedTuple):
    """Waiting, the clock and the dice, as arguments."""

    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic
    dice: Callable[[], float] = random.random


class Patience:
    """How long to wait after the next failure: doubling, with at least half of it and the rest by dice."""

    def __init__(self, dice: Callable[[], float]) -> None:
        self._dice = dice
        self._next = FIRST_WAIT

    def after_failure(self, asked_for: float = 0.0) -> float:
        """Return the seconds to wait now: what the server asked for, if that is longer."""
        wait = self._next * (0.5 + self._dice() / 2)
        self._next = min(LONGEST_WAIT, self._next * 2)
        return max(wait, asked_for)

    def after_success(self) -> None:
        """Begin anew."""
        self._next = FIRST_WAIT


async def reflect(
    cluster: Cluster,
    kind: Kind[T],
    *,
    on_replace: Callable[[Listing[T]], None],
    on_events: Callable[[list[WatchEvent[T]]], None],
    on_trouble: Callable[[str], None] = lambda sentence: None,
    on_lacking: Callable[[], None] | None = None,
    field_selector: str = "",
    timing: Timing = Timing(),  # noqa: B008 - it is frozen
) -> None:
    """Follow a kind until cancelled; raises only if the very first list is refused (401, 403).

    `on_events` gets changes and objects that could not be read, no bookmarks. `on_trouble` gets a sentence when
    something fails, and not again until the text changes or a watch has gone well. `on_lacking`, if given, is called
    where the server does not have the kind (404), which is then no trouble.
    """
    reflection = Reflection(cluster, kind, on_replace, on_events, on_trouble, on_lacking, field_selector, timing)
    patience = Patience(timing.dice)
    while True:
        await reflection.round()
        if reflection.went_well:
            patience.after_success()
        if reflection.failed or not reflection.went_well:
            await timing.sleep(patience.after_failure(reflection.asked_for))


@dataclass
class Reflection(Generic[T]):
    """One kind that is followed: the version it has come to, and how the last round went."""

    cluster: Cluster
    kind: Kind[T]
    on_replace: Callable[[Listing[T]], None]
    on_events: Callable[[list[WatchEvent[T]]], None]
    on_trouble: Callable[[str], None]
    on_lacking: Callable[[], None] | None
    field_selector: str
    timing: Timing
    version: str = ""
    listed: bool = False
    went_well: bool = False
    failed: bool = False
    asked_for: float = 0.0
    told: str = ""

    async def round(self) -> None:
        """List if need be, then watch until that ends."""
        self.went_well, self.failed, self.asked_for = False, False, 0.0
        try:
            if not self.version:
                await self._list()
            await self._watch()
            self.told = ""
        except Gone:
            self.version = ""
        except NotFound as error:
            self._lack(error)
        except ApiError as error:
            if not self.listed and isinstance(error, (Unauthorized, Forbidden)):
                raise
            self._fail(error)

    async def _list(self) -> None:
        listing = await self.cluster.list(self.kind, field_selector=self.field_selector)
        self.on_replace(listing)
        self.version = listing.resource_version
        self.listed = True

    async def _watch(self) -> None:
        began = self.timing.clock()
        watch = self.cluster.watch(self.kind, resource_version=self.version, field_selector=self.field_selector)
        try:
            async with aclosing(watch) as batches:
                async for events in batches:
                    self._hand_on(events)
        finally:
            if self.timing.clock() - began >= LONG_LIFE:
                self.went_well, self.told = True, ""

    def _hand_on(self, events: list[WatchEvent[T]]) -> None:
        if changes := [event for event in events if event.type != "BOOKMARK"]:
            self.on_events(changes)
        versions = (event.resource_version for event in reversed(events))
        self.version = next(filter(None, versions), self.version)
        self.went_well = True

    def _lack(self, error: NotFound) -> None:
        if self.on_lacking is None:
            self._fail(error)
            return
        self.version, self.failed, self.asked_for = "", True, LACKING_WAIT
        self.on_lacking()

    def _fail(self, error: ApiError) -> None:
        self.failed, self.asked_for = True, error.retry_after or 0.0
        if (sentence := str(error)) != self.told:
            self.told = sentence
            self.on_trouble(sentence)
