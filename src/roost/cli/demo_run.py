"""What `roost demo` runs: an embedded cluster, the live loop on it, and a view that follows both."""

import asyncio
import json
import sys
from pathlib import Path

from roost.cache.cache import Cache
from roost.cli.demo_view import DemoView
from roost.cli.embedded import Embedded, embedded_cluster
from roost.cli.signals import stop_on_signals
from roost.config.profiles import default_profile, policy_profile
from roost.framework.cycle import Cycle
from roost.framework.profile import Profile
from roost.scheduler.loop import Scheduler

MANIFEST = Path(__file__).parent / "manifests" / "demo.yaml"
SECONDS = 12.0
PAUSE = 0.1
DEFAULTS = "kube-scheduler's defaults"


def run_demo(policy: str | None, *, nodes: int, as_json: bool, keep: bool) -> None:
    """Run the demo; raises ConfigError for an unknown policy."""
    profile = policy_profile([name.strip() for name in policy.split(",")]) if policy else default_profile()
    asyncio.run(_run(profile, policy or DEFAULTS, nodes, as_json=as_json, keep=keep))


async def _run(profile: Profile, policy: str, nodes: int, *, as_json: bool, keep: bool) -> None:
    stop = stop_on_signals()
    async with embedded_cluster(nodes=nodes, zones=3, spot=0.5) as running:
        view = DemoView(running.store, policy)
        scheduling = asyncio.create_task(_schedule(running, profile, view, stop))
        view.applied = running.apply(MANIFEST)
        with view.shown(live=not as_json and sys.stdout.isatty()):
            await _until_settled(view, stop)
        print(json.dumps(view.facts(), indent=1) if as_json else view.text(), flush=True)  # noqa: T201
        if keep and not stop.is_set():
            print(_how_to_go_on(running), file=sys.stderr)  # noqa: T201
            await stop.wait()
        stop.set()
        await scheduling


async def _schedule(running: Embedded, profile: Profile, view: DemoView, stop: asyncio.Event) -> None:
    cycles = {profile.scheduler_name: Cycle(profile)}
    await Scheduler(running.cluster, Cache(), cycles, observe=view.observe).run(stop)


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
