"""What a change seen by the watches means: for the cache, for the queue, and for the pods that wait for it.

Pods of all schedulers count as load as soon as they are on a node; only pods of our schedulers that are on none are
queued. An object that cannot be read is reported once, and the others go on; what was known of it before stays.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from roost.api.node import Node
from roost.api.pod import Pod
from roost.cache.cache import ANNOTATIONS, USAGE, Cache, Change
from roost.errors import InvalidObject
from roost.framework.cluster import Listing, Malformed, WatchEvent
from roost.scheduler.conditions import Conditions
from roost.scheduler.further_kinds import Follower, FurtherKind
from roost.scheduler.metrics import Metrics
from roost.scheduler.news import News
from roost.scheduler.promises import Promises
from roost.scheduler.queue import SchedulingQueue
from roost.scheduler.queued_pod import QueuedPod
from roost.scheduler.recorder import Recorder
from roost.scheduler.unschedulable import Fits

_PROBLEMS_KEPT = 10_000
_REST = 4
"""How many times as long as waking pods took it is left alone."""

_NOWHERE = -1
"""The slot of a change that helps no pod which waits for this one node."""

logger = logging.getLogger("roost.scheduler")


class Handlers:
    """Takes in lists and changes of pods and nodes; `notify` is called after each batch."""

    def __init__(
        self,
        cache: Cache,
        queue: SchedulingQueue,
        scheduler_names: Iterable[str],
        *,
        clock: Callable[[], float],
        fits: Fits,
        conditions: Conditions,
        recorder: Recorder,
        metrics: Metrics,
        notify: Callable[[], None],
    ) -> None:
        self._cache = cache
        self._queue = queue
        self._scheduler_names = frozenset(scheduler_names)
        self._clock = clock
        self._fits = fits
        self._conditions = conditions
        self._recorder = recorder
        self._metrics = metrics
        self._notify = notify
        self._problems: dict[tuple[str, str], None] = {}
        self._unreadable: dict[tuple[str, str], str] = {}
        self._changes: dict[Change, None] = {}
        self._wake_at = 0.0
        self.have_nodes = False
        self.have_pods = False
        self.news = News()
        self.promises = Promises(cache, self._note)
        self.followers: Sequence[Follower[Any]] = ()

    @property
    def in_sync(self) -> bool:
        """Whether all that is followed has been seen: deciding before would overfill nodes, or overlook a rule."""
        return self.have_nodes and self.have_pods and all(follower.in_sync for follower in self.followers)

    def follow(self, kinds: Iterable[FurtherKind[Any]]) -> None:
        """Take in further kinds too; until they have been seen, nothing is in sync."""
        self.followers = [
            Follower(further, self._cache, note=self._note, report=self._report, notify=self._tell) for further in kinds
        ]

    def _tell(self) -> None:
        self.news.tell()
        self._notify()

    # ---- nodes

    def replace_nodes(self, listing: Listing[Node]) -> None:
        """Take over a list of all nodes: what is not in it is gone."""
        self._report("node", listing.malformed)
        unreadable = {malformed.key for malformed in listing.malformed}
        listed = {node.name for node in listing.items} | unreadable
        for name in self._cache.node_names:
            if name not in listed:
                self._note(self._cache.remove_node(name))
        for node in listing.items:
            self._set_node(node)
        self.have_nodes = True
        self._notify()

    def change_nodes(self, events: list[WatchEvent[Node]]) -> None:
        """Take over changes of nodes."""
        for event in events:
            if event.malformed is not None:
                self._report("node", [event.malformed])
            elif event.object is None:
                continue
            elif event.type == "DELETED":
                self._note(self._cache.remove_node(event.object.name))
            else:
                self._set_node(event.object)
        self._notify()

    def age(self, stale_before: float) -> None:
        """Take for missing what was measured before this time, and say once what holds no number."""
        view = self._cache.view
        for slot in view.age(stale_before):
            if view.alive[slot]:
                self._note(Change(ANNOTATIONS, view.name(slot), slot))
        for place, text in view.unreadable.items():
            if self._unreadable.get(place) != text:
                logger.warning("node %s: the annotation %s is %r, which is no number: it is passed over", *place, text)
        self._unreadable = dict(view.unreadable)
        self._notify()

    def _set_node(self, node: Node) -> None:
        try:
            self._note(self._cache.set_node(node))
        except InvalidObject as error:
            self._report("node", [Malformed(node.name, str(error))])

    # ---- pods

    def replace_pods(self, listing: Listing[Pod]) -> None:
        """Take over a list of all pods: what is not in it is gone, also what was assumed."""
        self._report("pod", listing.malformed)
        unreadable = {malformed.key for malformed in listing.malformed}
        uids = {pod.key: pod.metadata.uid for pod in listing.items}
        for info in self._cache.pods:
            if info.key not in unreadable and uids.get(info.key) != info.uid:
                self._remove_pod(info.pod)
        for queued in self._queue.pods():
            if queued.key not in unreadable and uids.get(queued.key) != queued.info.uid:
                self._remove_pod(queued.info.pod)
        for pod in listing.items:
            if pod.spec.node_name:
                self._set_pod(pod)
        for pod in sorted([pod for pod in listing.items if not pod.spec.node_name], key=_by_age):
            self._set_pod(pod)
        self.have_pods = True
        self._notify()

    def change_pods(self, events: list[WatchEvent[Pod]]) -> None:
        """Take over changes of pods."""
        for event in events:
            if event.malformed is not None:
                self._report("pod", [event.malformed])
            elif event.object is None:
                continue
            elif event.type == "DELETED":
                self._remove_pod(event.object)
            else:
                self._set_pod(event.object)
        self._notify()

    def _set_pod(self, pod: Pod) -> None:
        if pod.is_terminal:
            self._remove_pod(pod)
        elif pod.spec.node_name:
            self._set_assigned(pod)
        elif pod.is_terminating:
            self._remove_pod(pod)
        elif pod.spec.scheduler_name in self._scheduler_names:
            self._enqueue(pod)

    def _set_assigned(self, pod: Pod) -> None:
        queued = self._queue.delete(pod.key)
        if queued is not None:
            self._conditions.forget(queued.info.uid)
            self.promises.keep(queued.info.uid)
        was_on = self._cache.node_of(pod.key)
        try:
            change = self._cache.set_pod(pod)
        except InvalidObject as error:
            self._report("pod", [Malformed(pod.key, str(error))])
            return
        if change is not None and was_on != pod.spec.node_name:
            self._note(Change(change.aspects, change.node_name, _NOWHERE))  # that node is fuller than before
        else:
            self._note(change)
        if was_on is not None and was_on != pod.spec.node_name:
            self._note(Change(USAGE, was_on, self._slot_of(was_on)))

    def _enqueue(self, pod: Pod) -> None:
        try:
            info = self._cache.pod_info(pod)
        except InvalidObject as error:
            self._report("pod", [Malformed(pod.key, str(error))])
            return
        known = self._queue.get(pod.key)
        if known is not None and known.info.uid != info.uid:
            self._remove_pod(known.info.pod)
        queued = self._queue.add(self.promises.shown(info), self._clock())
        if queued.state == "gated":
            self.promises.drop(info.uid)

    def _remove_pod(self, pod: Pod) -> None:
        """Let go of a pod that is gone, has ended, or is on no node and being deleted."""
        queued = self._queue.get(pod.key)
        if queued is not None and queued.info.uid == pod.metadata.uid:
            self._queue.delete(pod.key)
            self._conditions.forget(pod.metadata.uid)
            self._recorder.forget(pod.metadata.uid)
            self.promises.drop(pod.metadata.uid)
            self.news.tell()
        self._note(self._cache.remove_pod(pod))

    # ---- what changes bring about

    def take_notice(self, change: Change, rejected: QueuedPod | None) -> None:
        """Take notice of a decision that was undone; the pod that was rejected is not helped by its own leaving."""
        if rejected is None:
            self._note(change)
        else:
            self._queue.wake([change], self._clock(), self._fits, besides=rejected)
        self._notify()

    def wake_pods(self) -> None:
        """Bring back the rejected pods that the changes so far may help, unless that was done only just now.

        Asking for every rejected pod takes time when there are many kinds of them: it may take a fifth of all time.
        """
        began = self._clock()
        if not self._changes or began < self._wake_at:
            return
        changes = list(self._changes)
        self._changes.clear()
        self._queue.wake(changes, began, self._fits)
        ended = self._clock()
        self._wake_at = ended + _REST * (ended - began)

    def next_time(self) -> float | None:
        """Return when `wake_pods` will have something to do, if ever."""
        return self._wake_at if self._changes else None

    def _note(self, change: Change | None) -> None:
        """Keep a change for those who wait: many changes of one node are one to them."""
        if change is not None:
            self._changes[change] = None

    def _slot_of(self, node_name: str) -> int:
        return next(iter(self._cache.view.rows_named(node_name)), -1)

    def _report(self, kind: str, malformed: Iterable[Malformed]) -> None:
        for one in malformed:
            self._metrics.unreadable(kind)
            if (one.key, one.problem) in self._problems:
                continue
            self._problems[one.key, one.problem] = None
            if len(self._problems) > _PROBLEMS_KEPT:
                del self._problems[next(iter(self._problems))]
            logger.warning("%s %s cannot be read and is left out: %s", kind, one.key, one.problem)


def _by_age(pod: Pod) -> str:
    return pod.metadata.creation_timestamp or ""
