"""Says in events what became of pods, with kube-scheduler's reasons and texts, and without slowing bindings down.

An event costs an API server as much as a binding. So events wait while bindings wait, though not longer than a second.
From then on there are as many workers for them as for bindings: in a burst that lasts, both get the same share of the
API server, and events stay a second behind. They are kept in order, sent again while the API server is away, and lost
only if more are waiting than fit.
A pod that fails again for the same reason adds to the series of its first event, as client-go's recorder does it.
"""

import logging
import random
from collections.abc import Callable
from time import gmtime, strftime

import msgspec
from msgspec import Struct

from roost.api.kinds import EVENT
from roost.errors import ApiError, Conflict, NotFound, TooManyRequests, Unreachable
from roost.framework.cluster import Cluster
from roost.framework.pod_info import PodInfo
from roost.scheduler.lane import Lane

NOTE_LIMIT = 1024
CAPACITY = 100_000
WORKERS = 128
MAX_DELAY = 1.0
SERIES_SECONDS = 600.0
REFRESH_SECONDS = 1800.0
BURST = 10
REFILL_SECONDS = 300.0
MAX_TRIES = 12
MAX_PAUSE = 10.0
ALONE = 1.0
"""Seconds that the first event after a pause has for itself, unless it is answered earlier."""

_NAME_LIMIT = 253
_INSTANCE_LIMIT = 128
_SERIES_KEPT = 50_000

logger = logging.getLogger(__name__)
_json = msgspec.json.encode


class Event(Struct):
    """An event on its way: what it says, of which pod, when it may leave at the latest, and how often it was tried.

    `related` is another pod that has to do with it: it is on its behalf that the event happened.
    """

    pod: PodInfo
    name: str
    time: float
    due: float
    reason: bytes
    note: str
    count: int = 1
    tries: int = 0
    related: PodInfo | None = None


class Series(Struct):
    """Failures of one pod in a row: the event that stands for the last reason, and how many failures it stands for."""

    note: str = ""
    name: str = ""
    count: int = 0
    events: int = 0
    last: float = 0.0
    told: float = 0.0
    patched: float = float("-inf")


class Recorder:
    """Sends events behind the bindings; `is_binding` tells whether bindings wait."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        host: str,
        clock: Callable[[], float],
        wall: Callable[[], float],
        is_binding: Callable[[], bool] = lambda: False,
        dice: Callable[[], float] = random.random,
        workers: int = WORKERS,
        capacity: int = CAPACITY,
    ) -> None:
        self.lane: Lane[Event] = Lane("events", self._send, workers, hold=self._seconds_to_hold)
        self.dropped = 0
        self.sent = 0
        self._cluster = cluster
        self._clock = clock
        self._wall = wall
        self._is_binding = is_binding
        self._capacity = capacity
        self._dice = dice
        self._host = host
        self._tails: dict[str, bytes] = {}
        self._unique = int(wall() * 1e9)
        self._series: dict[str, Series] = {}
        self._flushing = False
        self._paused_until = 0.0
        self._failures = 0
        self._is_trying = False
        self._second = -1
        self._stamp = ""

    # ---- what happened

    def scheduled(self, pod: PodInfo, node_name: str) -> None:
        """Say that a pod was bound."""
        self._put(pod, _SCHEDULED, f"Successfully assigned {pod.key} to {node_name}")
        self._series.pop(pod.uid, None)

    def preempted(self, victim: PodInfo, preemptor: PodInfo, node_name: str) -> None:
        """Say that a pod was evicted to make room for another."""
        note = f"Preempted by pod {preemptor.uid} on node {node_name}"
        self._put(victim, _PREEMPTED, note, related=preemptor)

    def failed_scheduling(self, pod: PodInfo, message: str) -> None:
        """Say that a pod fits nowhere or could not be bound; if the last event says just that, add to its series."""
        note, now = cut(message), self._clock()
        series = self._series.pop(pod.uid, None)
        if series is None or now - series.last > SERIES_SECONDS:
            series = Series()
        self._series[pod.uid] = series
        series.last = now
        if series.events and series.note == note:
            self._repeat(series, pod, now)
        elif series.events < BURST or now - series.told >= REFILL_SECONDS:
            self._tell(series, pod, note, now)
        while len(self._series) > _SERIES_KEPT:
            del self._series[next(iter(self._series))]

    def forget(self, uid: str) -> None:
        """Forget the series of a pod that is gone."""
        self._series.pop(uid, None)

    def _tell(self, series: Series, pod: PodInfo, note: str, now: float) -> None:
        series.note, series.count, series.patched, series.told = note, 1, float("-inf"), now
        series.events += 1
        series.name = self._put(pod, _FAILED, note)

    def _repeat(self, series: Series, pod: PodInfo, now: float) -> None:
        series.count += 1
        if now - series.patched >= REFRESH_SECONDS:
            series.patched = now
            self._put(pod, _FAILED, series.note, name=series.name, count=series.count)

    def _put(
        self,
        pod: PodInfo,
        reason: bytes,
        note: str,
        *,
        name: str = "",
        count: int = 1,
        related: PodInfo | None = None,
    ) -> str:
        if len(self.lane.jobs) >= self._capacity:
            self._drop("%d events are waiting already", self._capacity)
            return ""
        name = name or self._event_name(pod.pod.name)
        self.lane.put(Event(pod, name, self._wall(), self._clock() + MAX_DELAY, reason, note, count, related=related))
        return name

    def _event_name(self, pod_name: str) -> str:
        self._unique += 1
        suffix = f".{self._unique:x}"
        return pod_name[: _NAME_LIMIT - len(suffix)].rstrip(".-") + suffix

    # ---- sending

    def flush(self) -> None:
        """Send everything without regard to bindings: the end is near."""
        self._flushing = True
        self.lane.release()

    def _seconds_to_hold(self, event: Event) -> float:
        now = self._clock()
        if now < self._paused_until:
            return self._paused_until - now
        if self._failures:
            self._is_trying, self._paused_until = True, now + ALONE
            return 0.0
        if self._flushing or not self._is_binding():
            return 0.0
        return event.due - now

    async def _send(self, event: Event) -> None:
        try:
            await self._write(event)
        except Conflict:
            pass  # an earlier try arrived, though its answer did not
        except NotFound:
            return  # its namespace is gone
        except ApiError as error:
            self._fail(event, error)
            return
        self.sent += 1
        if self._failures:
            self._go_on()

    async def _write(self, event: Event) -> None:
        namespace = event.pod.pod.namespace
        if event.count > 1:
            try:
                await self._cluster.patch(EVENT, event.name, {"series": self._series_of(event)}, namespace)
                return
            except NotFound:
                pass  # events live for an hour: say it anew
        await self._cluster.post(EVENT, self.body(event), namespace)

    def _fail(self, event: Event, error: ApiError) -> None:
        is_away = isinstance(error, Unreachable)
        event.tries += not is_away
        if not (is_away or isinstance(error, TooManyRequests) or error.status >= 500) or event.tries >= MAX_TRIES:
            self._drop("the API server refused one: %s", error)
            self._go_on()
            return
        self.lane.put_back(event)
        self._pause(error.retry_after or 0.0)

    def _pause(self, asked_for: float) -> None:
        """Send nothing for a while that grows with each failure, not with each of the events that failed together."""
        now = self._clock()
        if now >= self._paused_until or self._is_trying:
            self._is_trying = False
            self._failures += 1
            pause = min(MAX_PAUSE, 0.25 * 2 ** min(self._failures, 16)) * (0.75 + self._dice() / 2)
            self._paused_until = now + pause
        self._paused_until = max(self._paused_until, now + asked_for)

    def _go_on(self) -> None:
        """Send again what waits: the API server has answered."""
        self._failures, self._is_trying, self._paused_until = 0, False, 0.0
        self.lane.release()

    def _drop(self, why: str, *args: object) -> None:
        self.dropped += 1
        if self.dropped & (self.dropped - 1) == 0:  # 1, 2, 4, 8 …: a flood of losses is no flood of lines
            logger.warning(f"%d event(s) lost so far: {why}", self.dropped, *args)

    # ---- the wire

    def body(self, event: Event) -> bytes:
        """Return an event as JSON."""
        meta, scheduler_name = event.pod.pod.metadata, (event.related or event.pod).pod.spec.scheduler_name
        name, namespace = _json(meta.name), _json(meta.namespace)
        related = b"" if event.related is None else b'"related":' + _reference(event.related) + b","
        return b"".join(
            (
                b'{"apiVersion":"events.k8s.io/v1","kind":"Event","metadata":{"name":', _json(event.name),
                b',"namespace":', namespace, b'},"eventTime":"', self._time(event.time).encode(),
                b'","regarding":{"apiVersion":"v1","kind":"Pod","name":', name, b',"namespace":', namespace,
                b',"uid":', _json(meta.uid), b',"resourceVersion":', _json(meta.resource_version), b"},", related,
                b'"note":', _json(event.note), b"," if event.count == 1 else self._series_part(event),
                event.reason, self._tails.get(scheduler_name) or self._tail(scheduler_name),
            )
        )  # fmt: skip

    def _tail(self, scheduler_name: str) -> bytes:
        controller, instance = _json(scheduler_name), _json(f"{scheduler_name}-{self._host}"[:_INSTANCE_LIMIT])
        tail = b',"reportingController":%b,"reportingInstance":%b}' % (controller, instance)
        self._tails[scheduler_name] = tail
        return tail

    def _series_part(self, event: Event) -> bytes:
        return b',"series":' + _json(self._series_of(event)) + b","

    def _series_of(self, event: Event) -> dict[str, object]:
        return {"count": event.count, "lastObservedTime": self._time(event.time)}

    def _time(self, seconds: float) -> str:
        """Return a moment in RFC 3339 with microseconds; the whole second is formatted once."""
        whole = int(seconds)
        if whole != self._second:
            self._second, self._stamp = whole, strftime("%Y-%m-%dT%H:%M:%S", gmtime(whole))
        return f"{self._stamp}.{int((seconds - whole) * 1_000_000):06d}Z"


_SCHEDULED = b'"type":"Normal","reason":"Scheduled","action":"Binding"'
_PREEMPTED = b'"type":"Normal","reason":"Preempted","action":"Preempting"'
_FAILED = b'"type":"Warning","reason":"FailedScheduling","action":"Scheduling"'


def _reference(pod: PodInfo) -> bytes:
    meta = pod.pod.metadata
    return _json(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": meta.name,
            "namespace": meta.namespace,
            "uid": meta.uid,
            "resourceVersion": meta.resource_version,
        }
    )


def cut(message: str) -> str:
    """Return a message cut to what an event may say, as kube-scheduler cuts it (1024 bytes)."""
    encoded = message.encode()
    if len(encoded) <= NOTE_LIMIT:
        return message
    return encoded[: NOTE_LIMIT - 4].decode(errors="ignore") + " ..."
