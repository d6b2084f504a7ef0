"""A small HTTP server that does as a test tells it, with certificates, on both event loops."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest
import trustme
import uvloop


def pytest_asyncio_loop_factories(config, item):
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int


@dataclass
class Wire:
    """The server's side of a connection, for one request."""

    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def reply(self, status: int = 200, body: bytes = b"{}", **headers: str) -> None:
        named = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        await self.send(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{named}\r\n".encode() + body)

    async def start_stream(self) -> None:
        await self.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")

    async def chunk(self, data: bytes) -> None:
        await self.send(b"%x\r\n%b\r\n" % (len(data), data))

    async def end_stream(self) -> None:
        await self.send(b"0\r\n\r\n")

    def hang_up(self) -> None:
        self.writer.transport.abort()


Script = Callable[[Request, Wire], Awaitable[None]]


@dataclass
class Server:
    """What came in; `script` answers it."""

    script: Script
    requests: list[Request] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    tasks: set[asyncio.Task[None] | None] = field(default_factory=set)
    url: str = ""
    listener: asyncio.Server | None = None

    @property
    def connections(self) -> int:
        return len(self.writers)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.add(asyncio.current_task())
        self.writers.append(writer)
        number = self.connections
        try:
            while not writer.is_closing():
                request = await read_request(reader, number)
                self.requests.append(request)
                await self.script(request, Wire(writer))
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    async def stop(self) -> None:
        self.listener.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for writer in self.writers:
            writer.transport.abort()
        await asyncio.sleep(0.01)


async def read_request(reader: asyncio.StreamReader, number: int) -> Request:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    method, path, _ = first.split(" ")
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path, headers, body, number)


@pytest.fixture
async def serve():
    """Start a server: `await serve(script)` for HTTP, with an ssl context for HTTPS."""
    started: list[Server] = []

    async def start(script: Script, context: ssl.SSLContext | None = None, port: int = 0) -> Server:
        server = Server(script)
        server.listener = await asyncio.start_server(server.handle, "127.0.0.1", port, ssl=context, limit=2**24)
        port = server.listener.sockets[0].getsockname()[1]
        server.url = f"{'https' if context else 'http'}://127.0.0.1:{port}"
        started.append(server)
        return server

    yield start
    for server in started:
        await server.stop()


@dataclass
class Certificates:
    """An authority, and what it has signed for 127.0.0.1."""

    authority: trustme.CA
    server: ssl.SSLContext

    @property
    def pem(self) -> str:
        return self.authority.cert_pem.bytes().decode()

    def client_pair(self) -> tuple[str, str]:
        pair = self.authority.issue_cert("me@example.org")
        return pair.cert_chain_pems[0].bytes().decode(), pair.private_key_pem.bytes().decode()


def issue(*names: str) -> Certificates:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return Certificates(authority, context)


@pytest.fixture(scope="session")
def certificates() -> Certificates:
    return issue("127.0.0.1", "kubernetes.default")


@pytest.fixture(scope="session")
def issue_certificates():
    return issue
