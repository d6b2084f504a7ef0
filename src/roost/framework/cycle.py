"""The scheduling cycle: a pod and a view in, a Decision out. Pure; whoever drives it assumes and binds.

    filter_nodes ──► score_nodes ──► select_node            decide     = all three, for one pod
                                                            decide_run = the same for a list, identical pods ahead
                                                            decide_asking (asking.py) = with extenders in between

Plugins are asked about all rows at once, and their answers are remembered per what they read of the pod.
"""

from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roost.errors import PluginError
from roost.framework.ask import ask
from roost.framework.decision import Decision, fit_error
from roost.framework.judge import Judge, overruled
from roost.framework.look_ahead import MOST, look_ahead
from roost.framework.memory import LiveView
from roost.framework.plan import Plan
from roost.framework.plugin import Context
from roost.framework.pod_info import PARTS, PodInfo, key_of
from roost.framework.post_filter import find_plan
from roost.framework.preparing import Preparing
from roost.framework.profile import Profile
from roost.framework.remember import RememberedFilter, RememberedScore
from roost.framework.select import best_rows
from roost.framework.stages import Filtered, Judgement, Part, Scored, node_scores, sum_scores
from roost.framework.static import Static

FEWEST_AHEAD = 4
"""Fewer pods that look alike are decided one by one: looking ahead costs as much as a few decisions."""

TOP = 3
"""How many of the best nodes a Decision names."""


class Cycle:
    """Decides for the pods of one profile, remembering what its plugins said."""

    def __init__(self, profile: Profile, *, memory_limit: int = 64 << 20) -> None:
        self.profile = profile
        for_static = memory_limit // 4
        share = (memory_limit - for_static) // max(1, len(profile.filter) + len(profile.score))
        self.filters = [RememberedFilter(plugin, share) for plugin in profile.filter]
        self.scorers = [RememberedScore(scorer.plugin, scorer.weight, share) for scorer in profile.score]
        self.static = Static(self.filters, self.scorers, limit=for_static)
        self._dynamic_filters = [plugin for plugin in self.filters if plugin not in self.static.filters]
        self._dynamic_scorers = [plugin for plugin in self.scorers if not plugin.is_static]
        self._preparing = Preparing(profile)
        self._can_look_ahead = profile.can_look_ahead
        static = {"requests", *self.static.parts}
        self._rest_of = key_of(part for part in parts_read(profile) if part not in static)

    def signature(self, pod: PodInfo) -> Hashable:
        """Return a key that is equal for pods that no plugin of this profile can tell apart."""
        return (pod.requests, self._kind(pod))

    def _kind(self, pod: PodInfo, static: bytes | None = None) -> Hashable:
        """Return a key that is equal for pods that plugins can tell apart by their requests at most.

        `static` is the part of it that the static plugins read, if it is at hand.
        """
        if pod.kind is None or pod.kind[0] is not self._rest_of:
            pod.kind = (self._rest_of, self.static.key_of(pod) if static is None else static, self._rest_of(pod))
        return pod.kind

    def filter_nodes(self, pod: PodInfo, view: LiveView, ctx: Context) -> Filtered:
        """Ask every filter about every node; raises PluginError."""
        if not view.num_nodes:
            return Filtered(view.alive.copy())
        filtered = Filtered(view.alive.copy())
        if pod.pod.status.nominated_node_name:
            filtered.nominated = next(iter(nominated_rows(pod, view)), None)
        key = self.static.key_of(pod)
        if self.static.memory.knows(key):
            filtered.kind = self._kind(pod, key)
        self._preparing.pre_filter(ctx, pod, filtered.kind, view, filtered)
        if filtered.rejected is not None:
            return filtered
        feasible = filtered.feasible = filtered.considered(view)
        static = filtered.static = self.static.answers(ctx, pod, key, view, filtered)
        if not static.all_ok:
            feasible &= static.ok
        judged = dict(static.judged)
        for plugin in self._dynamic_filters:
            if plugin.name in filtered.skipped:
                continue
            answer = plugin.answer(ctx, pod, view, feasible)
            judged[plugin.name] = Judgement(plugin.name, answer.ok, answer.codes, answer.statuses)
            if not answer.all_ok:
                feasible &= answer.ok
        filtered.judged = [judged[plugin.name] for plugin in self.filters if plugin.name in judged]
        self._leave_room(pod, view, ctx, filtered)
        filtered.count = int(np.count_nonzero(feasible))
        return filtered

    def _leave_room(self, pod: PodInfo, view: LiveView, ctx: Context, filtered: Filtered) -> None:
        """Have nodes fail on which the pod fits only without the pods that they are promised to."""
        if not view.nominations.yielded_to(pod):
            return
        crowded = self.judge(pod, view, ctx, filtered).crowded()
        if crowded is not None:
            rows, judged = crowded
            filtered.judged = overruled(filtered.judged, judged, rows)
            filtered.feasible[rows] &= judged.ok

    def judge(self, pod: PodInfo, view: LiveView, ctx: Context, filtered: Filtered) -> Judge:
        """Return what judges hypothetical rows for a pod that has been through `filter_nodes`."""
        return Judge(self.filters, ctx, pod, view, filtered)

    def find_plan(self, pod: PodInfo, view: LiveView, ctx: Context, filtered: Filtered) -> Plan | None:
        """Return what can be done for a pod that fits nowhere; None if there is nobody to ask."""
        plugins = self.profile.post_filter
        if not plugins or not view.num_nodes:
            return None
        return find_plan(plugins, ctx, pod, view, filtered, self.judge(pod, view, ctx, filtered))

    def score_nodes(self, pod: PodInfo, view: LiveView, ctx: Context, filtered: Filtered) -> Scored:
        """Ask every scorer about every node and add up; raises PluginError."""
        skipped, feasible = self._preparing.pre_score(ctx, pod, filtered.kind, view), filtered.feasible
        if filtered.static is None:
            filtered.static = self.static.answers(ctx, pod, self.static.key_of(pod), view, filtered)
        static = self.static.scores(ctx, pod, view, filtered.static, feasible, skipped)
        parts, stable = list(static.parts), static.stable
        for plugin in self._dynamic_scorers:
            if plugin.name in skipped:
                continue
            rated = plugin.answer(ctx, pod, view, feasible)
            weighted, constant = plugin.weighted(ctx, pod, rated, feasible)
            parts.append(Part(plugin.name, rated.raw, weighted, plugin, constant))
            stable = stable and constant
        total = sum_scores([static.total, *[part.weighted for part in parts[len(static.parts) :]]])
        if isinstance(total, int):
            total = np.full(view.size, total, dtype=np.int64)
        return Scored(feasible, total, parts, stable)

    def select_node(self, pod: PodInfo, view: LiveView, ctx: Context, scored: Scored) -> list[int]:
        """Return the few best rows, best first, ties broken as the profile says; the promised node goes before all."""
        for promised in nominated_rows(pod, view):
            if scored.feasible[promised]:
                return [promised]
        return best_rows(view, scored.feasible, scored.total, TOP, self.profile.tie, pod, ctx)

    def decide(self, pod: PodInfo, view: LiveView, ctx: Context) -> Decision:
        """Decide for one pod as the cluster is now; a plugin's exception becomes a Decision of outcome error."""
        try:
            filtered = self.filter_nodes(pod, view, ctx)
            if filtered.count == 0:
                return rejected(pod, view, filtered, self.find_plan(pod, view, ctx, filtered))
            scored = self.score_nodes(pod, view, ctx, filtered)
        except PluginError as error:
            return failed(pod, view, str(error))
        return self.choose(pod, view, ctx, filtered, scored)

    def choose(self, pod: PodInfo, view: LiveView, ctx: Context, filtered: Filtered, scored: Scored) -> Decision:
        """Return the Decision for the best node that fits."""
        return scheduled(pod, view, filtered, scored, self.select_node(pod, view, ctx, scored))

    def decide_run(self, pods: Sequence[PodInfo], view: LiveView, ctx: Context) -> Iterator[Decision]:
        """Decide for pods in order; the caller assumes each scheduled one before it asks for the next.

        The decisions are those of `decide`, one by one. Neighbours that look alike are decided ahead from one
        evaluation, as long as nothing else changes in between.
        """
        position = 0
        while position < len(pods):
            alike = self._alike(pods, position)
            if alike < FEWEST_AHEAD or view.nominations.yielded_to(pods[position]):
                yield self.decide(pods[position], view, ctx)
                position += 1
                continue
            for decision in look_ahead(self, pods[position : position + alike], view, ctx):
                position += 1
                yield decision

    def fits(self, pod: PodInfo, view: LiveView, ctx: Context, slot: int) -> bool:
        """Tell whether the filters accept one node as it is now; a filter that fails gets the benefit of the doubt."""
        rows = np.array([slot], dtype=np.intp)
        try:
            fits = bool(view.alive[slot]) and all(_accepts(f.plugin, pod, view, ctx, rows) for f in self.filters)
            return fits and not self._is_promised(pod, view, ctx, slot)
        except PluginError:
            return True

    def _is_promised(self, pod: PodInfo, view: LiveView, ctx: Context, slot: int) -> bool:
        """Tell whether a node on which the pod fits is too full for it with the pods that it is promised to."""
        judge = self.judge(pod, view, ctx, Filtered(view.alive))
        crowded = judge.crowded() if slot in judge.nominees.slots else None
        return crowded is not None and not crowded[1].ok[crowded[0] == slot].all()

    def _alike(self, pods: Sequence[PodInfo], position: int) -> int:
        first = pods[position]
        if not self._can_look_ahead or first.host_ports or first.volumes or first.pod.status.nominated_node_name:
            return 1
        end, last = position + 1, min(len(pods), position + MOST)
        # Pods that ask for other amounts are not alike, whatever else they say: no need to look further.
        while end < last and pods[end].requests is first.requests and self._looks_like(first, pods[end]):
            end += 1
        return end - position

    def _looks_like(self, first: PodInfo, other: PodInfo) -> bool:
        return other.resembles(first) or self._kind(first) == self._kind(other)


def parts_read(profile: Profile) -> tuple[str, ...]:
    """Return the parts of a pod that deciding reads: what plugins do, and what promised nodes have to do with it."""
    plugins: list[Any] = [*profile.pre_filter, *profile.filter, *profile.post_filter, *profile.pre_score]
    plugins += [scorer.plugin for scorer in profile.score]
    read = {"priority", "nominated_node"}.union(*(plugin.pod_reads for plugin in plugins))
    if "affinity" in read:
        read.discard("node_affinity")  # a part of it
    return tuple(part for part in PARTS if part in read)


def nominated_rows(pod: PodInfo, view: LiveView) -> Sequence[int]:
    """Return the row of the node that a pod is promised, if it exists."""
    name = pod.pod.status.nominated_node_name
    return view.rows_named(name) if name else ()


def _accepts(plugin: Any, pod: PodInfo, view: LiveView, ctx: Context, rows: NDArray[np.intp]) -> bool:
    verdicts = ask(plugin, plugin.filter, ctx, pod, view, rows)
    return verdicts is None or verdicts.codes[0] == 0


def scheduled(pod: PodInfo, view: LiveView, filtered: Filtered, scored: Scored, rows: Sequence[int]) -> Decision:
    """Return the Decision for the first of the best rows."""
    top = node_scores(view, rows, scored.total)
    return Decision(
        pod=pod,
        outcome="scheduled",
        node=top[0].node,
        feasible=filtered.count,
        evaluated=view.num_nodes,
        top=top,
        filtered=filtered,
        scored=scored,
        view=view,
    )


def failed(pod: PodInfo, view: LiveView, message: str) -> Decision:
    """Return the Decision that an error ended."""
    return Decision(pod=pod, outcome="error", message=message, evaluated=view.num_nodes)


def rejected(pod: PodInfo, view: LiveView, filtered: Filtered, plan: Plan | None) -> Decision:
    """Return the Decision for a pod that fits nowhere, with what can be done about it."""
    if filtered.rejected is not None:
        status = filtered.rejected
        reasons = dict.fromkeys(status.reasons, view.num_nodes)
        plugins = frozenset({status.plugin} if status.plugin else filtered.narrowed_by)
        message = fit_error(view.num_nodes, {}, status.message)
    else:
        reasons, plugins = filtered.tally(view)
        message = fit_error(view.num_nodes, reasons)
    if plan is not None and plan.message:
        message = f"{message} {plan.message}"
    return Decision(
        pod=pod,
        outcome="unschedulable",
        evaluated=view.num_nodes,
        message=message,
        reasons=reasons,
        rejected_by=plugins,
        plan=plan,
        filtered=filtered,
        view=view,
    )
