"""A profile: which plugins decide for the pods of one scheduler name, at which extension point, with which weight."""

from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct

from roost.framework.plugin import (
    EXTENSION_POINTS,
    BindPlugin,
    NormalizePlugin,
    PermitPlugin,
    Plugin,
    PostBindPlugin,
    PostFilterPlugin,
    PreEnqueuePlugin,
    QueueSortPlugin,
    ReservePlugin,
)

Tie = Literal["first", "spread", "random"]


class Scorer(Struct, frozen=True):
    """A score plugin and its weight in this profile."""

    plugin: Any
    weight: int


class Profile(Struct, frozen=True, kw_only=True):
    """Plugins in the order they are asked, one tuple per extension point.

    `tie` says which of several best nodes wins: "first" by name, "spread" by a hash of pod and node, or "random" by the
    cycle's seed.
    """

    scheduler_name: str = "roost"
    pre_enqueue: tuple[PreEnqueuePlugin, ...] = ()
    queue_sort: QueueSortPlugin | None = None
    pre_filter: tuple[Any, ...] = ()
    filter: tuple[Any, ...] = ()
    post_filter: tuple[PostFilterPlugin, ...] = ()
    pre_score: tuple[Any, ...] = ()
    score: tuple[Scorer, ...] = ()
    reserve: tuple[ReservePlugin, ...] = ()
    permit: tuple[PermitPlugin, ...] = ()
    pre_bind: tuple[Any, ...] = ()
    bind: tuple[BindPlugin, ...] = ()
    post_bind: tuple[PostBindPlugin, ...] = ()
    tie: Tie = "first"

    @classmethod
    def of(cls, plugins: Sequence[Plugin], *, scheduler_name: str = "roost", tie: Tie = "first") -> "Profile":
        """Return a profile that uses each plugin wherever it implements something of use, with its default weight."""
        by_point: dict[str, Any] = {
            field: tuple(p for p in plugins if _is_of_use(p, point)) for field, point in _TUPLES
        }
        scorers = tuple(Scorer(p, p.weight) for p in plugins if _is_of_use(p, "score"))
        sorter = next((p for p in plugins if isinstance(p, QueueSortPlugin)), None)
        return cls(scheduler_name=scheduler_name, tie=tie, score=scorers, queue_sort=sorter, **by_point)

    @property
    def reads(self) -> frozenset[str]:
        """What any plugin that decides reads: aspects of nodes, and epochs."""
        plugins = (*self.pre_filter, *self.filter, *self.post_filter, *self.pre_score, *(s.plugin for s in self.score))
        return frozenset().union(*(plugin.reads | (plugin.pre_reads or frozenset()) for plugin in plugins))

    @property
    def can_look_ahead(self) -> bool:
        """Whether identical pods may be decided from one evaluation and hypothetical rows.

        That holds where every answer is local to its node and remembered, nothing that looks at all nodes beforehand
        reads what placed pods can change, no such raw score is normalised over all nodes, and ties go to the first. A
        plugin that is not local must be able to skip pods, and is in nobody's way as long as it does.
        """
        ahead = {*self.pre_filter, *self.pre_score}
        looks = not any("usage" in (p.reads if p.pre_reads is None else p.pre_reads) for p in ahead)
        scorers = [scorer.plugin for scorer in self.score]
        local = all(p.remember or p in self.pre_filter for p in self.filter)
        local = local and all(p.remember or p in self.pre_score for p in scorers)
        stable = not any(p.remember and "usage" in p.reads and _normalizes(p) for p in scorers)
        return looks and local and stable and self.tie == "first"


_TUPLES = (
    ("pre_enqueue", "preEnqueue"),
    ("pre_filter", "preFilter"),
    ("filter", "filter"),
    ("post_filter", "postFilter"),
    ("pre_score", "preScore"),
    ("reserve", "reserve"),
    ("permit", "permit"),
    ("pre_bind", "preBind"),
    ("bind", "bind"),
    ("post_bind", "postBind"),
)


def _is_of_use(plugin: Plugin, point: str) -> bool:
    return isinstance(plugin, EXTENSION_POINTS[point]) and point not in plugin.idle_at


def _normalizes(plugin: Any) -> bool:
    return "normalize" not in plugin.idle_at and isinstance(plugin, NormalizePlugin)
