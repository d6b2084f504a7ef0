"""The embedded cluster as a target: in a process of its own, so that its CPU can be told from the load's."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from roost.bench.programs import running
from roost.bench.target import Target
from roost.client import connection_info
from roost.errors import RoostError

READY_SECONDS = 30.0
PROCESS = "embedded cluster"
_POLL = 0.05


@asynccontextmanager
async def embedded(folder: Path) -> AsyncIterator[Target]:
    """Run an embedded cluster without nodes until the context ends."""
    kubeconfig = folder / "kubeconfig"
    command = [sys.executable, "-m", "roost", "cluster", "--nodes", "0", "--kubeconfig", str(kubeconfig)]
    async with running(command, folder / "cluster.log", PROCESS) as program:
        deadline = time.monotonic() + READY_SECONDS
        while not program.says(str(kubeconfig)):  # it prints the path once it listens
            program.check()
            if time.monotonic() > deadline:
                raise RoostError(f"the embedded cluster is not ready after {READY_SECONDS:g} s; its log: {program.log}")
            await asyncio.sleep(_POLL)
        info = connection_info(kubeconfig=str(kubeconfig))
        yield Target(
            name="embedded", info=info, kubeconfig=kubeconfig, speaks_protobuf=False, seen={PROCESS: program.pid}
        )
