"""Which annotations to write: the difference between what nodes say and what they are to say.

    values differ          they are written, and the time with them
    values are the same    the time alone, once it is older than `refresh`
    nothing newer is known nothing: a time is never younger than the measurement it stands for

A difference below a value's `slack` waits until something else of the node is written.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from math import inf, isnan

from msgspec import Struct

from roost.annotator.nodes import AnnotatedNode
from roost.framework.measure import read_number, read_time


class Wanted(Struct, frozen=True):
    """What a node is to say: annotations (None: it has none), the time of the measurement, differences of no weight."""

    annotations: Mapping[str, str | None]
    at: float | None = None
    slack: Mapping[str, float] = {}


class Patch(Struct, frozen=True):
    """Annotations of one node to write (None: to remove), and when it was written to before: -inf for never."""

    node_name: str
    annotations: Mapping[str, str | None]
    before: float = -inf


def plan(
    nodes: Iterable[AnnotatedNode], wanted: Mapping[str, Wanted], *, at_key: str = "", refresh: float = 0.0
) -> list[Patch]:
    """Return the patches that make nodes say what is wanted, those first that were written to longest ago.

    Without `at_key` no time is written. Nodes that are not ready, or of which nothing is wanted, are left alone.
    """
    found = (_patch(node, wanted[node.name], at_key, refresh) for node in nodes if _is_open(node, wanted))
    return sorted((patch for patch in found if patch is not None), key=lambda patch: patch.before)


def rfc3339(seconds: float) -> str:
    """Return a time in seconds since 1970 as Kubernetes spells it."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _is_open(node: AnnotatedNode, wanted: Mapping[str, Wanted]) -> bool:
    return node.is_ready and node.name in wanted


def _patch(node: AnnotatedNode, wanted: Wanted, at_key: str, refresh: float) -> Patch | None:
    there = node.annotations
    changed = {key: text for key, text in wanted.annotations.items() if there.get(key) != text}
    if not at_key or wanted.at is None:
        return Patch(node.name, changed) if changed else None
    written = read_time(there.get(at_key, ""))
    before = -inf if isnan(written) else written
    if abs(wanted.at - before) < refresh and not any(
        _matters(there.get(key), text, wanted.slack.get(key, 0.0)) for key, text in changed.items()
    ):
        return None
    if there.get(at_key) != (text := rfc3339(wanted.at)):
        changed[at_key] = text
    return Patch(node.name, changed, before) if changed else None


def _matters(there: str | None, wanted: str | None, slack: float) -> bool:
    if there is None or wanted is None:
        return True
    old, new = read_number(there), read_number(wanted)
    return old is None or new is None or abs(new - old) > slack
