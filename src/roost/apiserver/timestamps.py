"""Spell times as Kubernetes does, and read them."""

from datetime import UTC, datetime
from functools import lru_cache


def rfc3339(seconds: float) -> str:
    """Return a time in seconds since 1970 as metadata spell it, to the second."""
    return _whole(int(seconds))


def rfc3339_micro(seconds: float) -> str:
    """Return a time as leases and events spell it, to the microsecond."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds_of(text: str) -> float:
    """Return the seconds since 1970 of a time as Kubernetes spells it; 0 if there is none."""
    return datetime.fromisoformat(text).timestamp() if text else 0.0


@lru_cache(maxsize=64)
def _whole(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
