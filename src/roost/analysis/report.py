"""All there is to say of one pod: preconditions, the decision, what would change it. Rendered by `roost explain`."""

from msgspec import Struct
from msgspec.structs import replace

from roost.analysis.explanation import Explanation, explain
from roost.analysis.moving import Preference, compare
from roost.analysis.preconditions import DEFAULT_BACKOFF, Backoff, Finding, find_preconditions
from roost.analysis.schedulers import find_scheduler
from roost.analysis.snapshot import Snapshot
from roost.analysis.suggestions import Search, find_suggestions
from roost.analysis.trial import Trial
from roost.api.pod import Pod, PodStatus
from roost.errors import ConfigError
from roost.framework.cycle import Cycle
from roost.framework.plugin import Context
from roost.framework.profile import Profile


class Report(Struct, frozen=True, kw_only=True):
    """What was found. `explanation` is None for a pod that is not to be placed, or is not there at all.

    `kind` is what was asked about, `manifest` the file of a pod that does not exist yet.
    """

    key: str
    kind: str = "Pod"
    pod: Pod | None = None
    findings: tuple[Finding, ...] = ()
    explanation: Explanation | None = None
    search: Search | None = None
    preference: Preference | None = None
    manifest: str = ""


def report_on(
    snapshot: Snapshot,
    pod: Pod,
    profile: Profile,
    ctx: Context,
    *,
    prefer: str = "",
    manifest: str = "",
    backoff: Backoff = DEFAULT_BACKOFF,
) -> Report:
    """Return what is to be said of a pod; raises ConfigError if `prefer` is no node, InvalidObject for the pod.

    A pod that is on a node already is decided once more as if it were new, and the snapshot is left without it.
    """
    view = snapshot.cache.view
    if prefer and not view.rows_named(prefer):
        raise ConfigError(f"--prefer {prefer}: there is no node of this name")
    findings = [] if manifest else find_preconditions(snapshot, pod, ctx.now, backoff)
    if any(one.matter in ("terminated", "terminating") for one in findings):
        return Report(key=pod.key, pod=pod, findings=tuple(findings), manifest=manifest)
    is_bound = any(one.matter == "bound" for one in findings)
    nobody = None if is_bound else find_scheduler(snapshot, pod, ctx.now)
    if is_bound:
        snapshot.remove_pod(pod)
        pod = replace(pod, spec=replace(pod.spec, node_name=""), status=PodStatus())
    cycle = Cycle(profile)
    explanation = explain(cycle, snapshot.pod_info(pod), view, ctx, prefer=prefer)
    search = preference = None
    if prefer:
        preference = compare(explanation, Trial(snapshot, cycle, pod, ctx, only=prefer))
    elif explanation.outcome == "unschedulable":
        search = find_suggestions(Trial(snapshot, cycle, pod, ctx), explanation.groups)
    return Report(
        key=pod.key,
        pod=pod,
        findings=(*([nobody] if nobody is not None else []), *findings),
        explanation=explanation,
        search=search,
        preference=preference,
        manifest=manifest,
    )
