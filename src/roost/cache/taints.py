"""The distinct taints of nodes: nodes with equal taints share an id, so that tolerations are compared once for all."""

from roost.api.taints import Taint

Taints = tuple[Taint, ...]
UNTAINTED = 0


class TaintSets:
    """Ids of taint sets, counted: an id that no node has any more is given to the next new set."""

    def __init__(self) -> None:
        self.sets: list[Taints] = [()]
        self._ids: dict[Taints, int] = {(): UNTAINTED}
        self._nodes: list[int] = [0]
        self._free: list[int] = []

    def take(self, taints: Taints) -> int:
        """Return the id of a set, for one node more."""
        found = self._ids.get(taints)
        if found is None:
            found = self._ids[taints] = self._new(taints)
        self._nodes[found] += 1
        return found

    def give_back(self, id_: int) -> None:
        """Count one node less; a set without nodes is forgotten."""
        self._nodes[id_] -= 1
        if self._nodes[id_] == 0 and id_ != UNTAINTED:
            del self._ids[self.sets[id_]]
            self.sets[id_] = ()
            self._free.append(id_)

    def _new(self, taints: Taints) -> int:
        if self._free:
            id_ = self._free.pop()
            self.sets[id_] = taints
            return id_
        self.sets.append(taints)
        self._nodes.append(0)
        return len(self.sets) - 1
