"""Prometheus: what is asked, what is read, and a small server to ask."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import trustme
from tests.annotator.building import annotated_node

from roost.annotator.http_get import HttpGet
from roost.annotator.prometheus import (
    MOST_POINTS,
    Prometheus,
    Queries,
    columns,
    names_by_address,
    read_matrix,
    stretches,
)
from roost.client.target import ConnectionInfo, Pem, Tls, Token
from roost.errors import ConfigError, SourceError

Query = dict[str, str]
Answer = tuple[int, object]


def matrix(*series: tuple[str, dict[float, str]]) -> dict[str, object]:
    result = [{"metric": {"instance": name}, "values": [[at, text] for at, text in it.items()]} for name, it in series]
    return {"status": "success", "data": {"resultType": "matrix", "result": result}}


@asynccontextmanager
async def served(
    reply: Callable[[Query], Answer], tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[str, list[tuple[str, Query, str]]]]:
    """Serve answers to queries; yield the address and what was asked: path, query, authorization."""
    asked: list[tuple[str, Query, str]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        url = urlsplit(head.split()[1])
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        login = next((line.partition(": ")[2] for line in head.splitlines() if line.startswith("Authorization")), "")
        asked.append((url.path, query, login))
        status, body = reply(query)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(data)) + data)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
    finally:
        server.close()


def prometheus(url: str, *, window: float = 600.0, **queries: object) -> Prometheus:
    http = HttpGet(ConnectionInfo(url, login=Token("secret")))
    return Prometheus(http, Queries(**queries), window=window, step=60.0)  # type: ignore[arg-type]


# ---- what is asked


def test_the_queries() -> None:
    assert Queries().texts() == {
        "cpu": (
            'sum by (instance) (max by (instance, cpu, mode) (rate(node_cpu_seconds_total{mode!~"idle|iowait"}[300s])))'
        ),
        "memory": "max by (instance) (node_memory_MemTotal_bytes{} - node_memory_MemAvailable_bytes{})",
    }
    other = Queries(label="node", matchers='{job="x",}', rate_seconds=90.0).texts()
    assert (
        other["cpu"]
        == 'sum by (node) (max by (node, cpu, mode) (rate(node_cpu_seconds_total{mode!~"idle|iowait",job="x"}[90s])))'
    )
    assert 'node_memory_MemTotal_bytes{job="x"}' in other["memory"]


def test_a_label_that_cannot_be_is_told() -> None:
    with pytest.raises(ConfigError, match="--instance-label: 'a b' is not the name of a label"):
        Queries(label="a b").texts()


def test_first_the_whole_window_is_asked_for_then_what_is_new_and_what_may_be_late() -> None:
    assert list(stretches(10_030, float("-inf"), 600, 60, nodes=1)) == [(9480, 10020)]
    assert list(stretches(10_090, 10_030, 6000, 60, nodes=1)) == [(9720, 10080)]


def test_nothing_before_the_window_is_asked_for() -> None:
    assert list(stretches(10_090, 10_030, 120, 60, nodes=1)) == [(10020, 10080)]


def test_a_long_window_is_asked_for_in_stretches() -> None:
    asked = list(stretches(86_400, float("-inf"), 86_400, 60, nodes=1000))
    assert asked[0][0] == 60
    assert asked[-1][1] == 86_400
    assert all(end - start <= 199 * 60 for start, end in asked)
    assert [start for start, _ in asked[1:]] == [end + 60 for _, end in asked[:-1]]
    assert all((end - start) / 15 < MOST_POINTS for start, end in stretches(10**9, float("-inf"), 10**6, 15, nodes=1))


def test_an_address_is_a_name_or_an_internal_ip_with_the_port_or_without() -> None:
    found = names_by_address([annotated_node("a", ip="10.0.0.1"), annotated_node("b", ip="fd00::1")], 9100)
    assert {address for address, name in found.items() if name == "a"} >= {"a", "a:9100", "10.0.0.1", "10.0.0.1:9100"}
    assert found["[fd00::1]:9100"] == "b"


# ---- what is read


def test_values_are_numbers_and_what_is_none_is_nan() -> None:
    (series,) = read_matrix(json.dumps(matrix(("x", {1.0: "2.5", 2.0: "NaN", 3.0: "+Inf", 4.0: "?"}))).encode())
    times, values = columns(series)
    np.testing.assert_array_equal(times, [1, 2, 3, 4])
    np.testing.assert_array_equal(values, [2.5, np.nan, np.inf, np.nan])


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"<html>", "cannot be read: .*; is this a Prometheus?"),
        (b"{}", "answered nothing; is this a Prometheus?"),
        (b'{"status":"error","error":"too much"}', "answered too much"),
        (json.dumps({"status": "success", "data": {"resultType": "vector"}}).encode(), "answered success; is this"),
        (b'{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1]]}]}}', "cannot be"),
    ],
)
def test_an_answer_that_is_none_is_told(body: bytes, sentence: str) -> None:
    with pytest.raises(SourceError, match=sentence):
        read_matrix(body)


# ---- asking


async def test_u4_used_cpu_and_memory_come_from_the_same_times() -> None:
    def reply(query: Query) -> Answer:
        value = "0.25" if "cpu" in query["query"] else "1024"
        return 200, matrix(("10.0.0.1:9100", {float(query["start"]): value}), ("stranger", {1.0: "1"}))

    async with served(reply) as (url, asked):
        found = await prometheus(f"{url}/prefix/").samples([annotated_node("a", ip="10.0.0.1")], 1000.0)
    assert [(one.node_name, one.resource, one.values.item()) for one in found] == [
        ("a", "cpu", 250.0),
        ("a", "memory", 1024.0),
    ]
    assert {path for path, _, _ in asked} == {"/prefix/api/v1/query_range"}
    assert {login for _, _, login in asked} == {"Bearer secret"}
    assert [(query["start"], query["end"], query["step"]) for _, query, _ in asked] == [
        ("420.000", "960.000", "60")
    ] * 2


async def test_what_failed_is_asked_for_again() -> None:
    answers = iter(
        [(200, matrix()), (503, b"busy"), (200, matrix()), (200, matrix()), (200, matrix()), (200, matrix())]
    )
    async with served(lambda _: next(answers)) as (url, asked):
        source = prometheus(url, window=6000.0)
        with pytest.raises(SourceError, match=r"/api/v1/query_range answered 503: busy$"):
            await source.samples([annotated_node()], 10_000.0)
        await source.samples([annotated_node()], 10_000.0)
        await source.samples([annotated_node()], 10_060.0)
    assert [float(query["start"]) for _, query, _ in asked] == [4020, 4020, 4020, 4020, 9660, 9660]


async def test_series_of_other_nodes_only_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    async with served(lambda _: (200, matrix(("10.9.9.9:9100", {960.0: "1"})))) as (url, _):
        source = prometheus(url)
        for _ in range(2):
            assert await source.samples([annotated_node("a", ip="10.0.0.1")], 1000.0) == []
    assert [record.message for record in caplog.records] == [
        "Prometheus has no series of these nodes: its label instance holds values such as '10.9.9.9:9100', theirs "
        "would be such as '10.0.0.1:9100'; see --instance-label and --exporter-port"
    ]


async def test_without_nodes_nothing_is_asked() -> None:
    assert await prometheus("http://127.0.0.1:1").samples([], 0.0) == []


async def test_a_server_that_is_not_there_is_told() -> None:
    with pytest.raises(SourceError, match=r"^cannot reach http://127.0.0.1:1: connection refused$"):
        await prometheus("http://127.0.0.1:1").samples([annotated_node()], 0.0)


async def test_a_server_that_hangs_up_is_told() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    with pytest.raises(SourceError, match=f"^{url}/api/v1/query_range: the server hung up"):
        await prometheus(url).samples([annotated_node()], 0.0)
    server.close()


async def test_the_certificate_of_prometheus_is_verified_by_the_authority_that_is_named() -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    async with served(lambda _: (200, matrix(("a", {960.0: "1"}))), tls) as (url, _):
        for trusted in (authority, stranger):
            pem = Pem("--ca-file", text=trusted.cert_pem.bytes().decode())
            http = HttpGet(ConnectionInfo(url, Tls(authority=pem)))
            source = Prometheus(http, Queries(), window=600, step=60)
            if trusted is authority:
                assert len(await source.samples([annotated_node("a")], 1000.0)) == 2
            else:
                with pytest.raises(SourceError, match=r"cannot reach https://.*: its certificate is not trusted"):
                    await source.samples([annotated_node("a")], 1000.0)
