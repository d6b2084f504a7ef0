"""What `roost annotate` runs: a connection, an annotator, and the controller that writes what it wants.

ask the server's version ─► watch ─► in sync ─► rounds ─► SIGTERM or SIGINT ─► end
    no connection, no rights: one sentence, exit 1
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

from msgspec import Struct

from roost import __version__
from roost.annotator.allocation import AllocationAnnotator, Requested
from roost.annotator.controller import INTERVAL, REFRESH, Annotator, Controller, Pace
from roost.annotator.exposition import Exposition
from roost.annotator.nodes import NODE
from roost.annotator.price import HIGHTOWER_KEY, PRICE_KEY, PriceAnnotator, PriceFile, written_price
from roost.annotator.usage import UsageAnnotator
from roost.cli.signals import stop_on_signals
from roost.cli.usage_source import UsageOptions, interval_from, make_usage, open_source, seconds
from roost.client import ConnectionInfo, KubeCluster, connect, connection_info
from roost.errors import ConfigError
from roost.framework.cluster import Cluster
from roost.telemetry.health import HealthServer, parse_address

Open = Callable[[Cluster], AbstractAsyncContextManager[Annotator]]

logger = logging.getLogger("roost")


class AnnotateSettings(Struct, frozen=True, kw_only=True):
    """What all annotators have in common: which cluster, how often, how fast."""

    info: ConnectionInfo
    pace: Pace
    once: bool
    health_address: str | None


def settle(
    kubeconfig: str | None,
    context: str | None,
    server: str | None,
    once: bool,
    interval: str | None,
    refresh: str | None,
    rate: tuple[float, int],
    health_address: str | None,
) -> AnnotateSettings:
    """Return what the options mean; raises ConfigError naming the one that is wrong."""
    pace = Pace(
        interval=seconds("--interval", interval, INTERVAL) if interval else interval_from(os.environ),
        refresh=seconds("--refresh", refresh, REFRESH),
        patches_per_second=rate[0],
        burst=rate[1],
    )
    if health_address is not None:
        _check_address(health_address)
    return AnnotateSettings(
        info=connection_info(kubeconfig, context, server), pace=pace, once=once, health_address=health_address
    )


def annotate_allocation(settings: AnnotateSettings, gpu_resource: str) -> None:
    """Annotate what is requested and free; raises RoostError if that cannot be."""
    _run(settings, lambda _: nullcontext(AllocationAnnotator(gpu_resource)))


def annotate_usage(settings: AnnotateSettings, options: UsageOptions, *, forecasts: bool, use_requests: bool) -> None:
    """Annotate measured usage; raises RoostError if that cannot be."""

    @asynccontextmanager
    async def open_(cluster: Cluster) -> AsyncIterator[Annotator]:
        async with open_source(options, cluster) as source:
            usage = make_usage(options, forecasts=forecasts)
            yield UsageAnnotator(source, usage, requested=Requested() if use_requests else None)

    _run(settings, open_)


def annotate_price(settings: AnnotateSettings, path: Path | None, *, hightower: bool) -> None:
    """Annotate prices; raises RoostError if that cannot be."""
    if path is None:
        raise ConfigError("name the file with the prices, or ask with --list for those that nodes have")
    file = PriceFile(path)
    keys = (PRICE_KEY, HIGHTOWER_KEY) if hightower else (PRICE_KEY,)
    _run(settings, lambda _: nullcontext(PriceAnnotator(file, keys)))


def list_prices(settings: AnnotateSettings) -> None:
    """Print the name and the price of every node that has one."""
    asyncio.run(_list_prices(settings))


async def _list_prices(settings: AnnotateSettings) -> None:
    async with connect(settings.info) as cluster:
        nodes = (await cluster.list(NODE)).items
    for node in sorted(nodes, key=lambda node: node.name):
        if price := written_price(node):
            print(node.name, price)  # noqa: T201


def _run(settings: AnnotateSettings, open_: Open) -> None:
    asyncio.run(_annotate(settings, open_))


async def _annotate(settings: AnnotateSettings, open_: Open) -> None:
    stop = stop_on_signals()
    async with connect(settings.info) as cluster:
        await _greet(cluster, settings.info)
        async with open_(cluster) as annotator:
            controller = Controller(cluster, annotator, settings.pace)
            async with _health_server(controller, settings):
                await _until(stop, controller.run_once() if settings.once else controller.run())
    logger.info("ended")


async def _greet(cluster: KubeCluster, info: ConnectionInfo) -> None:
    """Ask something that needs no rights: a wrong address or certificate ends the command here, with a sentence."""
    version = await cluster.version()
    logger.info("roost %s annotates nodes of %s, Kubernetes %s", __version__, info.server, version)


async def _until(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Work until it is done or `stop` is set: a patch that is cut off does no harm, it is written again if need be."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        working.cancel()
        stopping.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


def _health_server(controller: Controller, settings: AnnotateSettings) -> AbstractAsyncContextManager[object]:
    if settings.health_address is None:
        return nullcontext()
    metrics = Exposition(controller).render
    return HealthServer(settings.health_address, is_ready=lambda: controller.is_ready, metrics=metrics)


def _check_address(text: str) -> None:
    try:
        parse_address(text)
    except ConfigError as error:
        raise ConfigError(f"--health-address: {error}") from error
