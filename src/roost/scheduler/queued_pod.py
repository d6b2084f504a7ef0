"""A pod in the care of the queue, and the places it can be in."""

from typing import Any, Literal

from roost.framework.pod_info import PodInfo

State = Literal["active", "backoff", "unschedulable", "gated", "deciding", "binding", "gone"]


class QueuedPod:
    """A pod from its arrival until it is bound or gone, whatever happens in between.

    `added` is when it came, `arrival` when it was last put back; `ready_at` is the end of its backoff. `errors` counts
    the errors in a row, `rejections` the attempts in which plugins (`rejected_by`, of the last one) turned it down.
    `changed` says that it was updated during this attempt, `flushed` that the attempt is owed to time alone.
    """

    __slots__ = (
        "added", "arrival", "attempts", "changed", "errors", "flushed", "info", "key", "ready_at", "rejected_by",
        "rejections", "scheduler_name", "seen", "since", "sort_key", "state", "ticket",
    )  # fmt: skip

    def __init__(self, info: PodInfo, now: float) -> None:
        self.info = info
        self.key = info.key
        self.scheduler_name = info.pod.spec.scheduler_name
        self.state: State = "gone"
        self.added = self.arrival = self.since = self.ready_at = now
        self.attempts = self.errors = self.rejections = 0
        self.rejected_by: frozenset[str] = frozenset()
        self.sort_key: tuple[Any, ...] = ()
        self.ticket = self.seen = 0
        self.changed = self.flushed = False

    def __repr__(self) -> str:
        return f"QueuedPod({self.key}, {self.state})"
