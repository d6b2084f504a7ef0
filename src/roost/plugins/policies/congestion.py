"""Congestion: the node with the lowest congestion number, which somebody measures and writes into an annotation.

Score: with the congestion c of 0 … max (what is below or above counts as 0 or max),

    trunc(highest * (1 - c / max) + 0.5)        highest = 100, or 10 on the scale of extenders

A node without the annotation, with one that is no number, or with one that is too old, is one of which nothing is
known: it scores the mean of the others that fit, rounded, so that it is neither preferred nor shunned; half of the
highest if nothing is known of any.

From agent congestion of IBM/kube-safe-scheduler, which took whatever is no whole number for no congestion at all, and
never looked how old it is; `compat: original` restores both.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from roost.errors import ConfigError
from roost.framework.measure import CONGESTION_AT, Measure, read_number
from roost.framework.measured_usage import UNKNOWN, fill_unknown
from roost.framework.plugin import Context, Plugin, ScaledArgs, Scores, Surroundings
from roost.framework.pod_info import PodInfo
from roost.framework.resources import Int64
from roost.framework.view import Rows, View

ANNOTATION = "congestion-factor"
VARIABLE = "CONGESTION_FACTOR_MAX"
MAX = 100

_WHOLE = re.compile(r"([+-]?)0*([0-9]{1,19})")


class CongestionArgs(ScaledArgs):
    """The congestion from which on a node scores 0."""

    max: float = MAX


def read_whole(text: str) -> float | None:
    """Return a whole number as Go reads it: digits with a sign at most, within 64 bits."""
    found = _WHOLE.fullmatch(text)
    if found is None:
        return None
    number = int(found[1] + found[2])
    return float(number) if -(2**63) <= number < 2**63 else None


CONGESTION = Measure(ANNOTATION, read_number, CONGESTION_AT)
WHOLE_CONGESTION = Measure(ANNOTATION, read_whole)


class Congestion(Plugin):
    """Prefer nodes with little congestion, whatever the pod."""

    name = "Congestion"
    args_type = CongestionArgs
    reads = frozenset({"annotations"})
    pod_reads = ()
    webhook = "congestion"

    def __init__(self, args: CongestionArgs | None = None) -> None:
        super().__init__(args)
        if not 0 < self.args.max < float("inf"):
            raise ConfigError(f"max: must be a number above 0, not {self.args.max:g}")
        self.scale = self.args.effective_scale
        if self.args.is_original:
            self.idle_at = frozenset({"normalize"})

    @classmethod
    def defaults(cls, around: Surroundings, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return `max` from CONGESTION_FACTOR_MAX."""
        text = around.environ.get(VARIABLE, "")
        if "max" in given or not text:
            return {}
        number = read_whole(text)
        if number is None or number <= 0:
            around.warn(f"{VARIABLE}: must be a whole number above 0, not '{text}'; {MAX} is used")
            return {}
        return {"max": number}

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        """Return the score of each row's congestion, or `UNKNOWN`."""
        is_original = self.args.is_original
        measured = view.measured(WHOLE_CONGESTION if is_original else CONGESTION)
        known = measured.known[rows] & measured.fresh[rows]
        congestion = np.clip(np.where(known, measured.values[rows], 0), 0, self.args.max)
        scores = (self.args.highest * (1 - congestion / self.args.max) + 0.5).astype(np.int64)
        return scores if is_original else np.where(known, scores, UNKNOWN)

    def normalize(self, ctx: Context, pod: PodInfo, scores: Int64) -> Int64:
        """Give nodes of which nothing is known the mean of the others."""
        return fill_unknown(scores, self.args.highest)
