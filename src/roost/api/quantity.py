"""Reads quantities such as 500m, 1.5 and 2Gi exactly: a float would lose bytes, and with them ties and the last fit.

An amount is an integer of billionths, the finest step that Kubernetes keeps. Add amounts first and round the sum
with `in_units`: two requests of half a milli-core are one milli-core, not two.
"""

import re
from functools import lru_cache

from roost.api.meta import QuantityText
from roost.errors import InvalidObject

WHOLE = 10**9
"""Billionths in one base unit: a core, a byte, a device."""

MILLI = 10**6
"""Billionths in a thousandth of a base unit: a milli-core."""

_LARGEST = 2**63 - 1
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
_SPELLING = re.compile(
    r"(?P<sign>[+-]?)(?=\.?[0-9])(?P<whole>[0-9]*)\.?(?P<fraction>[0-9]*)"
    r"(?:[eE](?P<exponent>[+-]?[0-9]+)|(?P<suffix>[KMGTPE]i|[numkMGTPE]?))"
)
# Beyond these a number saturates anyway; they keep hostile spellings such as 1e999999999 from filling the memory.
_LONGEST = 256
_HIGHEST_POWER = 400


@lru_cache(maxsize=16384)
def value(text: QuantityText) -> int:
    """Return the quantity in base units.

    Rounded away from zero and held within the range of an int64; raises InvalidObject if the text is no quantity.
    """
    return in_units(billionths(text), WHOLE)


@lru_cache(maxsize=16384)
def milli_value(text: QuantityText) -> int:
    """Return the quantity in thousandths of a base unit, as CPU is counted.

    Rounded away from zero and held within the range of an int64; raises InvalidObject if the text is no quantity.
    """
    return in_units(billionths(text), MILLI)


@lru_cache(maxsize=16384)
def billionths(text: QuantityText) -> int:
    """Return the quantity in billionths of a base unit: what to add up before rounding.

    Finer digits round away from zero; no quantity exceeds an int64 of base units. Raises InvalidObject if the text
    is no quantity.
    """
    spelling = str(text).strip()
    match = _SPELLING.fullmatch(spelling) if len(spelling) <= _LONGEST else None
    if match is None:
        raise InvalidObject(
            f"quantity {_shortened(text)} is not a number with an optional suffix such as 500m, 1.5 or 2Gi"
        )
    magnitude = _magnitude(match["whole"], match["fraction"], match["exponent"], match["suffix"])
    return -magnitude if match["sign"] == "-" else magnitude


def in_units(amount: int, unit: int) -> int:
    """Return an amount of billionths in a unit (WHOLE or MILLI), rounded away from zero and held within int64."""
    magnitude = min(-(-abs(amount) // unit), _LARGEST)
    return magnitude if amount >= 0 else -magnitude


def _magnitude(whole: str, fraction: str, exponent: str | None, suffix: str | None) -> int:
    digits = int(whole + fraction) * _BINARY.get(suffix or "", 1)
    power = 9 - len(fraction) + (int(exponent) if exponent else _DECIMAL.get(suffix or "", 0))
    factor: int = 10 ** min(abs(power), _HIGHEST_POWER)
    return min(digits * factor if power >= 0 else -(-digits // factor), _LARGEST * WHOLE)


def _shortened(text: QuantityText) -> str:
    spelling = str(text)
    return repr(spelling if len(spelling) <= 40 else f"{spelling[:40]}…")
