"""The extenders of a demo: what `roost extend` serves, in the same process, for a scheduler that asks over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

from msgspec.structs import replace

from roost.cli.extend_settings import ExtenderSettings, settle_extender
from roost.cli.serve_extender import listening, until_told
from roost.config.configuration import Extender, ExtenderTLS
from roost.errors import ConfigError

_HOST = "127.0.0.1"
_LOOK_SECONDS = 0.02
_SUFFIXES = (".yaml", ".yml", ".json")


@asynccontextmanager
async def serving(asked: Sequence[str], written: Sequence[Extender], server: str) -> AsyncIterator[Sequence[Extender]]:
    """Serve what is asked for at the addresses of extenders, in their order; lend the extenders as they are reached.

    Each is a configuration file or names of policies, as `roost extend` takes them. If nothing is asked for, the
    extenders are taken as they are: somebody else serves them.
    """
    if not asked:
        yield written
        return
    addresses = list(dict.fromkeys(_address(extender) for extender in written))
    if len(asked) != len(addresses):
        raise ConfigError(
            f"--extender: is given {len(asked)} times, but the extenders of the configuration have "
            f"{len(addresses)} addresses; give one for each, in the same order"
        )
    async with AsyncExitStack() as stack:
        ports = [await stack.enter_async_context(_serving(_settings(one, server))) for one in asked]
        port_of = dict(zip(addresses, ports, strict=True))
        yield [_at_port(extender, port_of[_address(extender)]) for extender in written]


@asynccontextmanager
async def _serving(settings: ExtenderSettings) -> AsyncIterator[int]:
    """Serve policies that follow a cluster; lend the port once every request can be answered."""
    async with listening(settings) as (webhook, http):
        told = asyncio.create_task(until_told(webhook, asyncio.Event()))
        try:
            while not webhook.is_ready and not told.done():  # noqa: ASYNC110 - polled for a moment, once
                await asyncio.sleep(_LOOK_SECONDS)
            yield http.port
        finally:
            told.cancel()
            await asyncio.gather(told, return_exceptions=True)


def _settings(asked: str, server: str) -> ExtenderSettings:
    is_file = asked.endswith(_SUFFIXES)
    return settle_extender(
        policy=None if is_file else asked,
        config=asked if is_file else None,
        compat=None,
        address=_HOST,
        port=0,
        kubeconfig=None,
        context=None,
        server=server,
        no_cluster=False,
        tls_files=(None, None, None),
        health_address=None,
        body_limit="256Mi",
        stale_after="10m",
        seed=0,
    )


def _address(extender: Extender) -> str:
    return urlsplit(extender.url_prefix).netloc


def _at_port(extender: Extender, port: int) -> Extender:
    """Return an extender as it is reached here: at another port, and without TLS."""
    url = urlunsplit(("http", f"{_HOST}:{port}", urlsplit(extender.url_prefix).path, "", ""))
    return replace(extender, url_prefix=url, enable_https=False, tls_config=ExtenderTLS())
