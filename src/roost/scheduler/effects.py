"""Runs the plugins of a binding cycle: those that prepare a binding, write it, hear of it, or undo what they did."""

import logging
from collections.abc import Awaitable, Callable

from roost.framework.cluster import Cluster
from roost.framework.plugin import BindPlugin
from roost.framework.pod_info import PodInfo
from roost.framework.profile import Profile
from roost.framework.status import Code, Status

Effect = Callable[[Cluster, PodInfo, str], Awaitable[Status | None]]
"""A plugin's reserve, permit, pre_bind or bind."""

logger = logging.getLogger("roost.scheduler")


class Rejected(Exception):
    """A plugin turned a decision down before it was written."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.message)
        self.status = status


class Effects:
    """The effects that the plugins of one profile have on one cluster."""

    def __init__(self, cluster: Cluster, profile: Profile, binder: BindPlugin | None = None) -> None:
        """Bind through the plugins of the profile; before them through `binder`, which is an extender's."""
        self._cluster = cluster
        self._profile = profile
        self._binders = profile.bind if binder is None else (binder, *profile.bind)
        self.can_reject = bool(profile.reserve or profile.permit)
        self.can_wait = bool(self.can_reject or profile.pre_bind)

    async def reserve_and_permit(self, pod: PodInfo, node_name: str) -> None:
        """Return when all plugins agree to the binding; raises Rejected."""
        for reserve in self._profile.reserve:
            await self._ask(reserve, reserve.reserve, pod, node_name)
        for permit in self._profile.permit:
            await self._ask(permit, permit.permit, pod, node_name)

    async def pre_bind(self, pod: PodInfo, node_name: str) -> None:
        """Prepare the binding; raises Rejected."""
        for pre_bind in self._profile.pre_bind:
            await self._ask(pre_bind, pre_bind.pre_bind, pod, node_name)

    async def bind(self, pod: PodInfo, node_name: str) -> None:
        """Have the first plugin bind the pod that does not pass; raises Rejected, ApiError and ExtenderError."""
        for plugin in self._binders:
            status = await plugin.bind(self._cluster, pod, node_name)
            if status is None or status.code is Code.Success:
                return
            if status.code is not Code.Skip:
                raise Rejected(_named(status, plugin))
        raise Rejected(Status(Code.Error, ("no bind plugin took the pod",)))

    async def post_bind(self, pod: PodInfo, node_name: str) -> None:
        """Tell the plugins that the pod is bound; what they make of it alters nothing."""
        for plugin in self._profile.post_bind:
            try:
                await plugin.post_bind(self._cluster, pod, node_name)
            except Exception:
                logger.exception("post_bind of %s failed for %s", plugin, pod.key)

    async def unreserve(self, pod: PodInfo, node_name: str) -> None:
        """Undo what `reserve` did, last first; a plugin that fails does not keep the others from it."""
        for plugin in reversed(self._profile.reserve):
            try:
                await plugin.unreserve(self._cluster, pod, node_name)
            except Exception:
                logger.exception("unreserve of %s failed for %s", plugin, pod.key)

    async def _ask(self, plugin: object, effect: Effect, pod: PodInfo, node_name: str) -> None:
        status = await effect(self._cluster, pod, node_name)
        if status is not None and status.code not in (Code.Success, Code.Skip):
            raise Rejected(_named(status, plugin))


def _named(status: Status, plugin: object) -> Status:
    return Status(status.code, status.reasons, getattr(plugin, "name", ""))
