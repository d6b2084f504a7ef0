"""Whether any, or all, of a mask is true: several times faster than the methods of the array, which look further."""

import numpy as np
from numpy.typing import NDArray

Bool = NDArray[np.bool_]
Mask = Bool | NDArray[np.int16]
"""True or false, or codes of which 0 is false."""


def any_true(mask: Mask) -> bool:
    """Tell whether anything is true; nothing is in an empty mask."""
    return mask.size > 0 and bool(mask.item(mask.argmax()))


def all_true(mask: Bool) -> bool:
    """Tell whether everything is true; of an empty mask it is."""
    return mask.size == 0 or bool(mask.item(mask.argmin()))
