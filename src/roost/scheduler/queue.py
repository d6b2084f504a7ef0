"""Which pods wait for a decision, in which order, and what brings a rejected pod back.

Pure: time comes in as an argument, nothing here waits. The loop pops pods and reports how each attempt ended; the
handlers report pods that come, change and go, and changes of the cluster that may help those that were rejected.
"""

from collections.abc import Callable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import Any

from roost.api.pod import Pod
from roost.cache.cache import Change
from roost.framework.pod_info import PodInfo
from roost.framework.profile import Profile
from roost.framework.status import Code
from roost.scheduler.queued_pod import QueuedPod, State
from roost.scheduler.unschedulable import Fits, UnschedulablePods

WAITING: tuple[State, ...] = ("active", "backoff", "unschedulable", "gated")
INITIAL_BACKOFF = 1.0
MAX_BACKOFF = 10.0
MAX_UNSCHEDULABLE = 300.0

# kube-scheduler's names of what brings pods into a queue.
POD_ADDED = "UnschedulablePodAdd"
POD_UPDATED = "UnschedulablePodUpdate"
ATTEMPT_FAILED = "ScheduleAttemptFailure"
BACKOFF_COMPLETE = "BackoffComplete"
POPPED_FROM_BACKOFF = "PopFromBackoffQ"
TIMED_OUT = "UnschedulableTimeout"

_SLACK = 1024
"""Entries that the active heap, or the log of changes, may hold in vain before they are swept out."""

_Heap = list[tuple[Any, ...]]
"""Entries end with the pod's ticket and the pod: an entry whose ticket the pod no longer holds is void."""


class SchedulingQueue:
    """The pods of our schedulers that are not bound.

        add ──► gated
         │        │ the last gate is removed
         ▼        ▼
        active ─────── pop ──────► deciding ─── done ──► binding ──► bound or deleted: gone
          ▲                          │    │                 │
          │                 rejected │    │ error           │ error
          │                          ▼    └─────┐     ┌─────┘
          │              unschedulable          ▼     ▼
          │                    │    └─ woken ─► backoff
          │     woken, and its │                   │ its time is up; or active is empty
          └─── backoff is over ┴───────────────────┘ and it was no error

    A pod is woken by a change that its rejectors read, by its own update, or after 5 minutes. Every pod is in exactly
    one place until it is deleted. The backoff doubles from 1 s to 10 s with each failure in a row. Changes that arrive
    while a pod is being decided are kept, and replayed if it is rejected.
    """

    def __init__(
        self,
        profiles: Sequence[Profile],
        *,
        initial_backoff: float = INITIAL_BACKOFF,
        max_backoff: float = MAX_BACKOFF,
        max_unschedulable: float = MAX_UNSCHEDULABLE,
    ) -> None:
        self._profiles = {profile.scheduler_name: profile for profile in profiles}
        self._sort_key = _sort_key_of(profiles)
        self._initial_backoff = initial_backoff
        self._max_backoff = max_backoff
        self._max_unschedulable = max_unschedulable
        self._pods: dict[str, QueuedPod] = {}
        self._counts: dict[State, int] = dict.fromkeys((*WAITING, "deciding", "binding", "gone"), 0)
        self._tickets = 0
        self._active: _Heap = []
        self._backoff: _Heap = []
        self._error_backoff: _Heap = []
        self._unschedulable = UnschedulablePods(profiles)
        self._deciding: dict[str, QueuedPod] = {}
        self._missed: list[Change] = []
        self._missed_start = 0
        self._fits: Fits | None = None
        self.incoming: dict[tuple[str, str], int] = {}

    def __len__(self) -> int:
        return len(self._pods)

    def __contains__(self, key: str) -> bool:
        return key in self._pods

    @property
    def active(self) -> int:
        """How many pods could be decided now."""
        return self._counts["active"]

    def get(self, key: str) -> QueuedPod | None:
        """Return the pod of a key (namespace/name), in whatever place."""
        return self._pods.get(key)

    def pods(self) -> list[QueuedPod]:
        """Return all pods in the queue's care."""
        return list(self._pods.values())

    def counts(self) -> dict[str, int]:
        """Return how many pods wait in each place."""
        return {state: self._counts[state] for state in WAITING}

    def rejections(self) -> Mapping[tuple[str, str], int]:
        """Return how many unschedulable pods each (plugin, scheduler name) has rejected."""
        return self._unschedulable.rejections()

    # ---- pods come, change and go

    def add(self, info: PodInfo, now: float) -> QueuedPod:
        """Take in a pod; one that is known already is updated, one of the same name but another uid replaced."""
        known = self._pods.get(info.key)
        if known is not None:
            if known.info.uid == info.uid:
                return self._update(known, info, now)
            self.delete(info.key)
        queued = QueuedPod(info, now)
        self._pods[queued.key] = queued
        self._admit(queued, POD_ADDED)
        return queued

    def delete(self, key: str) -> QueuedPod | None:
        """Let go of a pod that is bound or gone; return it if it was known."""
        queued = self._pods.pop(key, None)
        if queued is not None:
            self._move(queued, "gone")
            if len(self._active) > 2 * self._counts["active"] + _SLACK:
                self._sweep_active()
        return queued

    def _update(self, queued: QueuedPod, info: PodInfo, now: float) -> QueuedPod:
        matters = self._matters(queued, info)
        queued.info = info
        if not matters:
            return queued
        queued.changed = True
        if queued.state == "gated":
            queued.added = queued.arrival = now
            self._admit(queued, POD_UPDATED)
        elif queued.state == "unschedulable":
            self._back_off(queued, now, POD_UPDATED)
        elif queued.state == "active" and self._sort_key(info.pod, queued.arrival) != queued.sort_key:
            self._activate(queued, POD_UPDATED)
        return queued

    def _matters(self, queued: QueuedPod, info: PodInfo) -> bool:
        """Tell whether an update can alter a decision: a new status alone, such as the one we write, must not."""
        old, new = queued.info.pod, info.pod
        if old.spec != new.spec or old.metadata.labels != new.metadata.labels:
            return True
        return any(queued.info.part(part) != info.part(part) for part in self._unschedulable.parts_read(queued))

    def _admit(self, queued: QueuedPod, event: str) -> None:
        if self._is_held(queued):
            self._move(queued, "gated", event)
        else:
            self._activate(queued, event)

    def _is_held(self, queued: QueuedPod) -> bool:
        profile = self._profiles.get(queued.scheduler_name)
        for plugin in profile.pre_enqueue if profile is not None else ():
            status = plugin.pre_enqueue(queued.info.pod)
            if status is not None and status.code is not Code.Success:
                return True
        return False

    # ---- attempts

    def pop(self, now: float, limit: int) -> list[QueuedPod]:
        """Return the next pods to decide, first things first; their attempt begins."""
        self.advance(now)
        popped = _take(self._active, limit)
        if not popped:
            popped = _take(self._backoff, limit)
            popped.sort(key=_by_sort_key)
            self._count_incoming("active", POPPED_FROM_BACKOFF, len(popped))
        seen = self._missed_start + len(self._missed)
        for queued in popped:
            self._move(queued, "deciding")
            queued.attempts += 1
            queued.seen = seen
            queued.changed = False
            self._deciding[queued.key] = queued
        return popped

    def done(self, queued: QueuedPod) -> None:
        """Note that a pod can be rejected no more: it is being bound, and only an error brings it back."""
        if queued.state == "deciding":
            self._move(queued, "binding")

    def again(self, queued: QueuedPod) -> None:
        """Put back a pod whose attempt was overtaken by its own update."""
        if queued.state == "deciding":
            queued.attempts -= 1
            self._activate(queued, POD_UPDATED)

    def retry(self, queued: QueuedPod, now: float) -> None:
        """Give a rejected pod another try although nothing has changed that could help it."""
        if queued.state == "unschedulable":
            self._back_off(queued, now, POD_UPDATED)

    def put_back(self, queued: QueuedPod) -> None:
        """Put back a pod whose attempt has not begun after all."""
        if queued.state == "deciding":
            queued.attempts -= 1
            self._activate(queued)

    def reject(self, queued: QueuedPod, rejected_by: frozenset[str], now: float) -> None:
        """Put back a pod that plugins rejected: it waits for a change that can alter their answers."""
        if queued.state not in ("deciding", "binding"):
            return
        queued.errors = 0
        queued.rejections += 1
        queued.rejected_by = rejected_by
        self._set_backoff(queued, queued.rejections, now)
        helped = queued.changed or (queued.state == "deciding" and self._missed_help(queued))
        if helped:
            self._back_off(queued, now, ATTEMPT_FAILED)
        else:
            queued.since = now
            self._move(queued, "unschedulable", ATTEMPT_FAILED)
            self._unschedulable.add(queued)

    def fail(self, queued: QueuedPod, now: float, *, retry_after: float = 0.0, blameless: bool = False) -> None:
        """Put back a pod whose attempt ended in an error: it is tried again after its backoff and not before.

        The backoff does not grow where the pod is blameless, as when the API server is away.
        """
        if queued.state not in ("deciding", "binding"):
            return
        queued.errors = 1 if blameless else queued.errors + 1
        queued.rejected_by = frozenset()
        self._set_backoff(queued, queued.errors, now)
        queued.ready_at = max(queued.ready_at, now + retry_after)
        self._back_off(queued, now, ATTEMPT_FAILED)

    def _set_backoff(self, queued: QueuedPod, failures: int, now: float) -> None:
        doubled: float = self._initial_backoff * 2 ** min(failures - 1, 32)
        queued.ready_at = now + min(doubled, self._max_backoff)
        queued.arrival = now
        queued.flushed = False

    def _missed_help(self, queued: QueuedPod) -> bool:
        missed = self._missed[queued.seen - self._missed_start :]
        return bool(missed) and self._unschedulable.would_help(queued, missed, self._fits)

    # ---- changes of the cluster, and of time

    def wake(
        self, changes: Sequence[Change], now: float, fits: Fits | None = None, *, besides: QueuedPod | None = None
    ) -> int:
        """Bring back the pods that changes may help; return how many.

        These are pods of which a rejecting plugin reads what has changed. If all of its rejectors look at one node at a
        time, `fits` decides, asked once for pods that look alike; a change without a slot does not help such pods.
        """
        if self._deciding:
            self._missed += changes
            self._fits = fits
        helped = [found for found in self._unschedulable.helped_by(changes, fits) if found[0] is not besides]
        for queued, change in helped:
            self._back_off(queued, now, event_of(change))
        return len(helped)

    def advance(self, now: float) -> None:
        """Let time pass: end backoffs, and give unschedulable pods another try after five minutes."""
        for heap in (self._backoff, self._error_backoff):
            while heap and (heap[0][0] <= now or not _is_valid(heap[0])):
                entry = heappop(heap)
                if _is_valid(entry):
                    self._activate(entry[-1], BACKOFF_COMPLETE)
        oldest = self._unschedulable.oldest
        while oldest is not None and oldest.since + self._max_unschedulable <= now:
            oldest.flushed = True
            self._back_off(oldest, now, TIMED_OUT)
            oldest = self._unschedulable.oldest

    def next_time(self) -> float | None:
        """Return when `advance` will next have something to do, if ever."""
        times = [heap[0][0] for heap in (self._backoff, self._error_backoff) if heap]
        oldest = self._unschedulable.oldest
        if oldest is not None:
            times.append(oldest.since + self._max_unschedulable)
        return min(times, default=None)

    # ---- places

    def _move(self, queued: QueuedPod, state: State, event: str = "") -> None:
        """Take a pod out of the place it is in and note the new one."""
        queued.ticket = 0
        if queued.state == "unschedulable":
            self._unschedulable.remove(queued)
        elif queued.state == "deciding":
            del self._deciding[queued.key]
            self._trim_missed()
        self._counts[queued.state] -= 1
        self._counts[state] += 1
        queued.state = state
        if event:
            self._count_incoming(state, event)

    def _activate(self, queued: QueuedPod, event: str = "") -> None:
        self._move(queued, "active", event)
        queued.sort_key = self._sort_key(queued.info.pod, queued.arrival)
        heappush(self._active, (queued.sort_key, self._ticket(queued), queued))

    def _back_off(self, queued: QueuedPod, now: float, event: str) -> None:
        if queued.ready_at <= now:
            self._activate(queued, event)
            return
        self._move(queued, "backoff", event)
        queued.sort_key = self._sort_key(queued.info.pod, queued.arrival)
        heap = self._error_backoff if queued.errors else self._backoff
        heappush(heap, (queued.ready_at, queued.sort_key, self._ticket(queued), queued))

    def _ticket(self, queued: QueuedPod) -> int:
        self._tickets += 1
        queued.ticket = self._tickets
        return queued.ticket

    def _sweep_active(self) -> None:
        self._active = [entry for entry in self._active if _is_valid(entry)]
        heapify(self._active)

    def _trim_missed(self) -> None:
        if not self._deciding:
            unneeded = len(self._missed)
        elif len(self._missed) > _SLACK:
            unneeded = next(iter(self._deciding.values())).seen - self._missed_start
        else:
            return
        if unneeded:
            del self._missed[:unneeded]
            self._missed_start += unneeded

    def _count_incoming(self, queue: str, event: str, times: int = 1) -> None:
        self.incoming[queue, event] = self.incoming.get((queue, event), 0) + times


def event_of(change: Change) -> str:
    """Return kube-scheduler's name of a change."""
    if "node" not in change.aspects:
        return "AssignedPodDelete" if "usage" in change.aspects else "".join(sorted(change.aspects))
    if change.slot < 0:
        return "NodeDelete"
    return "NodeAdd" if "usage" in change.aspects else "NodeUpdate"


def _take(heap: _Heap, limit: int) -> list[QueuedPod]:
    taken: list[QueuedPod] = []
    while heap and len(taken) < limit:
        entry = heappop(heap)
        if _is_valid(entry):
            taken.append(entry[-1])
    return taken


def _is_valid(entry: tuple[Any, ...]) -> bool:
    return bool(entry[-1].ticket == entry[-2])


def _by_sort_key(queued: QueuedPod) -> tuple[Any, ...]:
    return queued.sort_key


def _sort_key_of(profiles: Sequence[Profile]) -> Callable[[Pod, float], tuple[Any, ...]]:
    sorter = next((profile.queue_sort for profile in profiles if profile.queue_sort is not None), None)
    return sorter.queue_sort if sorter is not None else _priority_then_arrival


def _priority_then_arrival(pod: Pod, arrival: float) -> tuple[Any, ...]:
    return (-(pod.spec.priority or 0), arrival)
