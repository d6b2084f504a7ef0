"""Asks one plugin through the real cycle, on a small world of nodes and of pods that are on them."""

from collections.abc import Iterable, Mapping
from typing import Protocol

import pytest

from roost.api.node import Node
from roost.api.pod import Pod
from roost.cache import Cache
from roost.framework.cycle import Cycle
from roost.framework.decision import ScoreRow, Table
from roost.framework.plugin import Context, Plugin
from roost.framework.profile import Profile, Scorer
from roost.framework.status import Status


class Judge(Protocol):
    """Returns what a plugin rejects, by node name; nodes that fit are not in it."""

    def __call__(
        self, plugin: Plugin, pod: Pod, nodes: Iterable[Node], pods: Iterable[Pod] = ()
    ) -> Mapping[str, Status]: ...


class Rate(Protocol):
    """Returns a plugin's scores by node name, None if the plugin skips itself; its filter is not asked."""

    def __call__(
        self, plugin: Plugin, pod: Pod, nodes: Iterable[Node], pods: Iterable[Pod] = ()
    ) -> dict[str, int] | None: ...


@pytest.fixture
def judge() -> Judge:
    def rejections(plugin: Plugin, pod: Pod, nodes: Iterable[Node], pods: Iterable[Pod] = ()) -> Mapping[str, Status]:
        verdicts = decided(Profile.of([plugin]), pod, nodes, pods).verdicts
        return {name: verdict.status for name, verdict in verdicts.items() if not verdict.feasible}

    return rejections


@pytest.fixture
def rate() -> Rate:
    def raw_scores(plugin: Plugin, pod: Pod, nodes: Iterable[Node], pods: Iterable[Pod] = ()) -> dict[str, int] | None:
        rows = rated(plugin, pod, nodes, pods)
        return {name: row.raw[plugin.name] for name, row in rows.items()} if any(r.raw for r in rows.values()) else None

    return raw_scores


@pytest.fixture
def weigh() -> Rate:
    """Like `rate`, but normalised and times the plugin's own weight."""

    def scores(plugin: Plugin, pod: Pod, nodes: Iterable[Node], pods: Iterable[Pod] = ()) -> dict[str, int]:
        return {name: row.total for name, row in rated(plugin, pod, nodes, pods).items()}

    return scores


def rated(plugin: Plugin, pod: Pod, nodes: Iterable[Node], pods: Iterable[Pod]) -> Mapping[str, ScoreRow]:
    pre_score = (plugin,) if hasattr(plugin, "pre_score") else ()
    return decided(Profile(pre_score=pre_score, score=(Scorer(plugin, plugin.weight),)), pod, nodes, pods).scores


def decided(profile: Profile, pod: Pod, nodes: Iterable[Node], pods: Iterable[Pod]) -> Table:
    cache = Cache()
    for node in nodes:
        cache.set_node(node)
    for placed in pods:
        cache.set_pod(placed)
    decision = Cycle(profile).decide(cache.pod_info(pod), cache.view, Context())
    assert decision.outcome != "error", decision.message
    return decision.freeze()
