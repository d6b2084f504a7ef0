"""Where an evicted pod would go: the decision core with two more plugins, asked about a cluster as it would be."""

from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace

from roost.framework.plugin import Context, Plugin, Scores, Verdicts
from roost.framework.pod_info import PodInfo
from roost.framework.profile import Profile, Scorer
from roost.framework.resources import Int64
from roost.framework.stages import named
from roost.framework.status import unschedulable
from roost.framework.view import Rows, View

NOT_A_PLACE = unschedulable("node(s) are no spot nodes that can take pods")


class OnlyThese(Plugin):
    """Reject all nodes but those of some names."""

    name = "OnlyThese"
    reads = frozenset({"node"})
    pod_reads = ()

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self._names = frozenset(names)

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        """Reject rows of other names."""
        return Verdicts.rejecting(~named(view, self._names)[rows], NOT_A_PLACE)


class InThisOrder(Plugin):
    """Prefer nodes in a given order: with it as the only scorer, the first that fits is chosen."""

    name = "InThisOrder"
    reads = frozenset({"node"})
    pod_reads = ()
    scale = "rank"

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self._places = {name: len(names) - place for place, name in enumerate(names)}

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        """Return the number of names from a row's on."""
        scores: Int64 = np.zeros(view.size, dtype=np.int64)
        for name, score in self._places.items():
            scores[list(view.rows_named(name))] = score
        chosen: Int64 = scores[rows]
        return chosen


def landing_profile(profile: Profile, places: Sequence[str], *, first_fit: bool = False) -> Profile:
    """Return a profile that decides as the given one, but only for nodes of these names.

    With `first_fit` the first of them that the filters let through is taken, and not the best. Nobody is preempted.
    """
    restricted = replace(profile, filter=(OnlyThese(places), *profile.filter), post_filter=())
    if not first_fit:
        return restricted
    return replace(restricted, pre_score=(), score=(Scorer(InThisOrder(places), 1),))
