"""The API as an ASGI application: reads requests, sends answers, streams watches."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Any
from urllib.parse import parse_qsl

from roost.apiserver.answers import answer, refused
from roost.apiserver.negotiation import JSON
from roost.apiserver.requests import Request, Response
from roost.apiserver.status import refusal
from roost.apiserver.verbs import Api, Watching
from roost.apiserver.watching import WatchStream

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
SendMessage = Callable[[dict[str, Any]], Awaitable[None]]

LARGEST_BODY = 3 * 1024 * 1024
_TOO_LARGE = f"Request entity too large: limit is {LARGEST_BODY}"
_STRANGE_HOST = "this server answers to loopback names only, and the request is for {host}"


class Application:
    """Callable as ASGI; `hosts` are the names it answers to, any if there are none."""

    def __init__(self, api: Api, hosts: Collection[str] = ()) -> None:
        self._api = api
        self._hosts = hosts
        self._streams: set[WatchStream] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: SendMessage) -> None:
        """Answer one request."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")
        if self._hosts and _without_port(host) not in self._hosts:
            await _send_response(send, refused(refusal(403, _STRANGE_HOST.format(host=host))))
            return
        body = await _read_body(receive)
        if body is None:
            await _send_response(send, refused(refusal(413, _TOO_LARGE)))
            return
        answered = answer(self._api, _request(scope, headers, body))
        if isinstance(answered, Watching):
            await self._watch(answered, receive, send)
        else:
            await _send_response(send, answered)

    def end_watches(self) -> None:
        """Let all watches end."""
        for stream in self._streams:
            stream.end()

    async def _watch(self, watching: Watching, receive: Receive, send: SendMessage) -> None:
        await _send_start(send, 200, [(b"content-type", JSON.encode())])
        stream = WatchStream(self._api.store, watching, lambda data: _send_part(send, data))
        # An empty part makes the headers go out before there is anything to tell.
        await _send_part(send, b"")
        gone = asyncio.create_task(_until_gone(receive, stream))
        self._streams.add(stream)
        try:
            await stream.run()
            await send({"type": "http.response.body", "body": b""})
        finally:
            self._streams.discard(stream)
            gone.cancel()


async def _read_body(receive: Receive) -> bytes | None:
    """Return the whole body, None if it is too large."""
    parts: list[bytes] = []
    more, size = True, 0
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
        size += len(parts[-1])
        if size > LARGEST_BODY:
            return None
    return b"".join(parts)


def _request(scope: Scope, headers: dict[str, str], body: bytes) -> Request:
    query = scope["query_string"]
    return Request(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        query=dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)) if query else {},
        accept=headers.get("accept", ""),
        content_type=headers.get("content-type", ""),
        body=body,
    )


async def _send_response(send: SendMessage, response: Response) -> None:
    headers = [
        (b"content-type", response.content_type.encode()),
        (b"content-length", str(len(response.body)).encode()),
    ]
    if response.retry_after:
        headers.append((b"retry-after", str(response.retry_after).encode()))
    await _send_start(send, response.status, headers)
    await send({"type": "http.response.body", "body": response.body})


async def _send_start(send: SendMessage, status: int, headers: list[tuple[bytes, bytes]]) -> None:
    caching = (b"cache-control", b"no-cache, private")
    await send({"type": "http.response.start", "status": status, "headers": [caching, *headers]})


async def _send_part(send: SendMessage, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})


async def _until_gone(receive: Receive, stream: WatchStream) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.end()


def _without_port(host: str) -> str:
    name, _, port = host.rpartition(":")
    return name if name and port.isdigit() else host
