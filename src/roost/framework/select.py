"""Which of the best nodes: ties go to the first name, are spread by a hash, or are drawn with a seed."""

from hashlib import blake2b

import numpy as np

from roost.framework.masks import all_true
from roost.framework.plugin import Context
from roost.framework.pod_info import PodInfo
from roost.framework.profile import Tie
from roost.framework.resources import Int64
from roost.framework.view import Bool, View

_NONE = np.iinfo(np.int64).min
_MIX = np.uint64(0x9E3779B97F4A7C15)


def best_rows(view: View, feasible: Bool, total: Int64, count: int, tie: Tie, pod: PodInfo, ctx: Context) -> list[int]:
    """Return up to `count` feasible rows, the highest totals first, equal ones in the order of the tie rule."""
    order = view.rank if tie == "first" else _shuffled(view, tie, pod, ctx)
    key = total * np.int64(view.size)
    key -= order
    if not all_true(feasible):
        key[~feasible] = _NONE
    rows: list[int] = []
    for _ in range(count):
        row = int(key.argmax())
        if key[row] == _NONE:
            break
        rows.append(row)
        key[row] = _NONE
    return rows


def _shuffled(view: View, tie: Tie, pod: PodInfo, ctx: Context) -> Int64:
    """Return a permutation of the rows that pod and node names (spread) or seed and cycle number (random) decide."""
    dice = pod.uid or pod.key if tie == "spread" else f"{ctx.seed}/{ctx.cycle}"
    salt = np.uint64(int.from_bytes(blake2b(dice.encode(), digest_size=8).digest(), "little"))
    mixed = (view.name_hash ^ salt) * _MIX
    mixed ^= mixed >> np.uint64(29)
    order = np.empty(view.size, dtype=np.int64)
    order[np.argsort(mixed, kind="stable")] = np.arange(view.size)
    return order
