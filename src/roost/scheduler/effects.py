"""Runs the plugins of a binding cycle: those that prepare a binding, write it, hear of it, or undo what they did."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from roost.framework.cluster import Cluster
from roost.framework.plugin import BindPlugin
from roost.framework.pod_info import PodInfo
from roost.framework.profile import Profile
from roost.framework.status import Code, Status
from roost.scheduler.news import News

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

    def __init__(
        self, cluster: Cluster, profile: Profile, binder: BindPlugin | None = None, news: News | None = None
    ) -> None:
        """Bind through the plugins of the profile; before them through `binder`, which is an extender's.

        Plugins that wait for a change are asked again when there are news.
        """
        self._cluster = cluster
        self._profile = profile
        self._news = News() if news is None else news
        self._binders = profile.bind if binder is None else (binder, *profile.bind)
        self.can_reject = bool(profile.reserve or profile.permit)

    def can_wait(self, pod: PodInfo) -> bool:
        """Tell whether a plugin may take its time before a pod is bound."""
        return self.can_reject or any(plugin.prepares(pod) for plugin in self._profile.pre_bind)

    async def reserve_and_permit(self, pod: PodInfo, node_name: str) -> None:
        """Return when all plugins agree to the binding; raises Rejected."""
        for reserve in self._profile.reserve:
            await self._ask(reserve, reserve.reserve, pod, node_name)
        for permit in self._profile.permit:
            await self._ask(permit, permit.permit, pod, node_name)

    async def pre_bind(self, pod: PodInfo, node_name: str, is_gone: Callable[[], bool] = lambda: False) -> None:
        """Prepare the binding, as long as the pod is not gone; raises Rejected."""
        for plugin in self._profile.pre_bind:
            if not plugin.prepares(pod):
                continue
            try:
                async with asyncio.timeout(plugin.pre_bind_seconds) as allowed:
                    await self._until_prepared(plugin, pod, node_name, is_gone)
            except TimeoutError as error:
                if not allowed.expired():
                    raise
                raise _failed_to_prepare(plugin, plugin.late) from error

    async def _until_prepared(self, plugin: Any, pod: PodInfo, node_name: str, is_gone: Callable[[], bool]) -> None:
        while True:
            news = self._news.next
            status = await plugin.pre_bind(self._cluster, pod, node_name)
            if status is None or status.code is not Code.Wait:
                return _require(status, plugin)
            await news.wait()
            if is_gone():
                raise _failed_to_prepare(plugin, f'pod does not exist any more: pod "{pod.pod.name}" not found')

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
        _require(await effect(self._cluster, pod, node_name), plugin)


def _require(status: Status | None, plugin: object) -> None:
    if status is not None and status.code not in (Code.Success, Code.Skip):
        raise Rejected(_named(status, plugin))


def _failed_to_prepare(plugin: Any, problem: str) -> Rejected:
    return Rejected(Status(Code.Error, (f'running PreBind plugin "{plugin.name}": {problem}',), plugin.name))


def _named(status: Status, plugin: object) -> Status:
    return Status(status.code, status.reasons, getattr(plugin, "name", ""))
