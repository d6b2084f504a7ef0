"""Nodes, pods and disruption budgets as far as draining reads them: that is more than scheduling does.

What extends `Node` and `Pod` goes wherever those go; the scheduler itself does not decode these fields, because they
change often (conditions) or mean nothing to it.
"""

from roost.api.budgets import BudgetStatus, PodDisruptionBudget
from roost.api.kinds import Kind
from roost.api.meta import Condition, Value
from roost.api.node import Node, NodeStatus
from roost.api.pod import Pod, PodSpec
from roost.api.volumes import Volume


class LocalSource(Value):
    """A volume on the node itself; an emptyDir has a medium, which is Memory if it is no disk."""

    medium: str = ""


class DrainVolume(Volume):
    """A volume, and whether its data is on the node."""

    empty_dir: LocalSource | None = None
    host_path: LocalSource | None = None

    @property
    def is_local(self) -> bool:
        """Whether its data is on the node's disk."""
        return self.host_path is not None or (self.empty_dir is not None and self.empty_dir.medium != "Memory")


class DrainPodSpec(PodSpec):
    """The spec of a pod, with what ends with the pod."""

    volumes: tuple[DrainVolume, ...] | None = None
    termination_grace_period_seconds: int | None = None


class DrainPod(Pod):
    """A pod that may have to leave its node."""

    spec: DrainPodSpec = DrainPodSpec()


class DrainNodeStatus(NodeStatus):
    """The status of a node, with its conditions."""

    conditions: tuple[Condition, ...] | None = None


class DrainNode(Node):
    """A node that may be drained, or take pods that are evicted elsewhere."""

    status: DrainNodeStatus = DrainNodeStatus()

    @property
    def is_ready(self) -> bool:
        """Whether the kubelet says that the node is ready."""
        return any(one.type == "Ready" and one.status == "True" for one in self.status.conditions or ())


class CountedBudgetStatus(BudgetStatus):
    """How many pods may go now, counted for the generation observed."""

    observed_generation: int = 0


class DisruptionBudget(PodDisruptionBudget):
    """A PodDisruptionBudget."""

    status: CountedBudgetStatus = CountedBudgetStatus()

    @property
    def allowed(self) -> int:
        """How many pods may go now; none if the status is behind the spec, as the eviction API has it."""
        is_current = self.status.observed_generation >= self.metadata.generation
        return max(0, self.status.disruptions_allowed) if is_current else 0


DRAIN_NODE = Kind(plural="nodes", name="Node", type=DrainNode, namespaced=False)
DRAIN_POD = Kind(plural="pods", name="Pod", type=DrainPod)
DISRUPTION_BUDGET = Kind(
    group="policy", plural="poddisruptionbudgets", name="PodDisruptionBudget", type=DisruptionBudget
)
