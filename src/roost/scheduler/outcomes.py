"""What follows when an attempt ends: the queue, the log, the counts, the event and the condition read one outcome.

Nothing here decides and nothing waits; the loop and the binding cycle call it.
"""

import logging
from collections.abc import Callable

from roost.framework.decision import Decision
from roost.framework.pod_info import PodInfo
from roost.scheduler.conditions import Conditions
from roost.scheduler.effects import Effects
from roost.scheduler.metrics import Metrics
from roost.scheduler.promises import Promises
from roost.scheduler.queue import SchedulingQueue
from roost.scheduler.queued_pod import QueuedPod
from roost.scheduler.recorder import Recorder

QUIET_ERRORS = 2
"""How many errors of the API server in a row a pod is not told of."""

logger = logging.getLogger("roost.scheduler")


class Lost(Exception):
    """The pod is not ours to schedule any more: it is gone, or somebody else's."""


class Assignment:
    """A pod assumed on a node, on its way to being bound.

    `began` is when its attempt began, `line` what the log will say. The Decision itself is not kept: its columns are
    large, and hundreds of pods may be on their way.
    """

    __slots__ = ("began", "effects", "info", "line", "node_name", "queued")

    def __init__(
        self, queued: QueuedPod, info: PodInfo, node_name: str, effects: Effects, began: float, line: str
    ) -> None:
        self.queued = queued
        self.info = info
        self.node_name = node_name
        self.effects = effects
        self.began = began
        self.line = line


class Outcomes:
    """Tells everyone concerned how an attempt ended; `notify` is called when a pod is back in the queue."""

    def __init__(
        self,
        queue: SchedulingQueue,
        metrics: Metrics,
        recorder: Recorder,
        conditions: Conditions,
        promises: Promises,
        *,
        clock: Callable[[], float],
        notify: Callable[[], None],
    ) -> None:
        self._queue = queue
        self._metrics = metrics
        self._recorder = recorder
        self._conditions = conditions
        self._promises = promises
        self._clock = clock
        self._notify = notify

    def permitted(self, assignment: Assignment) -> None:
        """Nothing can reject the pod any more: only an error brings it back."""
        self._queue.done(assignment.queued)

    def bound(self, assignment: Assignment) -> None:
        """A pod is bound. It leaves the queue when the watch shows it."""
        queued, now = assignment.queued, self._clock()
        if assignment.line:
            logger.info(assignment.line)
        self._metrics.attempt("scheduled", queued.scheduler_name, now - assignment.began)
        self._metrics.bound(queued.attempts, now - queued.added, after_flush=queued.flushed)
        self._recorder.scheduled(assignment.info, assignment.node_name)

    def rejected(
        self,
        queued: QueuedPod,
        message: str,
        rejected_by: frozenset[str],
        seconds: float,
        *,
        nominated: str | None = "",
    ) -> None:
        """Plugins turned a pod down: it waits for a change that can help it.

        From now on it is promised the `nominated` node, none ("") or the same as before (None).
        """
        if queued.state == "gone":
            return
        self.told(queued, message, seconds, nominated=nominated)
        self._queue.reject(queued, rejected_by, self._clock())
        self._notify()

    def preempted(self, queued: QueuedPod, rejected_by: frozenset[str], *, succeeded: bool) -> None:
        """The victims of a pod are on their way, or could not be evicted: then it tries again soon."""
        if queued.state == "gone":
            return
        self._queue.reject(queued, rejected_by, self._clock())
        if not succeeded:
            self._queue.retry(queued, self._clock())
        self._notify()

    def told(self, queued: QueuedPod, message: str, seconds: float, *, nominated: str | None) -> None:
        """Tell everyone concerned that plugins turned a pod down, but the queue."""
        if logger.isEnabledFor(logging.INFO):
            logger.info("unschedulable %s: %s", queued.key, message)
        self._metrics.attempt("unschedulable", queued.scheduler_name, seconds)
        self._recorder.failed_scheduling(queued.info, message)
        self._conditions.set(queued.info, "Unschedulable", message, nominated)
        if nominated is not None:
            self._promises.make(queued, nominated)

    def failed(self, queued: QueuedPod, message: str, seconds: float) -> None:
        """An error, of a plugin or of the API server about this pod, ended an attempt: it is tried again later."""
        if queued.state == "gone":
            return
        self._recorder.failed_scheduling(queued.info, message)
        self._conditions.set(queued.info, "SchedulerError", message, "")
        self._promises.make(queued, "")
        self._put_back(queued, message, seconds, 0.0, blameless=False)

    def interrupted(
        self, queued: QueuedPod, message: str, seconds: float, *, retry_after: float, blameless: bool
    ) -> None:
        """The API server was busy, broken or away, which need not concern the pod: it is tried again later.

        If that goes on for this pod, something about it may be the cause, such as a webhook: then it is told.
        """
        if queued.state == "gone":
            return
        if not blameless and queued.errors >= QUIET_ERRORS:
            self._recorder.failed_scheduling(queued.info, message)
            self._conditions.set(queued.info, "SchedulerError", message)
        self._put_back(queued, message, seconds, retry_after, blameless=blameless)

    def dropped(self, queued: QueuedPod, why: str) -> None:
        """A pod turned out to be gone or somebody else's."""
        logger.info("dropped %s: %s", queued.key, why)
        if self._queue.get(queued.key) is queued:
            self._queue.delete(queued.key)
        self._conditions.forget(queued.info.uid)
        self._recorder.forget(queued.info.uid)

    def _put_back(
        self, queued: QueuedPod, message: str, seconds: float, retry_after: float, *, blameless: bool
    ) -> None:
        now = self._clock()
        self._queue.fail(queued, now, retry_after=retry_after, blameless=blameless)
        self._notify()
        self._metrics.attempt("error", queued.scheduler_name, seconds)
        logger.warning("failed %s: %s; next try in %.0f s", queued.key, message, queued.ready_at - now)


def scheduled_line(decision: Decision) -> str:
    """Return the log line of a pod that was bound."""
    fit = f"{decision.feasible} of {decision.evaluated} nodes fit"
    if not decision.top:
        return f"scheduled {decision.pod.key} on {decision.node} ({fit})"
    score = f"score {decision.top[0].total}"
    if len(decision.top) > 1:
        score = f"{score}, next {decision.top[1].node} {decision.top[1].total}"
    return f"scheduled {decision.pod.key} on {decision.node} ({score}; {fit})"


def score_table(decision: Decision) -> str:
    """Return what every plugin gave every node, a line per node that fits, best first."""
    if decision.filtered is None or decision.view is None:
        return f"{decision.pod.key} was decided ahead together with pods that look alike"
    rows = decision.freeze().scores
    lines = [f"scores for {decision.pod.key}:"]
    for node, row in sorted(rows.items(), key=lambda item: (-item[1].total, item[0])):
        parts = ", ".join(f"{name} {score} (raw {row.raw[name]})" for name, score in row.weighted.items())
        lines.append(f"  {node}: {row.total} = {parts}")
    return "\n".join(lines)
