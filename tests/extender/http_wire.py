"""A client that sends exactly the bytes a test wants, and reads answers one by one."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from roost.extender.http_server import HttpServer

PATIENCE = 5.0


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Wire:
    """The client's side of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def trickle(self, pieces: Iterable[bytes]) -> None:
        """Send pieces so that each arrives alone, as far as that can be had."""
        for piece in pieces:
            await self.send(piece)
            await asyncio.sleep(0)

    async def answer(self, *, head_only: bool = False) -> Answer:
        async with asyncio.timeout(PATIENCE):
            first, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
            size = 0 if head_only else int(headers.get("content-length", 0))
            return Answer(int(first.split(" ")[1]), headers, await self.reader.readexactly(size))

    async def ask(self, *pieces: bytes) -> Answer:
        await self.send(*pieces)
        return await self.answer()

    async def rest(self) -> bytes:
        """Return what comes until the server closes."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.read()

    def vanish(self, *, politely: bool = False) -> None:
        """Close the socket, or do what a machine does that was switched off and on again."""
        if not politely:
            sock = self.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


def request(method: str = "POST", target: str = "/", body: bytes = b"", **headers: str) -> bytes:
    """Return a request with a length."""
    named = {"Host": "x", **({"Content-Length": str(len(body))} if body else {}), **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in named.items())
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode() + body


def chunked(*chunks: bytes) -> bytes:
    """Return a request in chunks."""
    coded = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))
    return b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + coded


@contextlib.asynccontextmanager
async def connected(server: HttpServer, *, receive_buffer: int = 0, **options: object) -> AsyncIterator[Wire]:
    """Open a connection; a small `receive_buffer` makes a client that soon takes no more."""
    sock = socket.socket()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", server.port))
    limit = 2**16 if receive_buffer else 2**20
    reader, writer = await asyncio.open_connection(sock=sock, limit=limit, **options)
    try:
        yield Wire(reader, writer)
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)
