"""The pods that plugins rejected, grouped so that a change of the cluster finds those it may help without asking each.

Pods that look alike and were rejected by the same plugins are helped by the same changes: they form a group, and one of
them is asked for all. Pure, like the queue that it is a part of.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from roost.cache.cache import Change
from roost.framework.profile import Profile
from roost.scheduler.queued_pod import QueuedPod

Fits = Callable[[QueuedPod, Sequence[int]], bool]
"""Whether the filters would now accept a pod on any of the nodes in these slots, which have changed."""

_LOCAL = frozenset({"node", "annotations", "usage"})


class Group:
    """Rejected pods that only the same changes can help.

    `aspects` are what their rejectors read (None: anything may help); `local` says that each of them looks at one node
    at a time, so that the changed node alone tells.
    """

    __slots__ = ("aspects", "key", "local", "pods")

    def __init__(self, key: object, aspects: frozenset[str] | None, local: bool) -> None:
        self.key = key
        self.aspects = aspects
        self.local = local
        self.pods: dict[str, QueuedPod] = {}

    def helped_by(self, queued: QueuedPod, changes: Sequence[Change], fits: Fits | None) -> bool:
        """Tell whether changes that the rejectors read may help a pod of this group."""
        if not changes or not self.local:
            return bool(changes)
        slots = [change.slot for change in changes if change.slot >= 0]
        return bool(slots) and (fits is None or fits(queued, slots))

    def read_of(self, changes: Sequence[Change]) -> Sequence[Change]:
        """Return those of the changes that the rejectors read."""
        if self.aspects is None:
            return changes
        return [change for change in changes if not self.aspects.isdisjoint(change.aspects)]


class UnschedulablePods:
    """Rejected pods in the order in which they were rejected, and their groups."""

    def __init__(self, profiles: Iterable[Profile]) -> None:
        self._plugins = {plugin.name: plugin for profile in profiles for plugin in rejecting_plugins(profile)}
        self._places: dict[str, tuple[QueuedPod, Group]] = {}
        self._groups: dict[object, Group] = {}

    def __iter__(self) -> Iterator[QueuedPod]:
        return (queued for queued, _ in self._places.values())

    @property
    def oldest(self) -> QueuedPod | None:
        """The pod that has been here longest."""
        return next(iter(self), None)

    def add(self, queued: QueuedPod) -> None:
        """Take in a pod that its `rejected_by` rejected."""
        group = self._group_of(queued)
        self._groups[group.key] = group
        group.pods[queued.key] = queued
        self._places[queued.key] = queued, group

    def remove(self, queued: QueuedPod) -> None:
        """Let a pod go."""
        _, group = self._places.pop(queued.key)
        del group.pods[queued.key]
        if not group.pods:
            del self._groups[group.key]

    def helped_by(self, changes: Sequence[Change], fits: Fits | None) -> list[tuple[QueuedPod, Change]]:
        """Return the pods that changes may help, each with the first of them."""
        read: dict[frozenset[str] | None, Sequence[Change]] = {}
        helped: list[tuple[QueuedPod, Change]] = []
        for group in self._groups.values():
            if group.aspects not in read:
                read[group.aspects] = group.read_of(changes)
            found = read[group.aspects]
            if group.helped_by(next(iter(group.pods.values())), found, fits):
                helped += [(queued, found[0]) for queued in group.pods.values()]
        return helped

    def would_help(self, queued: QueuedPod, changes: Sequence[Change], fits: Fits | None) -> bool:
        """Tell whether changes may help a pod that is not here (yet)."""
        group = self._group_of(queued)
        return group.helped_by(queued, group.read_of(changes), fits)

    def parts_read(self, queued: QueuedPod) -> set[str]:
        """Return the parts of a pod that the plugins which rejected it read."""
        rejectors = [self._plugins.get(name) for name in queued.rejected_by]
        return {part for plugin in rejectors if plugin is not None for part in plugin.pod_reads}

    def rejections(self) -> Mapping[tuple[str, str], int]:
        """Return how many pods each (plugin, scheduler name) has rejected."""
        found: dict[tuple[str, str], int] = {}
        for queued in self:
            for plugin in queued.rejected_by:
                found[plugin, queued.scheduler_name] = found.get((plugin, queued.scheduler_name), 0) + 1
        return found

    def _group_of(self, queued: QueuedPod) -> Group:
        info = queued.info
        alike = info.uid if info.kind is None else (info.requests, info.kind)
        key = (queued.scheduler_name, queued.rejected_by, alike)
        found = self._groups.get(key)
        return found if found is not None else Group(key, *self._reads(queued.rejected_by))

    def _reads(self, rejected_by: frozenset[str]) -> tuple[frozenset[str] | None, bool]:
        """Return what these plugins read (None: anything), and whether each looks at one node at a time."""
        plugins = [self._plugins.get(name) for name in rejected_by]
        known = [plugin for plugin in plugins if plugin is not None]
        if not plugins or len(known) < len(plugins):
            return None, False
        aspects: frozenset[str] = frozenset().union(*(reads_to_reject(plugin) for plugin in known))
        return aspects, all(is_node_local(plugin) for plugin in known)


def rejecting_plugins(profile: Profile) -> Iterable[Any]:
    """Return the plugins of a profile that can reject a pod."""
    return (*profile.pre_filter, *profile.filter, *profile.reserve, *profile.permit)


def is_node_local(plugin: Any) -> bool:
    """Tell whether a plugin's answer for a node depends on that node and the pod alone."""
    return bool(reads_to_reject(plugin) <= _LOCAL and plugin.remember)


def reads_to_reject(plugin: Any) -> frozenset[str]:
    """Return what a plugin reads of the nodes where it can reject a pod."""
    reads: frozenset[str] = plugin.reads if plugin.filter_reads is None else plugin.filter_reads
    return reads
