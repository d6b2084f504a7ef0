"""DynamicResources: the part of kube-scheduler's plugin that concerns pods without resource claims: what it says.

Pods with claims are refused by NotYetSupported. Of every other pod that fits nowhere the plugin has to say that it has
no claim to take back, and its words stand in the fit error before those of preemption. Where a pod was rejected before
any node was looked at, and before this plugin was asked, it ends the matter with an internal error: so does
kube-scheduler's, which misses the state that it would have kept.
"""

from typing import Any

from roost.framework.plugin import Args, Context, Plugin, PreFilterAnswer
from roost.framework.pod_info import PodInfo
from roost.framework.status import SKIP, Code, Status, unschedulable
from roost.framework.view import View

NO_CLAIMS = unschedulable("no new claims to deallocate")
NO_STATE = Status(Code.Error, ("not found",))
NOTHING_TO_SAY = Status(Code.UnschedulableAndUnresolvable)
GUARD = "NotYetSupported"


class DynamicResourcesArgs(Args):
    """How long looking for devices and waiting for them may take (such as "10s"); neither happens here."""

    filter_timeout: str = "10s"
    binding_timeout: str = "600s"


class DynamicResources(Plugin):
    """Say what kube-scheduler's plugin says of pods without resource claims."""

    name = "DynamicResources"
    args_type = DynamicResourcesArgs
    reads = frozenset()
    pre_reads = frozenset()
    pod_reads = ("claims",)
    weight = 2

    def pre_filter(self, ctx: Context, pod: PodInfo, view: View) -> PreFilterAnswer:
        """Skip the pod: it has no claims."""
        return SKIP

    def post_filter(self, ctx: Context, pod: PodInfo, view: Any, filtered: Any, judge: Any) -> Status:
        """Return that there is nothing to take back, or that this plugin was never asked about the pod."""
        if self.name in filtered.prepared:
            return NO_CLAIMS
        refused = filtered.rejected is not None and filtered.rejected.plugin == GUARD
        return NOTHING_TO_SAY if refused else NO_STATE
