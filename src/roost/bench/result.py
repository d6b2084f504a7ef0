"""What one run of a workload measured, and what several runs of two schedulers say together. Plain values.

Times are seconds of a monotonic clock, relative to the first bind of a measured pod, unless said otherwise. A figure
that was not or could not be measured is None, never 0.
"""

import statistics
from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct, field

from roost.bench.samples import Distribution, throughput

Target = Literal["core", "embedded", "control-plane", "cluster"]
Mode = Literal["precreate", "stream", "rate"]

SCHEDULER = "scheduler"
"""What the process of a scheduler is called, whichever it is; the others go by their programs' names."""


class _Value(Struct, frozen=True, kw_only=True, rename="camel"):
    """What all values here have in common."""


class Clocks(_Value, frozen=True, kw_only=True):
    """How long it took, in seconds: by the binds, and by the Scheduled events, which say that all is done.

    `start` is when the scheduler's process was started.
    """

    first_to_last_bind: float | None = None
    first_bind_to_last_event: float | None = None
    start_to_first_bind: float | None = None
    start_to_in_sync: float | None = None
    start_to_last_bind: float | None = None
    start_to_last_event: float | None = None


class Process(_Value, frozen=True, kw_only=True):
    """What one process used while the workload ran.

    `counted` says from when, such as "in sync" or "its start". `startup_cpu_seconds` is its CPU until then, or of a
    start without pods. `cpu_seconds` is user and system time of all its threads and children.
    """

    name: str
    cpu_seconds: float
    cpu_ms_per_pod: float
    counted: str = ""
    startup_cpu_seconds: float | None = None
    peak_rss_mib: float | None = None


class Placement(_Value, frozen=True, kw_only=True):
    """Where the pods ended up: how many have no node that should have one, and the nodes with more than they hold."""

    pods: int
    unbound: int = 0
    nodes_used: int = 0
    over_capacity: tuple[str, ...] = ()

    @property
    def problem(self) -> str:
        """What is wrong with it, as a sentence; nothing if all is well."""
        said = []
        if self.unbound:
            said.append(f"{self.unbound} of {self.pods} pods have no node")
        if self.over_capacity:
            named = ", ".join(self.over_capacity[:3]) + (" …" if len(self.over_capacity) > 3 else "")
            said.append(f"{len(self.over_capacity)} nodes hold more than they can: {named}")
        return "; ".join(said)


class Deciding(_Value, frozen=True, kw_only=True):
    """What the core alone used, of CPU: to decide and assume, as benchmarks.core counts it, and with the queue besides.

    `decisions` are all that were taken while the measured pods were waiting, also those for other pods.
    """

    decisions: int
    rejected: int
    preempting: int
    microseconds: float
    microseconds_with_queue: float


class Result(_Value, frozen=True, kw_only=True):
    """One run.

    `bind_times` and `event_times` are those of the measured pods, sorted. `latencies` are seconds from creation to
    bind; `latency_of` says what they are where they are no latency of scheduling, such as with pods that were created
    before the scheduler started. `event_backlog` is, per pod, its event's time minus its bind's.
    """

    target: Target
    scheduler: str
    workload: str
    size: str
    version: str = ""
    mode: Mode = "precreate"
    rate: float | None = None
    numbers: Mapping[str, int] = field(default_factory=dict)
    nodes: int
    measured: int
    clocks: Clocks = field(default_factory=Clocks)
    latencies: Distribution | None = None
    latency_of: str = ""
    event_backlog: Distribution | None = None
    deciding: Deciding | None = None
    processes: tuple[Process, ...] = ()
    spin_ms: float | None = None
    placement: Placement
    bind_times: tuple[float, ...] = ()
    event_times: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The workload and its size."""
        return f"{self.workload}/{self.size}"

    @property
    def throughput(self) -> Distribution | None:
        """Pods per second, as scheduler_perf samples it; None for a run too short for a sample."""
        return throughput(self.bind_times)

    @property
    def to_last_bind(self) -> float | None:
        """Pods per second from the first bind to the last."""
        return _rate(len(self.bind_times) - 1, self.clocks.first_to_last_bind)

    @property
    def to_last_event(self) -> float | None:
        """Pods per second from the first bind to the last Scheduled event."""
        return _rate(self.measured, self.clocks.first_bind_to_last_event)

    @property
    def from_start(self) -> float | None:
        """Pods per second from the start of the scheduler's process to the last bind."""
        return _rate(self.measured, self.clocks.start_to_last_bind)

    @property
    def from_start_to_event(self) -> float | None:
        """Pods per second from the start of the scheduler's process to the last Scheduled event."""
        return _rate(self.measured, self.clocks.start_to_last_event)

    def process(self, name: str) -> Process | None:
        """Return a process by its name."""
        return next((one for one in self.processes if one.name == name), None)


def _rate(count: int, seconds: float | None) -> float | None:
    return count / seconds if seconds else None


# ---- several runs


class Summary(_Value, frozen=True, kw_only=True):
    """Several runs' values of one figure."""

    median: float
    minimum: float
    maximum: float
    runs: int


def summary(values: Sequence[float | None]) -> Summary | None:
    """Return the median and the spread of values; None unless every run has one."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    return Summary(median=statistics.median(known), minimum=min(known), maximum=max(known), runs=len(known))


class Comparison(_Value, frozen=True, kw_only=True):
    """Runs of the same workload: of one scheduler, or of two in turn, so that the n-th of each belong together."""

    ours: tuple[Result, ...]
    theirs: tuple[Result, ...] = ()

    @property
    def title(self) -> str:
        """The workload and its size."""
        return self.ours[0].title
