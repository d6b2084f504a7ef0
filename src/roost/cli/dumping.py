"""What `roost dump` runs: objects, reduced one by one and written as one JSON list, an object to a line."""

import asyncio
import sys
import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO

import msgspec

from roost.analysis.kinds import Add
from roost.analysis.reduce import reduced
from roost.cli.progress import Progress
from roost.cli.read_cluster import Connection, list_cluster
from roost.cli.read_dump import AT, KINDS, read_objects
from roost.client import connect, connection_info


class Dump:
    """A list that is being written; use it with `with`."""

    def __init__(self, out: BinaryIO, keep: Collection[str]) -> None:
        self.count = 0
        self.about: dict[str, str] = {}
        self._out = out
        self._keep = keep
        self._encode = msgspec.json.Encoder().encode

    def __enter__(self) -> "Dump":
        self._out.write(b'{"apiVersion":"v1","kind":"List","items":[')
        return self

    def __exit__(self, *failed: object) -> None:
        about = self._encode({"annotations": self.about} if self.about else {})
        self._out.write(b'\n],"metadata":' + about + b"}\n")
        self._out.flush()

    def put(self, add: Add, obj: Any) -> None:
        """Write an object, if it says anything."""
        small = reduced(obj, self._keep)
        if small is None:
            return
        body = self._encode(small)
        head = self._encode({"apiVersion": add.kind.api_version, "kind": add.kind.name})
        self._out.write((b",\n" if self.count else b"\n") + head[:-1] + (b"," if len(body) > 2 else b"") + body[1:])
        self.count += 1


def dump_files(files: Sequence[str], keep: Collection[str]) -> None:
    """Reduce what files hold; raises ConfigError."""
    with Progress() as progress, Dump(sys.stdout.buffer, keep) as dump:
        reading = read_objects(files, dump.put, progress.show)
        if reading.at:
            dump.about = _about(reading.kinds, reading.at)
    _say(reading.unreadable)


def dump_cluster(connection: Connection, keep: Collection[str]) -> None:
    """Write what a live cluster has; raises RoostError if nodes and pods cannot be listed."""
    info = connection_info(*connection)

    async def write(dump: Dump, progress: Progress) -> list[str]:
        found: list[str] = []
        kinds: list[str] = []
        at = time.time()
        async with connect(info) as cluster:
            async for add, objects, problems in list_cluster(cluster, progress.show):
                found += problems
                if objects is not None:
                    kinds.append(add.kind.name)
                for obj in objects or ():
                    dump.put(add, obj)
        dump.about = _about(kinds, at)
        return found

    with Progress() as progress, Dump(sys.stdout.buffer, keep) as dump:
        problems = asyncio.run(write(dump, progress))
    _say(problems)


def _about(kinds: Collection[str], at: float) -> dict[str, str]:
    return {KINDS: ",".join(sorted(kinds)), AT: datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")}


def _say(problems: Sequence[str]) -> None:
    for problem in problems:
        print(f"roost: {problem}", file=sys.stderr)  # noqa: T201
