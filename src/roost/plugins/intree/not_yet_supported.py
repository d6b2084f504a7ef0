"""NotYetSupported: a pod whose rules Roost cannot judge yet is refused, naming the rule, rather than bound wrongly.

What is left is dynamic resource allocation: pods with resource claims, and pods that ask for devices by a resource
which a DeviceClass maps to them. For those a claim would have to be made; kube-scheduler's DynamicResources does that.
"""

from collections.abc import Mapping

from roost.framework.plugin import Context, Plugin, PreFilterAnswer
from roost.framework.pod_info import PodInfo
from roost.framework.status import unresolvable
from roost.framework.view import View

CLAIMS = "spec.resourceClaims"


class NotYetSupported(Plugin):
    """Refuse pods that need a plugin which Roost does not have yet."""

    name = "NotYetSupported"
    reads = frozenset({"device_classes"})
    pod_reads = ("requests", "claims")

    def pre_filter(self, ctx: Context, pod: PodInfo, view: View) -> PreFilterAnswer:
        """Reject the pod if any of its rules cannot be judged."""
        needed = [CLAIMS] if pod.pod.spec.resource_claims else []
        if view.device_resources:
            needed += _devices(pod, view.device_resources)
        return unresolvable(*(f"{rule} is not supported by Roost yet" for rule in needed)) if needed else None


def _devices(pod: PodInfo, classes: Mapping[str, str]) -> list[str]:
    """Name the resources asked for that DeviceClasses map to devices."""
    asked = sorted(name for name, amount in pod.requests.effective.items() if amount > 0 and name in classes)
    return [f"resource {name}, which DeviceClass {classes[name]} maps to devices," for name in asked]
