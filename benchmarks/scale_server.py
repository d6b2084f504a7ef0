"""A scripted API server for `benchmarks.scale`: serves the lists of a large cluster, takes bindings, tells the watch.

It runs in a process of its own. Lists are made page by page as they are asked for, so that it holds no cluster; what is
bound is told to those who watch pods, as a real server does.
"""

import asyncio
import re
import time
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import Connection as Pipe
from urllib.parse import parse_qs, urlsplit

import httptools
import uvloop
from msgspec import Struct, json

from benchmarks import scale_objects
from benchmarks.client import BOUND, HEADERS, STREAM
from benchmarks.scale_objects import World

_OK = b"HTTP/1.1 200 OK\r\n" + HEADERS + b"Content-Length: %d\r\n\r\n%b"
_VERSION = b'{"major":"1","minor":"36","gitVersion":"v1.36.2"}'
_FROM = re.compile(r"from-(\d+)")
_BIND = re.compile(rb"/pods/([^/]+)/binding")
Objects = Callable[[World, int], Iterator[bytes]]


class Stored(Struct, frozen=True):
    """A kind: its name, its objects from some number on, and how many there are."""

    kind: str
    objects: Objects
    count: Callable[[World], int]


STORED: Mapping[str, Stored] = {
    "nodes": Stored("Node", scale_objects.nodes, lambda world: world.nodes),
    "pods": Stored("Pod", scale_objects.pods, lambda world: world.pods),
    "services": Stored("Service", scale_objects.services, lambda world: world.apps),
    "replicasets": Stored("ReplicaSet", scale_objects.replica_sets, lambda world: world.apps),
}


class _Target(Struct):
    name: str


class _Binding(Struct):
    target: _Target


class Times(Struct):
    """When what was asked first and last, in seconds of the monotonic clock; and how much."""

    first_request: float = 0.0
    first_bind: float = 0.0
    last_bind: float = 0.0
    bound: int = 0
    sent: int = 0
    making: float = 0.0


class Shared:
    """What the connections have in common."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.times = Times()
        self.watchers: set[asyncio.WriteTransport] = set()
        first, last = world.placed, world.pods
        self.numbers = {scale_objects.pod_name(world, number).encode(): number for number in range(first, last)}

    def page(self, plural: str, query: Mapping[str, list[str]]) -> bytes:
        """Return a page of a list; empty for the kinds of which there are none."""
        began = time.perf_counter()
        stored = STORED.get(plural)
        if stored is None:
            return scale_objects.page("", [], "")
        found = _FROM.match(query.get("continue", [""])[0])
        first, limit = int(found[1]) if found else 0, int(query.get("limit", ["500"])[0])
        end = min(first + limit, stored.count(self.world))
        objects = stored.objects(self.world, first)
        items = [next(objects) for _ in range(first, end)]
        page = scale_objects.page(stored.kind, items, "" if end >= stored.count(self.world) else f"from-{end}")
        self.times.making += time.perf_counter() - began
        self.times.sent += len(page)
        return page

    def bind(self, name: bytes, node: str) -> None:
        """Take a binding, and tell the watchers of pods."""
        self.times.last_bind = time.monotonic()
        self.times.first_bind = self.times.first_bind or self.times.last_bind
        self.times.bound += 1
        line = b'{"type":"MODIFIED","object":%b}\n' % scale_objects.pod(self.world, self.numbers[name], node)
        for watcher in self.watchers:
            watcher.write(b"%x\r\n%b\r\n" % (len(line), line))


class Answers(asyncio.Protocol):
    """One connection."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._body = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell a watcher nothing any more."""
        self._shared.watchers.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        """Feed the parser."""
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """Keep what is asked for."""
        self._url += url

    def on_body(self, body: bytes) -> None:
        """Keep what is sent."""
        self._body += body

    def on_message_complete(self) -> None:
        """Answer."""
        times = self._shared.times
        times.first_request = times.first_request or time.monotonic()
        url, body, self._url, self._body = self._url, self._body, b"", b""
        if self._parser.get_method() == b"GET":
            self._get(urlsplit(url.decode()))
            return
        if bound := _BIND.search(url):
            self._shared.bind(bound[1], json.decode(body, type=_Binding).target.name)
        self._transport.write(BOUND)

    def _get(self, url: object) -> None:
        path, query = url.path, parse_qs(url.query)  # type: ignore[attr-defined]
        plural = path.rsplit("/", 1)[-1]
        if "watch" in query:
            self._transport.write(STREAM)
            if plural == "pods":
                self._shared.watchers.add(self._transport)
            return
        body = _VERSION if plural == "version" else self._shared.page(plural, query)
        self._transport.write(_OK % (len(body), body))


def serve(pipe: Pipe, world: World) -> None:
    """Serve until told to end; tell the port through the pipe, and the times whenever asked."""
    uvloop.run(_serve(pipe, world))


async def _serve(pipe: Pipe, world: World) -> None:
    shared = Shared(world)
    server = await asyncio.get_running_loop().create_server(lambda: Answers(shared), "127.0.0.1", 0)
    pipe.send(server.sockets[0].getsockname()[1])
    while await asyncio.to_thread(pipe.recv) != "end":
        pipe.send(shared.times)
    server.close()
