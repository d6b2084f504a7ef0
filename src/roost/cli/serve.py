"""What `roost run` runs: a connection, a cache, a cycle for each profile, and the loop that joins them.

    ask the server's version ─► watch ─► in sync ─► schedule ─► SIGTERM or SIGINT ─► finish what is under way, end
        no connection, no rights: one sentence, exit 1              again: end at once

Nothing is decided here. The garbage collector rests until the cluster has been read, and what was read then is exempt
from it: those objects live as long as the process.
"""

import asyncio
import gc
import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext

from roost import __version__
from roost.cache.cache import Cache
from roost.cli.event_loop import loop_factory
from roost.cli.extenders import open_webhooks
from roost.cli.settings import Settings
from roost.cli.signals import stop_on_signals
from roost.cli.summary import summary_line
from roost.client import ConnectionInfo, KubeCluster, connect, connection_info
from roost.config.configuration import LeaderElection
from roost.framework.cluster import Cluster
from roost.framework.cycle import Cycle
from roost.framework.extenders import Webhook
from roost.framework.measure import USAGE_AT
from roost.scheduler.exposition import Exposition
from roost.scheduler.leader import LeaderElector, run_as_leader
from roost.scheduler.loop import Scheduler, Summary
from roost.scheduler.queue import SchedulingQueue
from roost.telemetry.health import HealthServer

SYNC_SECONDS = 300.0
COLLECT_AFTER = (25_000, 20, 20)
"""Nearly nothing that a pod leaves behind is cyclic: the collector looks at many pods' objects at a time.

With Python's own thresholds that takes 16 µs per pod, with these next to nothing (`benchmarks.profile_live`).
"""

logger = logging.getLogger("roost")


def serve(settings: Settings, *, once: bool) -> None:
    """Schedule until told to stop, or once; raises RoostError if that cannot be."""
    gc.disable()
    info = connection_info(settings.kubeconfig, settings.context, settings.server)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(settings, info, once=once))


async def _serve(settings: Settings, info: ConnectionInfo, *, once: bool) -> None:
    stop = stop_on_signals()
    async with connect(info) as cluster, open_webhooks(settings.extenders) as webhooks:
        await _greet(cluster, info)
        scheduler = make_scheduler(cluster, settings, webhooks)
        resting = asyncio.create_task(_rest_garbage_collector(scheduler))
        try:
            async with _health_server(scheduler, settings), _measured_usage(scheduler, settings):
                await _schedule(scheduler, settings.election, stop, once=once)
        finally:
            resting.cancel()
    logger.info("ended")


async def _schedule(scheduler: Scheduler, election: LeaderElection, stop: asyncio.Event, *, once: bool) -> None:
    async def work(leading: asyncio.Event | None = None) -> None:
        await (_once(scheduler, stop, leading) if once else scheduler.run(stop, may_decide=leading))

    if election.leader_elect:
        await run_as_leader(make_elector(scheduler.cluster, election), work)
    else:
        await work()


def make_scheduler(cluster: KubeCluster, settings: Settings, webhooks: Sequence[Webhook] = ()) -> Scheduler:
    """Return the scheduler that the settings ask for."""
    cycles = {profile.scheduler_name: Cycle(profile) for profile in settings.profiles}
    queue = SchedulingQueue(
        settings.profiles, initial_backoff=settings.initial_backoff, max_backoff=settings.max_backoff
    )
    logger.info("roost %s schedules pods of %s", __version__, ", ".join(cycles))
    return Scheduler(cluster, Cache(), cycles, queue=queue, webhooks=webhooks)


def make_elector(cluster: Cluster, election: LeaderElection) -> LeaderElector:
    """Return the elector that the configuration asks for."""
    return LeaderElector(
        cluster,
        name=election.resource_name,
        namespace=election.resource_namespace,
        lease_seconds=election.lease_duration,
        renew_deadline=election.renew_deadline,
        retry_seconds=election.retry_period,
    )


def _health_server(scheduler: Scheduler, settings: Settings) -> AbstractAsyncContextManager[object]:
    if settings.health_address is None:
        return nullcontext()
    metrics = Exposition(scheduler).render
    return HealthServer(settings.health_address, is_ready=lambda: scheduler.in_sync, metrics=metrics)


def _measured_usage(scheduler: Scheduler, settings: Settings) -> AbstractAsyncContextManager[None]:
    """Feed measured usage into the cache, unless it is to come from annotations."""
    if settings.usage is None:
        return nullcontext()
    from roost.cli.usage_source import feeding

    def give(name: str, numbers: Mapping[str, float | None], at: float) -> None:
        change = scheduler.cache.set_measured(name, numbers, USAGE_AT, at)
        if change is not None:
            scheduler.handlers.take_notice(change, None)

    return feeding(settings.usage, scheduler.cluster, give)


async def _greet(cluster: KubeCluster, info: ConnectionInfo) -> None:
    """Ask something that needs no rights: a wrong address or certificate ends the command here, with a sentence."""
    logger.info("connected to %s, Kubernetes %s", info.server, await cluster.version())


async def _once(scheduler: Scheduler, stop: asyncio.Event, leading: asyncio.Event | None) -> None:
    deciding = asyncio.create_task(_decide_once(scheduler, leading))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([deciding, stopping], return_when=asyncio.FIRST_COMPLETED)
        if deciding.done():
            print(summary_line(deciding.result(), scheduler.queue.pods()))  # noqa: T201
        else:
            logger.warning("interrupted before every pending pod was decided")
    finally:
        deciding.cancel()
        stopping.cancel()
        await asyncio.gather(deciding, stopping, return_exceptions=True)


async def _decide_once(scheduler: Scheduler, leading: asyncio.Event | None) -> Summary:
    if leading is not None:
        await leading.wait()
    return await scheduler.run_once()


async def _rest_garbage_collector(scheduler: Scheduler) -> None:
    """Let it work again once the cluster has been read, or if that takes too long."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + SYNC_SECONDS
    while not scheduler.in_sync and clock() < deadline:  # noqa: ASYNC110 - polled for a moment, once
        await asyncio.sleep(0.02)
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    gc.enable()
    if scheduler.in_sync:
        logger.info("in sync: %d nodes", scheduler.cache.view.num_nodes)
