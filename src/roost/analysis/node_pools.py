"""Which nodes are spot, which are on-demand, and which of them count at all."""

from typing import Literal

from msgspec import Struct

from roost.api.draining import DrainNode
from roost.api.spot import is_marked_spot
from roost.errors import ConfigError

Pool = Literal["spot", "on-demand"]

TO_BE_DELETED = "ToBeDeletedByClusterAutoscaler"
"""The taint of nodes that the cluster autoscaler removes; a node that is drained here bears it meanwhile."""

_CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")


class NodeLabel(Struct, frozen=True):
    """A label to know nodes by: `key` with any value, or with the one given."""

    text: str
    key: str
    value: str | None = None

    def is_on(self, node: DrainNode) -> bool:
        """Tell whether a node has the label."""
        found = node.labels.get(self.key)
        return found is not None and self.value in (None, found)


def read_node_label(text: str, what: str) -> NodeLabel:
    """Return the label that `key` or `key=value` spells; raises ConfigError, saying whose label it is (`what`)."""
    key, equals, value = text.partition("=")
    if not key or "=" in value:
        raise ConfigError(
            f"the {what} node label is not correctly formatted: "
            f"expected '<label_name>' or '<label_name>=<label_value>', but got {text}"
        )
    return NodeLabel(text, key, value if equals else None)


class NodePools(Struct, frozen=True):
    """How to tell spot from on-demand nodes.

    Without a label spot nodes are those with one of the known marks, and on-demand all others but the control plane.
    A node that is both is spot.
    """

    spot: NodeLabel | None = None
    on_demand: NodeLabel | None = None

    def pool_of(self, node: DrainNode) -> Pool | None:
        """Return where a node belongs; None if that is neither."""
        if self.spot.is_on(node) if self.spot else is_marked_spot(node.labels, node.taints):
            return "spot"
        if self.on_demand.is_on(node) if self.on_demand else not _is_control_plane(node):
            return "on-demand"
        return None


def why_unusable(node: DrainNode) -> str:
    """Return why pods are neither moved from nor to a node, or nothing."""
    if not node.is_ready:
        return "the node is not ready"
    if node.spec.unschedulable:
        return "the node is cordoned"
    if any(taint.key == TO_BE_DELETED for taint in node.taints):
        return f"the node is being drained or removed already: it has the taint {TO_BE_DELETED}"
    return ""


def _is_control_plane(node: DrainNode) -> bool:
    marks = {*node.labels, *(taint.key for taint in node.taints)}
    return not marks.isdisjoint(_CONTROL_PLANE)
