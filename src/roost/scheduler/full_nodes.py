"""The nodes as extenders are sent them in full. Only a scheduler with such an extender follows them a second time."""

from collections.abc import Callable, Sequence

import msgspec
from msgspec import Raw

from roost.api.full import NODE_IN_FULL, FullObject
from roost.errors import NotFound
from roost.framework.cluster import Cluster, Listing, WatchEvent


class FullNodes:
    """Nodes by name, as JSON; `notify` is called once there is a first list."""

    def __init__(self, cluster: Cluster, notify: Callable[[], None]) -> None:
        self._cluster = cluster
        self._notify = notify
        self._nodes: dict[str, Raw] = {}
        self.have_nodes = False

    def replace(self, listing: Listing[FullObject]) -> None:
        """Take over a list of all nodes."""
        self._nodes = {node.metadata.name: _as_json(node) for node in listing.items}
        self.have_nodes = True
        self._notify()

    def change(self, events: list[WatchEvent[FullObject]]) -> None:
        """Take over changes of nodes."""
        for event in events:
            if event.object is None:
                continue
            if event.type == "DELETED":
                self._nodes.pop(event.object.metadata.name, None)
            else:
                self._nodes[event.object.metadata.name] = _as_json(event.object)

    async def named(self, names: Sequence[str]) -> list[Raw]:
        """Return nodes in full, without those that are gone; raises ApiError.

        The other watch may have been faster: what it knows and this one does not yet is read.
        """
        for name in names:
            if name not in self._nodes:
                await self._read(name)
        return [self._nodes[name] for name in names if name in self._nodes]

    async def _read(self, name: str) -> None:
        try:
            node = await self._cluster.get(NODE_IN_FULL, name)
        except NotFound:
            return
        self._nodes[name] = _as_json(node)


def _as_json(node: FullObject) -> Raw:
    """Return the JSON of a node alone: what it came in may be a list of hundreds."""
    return Raw(msgspec.json.encode(node))
