"""RandomNode: any node that fits, with equal chance; seeded, so that a run can be repeated.

Score: 31 bits of blake2b(seed / pod uid / node name), summed as it is. No clock and no dice: the same pod, nodes and
seed give the same node. It ignores load, so use it to compare with, not to run a cluster.
"""

from hashlib import blake2b

from roost.api.node import Node
from roost.api.pod import Pod
from roost.framework.plugin import Args


class RandomNodeArgs(Args):
    """The seed: another one gives other choices."""

    seed: int = 0


class RandomNode:
    """Choose at random among the nodes that fit."""

    args_type = RandomNodeArgs
    scale = "rank"
    remember = False  # the answer depends on the pod's uid

    def __init__(self, args: RandomNodeArgs = RandomNodeArgs()) -> None:  # noqa: B008 (frozen)
        self._seed = args.seed

    def score(self, pod: Pod, node: Node) -> float:
        """Return a number that seed, pod and node decide."""
        text = f"{self._seed}/{pod.metadata.uid or pod.key}/{node.name}"
        return int.from_bytes(blake2b(text.encode(), digest_size=4).digest(), "little") >> 1
