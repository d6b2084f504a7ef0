"""PrioritySort: higher priority first, then earlier arrival."""

from roost.api.pod import Pod
from roost.framework.plugin import Plugin


class PrioritySort(Plugin):
    """Order the queue by priority, then by arrival."""

    name = "PrioritySort"
    reads = frozenset()
    pod_reads = ("priority",)

    def queue_sort(self, pod: Pod, arrival: float) -> tuple[int, float]:
        """Return (negated priority, time of arrival)."""
        return -(pod.spec.priority or 0), arrival
