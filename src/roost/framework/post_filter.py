"""Asks PostFilter plugins in turn what can be done for a pod that fits nowhere, and makes one plan of their answers."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from roost.errors import PluginError
from roost.framework.ask import ask
from roost.framework.judge import Judge
from roost.framework.memory import LiveView
from roost.framework.plan import Plan
from roost.framework.plugin import Context
from roost.framework.pod_info import PodInfo
from roost.framework.stages import Filtered
from roost.framework.status import Code, Status


def find_plan(
    plugins: Sequence[Any], ctx: Context, pod: PodInfo, view: LiveView, filtered: Filtered, judge: Judge
) -> Plan:
    """Return the first plan that succeeds, or that ends the matter; else the reasons of all why nothing helps."""
    reasons: list[str] = []
    found = Plan()
    for plugin in plugins:
        plan = _asked(plugin, ctx, pod, view, filtered, judge)
        if plan is None:
            continue
        code = plan.status.code
        if code in (Code.Success, Code.UnschedulableAndUnresolvable):
            return replace(plan, before=tuple(reasons))
        if code is not Code.Unschedulable:
            return Plan(plan.status)
        reasons += plan.status.reasons
        if plan.nominated is not None:
            found = plan
    return replace(found, status=Status(Code.Unschedulable, tuple(reasons)))


def _asked(plugin: Any, ctx: Context, pod: PodInfo, view: LiveView, filtered: Filtered, judge: Judge) -> Plan | None:
    try:
        answer = ask(plugin, plugin.post_filter, ctx, pod, view, filtered, judge)
    except PluginError as error:
        return Plan(Status(Code.Error, (str(error),)))
    return Plan(answer) if isinstance(answer, Status) else answer
