"""An embedded cluster for the commands that bring their own: a store, its stand-ins, and a server for kubectl."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import mkdtemp

from msgspec import Struct

from roost.apiserver.in_process import InProcessCluster
from roost.apiserver.kubeconfig import write_kubeconfig
from roost.apiserver.nodes import build_nodes
from roost.apiserver.resources import NODE
from roost.apiserver.server import serve
from roost.apiserver.standins.run import run_standins
from roost.apiserver.store import Store
from roost.cli.demo_objects import GivenObject
from roost.cli.signals import stop_on_signals
from roost.errors import ApiError, ConfigError

REGION = "eu-west-1"
LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Embedded(Struct, frozen=True):
    """A running embedded cluster: its store, its address, and the kubeconfig that points at it."""

    store: Store
    url: str
    kubeconfig: Path

    @property
    def cluster(self) -> InProcessCluster:
        """The cluster as a scheduler in this process sees it."""
        return InProcessCluster(self.store)

    def create(self, objects: Iterable[GivenObject]) -> None:
        """Create objects; raises ConfigError naming the one that the API refuses."""
        for given in objects:
            namespace = given.object["metadata"].get("namespace") or "default"
            try:
                self.store.create(given.resource, given.object, namespace if given.resource.namespaced else "")
            except ApiError as error:
                raise ConfigError(f"{given.origin}: {error}") from error


@asynccontextmanager
async def embedded_cluster(
    *, nodes: int, zones: int, spot: float, port: int = 0, kubeconfig: Path | None = None
) -> AsyncIterator[Embedded]:
    """Run an embedded cluster with nodes until the context ends."""
    store = Store(time.time)
    for node in build_nodes(nodes, zones=zone_names(zones), spot_share=spot):
        store.create(NODE, node)
    standins = asyncio.create_task(run_standins(store), name="stand-ins")
    try:
        async with serve(store, host="127.0.0.1", port=port) as server:
            path = kubeconfig or Path(mkdtemp(prefix="roost-")) / "kubeconfig"
            write_kubeconfig(path, server.url)
            yield Embedded(store, server.url, path)
    finally:
        standins.cancel()
        await asyncio.gather(standins, return_exceptions=True)


def zone_names(count: int) -> list[str]:
    """Return the names of so many zones; raises ConfigError if there are no such."""
    if not 1 <= count <= len(LETTERS):
        raise ConfigError(f"--zones: {count} is not between 1 and {len(LETTERS)}")
    return [f"{REGION}{letter}" for letter in LETTERS[:count]]


def stay(*, nodes: int, zones: int, spot: float, port: int, kubeconfig: Path | None) -> None:
    """Run an embedded cluster until a signal ends it; print the path of its kubeconfig."""
    asyncio.run(_stay(nodes, zones, spot, port, kubeconfig))


async def _stay(nodes: int, zones: int, spot: float, port: int, kubeconfig: Path | None) -> None:
    stop = stop_on_signals()
    async with embedded_cluster(nodes=nodes, zones=zones, spot=spot, port=port, kubeconfig=kubeconfig) as running:
        print(running.kubeconfig, flush=True)  # noqa: T201
        hint = f"kubectl --kubeconfig {running.kubeconfig} get nodes"
        print(f"{nodes} nodes at {running.url}; try: {hint}\nCtrl-C ends it.", file=sys.stderr)  # noqa: T201
        await stop.wait()
