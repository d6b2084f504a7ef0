"""What `roost demo` runs: an embedded cluster, the live loop on it, and a view that follows both.

nodes, and what else is there ─► extenders, if any ─► a scheduler, in sync ─► pods to come ─► settled ─► tables
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec import Struct

from roost.cache.cache import Cache
from roost.cli.demo_extenders import serving
from roost.cli.demo_objects import GivenObject, read_objects
from roost.cli.demo_view import DemoView
from roost.cli.embedded import Embedded, embedded_cluster
from roost.cli.extenders import open_webhooks
from roost.cli.settings import Settings, settle
from roost.cli.signals import stop_on_signals
from roost.framework.cycle import Cycle
from roost.scheduler.loop import Scheduler

MANIFEST = Path(__file__).parent / "manifests" / "demo.yaml"
SECONDS = 12.0
PAUSE = 0.1
LOOK_SECONDS = 0.01
DEFAULTS = "kube-scheduler's defaults"


class Demo(Struct, frozen=True, kw_only=True):
    """What to show: a scheduler, its extenders, and the objects of its cluster."""

    title: str
    settings: Settings
    extenders: Sequence[str]
    objects: Sequence[GivenObject]
    nodes: int


def run_demo(
    policy: str | None,
    *,
    config: str | None,
    manifests: Sequence[Path],
    extenders: Sequence[str],
    nodes: int,
    as_json: bool,
    keep: bool,
) -> None:
    """Run the demo; raises ConfigError for what cannot be used."""
    objects = read_objects(manifests or [MANIFEST])
    brings_nodes = any(given.is_node for given in objects)
    demo = Demo(
        title=policy or (f"as in {config}" if config else DEFAULTS),
        settings=_settings(policy, config),
        extenders=extenders,
        objects=objects,
        nodes=0 if brings_nodes else nodes,
    )
    asyncio.run(_run(demo, as_json=as_json, keep=keep))


def _settings(policy: str | None, config: str | None) -> Settings:
    return settle(
        kubeconfig=None,
        context=None,
        server=None,
        config=config,
        policy=policy,
        scheduler_name=None,
        tie=None,
        leader_elect=None,
        health_address=None,
    )


async def _run(demo: Demo, *, as_json: bool, keep: bool) -> None:
    stop = stop_on_signals()
    async with embedded_cluster(nodes=demo.nodes, zones=3, spot=0.5) as running:
        names = [profile.scheduler_name for profile in demo.settings.profiles]
        view = DemoView(running.store, demo.title, demo.objects, names)
        running.create(given for given in demo.objects if not given.pods_to_come)
        async with _scheduling(running, demo, view, stop):
            running.create(given for given in demo.objects if given.pods_to_come)
            with view.shown(live=not as_json and sys.stdout.isatty()):
                await _until_settled(view, stop)
            print(json.dumps(view.facts(), indent=1) if as_json else view.text(), flush=True)  # noqa: T201
            if keep and not stop.is_set():
                print(_how_to_go_on(running), file=sys.stderr)  # noqa: T201
                await stop.wait()


@asynccontextmanager
async def _scheduling(running: Embedded, demo: Demo, view: DemoView, stop: asyncio.Event) -> AsyncIterator[None]:
    """Run a scheduler that has read the cluster, and the extenders it asks."""
    cycles = {profile.scheduler_name: Cycle(profile) for profile in demo.settings.profiles}
    async with (
        serving(demo.extenders, demo.settings.extenders, running.url) as extenders,
        open_webhooks(extenders) as webhooks,
    ):
        scheduler = Scheduler(running.cluster, Cache(), cycles, observe=view.observe, webhooks=webhooks)
        task = asyncio.create_task(scheduler.run(stop))
        while not scheduler.in_sync and not task.done():  # noqa: ASYNC110 - polled for a moment, once
            await asyncio.sleep(LOOK_SECONDS)
        try:
            yield
        finally:
            stop.set()
            await task


async def _until_settled(view: DemoView, stop: asyncio.Event) -> None:
    """Wait until every pod runs or is known not to fit, but not for ever."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + SECONDS
    while not view.is_settled() and clock() < deadline and not stop.is_set():
        view.refresh()
        await asyncio.sleep(PAUSE)
    view.refresh()


def _how_to_go_on(running: Embedded) -> str:
    command = f"kubectl --kubeconfig {running.kubeconfig} get pods -o wide"
    return f"\nThe cluster stays up until Ctrl-C. In another terminal:\n  {command}"
