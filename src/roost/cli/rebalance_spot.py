"""What `roost rebalance spot` runs: one look and at most one drain, or rounds of them until told to stop."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

from msgspec import Struct

from roost.analysis.evictable import DrainRules
from roost.analysis.node_pools import NodePools, read_node_label
from roost.analysis.spot_plan import Landing, Plan, PlanRules
from roost.cli.event_loop import loop_factory
from roost.cli.rebalance_view import facts, result_text, text
from roost.cli.signals import stop_on_signals
from roost.client import connect, connection_info
from roost.config.configuration import Duration
from roost.config.profiles import default_profile
from roost.errors import ConfigError, RoostError
from roost.framework.cluster import Cluster
from roost.rebalancer.drainer import Drainer, DrainLimits
from roost.rebalancer.events import Events
from roost.rebalancer.metrics import Metrics
from roost.rebalancer.rebalancer import Rhythm, SpotRebalancer
from roost.scheduler.leader import LeaderElector, run_as_leader
from roost.telemetry.health import HealthServer, parse_address

LEASE = "roost-rebalance-spot"

logger = logging.getLogger("roost")


class Settings(Struct, frozen=True, kw_only=True):
    """What the options ask for; no rhythm means once, no lease namespace no leader election."""

    apply: bool
    rules: PlanRules
    limits: DrainLimits
    rhythm: Rhythm | None
    lease_namespace: str
    health_address: str | None
    as_json: bool


def settle(
    *,
    apply: bool,
    every: str | None,
    spot_node_label: str | None,
    on_demand_node_label: str | None,
    landing: Landing,
    delete_non_replicated_pods: bool,
    delete_emptydir_data: bool,
    node_drain_delay: str,
    pod_eviction_timeout: str,
    max_graceful_termination: str,
    lease_namespace: str,
    health_address: str | None,
    as_json: bool,
) -> Settings:
    """Return the settings; raises ConfigError with what is wrong."""
    pools = NodePools(
        spot=None if spot_node_label is None else read_node_label(spot_node_label, "spot"),
        on_demand=None if on_demand_node_label is None else read_node_label(on_demand_node_label, "on demand"),
    )
    delay = _seconds("--node-drain-delay", node_drain_delay)
    if lease_namespace and every is None:
        raise ConfigError("--leader-elect: is for a process that stays; give --every as well")
    if health_address is not None:
        _check_address(health_address)
    return Settings(
        apply=apply,
        rules=PlanRules(
            pools=pools, drain=DrainRules(delete_non_replicated_pods, delete_emptydir_data), landing=landing
        ),
        limits=DrainLimits(
            eviction_timeout=_seconds("--pod-eviction-timeout", pod_eviction_timeout),
            max_grace=_seconds("--max-graceful-termination", max_graceful_termination),
        ),
        rhythm=None if every is None else Rhythm(every=_seconds("--every", every, least=1.0), drain_delay=delay),
        lease_namespace=lease_namespace,
        health_address=health_address,
        as_json=as_json,
    )


def rebalance_spot(settings: Settings, kubeconfig: str | None, context: str | None, server: str | None) -> None:
    """Rebalance the cluster that the options name; raises RoostError if that cannot be, or a drain failed."""
    info = connection_info(kubeconfig, context, server)

    async def run() -> None:
        stop = stop_on_signals()
        async with connect(info) as cluster:
            logger.info("connected to %s, Kubernetes %s", info.server, await cluster.version())
            await _until_stopped(work_on(cluster, settings), stop)

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(run())


async def work_on(cluster: Cluster, settings: Settings) -> None:
    """Rebalance a cluster as the settings say; print plans and results."""
    metrics = Metrics(settings.rules.pools)
    rebalancer = make_rebalancer(cluster, settings, metrics)
    async with _health_server(settings, rebalancer, metrics):
        if settings.rhythm is None:
            await _once(rebalancer, settings)
        else:
            await _as_leader(cluster, settings, _rounds(rebalancer, settings, settings.rhythm))


def make_rebalancer(cluster: Cluster, settings: Settings, metrics: Metrics) -> SpotRebalancer:
    """Return a rebalancer, with hands to act only if it is asked to apply its plans."""
    events = Events(cluster, host=socket.gethostname())
    drainer = Drainer(cluster, limits=settings.limits, events=events, metrics=metrics) if settings.apply else None
    return SpotRebalancer(cluster, settings.rules, default_profile(), metrics, drainer=drainer)


async def _once(rebalancer: SpotRebalancer, settings: Settings) -> None:
    plan = await rebalancer.look()
    if not settings.as_json:
        print(text(plan, apply=settings.apply), flush=True)  # noqa: T201
    drained = await rebalancer.act(plan)
    if settings.as_json:
        print(facts(plan, drained, indent=1))  # noqa: T201
    elif drained is not None and drained.succeeded:
        print(result_text(drained))  # noqa: T201
    if drained is not None and not drained.succeeded:
        raise RoostError(f"{drained.node} is not drained: {drained.problem}")


def _rounds(
    rebalancer: SpotRebalancer, settings: Settings, rhythm: Rhythm
) -> Callable[[asyncio.Event | None], Awaitable[None]]:
    """Return what works round after round, and prints a plan where it says something new."""
    last = ""

    def show(plan: Plan) -> None:
        nonlocal last
        said = facts(plan) if settings.as_json else text(plan, apply=settings.apply)
        if said != last:
            print(last := said, flush=True)  # noqa: T201

    async def work(leading: asyncio.Event | None) -> None:
        if leading is not None:
            await leading.wait()
        await rebalancer.run(rhythm, show)

    return work


async def _as_leader(
    cluster: Cluster, settings: Settings, work: Callable[[asyncio.Event | None], Awaitable[None]]
) -> None:
    if not settings.lease_namespace:
        await work(None)
        return
    await run_as_leader(LeaderElector(cluster, name=LEASE, namespace=settings.lease_namespace), work)


async def _until_stopped(work: Coroutine[Any, Any, None], stop: asyncio.Event) -> None:
    """Work until it is done or until told to stop; a drain under way then takes its mark from the node."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


def _health_server(
    settings: Settings, rebalancer: SpotRebalancer, metrics: Metrics
) -> AbstractAsyncContextManager[object]:
    if settings.health_address is None:
        return nullcontext()
    return HealthServer(settings.health_address, is_ready=lambda: rebalancer.in_sync, metrics=metrics.render)


def _seconds(option: str, spelled: str, least: float = 0.0) -> float:
    try:
        seconds = Duration.parse(spelled)
    except ValueError as error:
        raise ConfigError(f"{option}: {error}") from error
    if seconds < least:
        raise ConfigError(f"{option}: must be {least:g}s or more, not {spelled}")
    return seconds


def _check_address(address: str) -> None:
    try:
        parse_address(address)
    except ConfigError as error:
        raise ConfigError(f"--health-address: {error}") from error
