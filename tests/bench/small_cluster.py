"""An embedded cluster over HTTP in the event loop of the test, for what talks to one."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from roost.apiserver.nodes import build_nodes
from roost.apiserver.resources import NODE
from roost.apiserver.server import serve
from roost.apiserver.store import Store
from roost.bench.load import Load
from roost.client import ConnectionInfo


@asynccontextmanager
async def small_cluster(*, nodes: int = 2, may_exist: bool = True) -> AsyncIterator[tuple[Store, Load]]:
    """Run one without controllers, and a load for it."""
    store = Store(time.time)
    for node in build_nodes(nodes, zones=["a"], spot_share=0.0):
        store.create(NODE, node)
    async with (
        serve(store, host="127.0.0.1", port=0) as server,
        Load(ConnectionInfo(server.url), may_exist=may_exist, in_flight=8) as load,
    ):
        yield store, load
