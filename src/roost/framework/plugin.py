"""The plugin contract: what a policy may implement, and what it is given.

A plugin implements the extension points it needs, in kube-scheduler's names, and says what can alter its answers:

    reads         of the nodes: "node" (spec, labels, taints, images, allocatable), "annotations" (and what is
                  measured), "usage" (pods placed), or the name of an epoch, which changes all rows: "nodes" (one has
                  come or gone), "images" (where images are), "services" (what selects pods), "device_classes",
                  "namespaces" (their labels), "pod_labels" (of placed pods), "pod_terms" (their affinity), "storage"
                  (volumes, claims and what goes with them), "claims_in_use" (a claim has come into or out of use)
    pod_reads     of the pod: some of `roost.framework.pod_info.PARTS`
    pre_reads     of the nodes, in `pre_filter` and `pre_score`, which see the whole view: `reads` unless it says less
    filter_reads  of the nodes, where it rejects: `reads` unless it says less

The same declarations drive remembering (an answer is asked again only for rows that changed in a way the plugin
reads) and requeueing (a rejected pod is woken by changes that its rejectors read). Extension points that decide are
plain functions over columns; `reserve`, `permit`, `pre_bind` and `bind` act, so they are `async` and get a `Cluster`.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Protocol, dataclass_transform, runtime_checkable

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from roost.api.pod import Pod
from roost.framework.cluster import Cluster
from roost.framework.plan import Plan
from roost.framework.pod_info import PARTS, PodInfo
from roost.framework.resources import Int64
from roost.framework.status import SUCCESS, Status
from roost.framework.view import Bool, Int16, Rows, View

MAX_NODE_SCORE = 100
MAX_EXTENDER_SCORE = 10

Scale = Literal["percent", "extender", "rank"]
ReplyOrder = Literal["as asked", "by score"]


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
class Args(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The arguments of a plugin as `pluginConfig` gives them; a plugin with arguments subclasses this."""


class ScaledArgs(Args):
    """What every policy of an extender takes besides its own arguments.

    `scale` is "percent" for scores of 0…100, "extender" for 0…10 as a webhook answers; `compat: original` restores the
    numbers of the program that the policy replaces, which are of 0…10.
    """

    compat: Literal["original"] | None = None
    scale: Literal["percent", "extender"] = "percent"

    @property
    def is_original(self) -> bool:
        """Whether the numbers are those of the replaced program."""
        return self.compat == "original"

    @property
    def effective_scale(self) -> Literal["percent", "extender"]:
        """The scale of the scores."""
        return "extender" if self.is_original else self.scale

    @property
    def highest(self) -> int:
        """The highest score: 10 or 100."""
        return MAX_EXTENDER_SCORE if self.effective_scale == "extender" else MAX_NODE_SCORE


class Surroundings(Struct, frozen=True):
    """What a process finds around it: variables, files of its working directory (None: no such file), a way to warn."""

    environ: Mapping[str, str]
    read_file: Callable[[str], str | None]
    warn: Callable[[str], None]


_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Context(Struct, frozen=True):
    """What a cycle gives every plugin: the time in Unix seconds, a seed for dice, the number of the cycle.

    `learnt` holds by plugin name what those that learn (`LearningPlugin`) have learnt so far; the driver keeps it.
    """

    now: float = 0.0
    seed: int = 0
    cycle: int = 0
    learnt: Mapping[str, Any] = _NOTHING


class Verdicts:
    """What a filter says of some rows: `codes[row]` indexes `statuses`, whose first entry is always success."""

    __slots__ = ("codes", "statuses")

    def __init__(self, codes: Int16, statuses: Sequence[Status]) -> None:
        self.codes = codes
        self.statuses = statuses

    @classmethod
    def rejecting(cls, rejected: Bool, status: Status) -> "Verdicts":
        """Return verdicts with one and the same rejection wherever `rejected` is true."""
        return cls(rejected.astype(np.int16), (SUCCESS, status))


class OnlyNodes(Struct, frozen=True):
    """Returned by `pre_filter`: no other nodes than these can fit (they may not all exist)."""

    names: frozenset[str]


class PartialScores:
    """Raw scores of rows of which some are `ignored`: those are no part of normalising and count 0."""

    __slots__ = ("ignored", "raw")

    def __init__(self, raw: Int64, ignored: Bool) -> None:
        self.raw = raw
        self.ignored = ignored


PreFilterAnswer = Status | OnlyNodes | None
Scores = Int64 | int
"""One raw score per row, or one number if all rows have the same."""


class Plugin:
    """The base of every plugin; subclasses add the extension points they need.

    `weight` is the default weight of its score. Its scores are of 0…100 (`scale` "percent"), of 0…10 as extenders give
    them, which count ten times ("extender"), or go beyond 100 and are summed as they are ("rank"). Those of a `bounded`
    plugin cannot be others and are not checked. One `normalizes_by_range` if a normalised score depends on the raw one
    and on the lowest and the highest. `remember` is False where answers depend on more than `reads` and `pod_reads`
    say. `idle_at` names what it implements but has no use for with its arguments: "filter", "score", "normalize" …
    `webhook` is the name that a replaced extender answered to,
    `reply_order` the order of the scores in its reply: the nodes as they were asked about, or the best first and of
    equal ones the last name first. `pre_bind` may take `pre_bind_seconds`, then it has failed, being `late`.
    """

    name: ClassVar[str]
    args_type: ClassVar[type[Args]] = Args
    reads: frozenset[str] = frozenset({"node", "usage"})
    pre_reads: frozenset[str] | None = None
    filter_reads: frozenset[str] | None = None
    pod_reads: tuple[str, ...] = PARTS
    weight: ClassVar[int] = 1
    webhook: ClassVar[str] = ""
    reply_order: ReplyOrder = "as asked"
    scale: Scale = "percent"
    bounded: ClassVar[bool] = False
    normalizes_by_range: ClassVar[bool] = False
    remember: bool = True
    pre_bind_seconds: float | None = None
    late: str = "context deadline exceeded"
    idle_at: frozenset[str] = frozenset()

    def __init__(self, args: Any = None) -> None:
        self.args: Any = self.args_type() if args is None else args

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    @classmethod
    def defaults(cls, around: Surroundings, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return arguments, as they are written, that stand in for those not given; from the surroundings, if any."""
        return _NOTHING

    def prepares(self, pod: PodInfo) -> bool:
        """Tell whether `pre_bind` has anything to do for a pod; of most pods there may be nothing to prepare."""
        return True


@runtime_checkable
class PreEnqueuePlugin(Protocol):
    """Holds pods back before they enter the queue."""

    def pre_enqueue(self, pod: Pod) -> Status | None:
        """Return None to let the pod in, or the status that holds it back."""
        ...


@runtime_checkable
class QueueSortPlugin(Protocol):
    """Orders the active queue."""

    def queue_sort(self, pod: Pod, arrival: float) -> tuple[Any, ...]:
        """Return a sort key: the smallest is scheduled first."""
        ...


@runtime_checkable
class PreFilterPlugin(Protocol):
    """Looks at the pod before any node is judged."""

    def pre_filter(self, ctx: Context, pod: PodInfo, view: View) -> PreFilterAnswer:
        """Return None to go on, SKIP to be left out of filtering, the only nodes possible, or a rejection."""
        ...


@runtime_checkable
class FilterPlugin(Protocol):
    """Rejects nodes."""

    def filter(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Verdicts | None:
        """Judge rows; None means that all of them fit."""
        ...


@runtime_checkable
class PostFilterPlugin(Protocol):
    """Is asked when no node fits, such as for preemption."""

    def post_filter(self, ctx: Context, pod: PodInfo, view: Any, filtered: Any, judge: Any) -> Plan | Status | None:
        """Return what could be done about it: a plan, or why nothing can; None to have nothing to say.

        `view` is the live view (framework.memory.LiveView), `filtered` what the filters said of every node
        (framework.stages.Filtered), and `judge` says it of hypothetical rows (framework.judge.Judge).
        """
        ...


@runtime_checkable
class PreScorePlugin(Protocol):
    """Looks at the pod before any node is scored."""

    def pre_score(self, ctx: Context, pod: PodInfo, view: View) -> Status | None:
        """Return None to go on, or SKIP to be left out of scoring."""
        ...


@runtime_checkable
class ScorePlugin(Protocol):
    """Prefers nodes."""

    def score(self, ctx: Context, pod: PodInfo, view: View, rows: Rows) -> Scores | PartialScores:
        """Return raw scores of the rows."""
        ...


class Following(Protocol):
    """Normalised scores of some rows while identical pods are placed: row i scores `scores[classes[i]]`."""

    classes: NDArray[np.intp]
    scores: Int64

    def place(self, row: int, *, stays: bool = True) -> bool:
        """Count one more such pod on a row, which no longer fits unless it `stays`; False if the scores end here."""
        ...


@runtime_checkable
class FollowingPlugin(Protocol):
    """Scores by looking at all nodes, and can say how its scores go on while identical pods are placed."""

    def follow(self, ctx: Context, pod: PodInfo, view: View, rows: NDArray[np.intp]) -> Following | None:
        """Return the normalised scores of rows, which are those that fit, as they will go on; None if that is hard."""
        ...


@runtime_checkable
class NormalizePlugin(Protocol):
    """Brings raw scores to 0…100 by looking at all feasible rows together."""

    def normalize(self, ctx: Context, pod: PodInfo, scores: Int64) -> Int64:
        """Return scores of 0…100 from the raw scores of the feasible rows."""
        ...


@runtime_checkable
class DiscerningPlugin(Protocol):
    """Can tell pods apart by less than the text of what it reads of them, so that more of its answers are known."""

    def remember_by(self, pod: PodInfo, view: View) -> Hashable:
        """Return a key that is equal for pods with equal answers on any node as it is now; None: by what it reads."""
        ...


@runtime_checkable
class LearningPlugin(Protocol):
    """Learns from the pods that are placed: a value that the driver keeps and hands back in `Context.learnt`."""

    def learn(self, learnt: Any, pod: PodInfo, view: View) -> Any:
        """Return what is known after one pod more; `learnt` is None in the beginning and is not changed."""
        ...


@runtime_checkable
class ReservePlugin(Protocol):
    """Takes notice of a decision before anything is written, and of its undoing."""

    async def reserve(self, cluster: Cluster, pod: PodInfo, node_name: str) -> Status | None:
        """Reserve what the pod needs; a rejection undoes the decision."""
        ...

    async def unreserve(self, cluster: Cluster, pod: PodInfo, node_name: str) -> None:
        """Undo `reserve`; must not fail."""
        ...


@runtime_checkable
class PermitPlugin(Protocol):
    """Delays or forbids a binding."""

    async def permit(self, cluster: Cluster, pod: PodInfo, node_name: str) -> Status | None:
        """Return when the pod may be bound; a rejection undoes the decision."""
        ...


@runtime_checkable
class PreBindPlugin(Protocol):
    """Does what must be done before a binding."""

    async def pre_bind(self, cluster: Cluster, pod: PodInfo, node_name: str) -> Status | None:
        """Prepare the node or the pod; a rejection undoes the decision.

        A status with the code Wait asks to be called again when something has changed that the plugin waits for: a
        kind that it `reads`.
        """
        ...


@runtime_checkable
class BindPlugin(Protocol):
    """Binds a pod to a node."""

    async def bind(self, cluster: Cluster, pod: PodInfo, node_name: str) -> Status | None:
        """Bind the pod; None if it did, SKIP to leave it to the next bind plugin."""
        ...


@runtime_checkable
class PostBindPlugin(Protocol):
    """Is told of a binding that has happened."""

    async def post_bind(self, cluster: Cluster, pod: PodInfo, node_name: str) -> None:
        """Take notice."""
        ...


EXTENSION_POINTS: dict[str, type] = {
    "preEnqueue": PreEnqueuePlugin,
    "queueSort": QueueSortPlugin,
    "preFilter": PreFilterPlugin,
    "filter": FilterPlugin,
    "postFilter": PostFilterPlugin,
    "preScore": PreScorePlugin,
    "score": ScorePlugin,
    "reserve": ReservePlugin,
    "permit": PermitPlugin,
    "preBind": PreBindPlugin,
    "bind": BindPlugin,
    "postBind": PostBindPlugin,
}
"""The extension points by their names in KubeSchedulerConfiguration."""


def default_normalize(scores: Int64, *, reverse: bool = False) -> Int64:
    """Scale scores so that the highest becomes 100, or 0 if reversed (kube-scheduler's DefaultNormalizeScore)."""
    highest = int(scores[scores.argmax()]) if len(scores) else 0
    if highest == 0:
        return np.full_like(scores, MAX_NODE_SCORE) if reverse else scores
    scaled: Int64 = MAX_NODE_SCORE * scores // highest
    return MAX_NODE_SCORE - scaled if reverse else scaled
