"""SchedulingGates: a pod with gates waits outside the queue until somebody removes them (KEP-3521)."""

from roost.api.pod import Pod
from roost.framework.plugin import Plugin
from roost.framework.status import Status, unresolvable


class SchedulingGates(Plugin):
    """Hold a pod back while it has scheduling gates."""

    name = "SchedulingGates"
    reads = frozenset()
    pod_reads = ()

    def pre_enqueue(self, pod: Pod) -> Status | None:
        """Return the gates that hold the pod back, if any."""
        gates = pod.spec.scheduling_gates
        if not gates:
            return None
        return unresolvable(f"waiting for scheduling gates: [{' '.join(gate.name for gate in gates)}]")
