"""How full nodes are, in float64 and per resource: what checking and scoring resources start from, whatever the pod.

Whole numbers up to 2**53 stay what they are.
"""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from roost.framework.resources import Int64

Float64 = NDArray[np.float64]


class Occupancy:
    """Matrices of shape (resources, rows), each worked out when it is first asked for; not to be written to."""

    def __init__(self, allocatable: Int64, usage: Int64, divisor: Float64) -> None:
        self._allocatable = allocatable
        self._usage = usage
        self._divisor = divisor

    @cached_property
    def used(self) -> Float64:
        """What is used."""
        return self._usage.astype(np.float64)

    @cached_property
    def free(self) -> Float64:
        """What is free; below 0 where more is used than there is."""
        return (self._allocatable - self._usage).astype(np.float64)

    @cached_property
    def share(self) -> Float64:
        """The used share, at most 1."""
        return np.minimum(self._usage / self._divisor, 1.0)

    def refresh(self, rows: NDArray[np.intp] | int) -> None:
        """Take over what has changed on some rows."""
        known, used = self.__dict__, self._usage[:, rows]
        if "used" in known:
            self.used[:, rows] = used
        if "free" in known:
            self.free[:, rows] = self._allocatable[:, rows] - used
        if "share" in known:
            self.share[:, rows] = np.minimum(used / self._divisor[:, rows], 1.0)
