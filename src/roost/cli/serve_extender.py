"""What `roost extend` runs: an HTTP server, and beside it whatever keeps its answers true.

    cluster? ─► ask its version ─► listen ─► follow nodes and pods ─► SIGTERM or SIGINT ─► finish requests, end
        no connection, no rights: one sentence, exit 1

Nothing is decided here.
"""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from roost import __version__
from roost.cli.event_loop import loop_factory
from roost.cli.extend_settings import ExtenderSettings
from roost.cli.signals import stop_on_signals
from roost.client import connect
from roost.errors import ApiError
from roost.extender.exposition import Exposition
from roost.extender.http_server import HttpServer
from roost.extender.live import Live
from roost.extender.originals import Manners, manners_of
from roost.extender.paths import label_of, lay_out, plugins_of
from roost.extender.policies import Policies
from roost.extender.server_tls import server_context
from roost.extender.webhook import Webhook
from roost.framework.measure import USAGE_AT
from roost.telemetry.health import HealthServer

GRACE_SECONDS = 10.0
TICK_SECONDS = 5.0

logger = logging.getLogger("roost.extender")


def serve_extender(settings: ExtenderSettings) -> None:
    """Answer kube-scheduler until told to stop; raises RoostError if that cannot be."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(settings))


async def _serve(settings: ExtenderSettings) -> None:
    stop = stop_on_signals()
    try:
        async with listening(settings) as (webhook, server):
            await until_told(webhook, stop)
            await server.close(GRACE_SECONDS)
    except ApiError as error:
        if settings.is_cluster_named:
            raise
        raise ApiError(f"{error}; to do without a cluster, say --no-cluster") from error
    logger.info("ended")


@asynccontextmanager
async def listening(settings: ExtenderSettings) -> AsyncIterator[tuple[Webhook, HttpServer]]:
    """Answer requests until the block ends; `until_told` has to run in it. Raises RoostError if that cannot be."""
    names = [plugin.name for plugin in plugins_of(settings.profile)]
    manners = manners_of(names, is_original=settings.is_original)
    async with _connected(settings) as live:
        webhook = make_webhook(settings, live, manners)
        async with _listening(settings, webhook, manners) as server:
            yield webhook, server


@asynccontextmanager
async def _connected(settings: ExtenderSettings) -> AsyncIterator[Live | None]:
    if settings.info is None:
        logger.info("no cluster: requests with nodes in full are answered, those with names only are not")
        yield None
        return
    async with connect(settings.info) as cluster:
        logger.info("connected to %s, Kubernetes %s", settings.info.server, await cluster.version())
        live = Live(cluster)
        async with _measured_usage(live, settings):
            yield live


def _measured_usage(live: Live, settings: ExtenderSettings) -> AbstractAsyncContextManager[None]:
    """Feed measured usage into the cache, unless it is to come from annotations."""
    if settings.usage is None:
        return nullcontext()
    from roost.cli.usage_source import feeding

    def give(name: str, numbers: Mapping[str, float | None], at: float) -> None:
        live.cache.set_measured(name, numbers, USAGE_AT, at)

    return feeding(settings.usage, live.cluster, give)


def make_webhook(settings: ExtenderSettings, live: Live | None, manners: Manners) -> Webhook:
    """Return the webhook that the settings ask for."""
    return Webhook(
        live=live,
        reserves=Policies("", settings.profile).reads_usage,
        is_original=settings.is_original,
        refusal=manners.refusal,
        seed=settings.seed,
        stale_after=settings.stale_after,
    )


@asynccontextmanager
async def _listening(settings: ExtenderSettings, webhook: Webhook, manners: Manners) -> AsyncIterator[HttpServer]:
    metrics = Exposition(webhook).render
    routes = lay_out(webhook, settings.profile, manners, metrics)
    cert, key, client_ca = settings.tls_files
    tls = server_context(cert, key, client_ca) if cert and key else None
    server = HttpServer(settings.address, settings.port, routes, body_limit=settings.body_limit, ssl_context=tls)
    async with _health(settings, webhook, metrics), server:
        host = f"[{settings.address}]" if ":" in settings.address else settings.address
        url = f"{'https' if tls else 'http'}://{host}:{server.port}"
        logger.info("roost %s answers for %s on %s", __version__, label_of(settings.profile), url)
        yield server


def _health(
    settings: ExtenderSettings, webhook: Webhook, metrics: Callable[[], bytes]
) -> AbstractAsyncContextManager[object]:
    if settings.health_address is None:
        return nullcontext()
    return HealthServer(settings.health_address, is_ready=lambda: webhook.is_ready, metrics=metrics)


async def until_told(webhook: Webhook, stop: asyncio.Event) -> None:
    """Follow the cluster and the time until the end is asked for; raises what ends following it."""
    work = [_tick(webhook), stop.wait(), *([] if webhook.live is None else [webhook.live.follow()])]
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _tick(webhook: Webhook) -> None:
    """Let time pass for the webhook; what it has read until it is ready lives long, and is no garbage."""
    while not webhook.is_ready:  # noqa: ASYNC110 - polled for a moment, once
        await asyncio.sleep(0.02)
    gc.freeze()
    if webhook.live is not None:
        logger.info("in sync: %d nodes", webhook.live.cache.view.num_nodes)
    while True:
        webhook.tick()
        await asyncio.sleep(TICK_SECONDS)
