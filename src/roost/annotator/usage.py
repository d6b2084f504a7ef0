"""What was measured of nodes, as policies read it: `mean-free-cpu`, `std-free-cpu`, the same of memory, forecasts.

    free = allocatable - used, at least 0         what pods can still take, whoever uses the rest
    mean, std                                     of what was free over the window; std of n - 1, none of one sample
    forecasted (and forcasted)                    of what will be free next, between 0 and allocatable

CPU in milli-cores, memory in bytes, whole. A resource that was not measured has no annotations, nor has a number that
cannot be said; those there may be from before are removed. With `requested` nothing counts as used that pods have not
requested: free is raised to allocatable - requested.
"""

import logging
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from math import isnan
from typing import Any, Protocol

import numpy as np
from msgspec import Struct

from roost.annotator.allocation import Requested
from roost.annotator.nodes import AnnotatedNode
from roost.annotator.plan import Wanted
from roost.annotator.series import forecast, statistics
from roost.annotator.window import RESOURCES, Window
from roost.api.quantity import milli_value, value
from roost.errors import InvalidObject
from roost.framework.cluster import Cluster
from roost.framework.measure import USAGE_AT
from roost.framework.resources import CPU, MEMORY
from roost.framework.view import Float64

BATCH = 256
"""How many nodes or samples are taken up at a time where there is other work to do."""

SLACK = 0.01
"""The share of allocatable by which a number may differ from what is written before that is worth a patch."""

FORECAST_WORDS = ("forecasted", "forcasted")
"""The word, and as the annotator that went before spelled it: what it fed reads the latter."""

_AMOUNT = {"cpu": milli_value, "memory": value}

logger = logging.getLogger("roost.annotator")


class Samples(Struct, frozen=True):
    """What was measured of one resource of one node: used milli-cores or bytes, at times (seconds since 1970)."""

    node_name: str
    resource: str
    times: Float64
    values: Float64


class Source(Protocol):
    """Where samples come from."""

    async def samples(self, nodes: Collection[AnnotatedNode], now: float) -> list[Samples]:
        """Return what is new; raises SourceError or ApiError."""
        ...


class NodeUsage(Struct, frozen=True):
    """The numbers of one node, by annotation (None: there is none); the time of the newest sample; allocatable."""

    node_name: str
    numbers: Mapping[str, float | None]
    at: float
    allocatable: tuple[float, ...]


class Usage:
    """A window of samples, and what it says of nodes."""

    def __init__(self, window: Window, *, forecasts: bool = False) -> None:
        self._window = window
        self._forecasts = forecasts
        self._unreadable: set[str] = set()

    def take(self, samples: Sequence[Samples], names: Collection[str]) -> None:
        """Add samples; nodes that are not among the names are forgotten."""
        self._window.keep(names)
        for one in samples:
            if one.node_name in names:
                self._window.add(one.node_name, one.resource, one.times, one.values)

    def of(
        self, nodes: Collection[AnnotatedNode], now: float, requested: Mapping[str, Sequence[int]] | None = None
    ) -> Iterator[list[NodeUsage]]:
        """Yield what is known of nodes, some at a time; those without a sample are left out.

        `requested` has milli-cores and bytes by node.
        """
        known = [(node, amounts) for node in nodes if node.name in self._window and (amounts := self._amounts(node))]
        for start in range(0, len(known), BATCH):
            batch = known[start : start + BATCH]
            names = [node.name for node, _ in batch]
            asked = (
                None if requested is None else np.array([requested.get(name, (0, 0)) for name in names], dtype=float)
            )
            yield list(self._batch(names, np.array([amounts for _, amounts in batch], dtype=float), asked, now))

    def _batch(self, names: list[str], allocatable: Float64, asked: Float64 | None, now: float) -> Iterator[NodeUsage]:
        used, at = self._window.read(names, now)
        free = free_of(used, allocatable, asked)
        found = statistics(free)
        next_ = np.clip(forecast(free), 0, allocatable) if self._forecasts else np.full_like(found.mean, np.nan)
        columns = zip(names, found.mean.tolist(), found.deviation.tolist(), next_.tolist(), at.tolist(), strict=True)
        for (name, *lines, time), amounts in zip(columns, allocatable.tolist(), strict=True):
            if time > float("-inf"):
                yield NodeUsage(name, _numbers(*lines), time, tuple(amounts))

    def _amounts(self, node: AnnotatedNode) -> tuple[int, ...] | None:
        texts = node.status.allocatable or {}
        try:
            amounts = tuple(_AMOUNT[resource](texts[resource]) for resource in RESOURCES)
        except (InvalidObject, KeyError) as error:
            if node.name not in self._unreadable:
                logger.warning("node '%s' has an unreadable status.allocatable: %s; it is left out", node.name, error)
            self._unreadable.add(node.name)
            return None
        self._unreadable.discard(node.name)
        return amounts


def free_of(used: Float64, allocatable: Float64, requested: Float64 | None = None) -> Float64:
    """Return what is free: shape (nodes, resources, slots) from used, (nodes, resources) of the others."""
    least = np.zeros_like(allocatable) if requested is None else np.maximum(allocatable - requested, 0)
    free: Float64 = np.maximum(allocatable[..., None] - used, least[..., None])
    return free


def _numbers(means: list[float], deviations: list[float], forecasts: list[float]) -> dict[str, float | None]:
    numbers: dict[str, float | None] = {}
    for resource, mean, deviation, next_ in zip(RESOURCES, means, deviations, forecasts, strict=True):
        numbers[f"mean-free-{resource}"] = _known(mean)
        numbers[f"std-free-{resource}"] = _known(deviation)
        numbers |= {f"{word}-free-{resource}": _known(next_) for word in FORECAST_WORDS}
    return numbers


def _known(number: float) -> float | None:
    return None if isnan(number) else number


class UsageAnnotator:
    """Fits `controller.Annotator`: mean, deviation and forecast of what is free of every node that is measured."""

    at_key = USAGE_AT

    def __init__(
        self, source: Source, usage: Usage, *, requested: Requested | None = None, slack: float = SLACK
    ) -> None:
        """Take samples from a source; with `requested` see the module's text."""
        self._source = source
        self._usage = usage
        self._requested = requested
        self._slack = slack

    @property
    def in_sync(self) -> bool:
        """Whether all pods have been seen, if they matter."""
        return self._requested is None or self._requested.in_sync

    @property
    def malformed(self) -> int:
        """How often a pod could not be read."""
        return 0 if self._requested is None else self._requested.malformed

    def follow(self, cluster: Cluster, notify: Callable[[], None]) -> list[Coroutine[Any, Any, None]]:
        """Return what follows the pods, if they matter."""
        return [] if self._requested is None else [self._requested.follow(cluster, notify)]

    async def gather(self, nodes: Collection[AnnotatedNode], now: float) -> None:
        """Ask the source; raises SourceError or ApiError."""
        self._usage.take(await self._source.samples(nodes, now), {node.name for node in nodes})

    def wanted(self, nodes: Collection[AnnotatedNode], now: float) -> dict[str, Wanted]:
        """Return what nodes are to say; those of which nothing is known are left out."""
        batches = self._usage.of(nodes, now, self._amounts_requested(nodes))
        return {one.node_name: self._wanted(one) for batch in batches for one in batch}

    def _wanted(self, usage: NodeUsage) -> Wanted:
        texts = {key: None if number is None else str(round(number)) for key, number in usage.numbers.items()}
        slack = {
            key: self._slack * amount
            for resource, amount in zip(RESOURCES, usage.allocatable, strict=True)
            for key in texts
            if key.endswith(resource)
        }
        return Wanted(texts, usage.at, slack)

    def _amounts_requested(self, nodes: Collection[AnnotatedNode]) -> dict[str, list[int]] | None:
        if self._requested is None:
            return None
        shown = self._requested.show(nodes)
        _, requested = self._requested.amounts(shown, (CPU, MEMORY))
        return dict(zip((node.name for node in shown), requested.T.tolist(), strict=True))
