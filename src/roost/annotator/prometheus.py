"""Usage of nodes from Prometheus: what node exporters tell, over a window of time, by range queries.

    first     the whole window, in stretches of a bounded number of samples
    then      only what is new since, and a little before that: samples may come late

Used CPU is the rate of all seconds that are neither idle nor iowait; used memory is MemTotal - MemAvailable. One query
asks about all nodes. A series belongs to the node whose InternalIP or name its label holds, with the exporter's port or
without.
"""

import logging
import re
from collections.abc import Collection, Iterator, Mapping
from math import floor

import msgspec
import numpy as np
from msgspec import Struct, field

from roost.annotator.http_get import HttpGet
from roost.annotator.nodes import AnnotatedNode
from roost.annotator.usage import Samples
from roost.errors import ConfigError, SourceError
from roost.framework.view import Float64

PATH = "/api/v1/query_range"
EXPORTER_PORT = 9100
RATE_SECONDS = 300.0
LATE_SECONDS = 300.0
"""How far back is asked again for what may have come late."""

MOST_POINTS = 10_000
"""Samples of one series in an answer: Prometheus refuses more than 11 000."""

MOST_SAMPLES = 200_000
"""Samples in an answer, so that none takes long to compute or to read."""

logger = logging.getLogger("roost.annotator")

_SCALE = {"cpu": 1000.0, "memory": 1.0}
_CPU = (
    "sum by ({label}) (max by ({label}, cpu, mode) "
    '(rate(node_cpu_seconds_total{{mode!~"idle|iowait"{matchers}}}[{seconds}s])))'
)
_MEMORY = "max by ({label}) (node_memory_MemTotal_bytes{{{matchers}}} - node_memory_MemAvailable_bytes{{{matchers}}})"
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class Queries(Struct, frozen=True, kw_only=True):
    """What is asked: the label that tells nodes apart, further matchers, over how many seconds a rate is taken."""

    label: str = "instance"
    matchers: str = ""
    rate_seconds: float = RATE_SECONDS
    exporter_port: int = EXPORTER_PORT

    def texts(self) -> dict[str, str]:
        """Return the query of each resource; raises ConfigError if the label is none."""
        if not _LABEL.fullmatch(self.label):
            raise ConfigError(
                f"--instance-label: {self.label!r} is not the name of a label; write one such as instance"
            )
        matchers = self.matchers.strip().strip("{},").strip()
        seconds = max(1, round(self.rate_seconds))
        cpu = _CPU.format(label=self.label, matchers=f",{matchers}" if matchers else "", seconds=seconds)
        return {"cpu": cpu, "memory": _MEMORY.format(label=self.label, matchers=matchers)}


class _Series(Struct, frozen=True):
    metric: dict[str, str]
    values: list[tuple[float, str]] = []


class _Data(Struct, frozen=True, rename="camel"):
    result_type: str = ""
    result: list[_Series] = []


class _Answer(Struct, frozen=True):
    status: str = ""
    data: _Data = field(default_factory=_Data)
    error: str = ""


class Prometheus:
    """Fits `usage.Source`; remembers up to when it has asked."""

    def __init__(self, http: HttpGet, queries: Queries, *, window: float, step: float) -> None:
        """Ask for `window` seconds, one sample every `step`."""
        self._http = http
        self._queries = queries.texts()
        self._label = queries.label
        self._port = queries.exporter_port
        self._window = window
        self._step = step
        self._asked_until = float("-inf")
        self._is_told = False

    async def samples(self, nodes: Collection[AnnotatedNode], now: float) -> list[Samples]:
        """Return what is new of the nodes; raises SourceError."""
        if not nodes:
            return []
        names = names_by_address(nodes, self._port)
        found: list[Samples] = []
        strangers: set[str] = set()
        for start, end in stretches(now, self._asked_until, self._window, self._step, len(nodes)):
            for resource, query in self._queries.items():
                for address, times, values in await self._ask(query, start, end):
                    if address in names:
                        found.append(Samples(names[address], resource, times, values * _SCALE[resource]))
                    else:
                        strangers.add(address)
        self._asked_until = now
        if not found:
            self._tell_of_strangers(strangers, names)
        return found

    def _tell_of_strangers(self, strangers: set[str], names: Mapping[str, str]) -> None:
        """Warn once that what Prometheus has is not of these nodes."""
        if strangers and not self._is_told:
            logger.warning(
                "Prometheus has no series of these nodes: its label %s holds values such as %r, theirs would be such "
                "as %r; see --instance-label and --exporter-port",
                self._label,
                min(strangers),
                max(names, key=len),
            )
        self._is_told = True

    async def _ask(self, query: str, start: float, end: float) -> list[tuple[str, Float64, Float64]]:
        asked = {"query": query, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{self._step:g}"}
        answer = await self._http.get(PATH, asked)
        return [(one.metric.get(self._label, ""), *columns(one)) for one in read_matrix(answer.body)]


def read_matrix(body: bytes) -> list[_Series]:
    """Return the series of an answer; raises SourceError if it is none."""
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"the answer to {PATH} cannot be read: {error}; is this a Prometheus?") from error
    if answer.status != "success" or answer.data.result_type != "matrix":
        raise SourceError(f"{PATH} answered {answer.error or answer.status or 'nothing'}; is this a Prometheus?")
    return answer.data.result


def columns(series: _Series) -> tuple[Float64, Float64]:
    """Return times and values; what is no number is NaN."""
    times = np.array([time for time, _ in series.values], dtype=np.float64)
    return times, np.array([_number(text) for _, text in series.values], dtype=np.float64)


def stretches(now: float, asked_until: float, window: float, step: float, nodes: int) -> Iterator[tuple[float, float]]:
    """Yield the ranges to ask for, oldest first; all times are multiples of the step, so they stay the same."""
    last = floor(now / step)
    first = max(floor((now - window) / step) + 1, floor((max(asked_until, 0.0) - LATE_SECONDS) / step))
    points = max(1, min(MOST_POINTS, MOST_SAMPLES // max(nodes, 1)))
    for start in range(first, last + 1, points):
        yield start * step, min(start + points - 1, last) * step


def names_by_address(nodes: Collection[AnnotatedNode], port: int) -> Mapping[str, str]:
    """Return node names by what the label of a node's series may hold."""
    found: dict[str, str] = {}
    for node in nodes:
        hosts = [node.name, *(f"[{ip}]" if ":" in ip else ip for ip in node.internal_ips)]
        for host in hosts:
            found |= {host: node.name, f"{host}:{port}": node.name}
    return found


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
