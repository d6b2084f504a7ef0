"""Where a benchmark runs: an API server, how schedulers reach it, and which of its processes can be seen."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec import Struct, field

from roost.bench.result import Target as TargetName
from roost.client import ConnectionInfo, connection_info


class Target(Struct, frozen=True, kw_only=True):
    """A running cluster.

    `is_own` if it was made for the benchmark and goes with it; else everything is labelled and removed afterwards.
    `speaks_protobuf` is false for the embedded cluster. `seen` are its processes by name.
    """

    name: TargetName
    info: ConnectionInfo
    kubeconfig: Path
    context: str = ""
    is_own: bool = True
    speaks_protobuf: bool = True
    seen: Mapping[str, int] = field(default_factory=dict)


@asynccontextmanager
async def given_cluster(kubeconfig: str, context: str | None) -> AsyncIterator[Target]:
    """Return a cluster that is there already; the processes of its API server cannot be seen."""
    info = connection_info(kubeconfig=kubeconfig, context=context)
    yield Target(name="cluster", info=info, kubeconfig=Path(kubeconfig), context=context or "", is_own=False)
