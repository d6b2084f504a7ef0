"""A small extender over HTTP that answers as a test tells it."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from roost.client.extender import HttpWebhook
from roost.client.target import ConnectionInfo
from roost.framework.extenders import Extender

Answer = Callable[[Any], Any]
"""Takes the message of a request and returns that of the answer, or awaits it; a number is a bare status."""


@dataclass
class ExtenderServer:
    """What it was asked, and what it answers, by verb."""

    url: str
    answers: dict[str, Answer]
    asked: list[tuple[str, Any]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    tasks: set[Any] = field(default_factory=set)

    def messages(self, verb: str) -> list[Any]:
        return [message for asked, message in self.asked if asked == verb]

    def webhook(self, *, timeout: float = 5.0, **fields: Any) -> HttpWebhook:
        """Return a webhook to it; verbs are filter, prioritize and bind, as far as there are answers to them."""
        verbs = {f"{verb}_verb": verb for verb in self.answers}
        extender = Extender(url=self.url, **{**verbs, **fields})
        return HttpWebhook(extender, ConnectionInfo(server=self.url), timeout)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.add(asyncio.current_task())
        try:
            while True:
                await self._answer_one(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        body = await reader.readexactly(int(headers["content-length"]))
        verb = first.split(" ")[1].rpartition("/")[2]
        self.raw.append(body)
        self.asked.append((verb, json.loads(body)))
        answer = self.answers[verb](self.asked[-1][1])
        if isinstance(answer, Awaitable):
            answer = await answer
        status, text = (answer, b"") if isinstance(answer, int) else (200, json.dumps(answer).encode())
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(text), text))
        await writer.drain()


@asynccontextmanager
async def serving(context: ssl.SSLContext | None = None, **answers: Answer) -> AsyncIterator[ExtenderServer]:
    """Run an extender with an answer for each verb."""
    server = ExtenderServer("", answers)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context, limit=2**26)
    server.url = f"{'https' if context else 'http'}://127.0.0.1:{listener.sockets[0].getsockname()[1]}/scheduler"
    try:
        yield server
    finally:
        listener.close()
        for task in server.tasks:
            task.cancel()
        await asyncio.gather(*server.tasks, return_exceptions=True)


def keep(*names: str, **failed: str) -> Answer:
    """Keep nodes by name, as many of them as are asked about."""
    return lambda args: {"NodeNames": [one for one in args["NodeNames"] if one in names], "FailedNodes": failed}


def score(**scores: int) -> Answer:
    """Score hosts, in the lower case of older extenders."""
    return lambda args: [{"host": name.replace("_", "-"), "score": value} for name, value in scores.items()]


async def closed(webhooks: Sequence[HttpWebhook]) -> None:
    """Close the connections of webhooks."""
    await asyncio.gather(*(webhook.close() for webhook in webhooks))
