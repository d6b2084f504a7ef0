"""The rows of the resource columns: which row of `usage` and `allocatable` stands for which resource.

A pod's requests are one vector over these rows, so that placing it on a node is a single addition. `pods` is a resource
like any other (each pod asks for one); the two non-zero rows hold what kube-scheduler's scores count for containers
that request nothing.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]

PODS, CPU, MEMORY, EPHEMERAL_STORAGE, NONZERO_CPU, NONZERO_MEMORY = range(6)
NATIVE = ("pods", "cpu", "memory", "ephemeral-storage", "(non-zero) cpu", "(non-zero) memory")


class ResourceIndex:
    """Gives every resource a row; a row appears with the first node or pod that names the resource."""

    __slots__ = ("names", "rows")

    def __init__(self) -> None:
        self.names: list[str] = list(NATIVE)
        self.rows: dict[str, int] = {name: row for row, name in enumerate(NATIVE)}

    def __len__(self) -> int:
        return len(self.names)

    def row(self, name: str) -> int:
        """Return the row of a resource, adding one if it is new."""
        found = self.rows.get(name)
        if found is None:
            found = self.rows[name] = len(self.names)
            self.names.append(name)
        return found

    def vector(self, amounts: Mapping[str, int], nonzero: tuple[int, int], pods: int) -> Int64:
        """Return amounts as a vector over the rows known afterwards (milli-cores, bytes, counts)."""
        rows = [self.row(name) for name in amounts]
        vector = np.zeros(len(self.names), dtype=np.int64)
        vector[rows] = list(amounts.values())
        vector[PODS] = pods
        vector[NONZERO_CPU], vector[NONZERO_MEMORY] = nonzero
        return vector
