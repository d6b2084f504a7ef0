"""What a stand-in is."""

from abc import ABC, abstractmethod

from roost.apiserver.resources import Resource
from roost.apiserver.store import Store
from roost.apiserver.stored import Change


class Standin(ABC):
    """Moves a cluster on, step by step; the same cluster and time, the same moves."""

    reads: tuple[Resource, ...] = ()
    """What it looks at: it has nothing to do while none of that changes."""

    def is_woken_by(self, change: Change) -> bool:
        """Tell whether a change of something it reads can give it something to do."""
        return True

    @abstractmethod
    def reconcile(self, store: Store, now: float) -> float | None:
        """Take the next step; return when to be called again at the latest, if nothing changes."""
