"""NotYetSupported: a pod whose rules Roost cannot judge yet is refused, naming the rule, rather than bound wrongly."""

from collections.abc import Callable

from roost.api.pod import Pod
from roost.framework.plugin import Context, Plugin, PreFilterAnswer
from roost.framework.pod_info import PodInfo
from roost.framework.status import unresolvable
from roost.framework.view import View


def _hard_spread(pod: Pod) -> bool:
    return any(c.when_unsatisfiable != "ScheduleAnyway" for c in pod.spec.topology_spread_constraints or ())


def _required_pod_affinity(pod: Pod) -> bool:
    affinity = pod.spec.affinity
    if affinity is None:
        return False
    rules = (affinity.pod_affinity, affinity.pod_anti_affinity)
    return any(rule is not None and rule.required_during_scheduling_ignored_during_execution for rule in rules)


def _claims(pod: Pod) -> bool:
    return any(v.persistent_volume_claim is not None or v.ephemeral is not None for v in pod.spec.volumes or ())


UNSUPPORTED: dict[str, Callable[[Pod], bool]] = {
    "spec.topologySpreadConstraints with whenUnsatisfiable DoNotSchedule": _hard_spread,
    "required spec.affinity.podAffinity or podAntiAffinity": _required_pod_affinity,
    "spec.volumes with persistent volume claims": _claims,
    "spec.resourceClaims": lambda pod: bool(pod.spec.resource_claims),
}
"""What a pod may ask for that is not judged yet; a line goes when its plugin comes."""


class NotYetSupported(Plugin):
    """Refuse pods that need a plugin which Roost does not have yet."""

    name = "NotYetSupported"
    reads = frozenset()
    pre_reads = frozenset()
    pod_reads = ("spread", "affinity", "volumes", "claims")

    def pre_filter(self, ctx: Context, pod: PodInfo, view: View) -> PreFilterAnswer:
        """Reject the pod if any of its rules cannot be judged."""
        spec = pod.pod.spec
        if not (spec.topology_spread_constraints or spec.affinity or spec.volumes or spec.resource_claims):
            return None
        needed = [f"{rule} is not supported by Roost yet" for rule, asks in UNSUPPORTED.items() if asks(pod.pod)]
        return unresolvable(*needed) if needed else None
