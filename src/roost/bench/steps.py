"""The steps of a workload, by scheduler_perf's names for them: what is to be created, deleted, or waited for.

A step is data. `on_core` and the live targets each know how to carry it out. A reader (`workload`) fills in what a file
leaves out: namespaces, prefixes of names, and where the numbers of nodes begin.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

Manifest = Mapping[str, Any]
Count = Annotated[int, Meta(ge=0)]
Stage = Literal["Scheduled", "Attempted"]


class _Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What all steps have in common."""


class CreateNodes(_Step, frozen=True, kw_only=True):
    """Create nodes that are equal but for their names, their hostname labels, and `labels`.

    Each of `labels` goes through its values in turn. A node is named by `prefix` and its number, which begins at
    `first`, or by the template.
    """

    count: Count
    template: Manifest = field(name="node")
    labels: Mapping[str, Annotated[Sequence[str], Meta(min_length=1)]] = field(default_factory=dict)
    prefix: str = "node"
    first: Count = 0


class CreateNamespaces(_Step, frozen=True, kw_only=True):
    """Create namespaces named `prefix`-0, `prefix`-1 and so on."""

    count: Count = 1
    prefix: str
    labels: Mapping[str, str] = field(default_factory=dict)


class CreateObjects(_Step, frozen=True, kw_only=True):
    """Create objects of any kinds in a namespace, such as Services and ReplicaSets; cluster-wide kinds ignore it."""

    namespace: str = ""
    objects: Sequence[Manifest]


class CreatePods(_Step, frozen=True, kw_only=True):
    """Create pods that are equal but for their names.

    The namespace is created if it does not exist. Unless `skip_wait`, the step ends when all of them are bound.
    """

    count: Count
    template: Manifest = field(name="pod")
    namespace: str = ""
    prefix: str = ""
    measured: bool = field(name="collectMetrics", default=False)
    skip_wait: bool = field(name="skipWaitToCompletion", default=False)


class Churn(_Step, frozen=True, kw_only=True):
    """From here to the end, create one object of each template per interval, in the background.

    `create` goes on up to `number` times (0: without end). `recreate` creates `number` of each in as many intervals,
    deletes them in the next ones, and begins anew. Names are `prefix`, the number of the template, and the time.
    """

    mode: Literal["create", "recreate"]
    templates: Annotated[Sequence[Manifest], Meta(min_length=1)]
    number: Count = 0
    interval_milliseconds: Annotated[int, Meta(ge=1)] = 500
    namespace: str = ""
    prefix: str = ""

    @property
    def interval(self) -> float:
        """Seconds between two changes."""
        return self.interval_milliseconds / 1000


class Barrier(_Step, frozen=True, kw_only=True):
    """Wait until all pods created so far are bound, or have been tried at least once (or are held by a gate)."""

    stage: Stage = field(name="stageRequirement", default="Scheduled")
    namespaces: Sequence[str] = ()


class Sleep(_Step, frozen=True, kw_only=True):
    """Wait."""

    seconds: Annotated[float, Meta(ge=0)]


class DeletePods(_Step, frozen=True, kw_only=True):
    """Delete the pods that are in a namespace now, so many per second (0: all at once).

    With `skip_wait` this goes on in the background.
    """

    namespace: str
    per_second: Count = field(name="deletePodsPerSecond", default=0)
    skip_wait: bool = field(name="skipWaitToCompletion", default=False)


Step = CreateNodes | CreateNamespaces | CreateObjects | CreatePods | Churn | Barrier | Sleep | DeletePods

OPCODES: Mapping[str, type[Step]] = {
    "createNodes": CreateNodes,
    "createNamespaces": CreateNamespaces,
    "createObjects": CreateObjects,
    "createPods": CreatePods,
    "churn": Churn,
    "barrier": Barrier,
    "sleep": Sleep,
    "deletePods": DeletePods,
}
