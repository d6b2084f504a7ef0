"""What would happen, as a value: who lands where, who finds no place, what holds it, and how full the nodes become."""

from collections.abc import Mapping

from msgspec import Struct

from roost.analysis.utilisation import NodeUse, ResourceUse


class Placement(Struct, frozen=True):
    """A pod (namespace/name), where it was ("" if nowhere), where it would be, and why there."""

    pod: str
    from_node: str
    to_node: str
    why: str

    @property
    def is_move(self) -> bool:
        """Whether it would be somewhere else than it was."""
        return self.from_node != self.to_node


class Unplaced(Struct, frozen=True):
    """A pod that would stay pending, where it was ("" if nowhere), and the scheduler's message."""

    pod: str
    from_node: str
    message: str


class Stay(Struct, frozen=True):
    """A pod that is not placed anew: it stays, or is lost with its node; `why` goes on from "it"."""

    pod: str
    node: str
    why: str


class Hold(Struct, frozen=True):
    """What would hold a drain, or be lost by it: a pod, or a disruption budget and how many pods it covers."""

    kind: str
    name: str
    why: str


class Forecast(Struct, frozen=True, kw_only=True):
    """The answer to a what-if question.

    `placed` has every pod that finds a place, also where it was already; `moves` are the others. `waiting` pods were
    pending before and were not asked about. `resources` sum up the cluster, after a drain without the drained nodes;
    `emptied` nodes had pods that move, and have none any more. `notes` are sentences on what is left out of account.
    """

    placed: tuple[Placement, ...] = ()
    pending: tuple[Unplaced, ...] = ()
    stays: tuple[Stay, ...] = ()
    holds: tuple[Hold, ...] = ()
    waiting: int = 0
    resources: tuple[ResourceUse, ...] = ()
    nodes: tuple[NodeUse, ...] = ()
    emptied: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def moves(self) -> tuple[Placement, ...]:
        """The pods that would be somewhere else than they were."""
        return tuple(placement for placement in self.placed if placement.is_move)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many pods would move, be where they were, stay pending, and are not placed anew; and nodes emptied."""
        moves = sum(placement.is_move for placement in self.placed)
        return {
            "moves": moves,
            "unmoved": len(self.placed) - moves,
            "pending": len(self.pending),
            "stays": len(self.stays),
            "waiting": self.waiting,
            "emptied": len(self.emptied),
        }
