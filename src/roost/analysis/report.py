"""All there is to say of one pod: preconditions, the decision, what would change it. Rendered by `roost explain`."""

from msgspec import Struct

from roost.analysis.explanation import Explanation, explain
from roost.analysis.moving import Preference, compare
from roost.analysis.preconditions import Finding, find_preconditions
from roost.analysis.schedulers import find_scheduler
from roost.analysis.snapshot import Snapshot
from roost.analysis.suggestions import Search, find_suggestions
from roost.analysis.trial import Trial
from roost.api.pod import Pod
from roost.errors import ConfigError
from roost.framework.cycle import Cycle
from roost.framework.plugin import Context
from roost.framework.profile import Profile


class Report(Struct, frozen=True, kw_only=True):
    """What was found. `explanation` is None for a pod that is not to be placed, or is not there at all.

    `manifest` is the file of a pod that does not exist yet.
    """

    key: str
    pod: Pod | None = None
    findings: tuple[Finding, ...] = ()
    explanation: Explanation | None = None
    search: Search | None = None
    preference: Preference | None = None
    manifest: str = ""


def report_on(
    snapshot: Snapshot, pod: Pod, profile: Profile, ctx: Context, *, prefer: str = "", manifest: str = ""
) -> Report:
    """Return what is to be said of a pod; raises ConfigError if `prefer` is no node, InvalidObject for the pod."""
    view = snapshot.cache.view
    if prefer and not view.rows_named(prefer):
        raise ConfigError(f"--prefer {prefer}: there is no node of this name")
    findings = [] if manifest else find_preconditions(snapshot, pod, ctx.now)
    if any(one.matter in ("bound", "terminated", "terminating") for one in findings):
        return Report(key=pod.key, pod=pod, findings=tuple(findings), manifest=manifest)
    nobody = find_scheduler(snapshot, pod, ctx.now)
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
