"""The pods on nodes as columns of their own: what preemption asks of all of them at once.

Events only note which pod is where; the columns take that over when somebody looks, which few profiles ever do.
"""

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from roost.framework.pod_info import PodInfo
from roost.framework.resources import Int64
from roost.framework.view import Float64, UInt64

_FIRST_CAPACITY = 256
_NOWHERE = -1


class PlacedPods:
    """One entry per pod: the pod, its slot (-1: the entry is free), and what orders and sums pods need of it.

    `vectors` are the requests, int64 of shape (resources, entries). `tie` is a number that depends on the pod's
    namespace and name alone, for an order where priority and start leave one open.
    """

    def __init__(self) -> None:
        self._notes: dict[str, tuple[int, PodInfo]] = {}
        self._entries: dict[str, int] = {}
        self._free: list[int] = []
        self.pods: list[PodInfo | None] = []
        self._allocate(_FIRST_CAPACITY, 8)
        self._show()

    # ---- what events note

    def note(self, slot: int, pod: PodInfo) -> None:
        """Note that a pod is in a slot, or has changed there."""
        self._notes[pod.key] = slot, pod

    def drop(self, pod: PodInfo) -> None:
        """Note that a pod is gone."""
        if pod.key in self._entries:
            self._notes[pod.key] = _NOWHERE, pod
        else:
            self._notes.pop(pod.key, None)

    # ---- what is read

    def up_to_date(self, resources: int) -> "PlacedPods":
        """Take over what was noted, and return these columns; there are so many resources."""
        if resources > len(self._all_vectors):
            self._reallocate(len(self._all_rows), 2 * resources)
        if self._notes:
            for key, (slot, pod) in self._notes.items():
                if slot == _NOWHERE:
                    self._remove(key)
                else:
                    self._fill(key, slot, pod)
            self._notes.clear()
            self._show()
        return self

    def _fill(self, key: str, slot: int, pod: PodInfo) -> None:
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = self._free.pop() if self._free else self._new_entry()
            self._all_tie[entry] = int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "little")
        vector = pod.requests.vector
        self.pods[entry] = pod
        self._all_rows[entry] = slot
        self._all_priority[entry] = pod.priority
        self._all_started[entry] = pod.started
        self._all_vectors[: len(vector), entry] = vector
        self._all_vectors[len(vector) :, entry] = 0

    def _remove(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.pods[entry] = None
            self._all_rows[entry] = _NOWHERE
            self._free.append(entry)

    def _new_entry(self) -> int:
        entry = len(self.pods)
        self.pods.append(None)
        if entry >= len(self._all_rows):
            self._reallocate(2 * entry, len(self._all_vectors))
        return entry

    def _allocate(self, capacity: int, resources: int) -> None:
        self._all_rows: NDArray[np.intp] = np.full(capacity, _NOWHERE, dtype=np.intp)
        self._all_priority: Int64 = np.zeros(capacity, dtype=np.int64)
        self._all_started: Float64 = np.zeros(capacity, dtype=np.float64)
        self._all_tie: UInt64 = np.zeros(capacity, dtype=np.uint64)
        self._all_vectors: Int64 = np.zeros((resources, capacity), dtype=np.int64)

    def _reallocate(self, capacity: int, resources: int) -> None:
        names = ("_all_rows", "_all_priority", "_all_started", "_all_tie", "_all_vectors")
        old = {name: getattr(self, name) for name in names}
        self._allocate(capacity, resources)
        for name, array in old.items():
            getattr(self, name)[tuple(slice(length) for length in array.shape)] = array
        self._show()

    def _show(self) -> None:
        size = len(self.pods)
        self.rows = self._all_rows[:size]
        self.priority = self._all_priority[:size]
        self.started = self._all_started[:size]
        self.tie = self._all_tie[:size]
        self.vectors = self._all_vectors[:, :size]
