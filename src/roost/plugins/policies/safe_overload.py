"""SafeOverload: no node that is likely to be overloaded, and the one with the least risk, by what was measured.

    risk of a resource    the probability that its utilisation, the pod counted in, exceeds `utilization` percent
    filter                rejects a node where the risk of CPU or of memory is above `percentile` percent
    score of a resource   trunc((1 - sqrt(risk / percentile)) * highest), 0 where the risk is not below the percentile;
                          highest = 100, or 10 on the scale of extenders

The lower score of CPU and memory counts, or that of the one of which something is known. A node of which nothing is
known passes, and scores the mean of the others that fit. Where the numbers come from: `roost.framework.measured_usage`,
what the risk is: `roost.framework.overload_risk`. `explain` writes down all that goes into a verdict.

From agent safe of IBM/kube-safe-scheduler; `compat: original` restores its numbers.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from roost.framework.beta import cumulative, density, fit_moments, mean_excess
from roost.framework.measured_usage import (
    FORECAST_WEIGHT,
    RESOURCES,
    UNKNOWN,
    MeasuredUsageArgs,
    Utilization,
    check_percent,
    fill_unknown,
    lowest_known,
    percent_from,
    utilization,
)
from roost.framework.overload_risk import fit_shape, original_overload_risk, overload_risk
from roost.framework.plugin import Context, Plugin, Scores, Surroundings, Verdicts
from roost.framework.pod_info import PodInfo
from roost.framework.resources import Int64
from roost.framework.status import SUCCESS, Status, unresolvable
from roost.framework.view import Float64, Rows, View

UTILIZATION, PERCENTILE = 90, 30

_VARIABLES = {
    "utilization": ("SAFEUTILIZATION", UTILIZATION),
    "percentile": ("SAFEPERCENTILE", PERCENTILE),
    "forecastWeight": ("SAFEFORECASTWEIGHT", FORECAST_WEIGHT),
}
_PRINT_TABLE = "SAFEPRINTTABLE"


class SafeOverloadArgs(MeasuredUsageArgs):
    """The limit of utilisation and the risk that is taken, in percent; whether `explain` adds the distribution."""

    utilization: int = UTILIZATION
    percentile: int = PERCENTILE
    print_table: bool = False


class SafeOverload(Plugin):
    """Reject nodes that are likely to be overloaded by measured utilisation; prefer those with little risk."""

    name = "SafeOverload"
    args_type = SafeOverloadArgs
    reads = frozenset({"node", "annotations"})
    pod_reads = ("requests",)
    webhook = "safe-overload"

    def __init__(self, args: SafeOverloadArgs | None = None) -> None:
        super().__init__(args)
        given: SafeOverloadArgs = self.args
        check_percent("utilization", given.utilization)
        check_percent("percentile", given.percentile)
        check_percent("forecastWeight", given.forecast_weight)
        self.scale = given.effective_scale
        self._highest_risk = given.percentile / 100
        self._statuses = statuses(given)
        self._last: tuple[tuple[bytes, bytes], Float64] = ((b"", b""), np.empty((len(RESOURCES), 0)))
        if given.is_original:
            self.idle_at = frozenset({"normalize"})

    @classmethod
    def defaults(cls, around: Surroundings, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return arguments from the variables of the original, SAFEUTILIZATION and so on."""
        found: dict[str, Any] = {}
        for argument, (variable, default) in _VARIABLES.items():
            percent = None if argument in given else percent_from(around, variable, default)
            if percent is not None:
                found[argument] = percent
        if "printTable" not in given and around.environ.get(_PRINT_TABLE) == "true":
            found["printTable"] = True
        return found

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        """Reject rows whose CPU or memory is too likely to be overloaded."""
        used = utilization(self.args, pod, view, rows)
        too_risky = used.known & (self._risks(used) > self._highest_risk)
        if not too_risky.any():
            return None
        return Verdicts((too_risky[0] + 2 * too_risky[1]).astype(np.int16), self._statuses)

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        """Return the lower score of the two resources on each row; of unknown rows `UNKNOWN`, originally 0."""
        used = utilization(self.args, pod, view, rows)
        scores = overload_scores(self.args, self._risks(used))
        return lowest_known(scores, used.known, 0 if self.args.is_original else UNKNOWN)

    def normalize(self, ctx: Context, pod: PodInfo, scores: Int64) -> Int64:
        """Give nodes of which nothing is known the mean of the others."""
        return fill_unknown(scores, self.args.highest)

    def _risks(self, used: Utilization) -> Float64:
        """Return the risk of each resource on each row, of no meaning where nothing is known of it.

        A pod is scored right after it is filtered, mostly on the same rows: the last answer is kept for that.
        """
        asked, (known, risk) = (used.mean.tobytes(), used.spread.tobytes()), self._last
        if asked != known:
            risk = overload_risk_of(self.args)(used.mean, used.spread, self.args.utilization / 100)
            self._last = (asked, risk)
        return risk


def statuses(args: SafeOverloadArgs) -> tuple[Status, ...]:
    """Return the verdicts: fits, too risky in CPU, memory, both. Removing pods would not alter what was measured."""
    cpu, memory = (
        f"node(s) would exceed {args.utilization} percent {resource} utilization "
        f"with probability above {args.percentile / 100:.2f}"
        for resource in RESOURCES
    )
    return (SUCCESS, unresolvable(cpu), unresolvable(memory), unresolvable(cpu, memory))


def overload_risk_of(args: SafeOverloadArgs) -> Callable[[Float64, Float64, float], Float64]:
    """Return how to work out the risk: as it is, or as the original did."""
    return original_overload_risk if args.is_original else overload_risk


def overload_scores(args: SafeOverloadArgs, risk: Float64) -> Int64:
    """Return scores of 0 to the highest; without any risk to take, a risk of 0 is the highest and others 0.

    The original divided 0 by 0 then and overflowed: 0 in place of that.
    """
    most = args.percentile / 100
    if most == 0:
        share = np.where((risk == 0) & (not args.is_original), 0.0, 1.0)
    else:
        share = np.minimum(risk / most, 1)
    return ((1 - np.sqrt(share)) * args.highest).astype(np.int64)


def explain(policy: SafeOverload, pod: PodInfo, view: View, node_name: str) -> str:
    """Return what the policy says of a pod on a node, and the numbers behind it, as lines of text.

    With `printTable`, the distribution of each resource is added as `risk_table` has it. For a look at a node, not for
    hot paths; raises KeyError if there is no such node.
    """
    rows = np.array(view.rows_named(node_name), dtype=np.intp)
    if not len(rows):
        raise KeyError(node_name)
    verdicts = policy.filter(Context(), pod, view, rows)
    said = "fits" if verdicts is None else verdicts.statuses[verdicts.codes[0]].message
    used = utilization(policy.args, pod, view, rows)
    lines = [f"{policy.name}: pod {pod.key} on node {node_name}: {said}"]
    for i, resource in enumerate(RESOURCES):
        known, mean, spread = bool(used.known[i, 0]), used.mean[i], used.spread[i]
        lines += _explained(policy.args, resource, mean, spread) if known else [f"{resource}: nothing is known"]
    return "\n".join(lines)


def risk_table(alpha: float, beta: float) -> list[tuple[float, float, float, float]]:
    """Return x = 0, 0.05 … 1 with the density, the probability of at most x, and the mean excess above x."""
    x = np.arange(21) / 20
    a, b = np.array(float(alpha)), np.array(float(beta))
    columns = (x, density(x, a, b), cumulative(x, a, b), mean_excess(x, a, b))
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _explained(args: SafeOverloadArgs, resource: str, mean: Float64, spread: Float64) -> Iterator[str]:
    risk = overload_risk_of(args)(mean, spread, args.utilization / 100)
    alpha, beta, fits = fit_moments(mean, spread**2 + mean**2) if args.is_original else fit_shape(mean, spread)[:3]
    has_shape = bool(fits[0] and np.isfinite(alpha[0] + beta[0]))
    yield (
        f"{resource}: mean {mean[0]:.4f}, standard deviation {spread[0]:.4f}, "
        + (f"alpha {alpha[0]:.6g}, beta {beta[0]:.6g}" if has_shape else "no beta distribution")
        + f"; risk of more than {args.utilization}% is {risk[0]:.6g}, score {overload_scores(args, risk)[0]}"
    )
    if args.print_table and has_shape:
        yield "        x   density      P<=x    excess"
        yield from (" ".join(f"{number:>9.4g}" for number in line) for line in risk_table(alpha[0], beta[0]))
