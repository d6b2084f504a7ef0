"""What gives pods a default selector: Services, ReplicationControllers, ReplicaSets and StatefulSets."""

from roost.api.meta import KubernetesObject, Value
from roost.api.selectors import LabelSelector


class LabelsSpec(Value):
    """The part of a spec that names the labels of the pods meant."""

    selector: dict[str, str] | None = None


class SelectorSpec(Value):
    """The part of a spec that selects the pods meant."""

    selector: LabelSelector | None = None


class Service(KubernetesObject):
    """A Service; without a selector it stands for no pods."""

    spec: LabelsSpec = LabelsSpec()


class ReplicationController(KubernetesObject):
    """A ReplicationController."""

    spec: LabelsSpec = LabelsSpec()


class ReplicaSet(KubernetesObject):
    """A ReplicaSet."""

    spec: SelectorSpec = SelectorSpec()


class StatefulSet(KubernetesObject):
    """A StatefulSet."""

    spec: SelectorSpec = SelectorSpec()


PodGrouping = Service | ReplicationController | ReplicaSet | StatefulSet
"""The objects whose selectors say which pods belong together."""
