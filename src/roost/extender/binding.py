"""The bind verb: creates the Binding, and finds out what happened when the API server does not say.

asked ─► judged once more, as the node is now ─► reserved ─► Binding created: settled
             │ does not fit any more                │ refused, gone, bound elsewhere: let go
             ▼                                      │ nobody knows: the reservation stays, the watch will tell
           Error                                    ▼
                                                  Error
"""

import asyncio
from collections.abc import Callable
from typing import NoReturn

import numpy as np

from roost.api.extender import ExtenderBindingArgs
from roost.api.kinds import POD
from roost.api.pod import Pod
from roost.cache.cache import Cache
from roost.errors import ApiError, Conflict, NotFound, OutcomeUnknown
from roost.extender.policies import Policies
from roost.extender.reservations import Reservations
from roost.extender.wire import Unanswerable
from roost.framework.cluster import Cluster
from roost.framework.plugin import Context
from roost.framework.pod_info import PodInfo

_RECENT_PODS = 4096
_SECOND_LOOK = 0.2
"""Seconds after which a pod is read again that was not bound when the outcome was not known."""


class Binder:
    """Binds pods on a cluster; those asked about lately need not be read again."""

    def __init__(
        self, cluster: Cluster, cache: Cache, reservations: Reservations, *, clock: Callable[[], float]
    ) -> None:
        self._cluster = cluster
        self._cache = cache
        self._reservations = reservations
        self._clock = clock
        self._recent: dict[str, PodInfo] = {}

    def remember(self, pod: PodInfo) -> None:
        """Know a pod that is likely to be bound soon."""
        self._recent.pop(pod.uid, None)
        self._recent[pod.uid] = pod
        if len(self._recent) > _RECENT_PODS:
            del self._recent[next(iter(self._recent))]

    async def bind(self, args: ExtenderBindingArgs, policies: Policies, ctx: Context) -> None:
        """Bind a pod to a node; raises Unanswerable with a sentence if it is not bound there."""
        for field, text in (("PodName", args.pod_name), ("PodNamespace", args.pod_namespace), ("Node", args.node)):
            if not text:
                raise Unanswerable(f"{field} is missing")
        pod = await self._pod(args)
        self._reservations.release(pod.uid)
        if policies.usage_at_filter:
            self._judge(pod, args.node, policies, ctx)
        self._reservations.reserve(pod, args.node, self._clock())
        try:
            await self._cluster.bind(args.pod_namespace, args.pod_name, pod.uid, args.node)
        except (ApiError, TimeoutError) as error:
            await self._after(error, pod, args.node)
        self._reservations.settle(pod.uid)
        self._recent.pop(pod.uid, None)

    async def _pod(self, args: ExtenderBindingArgs) -> PodInfo:
        key = f"{args.pod_namespace}/{args.pod_name}"
        known = self._recent.get(args.pod_uid)
        if known is not None and known.key == key:
            return known
        try:
            pod = await self._cluster.get(POD, args.pod_name, args.pod_namespace)
        except ApiError as error:
            raise Unanswerable(f"pod {key} cannot be read: {error}") from error
        if args.pod_uid and pod.metadata.uid != args.pod_uid:
            raise Unanswerable(f"pod {key} is another one by now: its uid is {pod.metadata.uid}, not {args.pod_uid}")
        return self._cache.pod_info(pod)

    def _judge(self, pod: PodInfo, node_name: str, policies: Policies, ctx: Context) -> None:
        """Look once more whether the node has room: others may have been placed there since filter was asked."""
        slot = self._cache.view.slot(node_name)
        if slot is None:
            raise Unanswerable(f"node {node_name} is not known (yet) to the extender")
        for _, status in policies.filter(pod, self._cache.view, ctx, np.array([slot])):
            raise Unanswerable(f"pod {pod.key} does not fit on node {node_name} any more: {status.message}")

    async def _after(self, error: Exception, pod: PodInfo, node_name: str) -> None:
        """Find out whether the pod is bound although an error came back; raises Unanswerable if it is not."""
        sentence = f"binding {pod.key} to {node_name} failed: {error}"
        if _is_certain(error):
            self._give_up(pod, sentence, error)
        found = await self._read(pod, sentence)
        if not _is_bound_to(found, pod.uid, node_name) and not isinstance(error, (Conflict, NotFound)):
            await asyncio.sleep(_SECOND_LOOK)  # the API server may still be at it
            found = await self._read(pod, sentence)
        if not _is_bound_to(found, pod.uid, node_name):
            self._give_up(pod, f"{sentence}{_where(found, pod.uid)}", error)

    async def _read(self, pod: PodInfo, sentence: str) -> Pod:
        try:
            return await self._cluster.get(POD, pod.pod.name, pod.pod.namespace)
        except NotFound as gone:
            self._give_up(pod, f"{sentence}; the pod is gone", gone)
        except (ApiError, TimeoutError) as error:
            raise Unanswerable(f"{sentence}; whether it is bound is not known: {error}") from error

    def _give_up(self, pod: PodInfo, sentence: str, error: Exception) -> NoReturn:
        self._reservations.release(pod.uid)
        raise Unanswerable(sentence) from error


def _is_certain(error: Exception) -> bool:
    """Tell whether an error says that nothing was written."""
    if not isinstance(error, ApiError) or isinstance(error, (OutcomeUnknown, Conflict, NotFound)):
        return False
    return error.status < 500


def _is_bound_to(pod: Pod, uid: str, node_name: str) -> bool:
    return pod.metadata.uid == uid and pod.spec.node_name == node_name


def _where(pod: Pod, uid: str) -> str:
    if pod.metadata.uid != uid:
        return "; another pod has taken its name"
    return f"; it is bound to {pod.spec.node_name}" if pod.spec.node_name else ""
