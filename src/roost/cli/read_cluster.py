"""Lists a live cluster into a snapshot: the kinds that explaining reads, each as far as one may."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from roost.analysis.kinds import ADDERS, Add
from roost.analysis.snapshot import Snapshot
from roost.client import connect, connection_info
from roost.errors import Forbidden, NotFound
from roost.framework.cluster import Cluster

Connection = tuple[str | None, str | None, str | None]
Progress = Callable[[str], None]


def read_live(connection: Connection, progress: Progress) -> Snapshot:
    """Return the cluster that the options name; raises RoostError if nodes and pods cannot be listed."""
    info = connection_info(*connection)

    async def read() -> Snapshot:
        async with connect(info) as cluster:
            return await read_cluster(cluster, progress)

    return asyncio.run(read())


async def read_cluster(cluster: Cluster, progress: Progress) -> Snapshot:
    """Return what a cluster has now; a kind that it lacks has no objects, one that is forbidden is not looked at."""
    snapshot = Snapshot()
    async for add, objects, problems in list_cluster(cluster, progress):
        if objects is not None:
            snapshot.kinds.add(add.kind.name)
        for obj in objects or ():
            add.add(snapshot, obj)
        snapshot.unreadable += problems
    return snapshot


async def list_cluster(
    cluster: Cluster, progress: Progress
) -> AsyncIterator[tuple[Add, Sequence[Any] | None, Sequence[str]]]:
    """Yield kind by kind what a cluster has, None where that is forbidden, and what could not be read."""
    for add in ADDERS:
        progress(f"listing {add.kind.plural}")
        try:
            listing = await cluster.list(add.kind)
        except NotFound:
            yield add, (), ()
        except Forbidden as error:
            if add.vital:
                raise
            yield add, None, [f"{add.kind.plural} may not be listed ({error})"]
        else:
            yield add, listing.items, [one.problem for one in listing.malformed]
