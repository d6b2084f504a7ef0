"""The nodes promised to pods that wait (`status.nominatedNodeName`): what was decided, and what the watch shows of it.

Between a decision and its sight in the watch, old news of the pod still come in. They do not undo the promise.
"""

from collections.abc import Callable

from msgspec.structs import replace

from roost.cache.cache import USAGE, Cache, Change
from roost.framework.pod_info import PodInfo
from roost.scheduler.queued_pod import QueuedPod


class Promises:
    """Keeps the cache's nominations true; `changed` is told when a node is promised to somebody no longer."""

    def __init__(self, cache: Cache, changed: Callable[[Change], None]) -> None:
        self._cache = cache
        self._changed = changed
        self._unseen: dict[str, str] = {}

    def make(self, queued: QueuedPod, node_name: str) -> None:
        """Promise a node to a pod that waits; with "" take back what it was promised."""
        info = queued.info
        if info.pod.status.nominated_node_name == node_name and info.uid not in self._unseen:
            return
        self._unseen[info.uid] = node_name
        queued.info = _promised(info, node_name)
        self._set(queued.info, node_name)

    def shown(self, info: PodInfo) -> PodInfo:
        """Take notice of a pod that waits, as the watch shows it; return it with what it was promised since."""
        shown, unseen = info.pod.status.nominated_node_name, self._unseen.get(info.uid)
        if unseen is not None and unseen != shown and not (unseen and shown):
            info = _promised(info, unseen)
        else:
            self._unseen.pop(info.uid, None)
        self._set(info, info.pod.status.nominated_node_name)
        return info

    def keep(self, uid: str) -> None:
        """Forget a promise that is kept: the pod is on a node now."""
        self._unseen.pop(uid, None)
        self._cache.view.nominations.forget(uid)

    def drop(self, uid: str) -> None:
        """Forget what a pod was promised that is gone."""
        self._unseen.pop(uid, None)
        had = self._cache.view.nominations.node_of(uid)
        if had:
            self._cache.view.nominations.forget(uid)
            self._tell(had)

    def _set(self, info: PodInfo, node_name: str) -> None:
        nominations = self._cache.view.nominations
        had = nominations.node_of(info.uid)
        if nominations.set(info, node_name) and had:
            self._tell(had)

    def _tell(self, node_name: str) -> None:
        slot = next(iter(self._cache.view.rows_named(node_name)), -1)
        self._changed(Change(USAGE, node_name, slot))


def _promised(info: PodInfo, node_name: str) -> PodInfo:
    pod = info.pod
    return PodInfo(replace(pod, status=replace(pod.status, nominated_node_name=node_name)), info.requests)
