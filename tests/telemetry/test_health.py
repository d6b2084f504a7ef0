"""The HTTP server that a kubelet and Prometheus ask."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from roost.errors import ConfigError
from roost.telemetry import health
from roost.telemetry.health import HealthServer, parse_address


@asynccontextmanager
async def serving(ready: bool = True) -> AsyncIterator[HealthServer]:
    async with HealthServer("127.0.0.1:0", is_ready=lambda: ready, metrics=lambda: b"up 1\n") as server:
        yield server


async def ask(server: HealthServer, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def get(server: HealthServer, path: str, method: str = "GET") -> tuple[int, bytes]:
    answer = await ask(server, f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz", "/readyz?verbose=1"])
async def test_all_is_well(path: str) -> None:
    async with serving() as server:
        assert await get(server, path) == (200, b"ok")


async def test_it_is_alive_but_not_ready_before_it_is_in_sync() -> None:
    async with serving(ready=False) as server:
        assert await get(server, "/livez") == (200, b"ok")
        assert await get(server, "/readyz") == (503, b"not in sync yet")


async def test_metrics_are_text() -> None:
    async with serving() as server:
        answer = await ask(server, b"GET /metrics HTTP/1.1\r\n\r\n")
        assert b"Content-Type: text/plain; version=0.0.4" in answer
        assert b"Content-Length: 5\r\n" in answer
        assert answer.endswith(b"\r\n\r\nup 1\n")


async def test_head_has_no_body() -> None:
    async with serving() as server:
        assert await get(server, "/metrics", "HEAD") == (200, b"")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /healthz HTTP/1.1\r\n\r\n", b"405"),
        (b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", b"431"),
        (b"\r\n\r\n", b"405"),
        (b"\xff\xfe \xff\r\n\r\n", b"405"),
    ],
)
async def test_what_is_wrong_gets_an_answer(request_: bytes, status: bytes) -> None:
    async with serving() as server:
        assert (await ask(server, request_)).split()[1] == status


async def test_who_says_nothing_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "REQUEST_SECONDS", 0.05)
    async with serving() as server:
        assert await ask(server, b"GET /healthz HTTP/1.1\r\n") == b""
        assert await get(server, "/healthz") == (200, b"ok")


async def test_an_address_in_use_is_one_sentence() -> None:
    async with serving() as server:
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{server.port}: "):
            async with HealthServer(f"127.0.0.1:{server.port}", is_ready=bool, metrics=bytes):
                pass


@pytest.mark.parametrize(
    ("address", "parsed"),
    [
        ("127.0.0.1:10259", ("127.0.0.1", 10259)),
        (":10259", ("", 10259)),
        ("0.0.0.0:0", ("0.0.0.0", 0)),
        ("[::1]:10259", ("::1", 10259)),
        ("localhost:80", ("localhost", 80)),
    ],
)
def test_addresses(address: str, parsed: tuple[str, int]) -> None:
    assert parse_address(address) == parsed


@pytest.mark.parametrize("address", ["", "10259", "localhost", "localhost:", "localhost:http", ":99999"])
def test_what_is_no_address_is_one_sentence(address: str) -> None:
    with pytest.raises(ConfigError, match="write a host and a port"):
        parse_address(address)
