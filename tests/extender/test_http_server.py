"""The HTTP server on a real socket, asked by a client that sends what it likes."""

import asyncio
import json
import logging
import tracemalloc
import weakref
from contextlib import AsyncExitStack, suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.extender.http_wire import chunked, connected, request

from roost.errors import ConfigError
from roost.extender.http_messages import SLICE, batches, encode
from roost.extender.http_server import HttpServer, Request, Response

MEGABYTE = 1 << 20


async def echo(asked: Request) -> Response:
    return Response(body=[asked.body])


@pytest.fixture
async def serve():
    """Start a server with a handler, echo if none is named."""
    started: list[HttpServer] = []

    async def start(handler=echo, **options) -> HttpServer:
        server = HttpServer("127.0.0.1", 0, handler, **options)
        started.append(await server.__aenter__())
        return server

    yield start
    for server in started:
        await server.close(0.0)


async def until(condition) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


class Gate:
    """A handler that answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.open = asyncio.Event()

    async def __call__(self, asked: Request) -> Response:
        self.asked.append(asked)
        await self.open.wait()
        return Response(body=[b"done"])


# What the handler is given and what becomes of its answer.


async def test_a_handler_gets_the_decoded_path_lower_case_header_names_and_the_body(serve):
    seen = []

    async def handler(asked):
        seen.append((asked.method, asked.path, asked.headers["x-list"], bytes(asked.body)))
        return Response(201, (("Content-Type", "application/json"), ("X-Mine", "1")), [b"{", b"", bytearray(b"}")])

    async with connected(await serve(handler)) as wire:
        answer = await wire.ask(request("PUT", "/a%20b/%C3%A9?c=%20#d", b"hello", X_List="1\r\nx-LIST: 2 "))
    assert seen == [("PUT", "/a b/é", "1, 2", b"hello")]
    assert (answer.status, answer.body) == (201, b"{}")
    assert answer.headers == {
        "content-type": "application/json",
        "x-mine": "1",
        "content-length": "2",
        "connection": "keep-alive",
    }


@pytest.mark.parametrize(
    ("target", "path"),
    [
        pytest.param("http://10.0.0.1:80/filter?x", "/filter", id="a whole URL, as to a proxy"),
        pytest.param("http://10.0.0.1", "/", id="a URL without a path"),
        pytest.param("*", "*", id="the server itself"),
        pytest.param("/%ff", "/\N{REPLACEMENT CHARACTER}", id="not UTF-8"),
        pytest.param("//a://b", "//a://b", id="a path that looks like a URL"),
    ],
)
async def test_the_path_is_found_in_every_form_of_target(serve, target, path):
    async def handler(asked):
        return Response(body=[asked.path.encode()])

    async with connected(await serve(handler)) as wire:
        assert (await wire.ask(request("OPTIONS", target))).body.decode() == path


BODIES = {
    "with a length": [request(body=b"hello")],
    "byte by byte": [bytes([byte]) for byte in request(body=b"hello")],
    "in chunks": [chunked(b"he", b"llo")],
    "in chunks, byte by byte": [bytes([byte]) for byte in chunked(b"he", b"llo")],
    "in chunks with extensions and trailers": [
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n",
        b'2;a=b;c="d"\r\nhe\r\n003\r\nllo\r\n0;z\r\nA: b\r\n',
        b"C: d\r\n\r\n",
    ],
    "after empty lines": [b"\r\n", b"\r\n\r", b"\n", request(body=b"hello")],
    "with an offer to upgrade": [request(body=b"hello", Upgrade="h2c", Connection="Upgrade")],
    "split inside the end of the head": [request(body=b"hello")[:-7], request(body=b"hello")[-7:]],
}


@pytest.mark.parametrize("pieces", BODIES.values(), ids=BODIES)
async def test_a_body_arrives_however_it_is_sent(serve, pieces):
    server = await serve()
    async with connected(server) as wire:
        for _ in range(2):
            await wire.trickle(pieces)
            assert (await wire.answer()).body == b"hello"
        assert server.connections == 1


@pytest.mark.parametrize("size", [0, 1, SLICE - 1, SLICE, SLICE + 1, 3 * MEGABYTE])
@pytest.mark.parametrize("form", ["length", "chunks"])
async def test_bodies_of_all_sizes_come_back_unchanged(serve, size, form):
    body = np.random.default_rng(size).bytes(size)
    async with connected(await serve()) as wire:
        sent = request(body=body) if form == "length" else chunked(*([body] if body else []))
        writing = asyncio.create_task(wire.send(sent))
        assert (await wire.answer()).body == body
        await writing


async def test_the_answer_to_head_has_a_length_and_no_body(serve):
    async def handler(asked):
        return Response(body=[b"12345"])

    async with connected(await serve(handler)) as wire:
        await wire.send(request("HEAD"), request())
        assert (await wire.answer(head_only=True)).headers["content-length"] == "5"
        assert (await wire.answer()).body == b"12345"


async def test_no_content_has_no_length(serve):
    async def handler(asked):
        return Response(204)

    async with connected(await serve(handler)) as wire:
        for _ in range(2):
            answer = await wire.ask(request())
            assert (answer.status, "content-length" in answer.headers) == (204, False)


async def test_who_expects_to_be_told_to_continue_is_told(serve):
    async with connected(await serve()) as wire:
        head = request(body=b"hello", Expect="100-continue")[:-5]
        assert (await wire.ask(head)).status == 100
        assert (await wire.ask(b"hello")).body == b"hello"


@given(parts=st.lists(st.tuples(st.integers(0, 3 * SLICE // 2), st.sampled_from([bytes, bytearray, memoryview]))))
def test_an_answer_is_written_in_slices_that_join_to_the_whole(parts):
    body = [kind(bytes([number % 256]) * size) for number, (size, kind) in enumerate(parts)]
    written = [bytes(batch) for batch in batches(encode(Response(body=body), keep_alive=True))]
    head, _, joined = b"".join(written).partition(b"\r\n\r\n")
    assert joined == b"".join(body)
    assert f"Content-Length: {len(joined)}".encode() in head
    assert max(map(len, written)) <= SLICE
    assert len(written) <= 2 + 2 * len(joined) // SLICE


async def test_parts_may_be_views_of_columns(serve):
    column = np.arange(5, dtype=np.int64)

    async def handler(asked):
        return Response(body=[column.data, column[:0].data])

    async with connected(await serve(handler)) as wire:
        assert (await wire.ask(request())).body == column.tobytes()


# Connections.


async def test_pipelined_requests_are_answered_in_order(serve):
    async def handler(asked):
        await asyncio.sleep(0.01 / int(asked.path[1:]))
        return Response(body=[asked.path.encode()])

    async with connected(await serve(handler)) as wire:
        await wire.send(b"".join(request("GET", f"/{number}") for number in range(1, 30)))
        assert [(await wire.answer()).body for _ in range(1, 30)] == [b"/%d" % number for number in range(1, 30)]


async def test_who_sends_on_while_a_request_is_answered_has_to_wait(serve):
    gate = Gate()
    async with connected(await serve(gate)) as wire:
        for _ in range(300):
            wire.writer.write(request(body=bytes(64 * 1024)))
        await until(lambda: gate.asked)
        await asyncio.sleep(0.05)
        assert wire.writer.transport.get_write_buffer_size() > 5 * MEGABYTE
        gate.open.set()
        for _ in range(300):
            assert (await wire.answer()).body == b"done"
    assert len(gate.asked) == 300


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(request(Connection="close"), id="who says close"),
        pytest.param(b"GET / HTTP/1.0\r\n\r\n", id="HTTP/1.0"),
    ],
)
async def test_a_connection_ends_for(serve, asked):
    async with connected(await serve()) as wire:
        assert (await wire.ask(asked)).headers["connection"] == "close"
        assert await wire.rest() == b""


async def test_http_1_0_may_keep_a_connection(serve):
    async with connected(await serve()) as wire:
        for _ in range(2):
            answer = await wire.ask(b"POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok")
            assert (answer.body, answer.headers["connection"]) == (b"ok", "keep-alive")


async def test_who_stops_sending_still_gets_all_answers(serve):
    async with connected(await serve()) as wire:
        await wire.send(request(body=b"1") + request(body=b"2") + request(body=b"3"))
        wire.writer.write_eof()
        assert [(await wire.answer()).body for _ in range(3)] == [b"1", b"2", b"3"]
        assert await wire.rest() == b""


async def test_connections_are_counted(serve):
    server = await serve()
    async with connected(server) as first, connected(server) as second:
        await first.ask(request())
        await second.ask(request())
        assert server.connections == 2
    await until(lambda: server.connections == 0)


# Refusals.

OVER = 1024 * 8
REFUSED = {
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00", 400, "not HTTP/1.1"),
    "words": (b"hello there\r\n\r\n", 400, "not HTTP/1.1"),
    "a line that ends in LF": (b"GET / HTTP/1.1\nHost: x\n\n", 400, "not HTTP/1.1"),
    "HTTP/0.9": (b"GET /\r\n\r\n", 505, "use HTTP/1.1"),
    "HTTP/2": (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505, "use HTTP/1.1"),
    "no Host": (b"GET / HTTP/1.1\r\n\r\n", 400, "no Host header"),
    "two lengths": (request(body=b"1", CONTENT_LENGTH="2"), 400, "Content-Length"),
    "a length that is no number": (request(Content_Length="+5"), 400, "Content-Length"),
    "a length that is out of all bounds": (request(Content_Length="9" * 40), 400, "Content-Length"),
    "a length and chunks": (request(body=b"1", Transfer_Encoding="chunked"), 400, "Transfer-Encoding"),
    "chunks in HTTP/1.0": (b"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "Transfer-Encoding"),
    "another coding": (request(Transfer_Encoding="gzip, chunked"), 501, "'gzip, chunked' is not known here"),
    "other expectations": (request(Expect="miracles"), 417, "100-continue"),
    "a bad URL": (request(target="http://[/"), 400, "not HTTP/1.1"),
    "a chunk without a size": (chunked()[:-5] + b"\r\n", 400, "does not begin with its size"),
    "a chunk of negative size": (chunked()[:-5] + b"-1\r\n", 400, "does not begin with its size"),
    "a chunk longer than its size": (chunked(b"ab").replace(b"2\r", b"1\r"), 400, "longer than its size"),
    "a size line without end": (chunked()[:-5] + b"1;" + b"x" * 5000, 400, "longer than 4096 bytes"),
    "a size line that ends in LF": (chunked()[:-5] + b"1;a\nb\r\n", 400, "does not end in CR LF"),
    "trailers without end": (chunked()[:-2] + b"a: b\r\n" * 20000, 431, "64 KiB"),
    "a head without end": (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20000, 431, "64 KiB"),
    "a body over the limit": (request(body=bytes(OVER + 1)), 413, "8193 bytes, which is larger than the 8192"),
    "chunks over the limit": (chunked(bytes(OVER), b"x"), 413, "larger than the 8192 bytes"),
}


@pytest.mark.parametrize(("sent", "status", "words"), REFUSED.values(), ids=REFUSED)
async def test_is_refused_in_a_sentence_and_the_connection_ends(serve, sent, status, words, caplog):
    server = await serve(body_limit=OVER)
    async with connected(server) as wire:
        answer = await wire.ask(sent)
        assert (answer.status, answer.headers["connection"]) == (status, "close")
        assert answer.headers["content-type"] == "application/json"
        assert words in json.loads(answer.body)["Error"]
        assert await wire.rest() == b""
    async with connected(server) as wire:
        assert (await wire.ask(request(body=b"next"))).body == b"next"
    assert not [record for record in caplog.records if record.levelno > logging.DEBUG]


async def test_a_body_at_the_limit_is_taken(serve):
    async with connected(await serve(body_limit=OVER)) as wire:
        assert len((await wire.ask(request(body=bytes(OVER)))).body) == OVER
        assert len((await wire.ask(chunked(bytes(OVER - 1), b"x"))).body) == OVER


@pytest.mark.parametrize("expect", [{}, {"Expect": "100-continue"}], ids=["sends it all the same", "has asked first"])
async def test_who_sends_far_too_much_sees_why_it_is_refused(serve, expect):
    async with connected(await serve(body_limit=OVER)) as wire:
        head = request(Content_Length=str(32 * MEGABYTE), **expect)
        await wire.send(head, *([] if expect else [bytes(MEGABYTE)] * 32))
        assert (await wire.answer()).status == 413
        assert await wire.rest() == b""


async def test_a_refused_head_request_gets_no_body(serve):
    async with connected(await serve(body_limit=OVER)) as wire:
        await wire.send(request("HEAD", Content_Length=str(OVER + 1)))
        assert (await wire.answer(head_only=True)).status == 413
        assert await wire.rest() == b""


@pytest.mark.parametrize(
    ("sent", "seconds", "words"),
    [
        pytest.param(b"GET / HT", {"header_seconds": 0.05}, "the head of the request did not", id="head"),
        pytest.param(request(body=b"hello")[:-1], {"body_seconds": 0.05}, "the body of the request did not", id="body"),
        pytest.param(chunked(b"hello")[:-2], {"body_seconds": 0.05}, "the body of the request did not", id="chunks"),
    ],
)
async def test_who_is_too_slow_with_the(serve, sent, seconds, words):
    async with connected(await serve(**seconds)) as wire:
        answer = await wire.ask(sent)
        assert answer.status == 408
        assert words in json.loads(answer.body)["Error"]
        assert await wire.rest() == b""


async def test_a_byte_now_and_then_does_not_make_a_head_fast(serve):
    async def dribble(wire):
        for byte in request(X="y" * 1000):
            await wire.send(bytes([byte]))
            await asyncio.sleep(0.01)

    async with connected(await serve(header_seconds=0.1)) as wire:
        dribbling = asyncio.create_task(dribble(wire))
        assert (await wire.answer()).status == 408
        assert not dribbling.done()
        dribbling.cancel()


async def test_a_handler_may_take_longer_than_clients_may(serve):
    async def handler(asked):
        await asyncio.sleep(0.1)
        return Response(body=[b"done"])

    async with connected(await serve(handler, header_seconds=0.03, body_seconds=0.03, idle_seconds=0.03)) as wire:
        await wire.trickle([request()[:9], request()[9:]])
        assert (await wire.answer()).body == b"done"


@pytest.mark.parametrize("pause", [10.0, 0.02], ids=["falls silent", "goes on sending"])
async def test_who_is_refused_and_does_not_hang_up_is_hung_up_on_when_it(serve, pause, monkeypatch):
    monkeypatch.setattr("roost.extender.http_connection._ENDING_SILENCE", 0.1)
    monkeypatch.setattr("roost.extender.http_connection._ENDING_SECONDS", 0.2)
    server = await serve()

    async def go_on(wire):
        while True:
            await asyncio.sleep(pause)
            await wire.send(b"and on")

    async with connected(server) as wire:
        assert (await wire.ask(b"nonsense")).status == 400
        sending = asyncio.create_task(go_on(wire))
        await asyncio.sleep(0.05)
        assert server.connections == 1
        async with asyncio.timeout(1.0):
            await until(lambda: server.connections == 0)
        sending.cancel()
        await asyncio.wait([sending])


async def test_an_idle_connection_is_closed_without_a_word(serve):
    async with connected(await serve(idle_seconds=0.05)) as wire:
        await wire.ask(request())
        assert await wire.rest() == b""


# Handlers that fail, and clients that vanish.


@pytest.mark.parametrize(
    ("response", "error"),
    [
        pytest.param(None, "ZeroDivisionError", id="raises"),
        pytest.param(Response(headers=(("A", "b\r\nC: d"),)), "must be one line", id="smuggles a header"),
        pytest.param(Response(headers=(("A", "€"),)), "UnicodeEncodeError", id="writes a header that is not Latin-1"),
        pytest.param(Response(headers=(("content-length", "1"),)), "the server computes it", id="counts on its own"),
        pytest.param(Response(204, body=[b"x"]), "has no body", id="has content for no content"),
        pytest.param(Response(body=["text"]), "TypeError", id="answers text"),
    ],
)
async def test_the_client_gets_500_and_keeps_its_connection_if_the_handler(serve, response, error, caplog):
    async def handler(asked):
        if asked.method == "GET":
            return Response(body=[b"fine"])
        return response or Response(1 // 0)

    server = await serve(handler)
    async with connected(server) as wire:
        answer = await wire.ask(request(target="/filter"))
        assert (answer.status, answer.headers["connection"]) == (500, "keep-alive")
        assert "the log says why" in json.loads(answer.body)["Error"]
        assert (await wire.ask(request("GET"))).body == b"fine"
        assert server.connections == 1
    (record,) = caplog.records
    assert record.getMessage() == "POST '/filter': the handler failed"
    assert error in caplog.text
    assert "Traceback" in caplog.text


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="before it has asked"),
        pytest.param(b"GET / HT", id="in a head"),
        pytest.param(request(body=b"hello")[:-1], id="in a body"),
        pytest.param(request(), id="while it is answered"),
        pytest.param(request(body=b"big"), id="while it takes its answer"),
        pytest.param(request() + request(), id="with another request under way"),
        pytest.param(b"nonsense", id="when it is refused"),
    ],
)
@pytest.mark.parametrize("politely", [True, False], ids=["with a goodbye", "without"])
async def test_a_client_that_vanishes_is_no_error(serve, sent, politely, caplog):
    gate = Gate()

    async def handler(asked):
        return await gate(asked) if not asked.body else Response(body=[bytes(20 * MEGABYTE)])

    server = await serve(handler)
    async with connected(server, receive_buffer=4096) as wire:
        await wire.send(sent)
        await asyncio.sleep(0.02)
        wire.vanish(politely=politely)
        await asyncio.sleep(0.01)
        gate.open.set()
        await until(lambda: server.connections == 0)
    async with connected(server) as wire:
        assert (await wire.ask(request())).body == b"done"
    async with asyncio.timeout(2):
        await server.close(5.0)
    assert not caplog.records


async def test_one_debug_line_is_logged_for_each_request(serve, caplog):
    caplog.set_level(logging.DEBUG, logger="roost.extender")
    async with connected(await serve()) as wire:
        await wire.ask(request(target="/a%0Ab", body=b"hello"))
        await wire.ask(request("GET"))
    first, second = (record.getMessage() for record in caplog.records if record.name == "roost.extender")
    assert first.startswith(r"POST '/a\nb': 200, 5 bytes in, 5 out, 0.0")
    assert second.startswith("GET '/': 200, 0 bytes in, 0 out, 0.0")


# Memory.


async def test_the_request_is_free_before_the_client_has_taken_the_answer(serve):
    bodies = []

    async def handler(asked):
        bodies.append(weakref.ref(asked.body.obj))
        return Response(body=[bytes(MEGABYTE)] * 20)

    async with connected(await serve(handler), receive_buffer=4096) as wire:
        await wire.send(request(body=bytes(MEGABYTE)))
        await until(lambda: bodies)
        await until(lambda: bodies[0]() is None)
        assert len((await wire.answer()).body) == 20 * MEGABYTE


async def test_an_answer_that_is_not_taken_waits_in_its_parts_and_is_not_copied(serve):
    parts = [bytes(20 * MEGABYTE), *(bytes(1000) for _ in range(10_000))]
    gate = Gate()

    async def handler(asked):
        await gate(asked)
        return Response(body=parts)

    async with connected(await serve(handler), receive_buffer=4096) as wire:
        await wire.send(request())
        await until(lambda: gate.asked)
        tracemalloc.start()
        gate.open.set()
        await asyncio.sleep(0.1)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 3 * MEGABYTE
        assert len((await wire.answer()).body) == sum(map(len, parts))


@pytest.mark.parametrize("asked", [request(), request(Connection="close")], ids=["and stays", "and wants to go"])
async def test_who_does_not_take_its_answer_is_cut_off(serve, asked):
    sizes = [MEGABYTE * size // 4 for size in range(4, 24, 2)]  # some fit into what the system and the transport hold

    async def handler(asked):
        return Response(body=[bytes(sizes.pop())])

    server = await serve(handler, body_seconds=0.1, idle_seconds=0.1)
    async with AsyncExitStack() as stack:
        for _ in tuple(sizes):
            wire = await stack.enter_async_context(connected(server, receive_buffer=4096))
            await wire.send(asked)
        await until(lambda: not sizes)
        async with asyncio.timeout(2.0):
            await until(lambda: server.connections == 0)


# Starting and stopping.


async def test_an_address_that_is_taken_is_a_mistake_of_the_user(serve):
    server = await serve()
    with pytest.raises(ConfigError, match=rf"cannot listen on 127.0.0.1:{server.port}: address already in use; choose"):
        await HttpServer("127.0.0.1", server.port, echo).__aenter__()


async def test_closing_lets_requests_under_way_finish_and_closes_idle_connections(serve):
    gate = Gate()
    server = await serve(gate)
    async with connected(server) as busy, connected(server) as idle, connected(server) as half:
        await half.send(request(body=b"hello")[:-1])
        await busy.send(request())
        await until(lambda: gate.asked and server.connections == 3)
        closing = asyncio.create_task(server.close(5.0))
        assert await idle.rest() == b""
        refused = await half.answer()
        assert (refused.status, json.loads(refused.body)["Error"]) == (503, "this server is being stopped; ask again")
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", server.port)
        assert not closing.done()
        gate.open.set()
        answer = await busy.answer()
        assert (answer.body, answer.headers["connection"]) == (b"done", "close")
        half.vanish()
        await closing
        assert await busy.rest() == b""
    assert server.connections == 0


async def test_what_is_not_done_within_the_grace_is_answered_503(serve):
    gate = Gate()
    server = await serve(gate)
    async with connected(server) as wire:
        await wire.send(request())
        await until(lambda: gate.asked)
        await server.close(0.05)
        assert (await wire.answer()).status == 503
        assert await wire.rest() == b""


async def test_closing_does_not_wait_for_who_takes_no_answer(serve):
    server = await serve()
    async with connected(server, receive_buffer=4096) as wire:
        await wire.send(request(body=bytes(20 * MEGABYTE)))
        await asyncio.sleep(0.05)
        async with asyncio.timeout(3):
            await server.close(0.05)
        assert server.connections == 0


async def test_an_answer_that_is_broken_off_does_not_go_on_as_another(serve):
    server = await serve()
    async with connected(server, receive_buffer=4096) as wire:
        await wire.send(request(body=bytes(20 * MEGABYTE)))
        await asyncio.sleep(0.05)
        closing = asyncio.create_task(server.close(0.0))
        await asyncio.sleep(0.05)
        taken = b""
        with suppress(ConnectionError):
            while data := await wire.reader.read(MEGABYTE):
                taken += data
        await closing
        assert taken.count(b"HTTP/1.1") == 1
        assert len(taken) < 20 * MEGABYTE


async def test_a_handler_whose_client_has_vanished_is_left_to_finish(serve):
    gate = Gate()
    done = []

    async def handler(asked):
        await gate(asked)
        done.append(asked.path)
        return Response()

    server = await serve(handler)
    async with connected(server) as wire:
        await wire.send(request(target="/bind"))
        await until(lambda: gate.asked)
        wire.vanish()
        await until(lambda: server.connections == 0)
    closing = asyncio.create_task(server.close(5.0))
    await asyncio.sleep(0.02)
    assert not closing.done()
    gate.open.set()
    await closing
    assert done == ["/bind"]


async def test_a_server_closes_when_its_block_ends_and_closing_twice_does_no_harm():
    async with HttpServer("127.0.0.1", 0, echo) as server, connected(server) as wire:
        await wire.ask(request())
        await server.close(1.0)
        await server.close(1.0)
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", server.port)
