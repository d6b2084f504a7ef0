"""What must always hold of the HTTP server, whatever is sent and however it is cut up."""

import asyncio
import re

import pytest
import uvloop
from httptools import HttpParserError, HttpRequestParser
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.extender.http_wire import chunked, connected, request

from roost.extender.http_bodies import ChunkedBody, Refused
from roost.extender.http_requests import RequestReader
from roost.extender.http_server import HttpServer, Request, Response

LIMIT = 4096
ANSWER = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r\n]*\r\n(?:[^\r\n]+\r\n)*?Content-Length: (\d+)\r\n(?:[^\r\n]+\r\n)*\r\n")

tokens = st.text("abcXYZ019!#$%&'*+-.^_`|~", min_size=1, max_size=12).map("x-{}".format)
values = st.text("".join(map(chr, range(0x21, 0x7F))) + "äÿ \t", max_size=30).map(str.strip)
headers = st.dictionaries(tokens, values, max_size=5)
paths = st.text("abc/._~-", max_size=20).map("/{}".format)
bodies = st.binary(max_size=300)


def write(method: str, path: str, named: dict[str, str], chunks: list[bytes] | bytes) -> bytes:
    """Return a request with these headers, its body with a length or in chunks."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items()).encode("latin-1")
    if isinstance(chunks, bytes):
        plain = request(method, path, chunks)
    else:
        plain = chunked(*filter(None, chunks)).replace(b"POST /", f"{method} {path}".encode(), 1)
    return plain.replace(b"Host: x\r\n", b"Host: x\r\n" + lines, 1)


asked = st.tuples(
    st.sampled_from(["GET", "POST", "PUT", "DELETE"]), paths, headers, bodies | st.lists(bodies, max_size=4)
)


def whole(chunks: list[bytes] | bytes) -> bytes:
    return chunks if isinstance(chunks, bytes) else b"".join(chunks)


def cut(data: bytes, points: list[int]) -> list[bytes]:
    """Return the data in pieces that end at these points."""
    ends = sorted({point % (len(data) + 1) for point in points} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False) if end > start]


def read(pieces: list[bytes], scratch: int = 64) -> list[Request]:
    """Return the requests that a reader makes of the pieces."""
    reader, requests = RequestReader(memoryview(bytearray(scratch)), LIMIT), []
    for piece in pieces:
        rest = memoryview(piece)
        while rest:
            room = reader.buffer()
            count = min(len(room), len(rest))
            room[:count] = rest[:count]
            reader.received(count)
            rest = rest[count:]
            while (incoming := reader.next()) is not None:
                requests.append(incoming.request)
    return requests


@settings(deadline=None)
@given(sent=st.lists(asked, min_size=1, max_size=4), points=st.lists(st.integers(0, 5000), max_size=20))
def test_requests_are_read_the_same_however_they_are_cut(sent, points):
    data = b"".join(write(*one) for one in sent)
    requests = read(cut(data, points))
    assert [(one.method, one.path, bytes(one.body)) for one in requests] == [
        (method, path, whole(chunks)) for method, path, _, chunks in sent
    ]
    for one, (_, _, named, _) in zip(requests, sent, strict=True):
        assert {name: one.headers[name.lower()] for name in named} == {
            name: ", ".join(value for other, value in named.items() if other.lower() == name.lower()) for name in named
        }


FRAGMENTS = [
    *(b"\r\n", b"\r", b"\n", b" ", b":", b"\0", b"\xff", b"abc", b"\r\n\r\n", b"3\r\nabc\r\n", b"0\r\n\r\n"),
    *(b"GET / HTTP/1.1\r\n", b"POST /a HTTP/1.0\r\n", b"HEAD * HTTP/1.1\r\n", b"Host: x\r\n", b"Content-Length: 3\r\n"),
    *(b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n", b"Upgrade: h2c\r\nConnection: upgrade\r\n"),
    *(b"Connection: close\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"POST / HTTP/1.1\r\nHost: x\r\n"),
]
nonsense = st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=8), max_size=15).map(b"".join)


@settings(deadline=None)
@given(data=nonsense, points=st.lists(st.integers(0, 500), max_size=10))
def test_nonsense_is_refused_the_same_however_it_is_cut(data, points):
    def outcome(pieces):
        try:
            return [(one.method, one.path, bytes(one.body)) for one in read(pieces)]
        except Refused as refused:
            return 400 <= refused.status < 600

    assert outcome(cut(data, points)) == outcome([data])


@settings(deadline=None, max_examples=300)
@given(
    data=st.lists(
        st.sampled_from([b"0", b"1", b"2", b"a", b"\r\n", b"\r", b"\n", b";", b" ", b"x", b"1\r\nx\r\n", b"0\r\n\r\n"]),
        max_size=14,
    ).map(b"".join)
)
def test_chunks_end_where_the_strict_parser_says_they_end(data):
    """If two readers do not agree where a body ends, one of them can be made to see a request that is none."""
    body, received = ChunkedBody(LIMIT), bytearray(data)
    try:
        ended = body.take(received)
    except Refused:
        return
    theirs = Theirs()
    parser = HttpRequestParser(theirs)
    parser.feed_data(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    try:
        parser.feed_data(data[: len(data) - len(received)])
    except HttpParserError:
        return  # it looks into extensions and trailers, which are read over here
    assert theirs.body == body.content()
    assert theirs.complete == ended


class Theirs:
    def __init__(self):
        self.body = b""
        self.complete = False

    def on_body(self, data):
        self.body += data

    def on_message_complete(self):
        self.complete = True


# On a socket.


async def echo(one: Request) -> Response:
    return Response(body=[one.method.encode(), b" ", one.path.encode(), b" ", one.body])


async def exchange(server: HttpServer, pieces: list[bytes]) -> bytes:
    """Send the pieces, and all that there is to say; return all that comes back."""
    async with connected(server) as wire:
        try:
            await wire.trickle(pieces)
            wire.writer.write_eof()
        except OSError:
            pass
        return await wire.rest()


def split_answers(data: bytes) -> list[tuple[int, bytes]]:
    """Return status and body of each answer; there must be nothing else."""
    answers = []
    while data:
        match = ANSWER.match(data)
        assert match, data
        end = match.end() + int(match[2])
        answers.append((int(match[1]), data[match.end() : end]))
        data = data[end:]
    return answers


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def runner(request):
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner


@pytest.fixture
def ask(runner, caplog):
    """Ask one server that serves all examples; it must not log anything, and close well."""
    server = runner.run(HttpServer("127.0.0.1", 0, echo, body_limit=LIMIT).__aenter__())
    yield lambda pieces: runner.run(exchange(server, pieces))
    runner.run(server.close(1.0))
    assert server.connections == 0
    assert not caplog.records


def test_every_valid_request_gets_exactly_one_answer_in_order(ask):
    @settings(deadline=None, max_examples=60)
    @given(sent=st.lists(asked, min_size=1, max_size=5), points=st.lists(st.integers(0, 5000), max_size=8))
    def check(sent, points):
        answers = split_answers(ask(cut(b"".join(write(*one) for one in sent), points)))
        assert answers == [(200, f"{method} {path} ".encode() + whole(chunks)) for method, path, _, chunks in sent]

    check()


def test_after_any_nonsense_the_next_connection_works(ask):
    @settings(deadline=None, max_examples=60)
    @given(data=nonsense | st.binary(max_size=200), points=st.lists(st.integers(0, 500), max_size=4))
    def check(data, points):
        said = ask(cut(data, points))
        assert not said or said.startswith(b"HTTP/1.1 ")
        assert split_answers(ask([request("GET", "/next")])) == [(200, b"GET /next ")]

    check()


def test_a_valid_request_before_nonsense_is_answered(ask):
    @settings(deadline=None, max_examples=40)
    @given(one=asked, data=st.binary(min_size=1, max_size=50).filter(lambda data: data[0] not in b"\r\n"))
    def check(one, data):
        first, *others = split_answers(ask([write(*one) + data]))
        assert first == (200, f"{one[0]} {one[1]} ".encode() + whole(one[3]))
        assert [status for status, _ in others] in ([], [400])

    check()
