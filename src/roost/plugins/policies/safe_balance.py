"""SafeBalance: the node whose CPU and memory would be used least and most steadily with the pod, by what was measured.

Score of a resource with mean m and standard deviation s of its utilisation (shares of allocatable, 0…1):

    trunc((1 - (m + sqrt(s)) / 2) * highest + 0.5)        highest = 100, or 10 on the scale of extenders

The lower score of CPU and memory counts, or that of the one of which something is known. A node of which nothing is
known scores the mean of the others that fit. Where the numbers come from: `roost.framework.measured_usage`.

From agent safe of IBM/kube-safe-scheduler; `compat: original` restores its numbers.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from roost.framework.measured_usage import (
    FORECAST_WEIGHT,
    UNKNOWN,
    MeasuredUsageArgs,
    check_percent,
    fill_unknown,
    lowest_known,
    percent_from,
    utilization,
)
from roost.framework.plugin import Context, Plugin, Scores, Surroundings
from roost.framework.pod_info import PodInfo
from roost.framework.resources import Int64
from roost.framework.view import Float64, Rows, View


class SafeBalanceArgs(MeasuredUsageArgs):
    """How much a forecast counts."""


class SafeBalance(Plugin):
    """Prefer nodes with little measured utilisation that varies little."""

    name = "SafeBalance"
    args_type = SafeBalanceArgs
    reads = frozenset({"node", "annotations"})
    pod_reads = ("requests",)
    webhook = "safe-balance"

    def __init__(self, args: SafeBalanceArgs | None = None) -> None:
        super().__init__(args)
        check_percent("forecastWeight", self.args.forecast_weight)
        self.scale = self.args.effective_scale
        if self.args.is_original:
            self.idle_at = frozenset({"normalize"})

    @classmethod
    def defaults(cls, around: Surroundings, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return `forecastWeight` from SAFEFORECASTWEIGHT."""
        weight = None if "forecastWeight" in given else percent_from(around, "SAFEFORECASTWEIGHT", FORECAST_WEIGHT)
        return {} if weight is None else {"forecastWeight": weight}

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        """Return the lower score of the two resources on each row; of unknown rows `UNKNOWN`, originally 0."""
        used = utilization(self.args, pod, view, rows)
        scores = balance_scores(used.mean, used.spread, self.args.highest)
        return lowest_known(scores, used.known, 0 if self.args.is_original else UNKNOWN)

    def normalize(self, ctx: Context, pod: PodInfo, scores: Int64) -> Int64:
        """Give nodes of which nothing is known the mean of the others."""
        return fill_unknown(scores, self.args.highest)


def balance_scores(mean: Float64, spread: Float64, highest: int) -> Int64:
    """Return scores of 0 to `highest`; 0 for NaN, where the original overflowed."""
    imbalance = (np.minimum(mean, 1) + np.sqrt(spread)) / 2
    scores = (1 - imbalance) * highest + 0.5
    return np.where(np.isnan(scores), 0.0, scores).astype(np.int64)
