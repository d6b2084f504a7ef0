"""What pods have asked for so far: the mean of their demands, and of the products of any two amounts.

Early pods count alike; from the hundredth on a new one weighs a hundredth, so that the past fades. For policies that
learn (`LearningPlugin`): a value of Python numbers, which a driver can keep and compare.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct

DOUBLE: np.dtype[Any] = np.dtype(np.float64)
SINGLE: np.dtype[Any] = np.dtype(np.float32)

MOST_COUNTED = 100


class Demands(Struct, frozen=True):
    """The means over `count` pods (100 at most) of their demands d: of d_j in `mean`, of d_j * d_k in `products`."""

    mean: tuple[float, ...]
    products: tuple[tuple[float, ...], ...]
    count: int = 1


def first_demand(demand: Sequence[float]) -> Demands:
    """Return what is known after one pod."""
    return Demands(tuple(demand), tuple([tuple([one * other for other in demand]) for one in demand]))


def one_more(demands: Demands, demand: Sequence[float], number: np.dtype[Any] = DOUBLE) -> Demands:
    """Return what is known after one pod more, calculated with numbers of this type."""
    count = min(demands.count + 1, MOST_COUNTED)
    asked = np.array(demand, dtype=number)
    weight = number.type(1 / count)
    mean = (1 - weight) * np.array(demands.mean, dtype=number) + weight * asked
    products = (1 - weight) * np.array(demands.products, dtype=number) + (weight * asked)[:, None] * asked
    return Demands(tuple(mean.tolist()), tuple(map(tuple, products.tolist())), count)
