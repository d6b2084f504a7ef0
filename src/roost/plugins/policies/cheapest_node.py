"""CheapestNode: the node with the lowest price per hour; nodes without a price come last.

A price is a decimal number such as 0.05, in whatever currency, the same on all nodes. It stands in an annotation or a
label: of `priceKey` if that is given, else of `roost.dev/price-per-hour`, else of `hightower.com/cost`. An annotation
goes before a label of the same key, since prices that change are written there. What is no price (no number, negative,
NaN, infinite) is passed over, and a node with none left counts as one without: it fails nobody.

Score: of k different prices among the nodes that fit, k for the lowest, k - 1 for the next … 1 for the highest, 0 for
no price. Summed as it is, so any two prices that differ as float64 differ in score. The raw score is the bit pattern of
the price, which orders as the price does; -1 stands for none.

From kelseyhightower/scheduler, which compared at float32 precision, let NaN and negative prices win, and left the pod
unscheduled for one price it could not read.
"""

import math
import re
from collections.abc import Iterable

import numpy as np

from roost.api.node import Node
from roost.errors import ConfigError
from roost.framework.plugin import Args, Context, Plugin, Scores
from roost.framework.pod_info import PodInfo
from roost.framework.resources import Int64
from roost.framework.view import Float64, Rows, View

PRICE_KEYS = ("roost.dev/price-per-hour", "hightower.com/cost")
NO_PRICE = -1

_NUMBER = re.compile(r"\+?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


class CheapestNodeArgs(Args):
    """The annotation or label that holds the price; without one, both of `PRICE_KEYS` are looked at."""

    price_key: str | None = None


class CheapestNode(Plugin):
    """Prefer cheap nodes, whatever the pod and the load."""

    name = "CheapestNode"
    args_type = CheapestNodeArgs
    reads = frozenset({"node", "annotations"})
    pod_reads = ()
    scale = "rank"

    def __init__(self, args: CheapestNodeArgs | None = None) -> None:
        super().__init__(args)
        given: str | None = self.args.price_key
        if given is not None and not given.strip():
            raise ConfigError(f"priceKey: is empty; name an annotation or a label, such as {PRICE_KEYS[0]}")
        self._keys = PRICE_KEYS if given is None else (given,)

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        """Return the bits of each row's price; annotations are no column, so each changed node is read once."""
        numbers = np.arange(view.size)[rows].tolist()
        alive = view.alive
        prices: Float64 = np.array(
            [price_of(view.node(row), self._keys) if alive[row] else math.nan for row in numbers], dtype=np.float64
        )
        return np.where(np.isnan(prices), NO_PRICE, prices.view(np.int64))

    def normalize(self, ctx: Context, pod: PodInfo, scores: Int64) -> Int64:
        """Number the different prices, the highest with 1."""
        has_price = scores != NO_PRICE
        distinct, position = np.unique(scores[has_price], return_inverse=True)
        numbered = np.zeros_like(scores)
        numbered[has_price] = len(distinct) - position
        return numbered


def price_of(node: Node, keys: Iterable[str] = PRICE_KEYS) -> float:
    """Return the price of a node per hour; NaN if it has none."""
    for key in keys:
        for text in (node.annotations.get(key), node.labels.get(key)):
            price = math.nan if text is None else read_price(text)
            if not math.isnan(price):
                return price
    return math.nan


def read_price(text: str) -> float:
    """Return a price; NaN if the text is no decimal number from 0 up."""
    if _NUMBER.fullmatch(text.strip()) is None:
        return math.nan
    price = float(text)
    return price if math.isfinite(price) else math.nan
