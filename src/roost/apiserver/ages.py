"""Spell how long ago something was, as kubectl shows it: two places at most, fewer the older it is."""

from roost.apiserver.timestamps import seconds_of

UNKNOWN = "<unknown>"
_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400


def age(timestamp: str | None, now: float) -> str:
    """Return the time since a timestamp, such as 5m20s."""
    return duration(now - seconds_of(timestamp)) if timestamp else UNKNOWN


def duration(seconds: float) -> str:
    """Return a duration such as 75s, 5m20s, 3h or 2d4h; clocks may differ by a second."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 2 * _MINUTE:
        return f"{max(whole, 0)}s"
    if whole < 3 * _HOUR:
        return _two(whole, _MINUTE, "m", 1, "s", whole < 10 * _MINUTE)
    if whole < 2 * _DAY:
        return _two(whole, _HOUR, "h", _MINUTE, "m", whole < 8 * _HOUR)
    if whole < 2 * _YEAR:
        return _two(whole, _DAY, "d", _HOUR, "h", whole < 8 * _DAY)
    return _two(whole, _YEAR, "y", _DAY, "d", whole < 8 * _YEAR)


def _two(seconds: int, large: int, large_name: str, small: int, small_name: str, is_precise: bool) -> str:
    rest = seconds % large // small
    first = f"{seconds // large}{large_name}"
    return f"{first}{rest}{small_name}" if rest and is_precise else first
