"""What is counted while scheduling, under kube-scheduler's names, at the cost of a list index per count.

The hot path only adds to plain numbers; `roost.scheduler.exposition` turns them into Prometheus' format when somebody
asks.
"""

from typing import Literal

from roost.telemetry.histogram import Histogram, exponential

Result = Literal["scheduled", "unschedulable", "error"]

_LAST_ATTEMPT_LABEL = 15


ATTEMPT_SECONDS = exponential(0.001, 2, 15)
SLI_SECONDS = exponential(0.01, 2, 20)
ATTEMPTS = exponential(1, 2, 5)
VICTIMS = exponential(1, 2, 7)


class Metrics:
    """The counts of one scheduler process."""

    def __init__(self) -> None:
        self.attempts: dict[tuple[Result, str], Histogram] = {}
        self.algorithm = Histogram(ATTEMPT_SECONDS)
        self.sli: dict[str, Histogram] = {}
        self.attempts_per_pod = Histogram(ATTEMPTS)
        self.scheduled_after_flush = 0
        self.preemption_attempts = 0
        self.preemption_victims = Histogram(VICTIMS)
        self.malformed: dict[str, int] = {}
        self.extenders: dict[tuple[str, str, str], Histogram] = {}

    def attempt(self, result: Result, profile: str, seconds: float) -> None:
        """Count an attempt: the time of the decision and, if there was one, of the binding."""
        found = self.attempts.get((result, profile))
        if found is None:
            found = self.attempts[result, profile] = Histogram(ATTEMPT_SECONDS)
        found.observe(seconds)

    def bound(self, attempts: int, seconds: float, *, after_flush: bool = False) -> None:
        """Count a pod that is bound, after so many attempts and so long in the queue."""
        self.attempts_per_pod.observe(attempts)
        label = str(attempts) if attempts < _LAST_ATTEMPT_LABEL else f"{_LAST_ATTEMPT_LABEL}+"
        found = self.sli.get(label)
        if found is None:
            found = self.sli[label] = Histogram(SLI_SECONDS)
        found.observe(seconds)
        self.scheduled_after_flush += after_flush

    def extender(self, url: str, phase: str, result: str, seconds: float) -> None:
        """Count a question to an extender, answered or not."""
        found = self.extenders.get((url, phase, result))
        if found is None:
            found = self.extenders[url, phase, result] = Histogram(ATTEMPT_SECONDS)
        found.observe(seconds)

    def unreadable(self, kind: str) -> None:
        """Count an object that could not be read."""
        self.malformed[kind] = self.malformed.get(kind, 0) + 1

    def total(self, result: Result) -> int:
        """Return the number of attempts with a result, over all profiles."""
        return sum(histogram.count for (found, _), histogram in self.attempts.items() if found == result)
