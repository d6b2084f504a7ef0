"""Where measured usage of nodes comes from, as options and environment variables say: for annotators and schedulers.

The variables are those of the annotators that were there before: PROM_IP, PROM_PORT, NODE_EXP_PORT, USE_FORECAST,
USE_REQ, ANNOTATE_FREQ. An option goes before its variable. A variable that cannot be used is told and left out.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from msgspec import Struct

from roost.annotator.controller import INTERVAL
from roost.annotator.feeder import Give, UsageFeeder
from roost.annotator.http_get import HttpGet
from roost.annotator.metrics_server import MetricsServer
from roost.annotator.prometheus import EXPORTER_PORT, RATE_SECONDS, Prometheus, Queries
from roost.annotator.usage import Source, Usage
from roost.annotator.window import Window
from roost.client.target import Anonymous, ConnectionInfo, Pem, Tls, TokenFile, parse_address
from roost.config.configuration import Duration
from roost.errors import ConfigError
from roost.framework.cluster import Cluster

METRICS_SERVER, PROMETHEUS = "metrics-server", "prometheus"
DEFAULT_URL = "http://127.0.0.1:9090"
STEP = 60.0
WINDOWS = {METRICS_SERVER: 3600.0, PROMETHEUS: 86_400.0}
"""Seconds of the past that count. What metrics-server told is kept in memory alone, so a short window is soon full."""

logger = logging.getLogger("roost")


class UsageOptions(Struct, frozen=True, kw_only=True):
    """Where usage comes from and what is made of it; times in seconds."""

    source: str
    url: str = DEFAULT_URL
    token_file: str | None = None
    ca_file: str | None = None
    queries: Queries = Queries()
    window: float
    step: float = STEP


def usage_options(
    environ: Mapping[str, str],
    *,
    source: str | None = None,
    prometheus: str | None = None,
    token_file: str | None = None,
    ca_file: str | None = None,
    instance_label: str | None = None,
    matchers: str | None = None,
    exporter_port: int | None = None,
    rate: str | None = None,
    window: str | None = None,
    step: str | None = None,
) -> UsageOptions:
    """Return what the options mean, after the environment; raises ConfigError naming the option."""
    url = prometheus or _url(environ)
    chosen = source or (PROMETHEUS if url else METRICS_SERVER)
    if prometheus and chosen != PROMETHEUS:
        raise ConfigError(f"--prometheus is not asked when usage comes from {chosen}; leave one of the two out")
    address = url or DEFAULT_URL
    try:
        parse_address(address)
    except ConfigError as error:
        raise ConfigError(f"--prometheus: {error}") from error
    if "@" in address.partition("://")[2].partition("/")[0]:
        raise ConfigError(
            "--prometheus: leave the user out of the URL; name a file with a bearer token by --token-file"
        )
    port = exporter_port or _port(environ, "NODE_EXP_PORT") or EXPORTER_PORT
    queries = Queries(
        label=instance_label or "instance",
        matchers=matchers or "",
        rate_seconds=seconds("--rate-window", rate, RATE_SECONDS),
        exporter_port=port,
    )
    queries.texts()
    span, width = seconds("--window", window, WINDOWS[chosen]), seconds("--step", step, STEP)
    if span < 2 * width:
        raise ConfigError(
            f"--window: {span:g} s is less than two steps of {width:g} s; make it longer, or --step shorter"
        )
    return UsageOptions(
        source=chosen,
        url=address,
        token_file=token_file,
        ca_file=ca_file,
        queries=queries,
        window=span,
        step=width,
    )


@asynccontextmanager
async def open_source(options: UsageOptions, cluster: Cluster) -> AsyncIterator[Source]:
    """Lend the source; raises ConfigError if it could never work."""
    if options.source == METRICS_SERVER:
        yield MetricsServer(cluster)
        return
    http = HttpGet(connection(options))
    try:
        yield Prometheus(http, options.queries, window=options.window, step=options.step)
    finally:
        await http.close()


def connection(options: UsageOptions) -> ConnectionInfo:
    """Return how to reach Prometheus."""
    authority = Pem(f"--ca-file {options.ca_file}", path=options.ca_file) if options.ca_file else None
    login = TokenFile(options.token_file) if options.token_file else Anonymous()
    return ConnectionInfo(options.url.rstrip("/"), Tls(authority=authority), login, "--prometheus")


def make_usage(options: UsageOptions, *, forecasts: bool = False) -> Usage:
    """Return the window that samples go into."""
    return Usage(Window(options.window, options.step), forecasts=forecasts)


@asynccontextmanager
async def feeding(options: UsageOptions, cluster: Cluster, give: Give) -> AsyncIterator[None]:
    """Feed measured usage while the context lasts; raises ApiError if the nodes cannot be listed."""
    async with open_source(options, cluster) as source:
        feeder = UsageFeeder(cluster, source, make_usage(options), give, interval=min(INTERVAL, options.step))
        await feeder.start()
        task = asyncio.create_task(feeder.run(), name="usage")
        task.add_done_callback(_tell)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def seconds(option: str, text: str | None, default: float) -> float:
    """Return the seconds a text spells, such as 90, 90s or 1m30s; raises ConfigError naming the option."""
    if text is None:
        return default
    try:
        found = float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else float(Duration.parse(text))
    except ValueError as error:
        raise ConfigError(f"{option}: {error}") from error
    if found <= 0:
        raise ConfigError(f"{option}: {text} is no time; write one above 0, such as {default:g}s")
    return found


def interval_from(environ: Mapping[str, str]) -> float:
    """Return the seconds between rounds: ANNOTATE_FREQ, or the default."""
    return float(_number(environ, "ANNOTATE_FREQ", lambda number: number > 0, "above 0") or INTERVAL)


def is_on(environ: Mapping[str, str], variable: str) -> bool:
    """Tell whether a variable says true, in any case."""
    return environ.get(variable, "").strip().lower() == "true"


def _url(environ: Mapping[str, str]) -> str:
    """Return the address that PROM_IP and PROM_PORT make; empty if neither is set."""
    host, port = environ.get("PROM_IP", "").strip(), _port(environ, "PROM_PORT")
    if not host and port is None:
        return ""
    host = host or "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{port or 9090}"


def _port(environ: Mapping[str, str], variable: str) -> int | None:
    return _number(environ, variable, lambda number: 0 < number < 65536, "from 1 to 65535")


def _number(environ: Mapping[str, str], variable: str, fits: Callable[[int], bool], range_: str) -> int | None:
    text = environ.get(variable, "").strip()
    if re.fullmatch(r"\+?[0-9]{1,9}", text, re.ASCII) and fits(int(text)):
        return int(text)
    if text:
        logger.warning("%s: must be a whole number %s, not '%s'; the default is used", variable, range_, text)
    return None


def _tell(task: "asyncio.Task[Any]") -> None:
    """Say why feeding ended, if it was not told to; what was fed grows old."""
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("usage is not measured any more: %s", error)
