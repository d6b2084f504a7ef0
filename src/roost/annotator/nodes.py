"""Nodes as annotators see them: what they have to give, whether they are ready, their addresses and annotations."""

import logging

from roost.api.kinds import Kind
from roost.api.meta import Condition, KubernetesObject, QuantityText, Value
from roost.framework.cluster import Listing, Malformed, WatchEvent

logger = logging.getLogger("roost.annotator")


class NodeAddress(Value):
    """One of the addresses of a node."""

    type: str = ""
    address: str = ""


class AnnotatedNodeStatus(Value):
    """The part of a node's status that annotators read."""

    allocatable: dict[str, QuantityText] | None = None
    conditions: tuple[Condition, ...] | None = None
    addresses: tuple[NodeAddress, ...] | None = None


class AnnotatedNode(KubernetesObject):
    """A node without what annotators have no use for, such as its images."""

    status: AnnotatedNodeStatus = AnnotatedNodeStatus()

    @property
    def is_ready(self) -> bool:
        """Whether the condition Ready is True."""
        return any(one.type == "Ready" and one.status == "True" for one in self.status.conditions or ())

    @property
    def internal_ips(self) -> tuple[str, ...]:
        """The addresses within the cluster's network; a node of two IP families has two."""
        return tuple(one.address for one in self.status.addresses or () if one.type == "InternalIP")


NODE = Kind(plural="nodes", name="Node", type=AnnotatedNode, namespaced=False)


class Nodes:
    """The nodes by name, and how often one could not be read; what was known of that one stays."""

    def __init__(self) -> None:
        self.by_name: dict[str, AnnotatedNode] = {}
        self.in_sync = False
        self.malformed = 0

    def replace(self, listing: Listing[AnnotatedNode]) -> None:
        """Take over a list of all nodes: what is not in it is gone."""
        for malformed in listing.malformed:
            self._report(malformed)
        kept = {one.key: self.by_name[one.key] for one in listing.malformed if one.key in self.by_name}
        self.by_name = kept | {node.name: node for node in listing.items}
        self.in_sync = True

    def change(self, events: list[WatchEvent[AnnotatedNode]]) -> None:
        """Take over changes."""
        for event in events:
            if event.malformed is not None:
                self._report(event.malformed)
            elif event.object is not None and event.type == "DELETED":
                self.by_name.pop(event.object.name, None)
            elif event.object is not None:
                self.by_name[event.object.name] = event.object

    def _report(self, malformed: Malformed) -> None:
        self.malformed += 1
        logger.warning("node %s cannot be read and is left out: %s", malformed.key, malformed.problem)
