"""Nodes, as far as scheduling reads them."""

from roost.api.meta import KubernetesObject, QuantityText, Value
from roost.api.taints import Taint


class ContainerImage(Value):
    """An image that a node holds, under all its names."""

    names: tuple[str, ...] | None = None
    size_bytes: int = 0


class NodeSpec(Value):
    """The part of a node's spec that a scheduler reads."""

    unschedulable: bool = False
    taints: tuple[Taint, ...] | None = None


class NodeStatus(Value):
    """What a node has to give; conditions are left out, since only taints keep pods away."""

    allocatable: dict[str, QuantityText] | None = None
    capacity: dict[str, QuantityText] | None = None
    images: tuple[ContainerImage, ...] | None = None
    declared_features: tuple[str, ...] | None = None


class Node(KubernetesObject):
    """A node."""

    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()

    @property
    def taints(self) -> tuple[Taint, ...]:
        """The taints; empty if there are none."""
        return self.spec.taints or ()
