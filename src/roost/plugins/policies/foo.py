"""Foo: every node fits, and all are as good; the smallest policy that filters and scores, to copy from.

Score: a tenth of the highest: 1 on the scale of extenders, 10 of 100.

From agent foo of IBM/kube-safe-scheduler, its template for new agents.
"""

from roost.framework.plugin import Context, Plugin, ScaledArgs, Scores, Verdicts
from roost.framework.pod_info import PodInfo
from roost.framework.view import Rows, View


class FooArgs(ScaledArgs):
    """The scale, and no more."""


class Foo(Plugin):
    """Accept every node and score it with a tenth of the highest."""

    name = "Foo"
    args_type = FooArgs
    reads = frozenset()
    pod_reads = ()
    webhook = "foo"

    def __init__(self, args: FooArgs | None = None) -> None:
        super().__init__(args)
        self.scale = self.args.effective_scale

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        """Reject no row."""
        return None

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        """Return the same number for all rows."""
        tenth: int = self.args.highest // 10
        return tenth
