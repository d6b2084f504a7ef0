"""Turns what was noted during a run into its result."""

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from roost.bench.meters import LOAD
from roost.bench.result import SCHEDULER, Clocks, Process
from roost.bench.samples import Distribution, distribution

SINCE_SYNC, SINCE_START, SINCE_FIRST_POD = "in sync", "its start", "the first pod's creation"


class Mark(Struct, frozen=True, kw_only=True):
    """A moment: its monotonic time, the CPU seconds of each process until then, and those of the whole machine."""

    time: float
    cpu: Mapping[str, float]
    machine: float


class Noted(Struct, kw_only=True):
    """What is noted during a run: moments, and when each measured pod was created, bound and told of.

    `began` is the scheduler's start or, in a stream, the moment before the first pod; `process_start` is on the same
    clock.
    """

    is_stream: bool
    process_start: float
    began: Mark
    ended: Mark
    in_sync: Mark | None = None
    startup_cpu: float | None = None
    peaks: Mapping[str, float] = field(default_factory=dict)
    sent: Mapping[str, float] = field(default_factory=dict)
    bound: Mapping[str, float] = field(default_factory=dict)
    told: Mapping[str, float] = field(default_factory=dict)

    @property
    def first_bind(self) -> float:
        """When the first measured pod was bound."""
        return min(self.bound.values())

    @property
    def bind_times(self) -> tuple[float, ...]:
        """When pods were bound, since the first bind, sorted."""
        return _since(self.first_bind, self.bound)

    @property
    def event_times(self) -> tuple[float, ...]:
        """When the events came, since the first bind, sorted."""
        return _since(self.first_bind, self.told)

    @property
    def backlog(self) -> Distribution | None:
        """How long after its bind each pod's event came (seconds)."""
        return distribution([max(0.0, at - self.bound[key]) for key, at in self.told.items() if key in self.bound])

    @property
    def latencies(self) -> Distribution | None:
        """Seconds from the request that creates a pod, or from the scheduler's start if that was later, to its bind."""
        start = 0.0 if self.is_stream else self.process_start
        return distribution([at - max(start, self.sent[key]) for key, at in self.bound.items()])


def clocks(noted: Noted) -> Clocks:
    """Return how long it took; from the process's start only where pods were waiting for it.

    The two watches may be milliseconds apart; still the last event, by which all is done, is not before the last bind.
    """
    start, first, last = noted.process_start, noted.first_bind, max(noted.bound.values())
    event = max(*noted.told.values(), last) if noted.told else None
    waited = not noted.is_stream
    return Clocks(
        first_to_last_bind=last - first,
        first_bind_to_last_event=None if event is None else event - first,
        start_to_first_bind=first - start if waited else None,
        start_to_in_sync=noted.in_sync.time - start if noted.in_sync else None,
        start_to_last_bind=last - start if waited else None,
        start_to_last_event=event - start if waited and event is not None else None,
    )


def processes(noted: Noted) -> tuple[Process, ...]:
    """Return what each process used: the scheduler since it was in sync if that is known, all others since `began`."""
    return tuple(_process(noted, name) for name in _in_order(list(noted.ended.cpu)))


def other_cores(noted: Noted) -> float:
    """Return how many cores were taken by what does not belong to the benchmark."""
    ours = sum(noted.ended.cpu.values()) - sum(noted.began.cpu.values())
    machine = noted.ended.machine - noted.began.machine
    return max(0.0, (machine - ours) / (noted.ended.time - noted.began.time))


def _process(noted: Noted, name: str) -> Process:
    counted, since = SINCE_FIRST_POD if noted.is_stream else SINCE_START, noted.began
    startup = None
    if name == SCHEDULER:
        startup = noted.startup_cpu
        if not noted.is_stream and noted.in_sync is not None:
            counted, since = SINCE_SYNC, noted.in_sync
    used = noted.ended.cpu[name] - since.cpu.get(name, 0.0)
    return Process(
        name=name,
        cpu_seconds=used,
        cpu_ms_per_pod=used * 1000 / len(noted.bound),
        counted=counted,
        startup_cpu_seconds=startup,
        peak_rss_mib=noted.peaks.get(name),
    )


def _in_order(names: Sequence[str]) -> list[str]:
    return sorted(names, key=lambda name: (name != SCHEDULER, name == LOAD))


def _since(first: float, times: Mapping[str, float]) -> tuple[float, ...]:
    return tuple(sorted(time - first for time in times.values()))
