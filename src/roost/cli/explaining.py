"""What `roost explain` runs: a snapshot of the cluster, the profile of the pod's scheduler, a report, its rendering.

files ──► read_dump ───┐
                       ├─► Snapshot ─► the pod, its profile ─► analysis.report ─► table, JSON, YAML or HTML
cluster ► read_cluster ┘
"""

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from roost.analysis.commands import maker_of
from roost.analysis.creation import SHORT, find_failed_creation
from roost.analysis.preconditions import Backoff
from roost.analysis.report import Report, report_on
from roost.analysis.schedulers import DEFAULT_SCHEDULER
from roost.analysis.snapshot import Snapshot
from roost.api.pod import Pod
from roost.cli.explain_answer import Answered
from roost.cli.explain_manifest import pod_of_manifest
from roost.cli.progress import Progress
from roost.cli.read_dump import read_dumps
from roost.config.load import load_configuration
from roost.config.profiles import build_profiles, default_profile
from roost.errors import ConfigError, InvalidObject
from roost.framework.plugin import Context
from roost.framework.profile import Profile

Connection = tuple[str | None, str | None, str | None]
"""Kubeconfig, context and server, as the options give them."""


class Target(Struct, frozen=True):
    """What is asked about: a pod by name, or the pods of a controller of some kind; nothing for a manifest."""

    namespace: str
    name: str
    kind: str = "Pod"

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"


class Question(Struct, frozen=True, kw_only=True):
    """What the options ask; no files means a live cluster."""

    target: Target
    files: Sequence[str]
    manifest: str
    config: str | None
    prefer: str
    connection: Connection


def settle_target(target: str, namespace: str, pod: str, manifest: str) -> Target:
    """Return what the options mean by the pod; raises ConfigError."""
    if pod and target:
        raise ConfigError(f"name the pod once: {target}, or --pod {pod}")
    if pod:
        space, slash, name = pod.rpartition("/")
        if slash and namespace and namespace != space:
            raise ConfigError(f"--pod {pod} and --namespace {namespace} name two namespaces")
        return Target(space or namespace or "default", name)
    if not target and not manifest:
        raise ConfigError(
            "name a pod: roost explain pod/NAME -n NAMESPACE, or --pod NAMESPACE/NAME, or --manifest FILE"
        )
    word, slash, name = target.rpartition("/")
    kind = "Pod" if not slash or word in ("pod", "pods", "po") else SHORT.get(word.removesuffix("s").lower(), "")
    if not kind:
        raise ConfigError(f"{target}: a pod or what makes pods is expected, such as pod/NAME or deployment/NAME")
    return Target(namespace or "default", name, kind)


def answer_question(question: Question, output: str) -> str:
    """Return the answer as text; raises RoostError."""
    with _fast(), Progress() as progress:
        began = time.monotonic()
        snapshot = _snapshot(question, progress.show)
        read = time.monotonic() - began
        progress.show("deciding")
        now = snapshot.moment() if question.files else 0.0
        answered = ask(snapshot, question, now or time.time())
        text = _renderer(output)(answered)
        progress.done(
            f"{answered.nodes} nodes and {answered.pods} pods read in {read:.1f} s, "
            f"answered in {time.monotonic() - began - read:.1f} s"
        )
    return text


def ask(snapshot: Snapshot, question: Question, now: float) -> Answered:
    """Return what is to be said; raises ConfigError if there is no such pod and nothing tells why."""
    target = question.target
    pod = (
        pod_of_manifest(question.manifest, target.namespace, snapshot) if question.manifest else _find(snapshot, target)
    )
    if pod is None:
        report, assumed = _not_there(snapshot, target), ""
    else:
        chosen = choose_profile(pod, question.config)
        report, assumed = _report(snapshot, pod, chosen, question, Context(now=now)), chosen.says
    return Answered(
        report=report,
        profile=assumed,
        unreadable=snapshot.unreadable,
        nodes=snapshot.cache.view.num_nodes,
        pods=len(snapshot.pods),
    )


class Chosen(Struct, frozen=True):
    """A profile, a sentence that says which one was assumed, and how long a rejected pod is left alone."""

    profile: Profile
    says: str
    backoff: Backoff = Backoff()


def choose_profile(pod: Pod, config: str | None) -> Chosen:
    """Return the profile that decides for a pod; raises ConfigError."""
    name = pod.spec.scheduler_name or DEFAULT_SCHEDULER
    if config is None:
        return Chosen(default_profile(name), f"Decided with kube-scheduler's default profile, assumed for {name}.")
    configuration = load_configuration(Path(config))
    backoff = Backoff(configuration.pod_initial_backoff_seconds, configuration.pod_max_backoff_seconds)
    profiles = build_profiles(configuration)
    rest = " Its extenders are not asked." if configuration.extenders else ""
    for profile in profiles:
        if profile.scheduler_name == name:
            return Chosen(profile, f"Decided with the profile {name} of {config}.{rest}", backoff)
    first = profiles[0]
    says = f"Decided with the profile {first.scheduler_name} of {config}, which has none for {name}.{rest}"
    return Chosen(first, says, backoff)


def _report(snapshot: Snapshot, pod: Pod, chosen: Chosen, question: Question, ctx: Context) -> Report:
    try:
        return report_on(
            snapshot,
            pod,
            chosen.profile,
            ctx,
            prefer=question.prefer,
            manifest=question.manifest,
            backoff=chosen.backoff,
        )
    except InvalidObject as error:
        raise InvalidObject(f"pod {pod.key}: {error}") from error


def _snapshot(question: Question, progress: Callable[[str], None]) -> Snapshot:
    if question.files:
        return read_dumps(question.files, progress)
    from roost.cli.read_cluster import read_live

    return read_live(question.connection, progress)


def _find(snapshot: Snapshot, target: Target) -> Pod | None:
    if target.kind == "Pod":
        return snapshot.pods.get(target.key)
    pods = [pod for pod in snapshot.pods.values() if pod.namespace == target.namespace and _is_of(pod, target)]
    # The first that waits; else one that is there.
    return min(pods, key=lambda pod: (bool(pod.spec.node_name), pod.is_terminal, pod.name), default=None)


def _is_of(pod: Pod, target: Target) -> bool:
    owner = next((one for one in pod.metadata.owner_references or () if one.controller), None)
    is_owner = owner is not None and (owner.kind, owner.name) == (target.kind, target.name)
    return is_owner or maker_of(pod) == (target.kind, target.name)


def _not_there(snapshot: Snapshot, target: Target) -> Report:
    kind = "" if target.kind == "Pod" else target.kind
    findings = find_failed_creation(snapshot, target.namespace, target.name, kind)
    if not findings:
        raise ConfigError(_unknown(snapshot, target))
    return Report(key=target.key, kind=target.kind, findings=tuple(findings))


def _unknown(snapshot: Snapshot, target: Target) -> str:
    if target.kind != "Pod":
        return f"there is no pod of {target.kind} {target.key}, and no event says that one could not be created"
    waiting = sorted(pod.key for pod in snapshot.pending())
    known = f"; pending are {', '.join(waiting[:5])}{' …' if len(waiting) > 5 else ''}" if waiting else ""
    return f"there is no pod {target.key}, and no event says that it could not be created{known}"


def _renderer(output: str) -> Callable[[Answered], str]:
    if output == "html":
        from roost.cli.explain_html import html

        return html
    if output == "table":
        from roost.cli.explain_table import table

        return table
    from roost.cli.explain_data import as_json, as_yaml

    return as_json if output == "json" else as_yaml


@contextmanager
def _fast() -> Iterator[None]:
    """Spare the collector: a snapshot is made of values without cycles, and the process ends with it."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
