"""Doing to a cluster what is only asked about: cordon, take pods off, place them; at the end all is as it was.

    Snapshot ─► with Rehearsal: cordon / take_off / place ─► Placements, Unplaced ─► everything undone, last first

The places are decided by the cycle that schedules pods. Nobody is preempted, and no extender is asked.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import groupby
from typing import Self

from msgspec.structs import replace

from roost.analysis.forecast import Placement, Unplaced
from roost.analysis.snapshot import Snapshot
from roost.analysis.why import why
from roost.api.controllers import PodGrouping
from roost.api.pod import Pod, PodStatus
from roost.api.storage import PersistentVolumeClaim
from roost.api.taints import Taint
from roost.cache import Cache
from roost.errors import InvalidObject
from roost.framework.cycle import Cycle
from roost.framework.decision import Decision
from roost.framework.learning import Learning
from roost.framework.plugin import Context, Plugin, Verdicts
from roost.framework.pod_info import PodInfo
from roost.framework.profile import Profile
from roost.framework.stages import named
from roost.framework.status import Code, unschedulable
from roost.framework.view import Rows, View

CORDON_TAINT = Taint(key="node.kubernetes.io/unschedulable", effect="NoSchedule")
DRAINED = unschedulable("node(s) are drained")

Progress = Callable[[int, int], None]
"""Is told how many pods of how many have been decided."""


class NotThese(Plugin):
    """Reject the nodes of some names, whatever a pod tolerates."""

    name = "NotThese"
    reads = frozenset({"node"})
    pod_reads = ()

    def __init__(self, names: Collection[str]) -> None:
        super().__init__()
        self._names = frozenset(names)

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        """Reject rows of these names."""
        return Verdicts.rejecting(named(view, self._names)[rows], DRAINED)


class Rehearsal:
    """A cluster to try things in; pods are decided by the profile of their scheduler, or else by the first.

    Nothing is placed on the nodes `closed`.
    """

    def __init__(
        self, cluster: Snapshot, profiles: Sequence[Profile], *, seed: int = 0, closed: Collection[str] = ()
    ) -> None:
        self._cache: Cache = cluster.cache
        self._seed = seed
        self._undo: list[Callable[[], object]] = []
        parts = [_Part(profile, closed) for profile in profiles]
        self._first = parts[0]
        self._parts = {part.profile.scheduler_name: part for part in reversed(parts)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._undo:
            self._undo.pop()()

    def cordon(self, name: str) -> None:
        """Close a node for pods as `kubectl cordon` and the node controller do."""
        view = self._cache.view
        node = view.node(view.rows_named(name)[0])
        if node.spec.unschedulable:
            return
        spec = replace(node.spec, unschedulable=True, taints=(*node.taints, CORDON_TAINT))
        self._cache.set_node(replace(node, spec=spec))
        self._undo.append(lambda: self._cache.set_node(node))

    def take_off(self, pod: Pod) -> None:
        """Take a pod off its node."""
        self._cache.remove_pod(pod)
        self._undo.append(lambda: self._cache.set_pod(pod))

    def add_controller(self, controller: PodGrouping) -> None:
        """Add what makes or selects pods; it must be new."""
        self._cache.set_controller(controller)
        self._undo.append(lambda: self._cache.remove_controller(controller))

    def add_claim(self, claim: PersistentVolumeClaim) -> None:
        """Add a claim on a volume."""
        self._cache.set_storage(claim)
        self._undo.append(lambda: self._cache.remove_storage(claim))

    def place(self, pods: Sequence[Pod], progress: Progress | None = None) -> Iterator[Placement | Unplaced]:
        """Place pods one after the other, as their controllers would make them again; raises PluginError."""
        done = 0
        for part, of_part in groupby(pods, key=self._part_of):
            for landed in self._place(part, list(of_part)):
                yield landed
                done += 1
                if progress is not None:
                    progress(done, len(pods))

    def _place(self, part: "_Part", pods: list[Pod]) -> Iterator[Placement | Unplaced]:
        """Place pods of one profile; those that are not to be decided come as soon as they are seen."""
        from_node: dict[str, str] = {}
        waiting: list[PodInfo] = []
        for pod in pods:
            info, problem = self._ready(part.profile, pod)
            if info is None:
                yield Unplaced(pod.key, pod.spec.node_name, problem)
            else:
                from_node[info.key] = pod.spec.node_name
                waiting.append(info)
        ctx = Context(seed=self._seed, learnt=part.learning.learnt)
        for decision in part.cycle.decide_run(waiting, self._cache.view, ctx):
            yield self._take_over(part, decision, from_node[decision.pod.key])

    def _ready(self, profile: Profile, pod: Pod) -> tuple[PodInfo | None, str]:
        try:
            info = self._cache.pod_info(made_again(pod))
        except InvalidObject as error:
            return None, f"cannot be read: {error}"
        held = _held(profile, info.pod)
        return (None, held) if held else (info, "")

    def _take_over(self, part: "_Part", decision: Decision, from_node: str) -> Placement | Unplaced:
        if decision.node is None:
            return Unplaced(decision.pod.key, from_node, decision.message)
        info = decision.pod
        part.learning.learn(info, self._cache.view)
        self._cache.assume(info, decision.node)
        self._undo.append(lambda: self._cache.forget(info))
        return Placement(info.key, from_node, decision.node, why(decision))

    def _part_of(self, pod: Pod) -> "_Part":
        return self._parts.get(pod.spec.scheduler_name, self._first)


class _Part:
    """A profile at work; it preempts nobody."""

    def __init__(self, profile: Profile, closed: Collection[str]) -> None:
        filters = (*profile.filter, NotThese(closed)) if closed else profile.filter
        self.profile = replace(profile, filter=filters, post_filter=())
        self.cycle = Cycle(self.profile)
        self.learning = Learning(self.profile)


def made_again(pod: Pod) -> Pod:
    """Return a pod as its controller would make it again: on no node, and with no past."""
    return replace(pod, spec=replace(pod.spec, node_name=""), status=PodStatus())


def _held(profile: Profile, pod: Pod) -> str:
    """Return why a pod does not even come into the queue, or nothing."""
    for plugin in profile.pre_enqueue:
        status = plugin.pre_enqueue(pod)
        if status is not None and status.code is not Code.Success:
            return status.message
    return ""
