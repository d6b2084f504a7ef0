"""Numbers of nodes that come from outside, such as measured usage: where they are written, how they are read, how old.

    Measure    which number: the annotation that holds it, and who reads its text
    Measured   that number of every row, as columns

Whoever writes such annotations says when in another one (`written_at`): RFC 3339 or Unix seconds. A number without a
time is taken as it is. What is too old is for the driver to say, who has a clock: it moves `stale_before` of the view.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from math import isfinite, nan

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

USAGE_AT = "roost.dev/usage-at"
ALLOCATION_AT = "roost.dev/allocation-at"
CONGESTION_AT = "roost.dev/congestion-at"

STALE_SECONDS = 600.0
"""How old a measurement may be before it is taken for missing, unless the driver says otherwise."""

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


class Measure(Struct, frozen=True):
    """A number of each node: its annotation, who reads the text (None: it is no number), where its time stands."""

    annotation: str
    read: Callable[[str], float | None]
    written_at: str = ""


class Measured(Struct, frozen=True):
    """A measure as columns: NaN in `values` where nothing is `known` (missing, unreadable); `fresh` unless too old.

    A known value may itself be NaN or infinite if its reader lets that through.
    """

    values: NDArray[np.float64]
    known: NDArray[np.bool_]
    fresh: NDArray[np.bool_]


def read_number(text: str) -> float | None:
    """Return a finite decimal number, with an exponent or without; None if the text is none."""
    stripped = text.strip()
    if not _NUMBER.fullmatch(stripped):
        return None
    number = float(stripped)
    return number if isfinite(number) else None


def read_time(text: str) -> float:
    """Return a time, RFC 3339 or Unix seconds, as Unix seconds; NaN if the text is none."""
    seconds = read_number(text)
    if seconds is not None:
        return seconds
    try:
        time = datetime.fromisoformat(text.strip().upper())
    except ValueError:
        return nan
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
