"""An embedded cluster over HTTP in a thread of its own, with stand-ins and a scheduler, and ways to ask it."""

import asyncio
import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from roost.apiserver.in_process import InProcessCluster
from roost.apiserver.kubeconfig import write_kubeconfig
from roost.apiserver.nodes import build_nodes
from roost.apiserver.resources import NODE
from roost.apiserver.server import serve
from roost.apiserver.standins import run_standins
from roost.apiserver.store import Store
from roost.cache.cache import Cache
from roost.config.profiles import default_profile
from roost.framework.cycle import Cycle
from roost.scheduler.loop import Scheduler

KUBECTL = Path(sys.executable).parent / "kubectl"
SECONDS = 20.0

needs_kubectl = pytest.mark.skipif(not KUBECTL.exists(), reason="kubectl is not installed: run `make install`")


@dataclass
class Answer:
    """What the server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        return str(self.json["message"])


@dataclass
class Served:
    """A server that runs, and its store; `call` does something where the server runs."""

    url: str
    store: Store
    loop: asyncio.AbstractEventLoop

    def call(self, act: Callable[[], Any]) -> Any:
        async def run() -> Any:
            return act()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(SECONDS)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send one request; `content_type` and `accept` are headers, a body that is no bytes is sent as JSON."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            sent.setdefault("content-type", "application/json")
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=SECONDS)
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    @contextmanager
    def watching(self, path: str, **headers: str) -> Iterator["Lines"]:
        """Open a watch and hand out its events one by one."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=SECONDS)
        try:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            yield Lines(response)
        finally:
            connection.close()


@dataclass
class Lines:
    """The lines of a watch."""

    response: http.client.HTTPResponse

    def next(self) -> Any:
        """Return the next event; None at the end."""
        line = self.response.readline()
        return json.loads(line) if line else None

    def types(self, count: int) -> list[tuple[str, str]]:
        """Return the types and names of so many events."""
        events = [self.next() for _ in range(count)]
        return [(event["type"], event["object"]["metadata"].get("name", "")) for event in events]


@contextmanager
def served(nodes: int = 3, *, lives: bool = False, scheduler: bool = True, **store_options: Any) -> Iterator[Served]:
    """Serve a new store in a thread; if it `lives`, with stand-ins and (unless told otherwise) Roost's scheduler."""
    started: threading.Event = threading.Event()
    running: list[tuple[Served, asyncio.Event]] = []
    problems: list[BaseException] = []

    async def run() -> None:
        store = Store(time.time, **store_options)
        for node in build_nodes(nodes):
            store.create(NODE, node)
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(serve(store))
            stop = asyncio.Event()
            tasks = [asyncio.create_task(one) for one in _life(store, stop, scheduler)] if lives else []
            running.append((Served(server.url, store, asyncio.get_running_loop()), stop))
            started.set()
            await stop.wait()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def start() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:  # noqa: BLE001 - the thread that waits raises it
            problems.append(error)
        finally:
            started.set()

    thread = threading.Thread(target=start, name="embedded cluster")
    thread.start()
    try:
        started.wait(SECONDS)
        if problems:
            raise problems[0]
        yield running[0][0]
    finally:
        if running:
            running[0][0].loop.call_soon_threadsafe(running[0][1].set)
        thread.join(SECONDS)
    assert not thread.is_alive(), "the server does not end"
    assert not problems, problems


def _life(store: Store, stop: asyncio.Event, schedules: bool) -> Iterator[Any]:
    yield run_standins(store)
    if not schedules:
        return
    cycles = {"default-scheduler": Cycle(default_profile("default-scheduler"))}
    scheduler = Scheduler(
        InProcessCluster(store), Cache(), cycles, clock=asyncio.get_running_loop().time, wall=time.time, host="host-1"
    )
    yield scheduler.run(stop)


@dataclass
class Kubectl:
    """The real kubectl, pointed at a server."""

    config: Path
    cache: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def __call__(self, *arguments: str, stdin: str = "", fails: bool = False) -> str:
        """Run to the end; return what it prints."""
        done = subprocess.run(
            self._command(arguments), input=stdin, capture_output=True, text=True, timeout=2 * SECONDS, check=False
        )
        printed = done.stdout + done.stderr
        assert (done.returncode != 0) is fails, printed
        return printed

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Run in the background."""
        process = subprocess.Popen(self._command(arguments), stdout=subprocess.PIPE, text=True)
        self.started.append(process)
        return process

    def stop(self) -> None:
        """End what runs in the background."""
        for process in self.started:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()
        self.started.clear()

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        return [str(KUBECTL), f"--kubeconfig={self.config}", f"--cache-dir={self.cache}", *arguments]


def kubectl_for(server: Served, folder: Path) -> Kubectl:
    """Return a kubectl that talks to a server."""
    write_kubeconfig(folder / "config", server.url)
    return Kubectl(folder / "config", folder / "cache")


def rows(table: str) -> list[list[str]]:
    """Return the rows of a table, cell by cell; a cell has no spaces."""
    return [line.split() for line in table.splitlines() if line.strip()]
