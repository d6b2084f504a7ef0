"""The simple form of a policy, lifted to columns: five lines stay five lines.

    class Cheap:
        def score(self, pod, node) -> float: ...      # 0…100, more is better
        def filter(self, pod, node) -> bool | str: ...  # False, or the reason why not

`pod` and `node` are plain `roost.api` objects. One call per node, remembered as every answer is; a policy that reads a
pod's name or uid, time or dice says `remember = False`.
"""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from roost.framework.plugin import MAX_EXTENDER_SCORE, MAX_NODE_SCORE, Args, Context, Plugin, Scores, Verdicts
from roost.framework.pod_info import PARTS, PodInfo
from roost.framework.status import SUCCESS, Status, unschedulable
from roost.framework.view import Bool, Rows, View

_MOST_REASONS = 32_000
_HIGHEST = {"percent": MAX_NODE_SCORE, "extender": MAX_EXTENDER_SCORE, "rank": 1 << 31}


class _Lifted(Plugin):
    policy_type: ClassVar[type]
    reads: frozenset[str] = frozenset({"node", "annotations"})
    pod_reads: tuple[str, ...] = PARTS

    def __init__(self, args: Any = None) -> None:
        super().__init__(args)
        self.policy = self.policy_type() if args is None or type(args) is Args else self.policy_type(args)
        self.remember = bool(getattr(self.policy, "remember", True))


class _LiftedFilter(_Lifted):
    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        """Ask the policy about each node."""
        numbers = _numbers(view, rows)
        codes = np.zeros(len(numbers), dtype=np.int16)
        statuses: list[Status] = [SUCCESS]
        known: dict[str, int] = {}
        for position, row in enumerate(numbers.tolist()):
            answer = self.policy.filter(pod.pod, view.node(row)) if view.alive[row] else True
            if answer is None or (answer and not isinstance(answer, str)):
                continue
            reason = answer if answer and len(statuses) < _MOST_REASONS else f"node(s) rejected by {self.name}"
            if reason not in known:
                known[reason] = len(statuses)
                statuses.append(unschedulable(reason))
            codes[position] = known[reason]
        return Verdicts(codes, statuses)


class _LiftedScore(_Lifted):
    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        """Ask the policy about each node; scores are truncated, and brought into the range of the scale."""
        numbers, policy, plain = _numbers(view, rows), self.policy, pod.pod
        asked = self._asked(ctx, pod, view, rows).tolist()
        values = [
            policy.score(plain, view.node(row)) if is_asked else 0
            for row, is_asked in zip(numbers.tolist(), asked, strict=True)
        ]
        scores = np.array(values, dtype=np.float64)
        if np.isnan(scores).any():
            wrong = int(np.flatnonzero(np.isnan(scores))[0])
            raise ValueError(f"the score of node {view.name(int(numbers[wrong]))} is {values[wrong]}, not a number")
        return np.clip(scores, 0, _HIGHEST[self.scale]).astype(np.int64)

    def _asked(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Bool:
        """Return which of the rows the policy is asked about."""
        alive: Bool = view.alive[rows]
        return alive


class _LiftedBoth(_LiftedFilter, _LiftedScore):
    def _asked(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Bool:
        """Leave out what the policy itself rejects: it may not be able to score that."""
        verdicts = self.filter(ctx, pod, view, rows)
        asked = super()._asked(ctx, pod, view, rows)
        return asked if verdicts is None else asked & (verdicts.codes == 0)


def lift(policy: type) -> type[Plugin]:
    """Return a plugin class that asks a simple policy class about one node at a time.

    Raises TypeError if the class has neither `score(pod, node)` nor `filter(pod, node)`.
    """
    has_filter, has_score = hasattr(policy, "filter"), hasattr(policy, "score")
    if not has_filter and not has_score:
        raise TypeError(f"{policy.__name__} has neither def score(self, pod, node) nor def filter(self, pod, node)")
    base = _LiftedBoth if has_filter and has_score else _LiftedFilter if has_filter else _LiftedScore
    fields = {
        key: getattr(policy, key)
        for key in ("args_type", "weight", "scale", "reads", "pod_reads", "webhook")
        if hasattr(policy, key)
    }
    name = getattr(policy, "name", policy.__name__)
    return type(policy.__name__, (base,), {"__doc__": policy.__doc__, "policy_type": policy, "name": name, **fields})


def _numbers(view: View, rows: Rows) -> NDArray[np.intp]:
    return np.arange(view.size) if isinstance(rows, slice) else rows
