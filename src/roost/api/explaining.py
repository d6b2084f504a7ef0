"""Events, claims and what makes pods, as far as explaining reads them: that is more than scheduling does.

Events are read as events.k8s.io/v1 spells them and as v1 does, since `kubectl get events` prints the latter.
"""

from msgspec import field

from roost.api.budgets import PodDisruptionBudget
from roost.api.kinds import Kind
from roost.api.meta import KubernetesObject, Value


class Involved(Value):
    """The object that an event is about."""

    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""


class EventSeries(Value):
    """How often the same has happened, and when last."""

    count: int = 0
    last_observed_time: str | None = None


class EventSource(Value):
    """Who reported, in events of old."""

    component: str = ""


class Event(KubernetesObject):
    """What somebody reports of an object."""

    type: str = ""
    reason: str = ""
    note: str = ""
    message: str = ""
    reporting_controller: str = ""
    reporting_component: str = ""
    source: EventSource = EventSource()
    deprecated_source: EventSource = EventSource()
    regarding: Involved | None = None
    involved_object: Involved | None = None
    event_time: str | None = None
    last_timestamp: str | None = None
    deprecated_last_timestamp: str | None = None
    series: EventSeries | None = None
    count: int | None = None
    deprecated_count: int | None = None

    @property
    def about(self) -> Involved:
        """The object that it is about."""
        return self.regarding or self.involved_object or Involved()

    @property
    def text(self) -> str:
        """What is reported."""
        return self.note or self.message

    @property
    def reporter(self) -> str:
        """Who reports: of a scheduler, the schedulerName of the profile."""
        old = self.source.component or self.deprecated_source.component
        return self.reporting_controller or self.reporting_component or old

    @property
    def last_time(self) -> str:
        """When it happened last, as it is written; empty if nobody says."""
        repeated = self.series.last_observed_time if self.series is not None else None
        times = (repeated, self.last_timestamp, self.deprecated_last_timestamp, self.event_time)
        return next(filter(None, times), "") or self.metadata.creation_timestamp or ""

    @property
    def times(self) -> int:
        """How often it has happened."""
        repeated = self.series.count if self.series is not None else 0
        return max(1, repeated, self.count or 0, self.deprecated_count or 0)


class Workload(KubernetesObject):
    """An object that makes pods; kept as it is."""

    spec: dict[str, object] = field(default_factory=dict)
    status: dict[str, object] = field(default_factory=dict)


class PriorityClass(KubernetesObject):
    """A name for a priority."""

    value: int = 0
    global_default: bool = False
    preemption_policy: str | None = None


EVENT = Kind(group="events.k8s.io", plural="events", name="Event", type=Event)
DEPLOYMENT = Kind(group="apps", plural="deployments", name="Deployment", type=Workload)
DAEMON_SET = Kind(group="apps", plural="daemonsets", name="DaemonSet", type=Workload)
JOB = Kind(group="batch", plural="jobs", name="Job", type=Workload)
PRIORITY_CLASS = Kind(
    group="scheduling.k8s.io", plural="priorityclasses", name="PriorityClass", type=PriorityClass, namespaced=False
)
BUDGET = Kind(group="policy", plural="poddisruptionbudgets", name="PodDisruptionBudget", type=PodDisruptionBudget)
