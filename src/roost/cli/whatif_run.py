"""What `roost whatif` runs: a snapshot of the cluster, a question to `roost.analysis.what_if`, its answer as text.

files ──► read_dump ───┐
                       ├─► Snapshot ─► drain | with_policy | add ─► Forecast ─► table or JSON
cluster ► read_cluster ┘
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from roost.analysis import what_if
from roost.analysis.forecast import Forecast
from roost.analysis.snapshot import Snapshot
from roost.cli.progress import Progress
from roost.cli.read_dump import read_dumps, read_manifest
from roost.cli.settings import Settings, settle
from roost.cli.whatif_view import Question, facts, text
from roost.errors import ConfigError, InvalidObject
from roost.framework.profile import Profile

STEP = 100

Tell = Callable[[int, int], None]
Ask = Callable[[Snapshot, Sequence[Profile], Tell], Forecast]


class Options(Struct, frozen=True):
    """What all questions have in common; no files means a live cluster."""

    files: Sequence[str]
    connection: tuple[str | None, str | None, str | None]
    policy: str | None
    config: str | None
    output: str
    fail_on_pending: bool


def drain_nodes(nodes: Sequence[str], options: Options) -> tuple[str, int]:
    """Return what would become of the pods of nodes, as text, and the exit code; raises RoostError."""

    def ask(cluster: Snapshot, profiles: Sequence[Profile], tell: Tell) -> Forecast:
        forecast = what_if.drain(cluster, nodes, profiles, progress=tell)
        return _noting(forecast, _no_budgets(cluster, options))

    return _answer(Question("drain", tuple(dict.fromkeys(nodes))), ask, options)


def place_anew(scheduler_names: Sequence[str], options: Options) -> tuple[str, int]:
    """Return where pods would be by another policy, as text, and the exit code; raises RoostError."""
    if options.policy is None and options.config is None:
        raise ConfigError("name a policy: roost whatif policy NAME, or --config FILE; roost plugins lists them")
    names = frozenset(scheduler_names) or None

    def ask(cluster: Snapshot, profiles: Sequence[Profile], tell: Tell) -> Forecast:
        return what_if.with_policy(cluster, profiles, scheduler_names=names, progress=tell)

    return _answer(Question("policy", (options.policy or _named(options.config),)), ask, options)


def add_objects(manifests: Sequence[str], options: Options) -> tuple[str, int]:
    """Return where the pods of manifests would go, as text, and the exit code; raises RoostError."""
    if "-" in manifests and "-" in options.files:
        raise ConfigError("--file and --manifest are both -: standard input can be read once")
    objects = [one for file in manifests for one in read_manifest(file)]

    def ask(cluster: Snapshot, profiles: Sequence[Profile], tell: Tell) -> Forecast:
        try:
            return what_if.add(cluster, objects, profiles, progress=tell)
        except InvalidObject as error:
            raise ConfigError(f"--manifest: {error}") from error

    return _answer(Question("add", tuple(_named(file) for file in manifests)), ask, options)


def _answer(question: Question, ask: Ask, options: Options) -> tuple[str, int]:
    settings = _settings(options)
    with _fast(), Progress() as progress:

        def tell(done: int, of: int) -> None:
            if done % STEP == 0:
                progress.show(f"{done} of {of} pods placed")

        cluster = _snapshot(options, progress.show)
        progress.show("deciding")
        forecast = ask(cluster, settings.profiles, tell)
        forecast = _noting(forecast, _other_notes(cluster, forecast, settings, options))
        progress.done(f"{cluster.cache.view.num_nodes} nodes and {len(cluster.pods)} pods looked at")
    render = facts if options.output == "json" else text
    return render(question, forecast), int(options.fail_on_pending and bool(forecast.pending))


def _settings(options: Options) -> Settings:
    return settle(
        kubeconfig=None,
        context=None,
        server=None,
        config=options.config,
        policy=options.policy,
        scheduler_name=None,
        tie=None,
        leader_elect=None,
        health_address=None,
    )


def _snapshot(options: Options, progress: Callable[[str], None]) -> Snapshot:
    if options.files:
        return read_dumps(options.files, progress)
    from roost.cli.read_cluster import read_live

    return read_live(options.connection, progress)


def _other_notes(cluster: Snapshot, forecast: Forecast, settings: Settings, options: Options) -> list[str]:
    notes = []
    if settings.extenders:
        notes.append(f"The extenders of {_named(options.config)} are not asked.")
    if not cluster.looked_at(["Pod"]):
        notes.append("No pods are known: the nodes count as empty.")
    if not cluster.claims and any("ersistentvolumeclaim" in one.message.lower() for one in forecast.pending):
        notes.append("No claims on volumes are known, so pods that use them stay pending; roost dump prints them.")
    return notes


def _no_budgets(cluster: Snapshot, options: Options) -> list[str]:
    if not options.files or cluster.budgets:
        return []
    return ["No disruption budgets are known; roost dump prints them, and kubectl get nodes,pods,pdb -A -o json."]


def _noting(forecast: Forecast, notes: Sequence[str]) -> Forecast:
    return replace(forecast, notes=(*forecast.notes, *notes)) if notes else forecast


def _named(file: str | None) -> str:
    return "standard input" if file == "-" else Path(file or "").name


@contextmanager
def _fast() -> Iterator[None]:
    """Spare the collector: a snapshot is made of values without cycles."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
