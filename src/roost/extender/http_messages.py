"""What a handler gets and gives, and how an answer becomes bytes.

A big answer is never one object: the handler gives it in parts, and `batches` cuts and joins these to writes of a size
that keeps both the number of system calls and the memory beside the answer small.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from http import HTTPStatus

import msgspec
from msgspec import Struct

Bytes = bytes | bytearray | memoryview

SLICE = 256 * 1024
"""No write is larger than this many bytes."""

_OURS = frozenset({"connection", "content-length", "transfer-encoding"})
_BODILESS = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


class Request(Struct):
    """A request, whole: `path` decoded and without its query, header names in lower case.

    The server gives the body as a memoryview of bytes and keeps no reference to it: a handler that is done with it
    early sets it to b"", and its memory is free once nothing else looks into it.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: Bytes = b""


class Response(Struct, frozen=True):
    """An answer; the parts of its body are sent one after the other, and its length is computed."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: Sequence[Bytes] = ()


Handler = Callable[[Request], Awaitable[Response]]


class Answer(Struct, frozen=True):
    """A response as it goes out."""

    status: int
    head: bytes
    body: Sequence[Bytes]
    size: int
    keep_alive: bool


def refusal(status: int, sentence: str) -> Response:
    """Return a JSON object that says why there is no better answer."""
    return Response(status, (("Content-Type", "application/json"),), (msgspec.json.encode({"Error": sentence}),))


def encode(response: Response, *, keep_alive: bool, head_only: bool = False) -> Answer:
    """Return the response as bytes; raises ValueError for headers that cannot be sent, TypeError for such a body."""
    body = [_flat(part) for part in response.body]
    size = sum(map(len, body))
    headers = list(response.headers)
    if response.status not in _BODILESS:
        headers.append(("Content-Length", str(size)))
    elif body:
        raise ValueError(f"an answer of status {response.status} has no body")
    headers.append(("Connection", "keep-alive" if keep_alive else "close"))
    _check_names(response)
    head = _head(response.status, headers)
    return Answer(response.status, head, () if head_only else body, 0 if head_only else size, keep_alive)


def batches(answer: Answer) -> Iterator[Bytes]:
    """Yield what to write, at most SLICE bytes each: small parts joined, big ones cut but not copied."""
    batch: list[Bytes] = []
    size = 0
    for piece in _pieces(answer):
        if size + len(piece) > SLICE:
            yield _joined(batch)
            batch, size = [], 0
        batch.append(piece)
        size += len(piece)
    yield _joined(batch)


def _pieces(answer: Answer) -> Iterator[Bytes]:
    yield from _cut(answer.head)
    for part in answer.body:
        yield from _cut(part)


def _cut(part: Bytes) -> Iterator[Bytes]:
    if len(part) <= SLICE:
        yield part
        return
    view = memoryview(part)
    for start in range(0, len(view), SLICE):
        yield view[start : start + SLICE]


def _joined(batch: list[Bytes]) -> Bytes:
    return batch[0] if len(batch) == 1 else b"".join(batch)


def _flat(part: Bytes) -> Bytes:
    if isinstance(part, bytes | bytearray):
        return part
    view = memoryview(part)
    if view.format == "B" and view.ndim == 1 and view.c_contiguous:
        return view
    return view.cast("B") if view.nbytes else b""


def _check_names(response: Response) -> None:
    for name, _ in response.headers:
        if name.lower() in _OURS:
            raise ValueError(f"header {name}: the server computes it")


def _head(status: int, headers: list[tuple[str, str]]) -> bytes:
    lines = [f"HTTP/1.1 {status} {_PHRASES.get(status, '')}", *(f"{name}: {value}" for name, value in headers)]
    for line in lines:
        if "\r" in line or "\n" in line:
            raise ValueError(f"header {line!r}: it must be one line")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
