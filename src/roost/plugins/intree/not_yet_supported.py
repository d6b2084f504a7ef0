"""NotYetSupported: a pod whose rules Roost cannot judge yet is refused, naming the rule, rather than bound wrongly."""

from collections.abc import Callable, Mapping

from roost.api.pod import Pod
from roost.framework.plugin import Context, Plugin, PreFilterAnswer
from roost.framework.pod_info import PodInfo
from roost.framework.status import unresolvable
from roost.framework.view import View


UNSUPPORTED: dict[str, Callable[[Pod], bool]] = {
    "spec.resourceClaims": lambda pod: bool(pod.spec.resource_claims),
}
"""What a pod may ask for that is not judged yet; a line goes when its plugin comes."""


class NotYetSupported(Plugin):
    """Refuse pods that need a plugin which Roost does not have yet."""

    name = "NotYetSupported"
    reads = frozenset({"device_classes"})
    pod_reads = ("requests", "claims")

    def pre_filter(self, ctx: Context, pod: PodInfo, view: View) -> PreFilterAnswer:
        """Reject the pod if any of its rules cannot be judged."""
        spec = pod.pod.spec
        needed: list[str] = []
        if spec.resource_claims:
            needed = [rule for rule, asks in UNSUPPORTED.items() if asks(pod.pod)]
        if view.device_resources:
            needed += _devices(pod, view.device_resources)
        return unresolvable(*(f"{rule} is not supported by Roost yet" for rule in needed)) if needed else None


def _devices(pod: PodInfo, classes: Mapping[str, str]) -> list[str]:
    """Name the resources asked for that a DeviceClass maps to devices: a claim would have to be made for them."""
    asked = sorted(name for name, amount in pod.requests.effective.items() if amount > 0 and name in classes)
    return [f"resource {name}, which DeviceClass {classes[name]} maps to devices," for name in asked]
