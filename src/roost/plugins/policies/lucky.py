"""Lucky: rejects nodes by the toss of a coin, and scores the others by dice; for teaching, and for trying retries.

Filter: a node passes with probability `passRate`. Score: uniform on 0 … 100, or 0 … 10 on the scale of extenders, both
ends among them. Coin and dice are hashes of a seed, the pod's uid and the node's name: chance across pods and nodes,
but a pod that is tried again meets the same luck. The seed is that of the driver unless `seed` is given.
`compat: original` throws anew at every attempt, since the number of the cycle enters too.

From Huang-Wei/sample-scheduler-extender, whose dice cannot be repeated.
"""

from hashlib import blake2b

import numpy as np

from roost.errors import ConfigError
from roost.framework.plugin import Context, Plugin, ScaledArgs, Scores, Verdicts
from roost.framework.pod_info import PodInfo
from roost.framework.status import unschedulable
from roost.framework.view import Float64, Rows, UInt64, View

UNLUCKY = unschedulable("Well, you're not lucky")


class LuckyArgs(ScaledArgs):
    """A seed of its own (another one gives other luck), and with which probability a node passes."""

    seed: int | None = None
    pass_rate: float = 0.5


class Lucky(Plugin):
    """Toss a coin for each node, and throw dice for its score."""

    name = "Lucky"
    args_type = LuckyArgs
    reads = frozenset({"node"})  # a name alone: what comes or changes is tried, what pods do is not
    pod_reads = ()
    remember = False  # the answer depends on the pod's uid

    def __init__(self, args: LuckyArgs | None = None) -> None:
        super().__init__(args)
        if not 0 <= self.args.pass_rate <= 1:
            raise ConfigError(f"passRate: must be from 0 to 1, not {self.args.pass_rate:g}")
        self.scale = self.args.effective_scale

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        """Reject unlucky rows."""
        return Verdicts.rejecting(self._dice("filter", ctx, pod, view, rows) >= self.args.pass_rate, UNLUCKY)

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores:
        """Return whole numbers from 0 to the highest score, each as likely."""
        faces: int = self.args.highest + 1
        return (self._dice("score", ctx, pod, view, rows) * faces).astype(np.int64)

    def _dice(self, use: str, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Float64:
        """Return a number of 0 … 1, without the 1, for each row."""
        seed = ctx.seed if self.args.seed is None else self.args.seed
        attempt = f"/{ctx.cycle}" if self.args.is_original else ""
        text = f"{use}/{seed}{attempt}/{pod.uid or pod.key}"
        salt = np.uint64(int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little"))
        bits = _mixed(view.name_hash[rows] ^ salt) >> np.uint64(11)
        return bits.astype(np.float64) / 2.0**53


def _mixed(bits: UInt64) -> UInt64:
    """Return 64 bits, each of which depends on all (the finalizer of SplitMix64, public domain)."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
