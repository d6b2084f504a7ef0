"""Asks `pre_filter` and `pre_score`: what a pod is about, before any node is judged or scored.

Most plugins have nothing to do with most pods, and say so from the pod alone or from what seldom changes. That they do
is remembered for pods of one kind, those that differ in their requests at most; who reads the requests, or the pods
that are placed, is asked each time.
"""

from collections.abc import Hashable, Sequence
from typing import Any

from msgspec import Struct

from roost.errors import PluginError
from roost.framework.ask import failure
from roost.framework.journal import Journal, Marks
from roost.framework.memory import LiveView
from roost.framework.plugin import Context, OnlyNodes
from roost.framework.pod_info import PodInfo
from roost.framework.profile import Profile
from roost.framework.stages import Filtered
from roost.framework.status import SKIP, Code, Status

_KINDS_KEPT = 16_384


class _Said(Struct):
    """Which of the lasting plugins skip pods of one kind, at one state of what they read; None: not asked yet."""

    marks: Marks
    unfiltered: frozenset[str]
    unscored: frozenset[str] | None = None


class _Point(Struct, frozen=True):
    """The plugins at one extension point with what is called; `fleeting` are those to be asked each time."""

    everybody: Sequence[tuple[Any, Any]]
    fleeting: Sequence[tuple[Any, Any]]
    lasting: frozenset[str]

    @classmethod
    def of(cls, plugins: Sequence[Any], extension_point: str) -> "_Point":
        everybody = [(plugin, getattr(plugin, extension_point)) for plugin in plugins]
        fleeting = [(plugin, point) for plugin, point in everybody if not _lasts(plugin)]
        return cls(everybody, fleeting, frozenset(plugin.name for plugin in plugins if _lasts(plugin)))


class Preparing:
    """The plugins of a profile that look at pods beforehand, and what they said of kinds of pods."""

    def __init__(self, profile: Profile) -> None:
        self._filters = _Point.of(profile.pre_filter, "pre_filter")
        self._scorers = _Point.of(profile.pre_score, "pre_score")
        lasting = [plugin for plugin in (*profile.pre_filter, *profile.pre_score) if _lasts(plugin)]
        self._reads = tuple(sorted(frozenset().union(*map(_reads_before, lasting))))
        self._said: dict[Hashable, _Said] = {}
        self._now: tuple[Journal | None, int, Marks] = (None, 0, ())

    def pre_filter(self, ctx: Context, pod: PodInfo, kind: Hashable, view: LiveView, filtered: Filtered) -> None:
        """Ask before filtering; a pod of no kind (None) is not remembered. Raises PluginError."""
        if kind is None:
            _ask_filters(self._filters.everybody, ctx, pod, view, filtered)
            return
        marks = self._marks(view.journal)
        said = self._said.get(kind)
        if said is not None and said.marks == marks:
            filtered.skipped.update(said.unfiltered)
            filtered.prepared.update(self._filters.lasting)
            _ask_filters(self._filters.fleeting, ctx, pod, view, filtered)
            return
        _ask_filters(self._filters.everybody, ctx, pod, view, filtered)
        if filtered.rejected is None and filtered.only is None:
            self._note(kind, _Said(marks, self._filters.lasting & filtered.skipped))

    def pre_score(self, ctx: Context, pod: PodInfo, kind: Hashable, view: LiveView) -> frozenset[str]:
        """Ask before scoring; return who skips the pod. Raises PluginError."""
        said = None if kind is None else self._said.get(kind)
        if said is None or said.marks != self._marks(view.journal):
            return _skipping(self._scorers.everybody, ctx, pod, view)
        if said.unscored is None:
            skipped = _skipping(self._scorers.everybody, ctx, pod, view)
            said.unscored = self._scorers.lasting & skipped
            return skipped
        if not self._scorers.fleeting:
            return said.unscored
        return said.unscored | _skipping(self._scorers.fleeting, ctx, pod, view)

    def _marks(self, journal: Journal) -> Marks:
        known, version, marks = self._now
        if known is not journal or version != journal.version:
            marks = journal.marks(self._reads)
            self._now = journal, journal.version, marks
        return marks

    def _note(self, kind: Hashable, said: _Said) -> None:
        if len(self._said) >= _KINDS_KEPT:
            self._said.clear()
        self._said[kind] = said


def _lasts(plugin: Any) -> bool:
    """Tell whether what a plugin says beforehand is the same for pods of one kind until what it reads changes."""
    declares = plugin.remember or plugin.pre_reads is not None
    return declares and "usage" not in _reads_before(plugin) and "requests" not in plugin.pod_reads


def _reads_before(plugin: Any) -> frozenset[str]:
    reads: frozenset[str] = plugin.reads if plugin.pre_reads is None else plugin.pre_reads
    return reads


def _ask_filters(
    plugins: Sequence[tuple[Any, Any]], ctx: Context, pod: PodInfo, view: LiveView, filtered: Filtered
) -> None:
    for plugin, pre_filter in plugins:
        try:
            answer = pre_filter(ctx, pod, view)
        except Exception as error:
            raise failure(plugin, pre_filter, error) from error
        if answer is SKIP:
            filtered.skipped.add(plugin.name)
        elif answer is not None and _is_final(plugin, answer, filtered):
            return
        filtered.prepared.add(plugin.name)


def _is_final(plugin: Any, answer: object, filtered: Filtered) -> bool:
    """Take over what a plugin has to say of a pod; tell whether nobody else need be asked."""
    if isinstance(answer, OnlyNodes):
        filtered.narrow(plugin.name, answer.names)
        if not filtered.only:
            filtered.reject(filtered.nowhere)
        return not filtered.only
    if not isinstance(answer, Status):
        kind = type(answer).__name__
        raise PluginError(f"plugin {plugin.name} failed in pre_filter: it returned {kind}, not a Status or OnlyNodes")
    if answer.code is Code.Skip:
        filtered.skipped.add(plugin.name)
        return False
    filtered.reject(Status(answer.code, answer.reasons, plugin.name))
    return answer.code is not Code.Unschedulable


def _skipping(plugins: Sequence[tuple[Any, Any]], ctx: Context, pod: PodInfo, view: LiveView) -> frozenset[str]:
    skipped = []
    for plugin, pre_score in plugins:
        try:
            status = pre_score(ctx, pod, view)
        except Exception as error:
            raise failure(plugin, pre_score, error) from error
        if status is SKIP or (status is not None and status.code is Code.Skip):
            skipped.append(plugin.name)
    return frozenset(skipped)
