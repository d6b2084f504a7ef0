"""The embedded cluster over HTTP, on loopback unless told otherwise."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn

from roost.apiserver.asgi import Application
from roost.apiserver.store import Store
from roost.apiserver.verbs import Api
from roost.errors import ConfigError

LOOPBACK = "127.0.0.1"
_LOOPBACK_NAMES = ("localhost", LOOPBACK, "[::1]")
_BACKLOG = 512
_GRACE_SECONDS = 1


class EmbeddedCluster:
    """A store that is served over HTTP."""

    def __init__(self, store: Store, host: str, port: int) -> None:
        self.store = store
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}"


class _Server(uvicorn.Server):
    """uvicorn without hands on the process's signals: those belong to whoever runs the event loop."""

    def __init__(self, settings: uvicorn.Config) -> None:
        super().__init__(settings)
        self.has_started = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self.has_started.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


@contextlib.asynccontextmanager
async def serve(store: Store, host: str = LOOPBACK, port: int = 0) -> AsyncIterator[EmbeddedCluster]:
    """Serve a store until the block ends; port 0 takes a free one. Raises ConfigError if the address is taken.

    Whoever can reach it is its admin, so a host that is not loopback opens it to everybody on that network.
    """
    listener = _listen(host, port)
    is_loopback = listener.getsockname()[0] in (LOOPBACK, "::1")
    application = Application(Api(store), _LOOPBACK_NAMES if is_loopback else ())
    server = _Server(_settings(application))
    running = asyncio.create_task(server.serve([listener]))
    try:
        await server.has_started.wait()
        yield EmbeddedCluster(store, host, listener.getsockname()[1])
    finally:
        server.should_exit = True
        application.end_watches()
        await running
        listener.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror}; choose another port") from error


def _settings(application: Application) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        http="httptools",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        timeout_keep_alive=120,
    )
