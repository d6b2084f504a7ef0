"""Trying changes: make one in the cache, decide again, take it back. What stays is remembered, so it is cheap."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from roost.analysis.change import Change, patched
from roost.analysis.snapshot import Snapshot
from roost.api.node import Node
from roost.api.pod import Pod
from roost.errors import InvalidObject, PluginError
from roost.framework.cycle import Cycle
from roost.framework.plugin import Context
from roost.framework.pod_info import PodInfo
from roost.framework.stages import Filtered


class Trial:
    """A pod, and the cluster that it is to fit into; `count` says how often was tried.

    With `only`, the pod fits where it would be placed on that node.
    """

    def __init__(self, snapshot: Snapshot, cycle: Cycle, pod: Pod, ctx: Context, *, only: str = "") -> None:
        self.snapshot = snapshot
        self.cycle = cycle
        self.pod = pod
        self.ctx = ctx
        self.only = only
        self.count = 0

    @property
    def info(self) -> PodInfo:
        """The pod as the cycle takes it."""
        return self.snapshot.pod_info(self.pod)

    def filtered(self, pod: Pod | None = None) -> Filtered | None:
        """Filter as things are now, for the pod or a changed one; None where a plugin fails. Valid until the next."""
        self.count += 1
        info = self.snapshot.pod_info(pod or self.pod)
        try:
            return self.cycle.filter_nodes(info, self.snapshot.cache.view, self.ctx)
        except PluginError:
            return None

    def place(self, change: Change) -> str | None:
        """Return where the pod goes once a change is made, None if nowhere; nothing is changed afterwards."""
        try:
            with self._made(change) as pod:
                if not self._fits(self.filtered(pod)):
                    return None
                node = self.cycle.decide(self.snapshot.pod_info(pod), self.snapshot.cache.view, self.ctx).node
        except InvalidObject:
            return None
        return None if self.only and node != self.only else node

    def fits_without(self, pods: Collection[Pod]) -> bool:
        """Tell whether the pod fits once other pods have left."""
        with self._gone(pods):
            return self._fits(self.filtered())

    def least(self, pods: Sequence[Pod], alone: Sequence[Pod]) -> list[Pod]:
        """Return few of some pods whose leaving makes room, given that all of them do; the last are kept first.

        One of `alone` if its leaving is enough; else none can be left out.
        """
        for pod in alone:
            if self.fits_without((pod,)):
                return [pod]
        leaving: list[Pod] = []
        cache = self.snapshot.cache
        with self._gone(pods):
            for pod in reversed(pods):
                cache.set_pod(pod)
                if not self._fits(self.filtered()):
                    cache.remove_pod(pod)
                    leaving.append(pod)
        return leaving[::-1]

    def _fits(self, filtered: Filtered | None) -> bool:
        if filtered is None or not filtered.count:
            return False
        return not self.only or any(filtered.feasible[row] for row in self.snapshot.cache.view.rows_named(self.only))

    @contextmanager
    def _made(self, change: Change) -> Iterator[Pod]:
        leaving = [self.snapshot.pods[key] for key in change.evict]
        with self._gone(leaving), self._nodes(change):
            yield patched(self.pod, change.pod_patch) if change.pod_patch else self.pod

    @contextmanager
    def _gone(self, pods: Collection[Pod]) -> Iterator[None]:
        cache, gone = self.snapshot.cache, []
        try:
            for pod in pods:
                cache.remove_pod(pod)
                gone.append(pod)
            yield
        finally:
            for pod in reversed(gone):
                cache.set_pod(pod)

    @contextmanager
    def _nodes(self, change: Change) -> Iterator[None]:
        cache = self.snapshot.cache
        if change.new_node is not None:
            cache.set_node(change.new_node)
            try:
                yield
            finally:
                cache.remove_node(change.new_node.name)
        elif change.node_patch:
            old = node_named(self.snapshot, change.node)
            cache.set_node(patched(old, change.node_patch))
            try:
                yield
            finally:
                cache.set_node(old)
        else:
            yield


def node_named(snapshot: Snapshot, name: str) -> Node:
    """Return a node by its name."""
    view = snapshot.cache.view
    return view.node(view.rows_named(name)[0])
