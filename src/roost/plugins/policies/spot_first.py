"""SpotFirst: spot nodes while one of them fits, on-demand nodes after that.

Score: 100 for a spot node, 0 for any other. A node is a spot node if a label or a taint of its own says so: one of
`SPOT_MARKS`, or of the argument `labels`, where "key=value" asks for that value and "key" for any. A node of which
nothing is known counts as on-demand: taking it for a spot node would let it go first and lose pods.

Filter: a spot taint (a NoSchedule or NoExecute taint that marks a spot node, as AKS gives it) that the pod does not
tolerate is named in the reason. This rejects nothing that TaintToleration does not reject. Of a node's rejections only
the first counts, so a profile that should say it lists SpotFirst among its filters, which puts it before the default
ones. Where every node has such a taint, the pod is turned away with that reason before any filter is asked.

From the nodes that pusher's k8s-spot-rescheduler drains pods to; its labels are among the known ones.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from roost.api.spot import SPOT_MARKS, Mark
from roost.api.taints import Taint
from roost.errors import ConfigError
from roost.framework.plugin import MAX_NODE_SCORE, Args, Context, Plugin, Scores, Verdicts
from roost.framework.pod_info import PodInfo
from roost.framework.status import SUCCESS, Status, unresolvable
from roost.framework.view import Bool, Rows, View

_HARD = ("NoSchedule", "NoExecute")


class SpotFirstArgs(Args):
    """Labels that mark a spot node besides the known ones: "key=value", or "key" for any value."""

    labels: tuple[str, ...] = ()


class SpotFirst(Plugin):
    """Prefer spot nodes, and name the spot taint that keeps a pod away."""

    name = "SpotFirst"
    args_type = SpotFirstArgs
    reads = frozenset({"node"})
    pod_reads = ("tolerations",)

    def __init__(self, args: SpotFirstArgs | None = None) -> None:
        super().__init__(args)
        own = [_mark(text, f"labels[{i}]") for i, text in enumerate(self.args.labels)]
        self._marks = frozenset([*(_mark(text, "SPOT_MARKS") for text in SPOT_MARKS), *own])

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        """Reject rows with an untolerated spot taint, naming it."""
        statuses = [SUCCESS]
        codes = np.zeros(len(view.taint_sets), dtype=np.int16)
        for i, taints in enumerate(view.taint_sets):
            blocking = self._blocking(pod, taints)
            if blocking:
                codes[i] = len(statuses)
                statuses.append(_rejection(blocking))
        return Verdicts(codes[view.taint_set[rows]], statuses) if len(statuses) > 1 else None

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        """Return 100 for spot nodes."""
        spot = self._is_spot(view, rows)
        return spot * np.int64(MAX_NODE_SCORE) if spot.any() else 0

    def _is_spot(self, view: View, rows: Rows) -> Bool:
        tainted = [any(self._is_mark(taint) for taint in taints) for taints in view.taint_sets]
        spot: Bool = np.array(tainted, dtype=np.bool_)[view.taint_set[rows]]
        for key, value in self._marks:
            column = view.label(key)
            ids = column.ids[rows]
            spot |= ids != 0 if value is None else ids == column.index.get(value, -1)
        return spot

    def _is_mark(self, taint: Taint) -> bool:
        return (taint.key, taint.value) in self._marks or (taint.key, None) in self._marks

    def _blocking(self, pod: PodInfo, taints: Sequence[Taint]) -> list[Taint]:
        """Return the spot taints that keep the pod away."""
        hard = [taint for taint in taints if taint.effect in _HARD and self._is_mark(taint)]
        tolerations = pod.pod.spec.tolerations or ()
        return [taint for taint in hard if not any(t.tolerates(taint) for t in tolerations)]


def _mark(text: str, field: str) -> Mark:
    key, equals, value = text.partition("=")
    if not key.strip() or "=" in value:
        raise ConfigError(f"{field}: must be a label as key or key=value, not '{text}'")
    return key.strip(), value.strip() if equals else None


def _rejection(taints: Iterable[Taint]) -> Status:
    """Return a rejection with a reason for each different taint."""
    texts = dict.fromkeys(_text(taint) for taint in taints)
    return unresolvable(*(f"node(s) are spot nodes with taint {text} that the pod does not tolerate" for text in texts))


def _text(taint: Taint) -> str:
    return f"{taint.key}={taint.value}:{taint.effect}" if taint.value else f"{taint.key}:{taint.effect}"
