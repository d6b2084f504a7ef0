"""The line that `roost run --once` ends with."""

from collections.abc import Iterable

from roost.scheduler.loop import Summary
from roost.scheduler.queued_pod import QueuedPod

NAMED = 20
"""How many pods of a kind are named."""

_FAILED = {"active": "failed", "backoff": "failed"}


def summary_line(summary: Summary, left: Iterable[QueuedPod]) -> str:
    """Return what came of the pending pods; those that were not scheduled are named."""
    names: dict[str, list[str]] = {}
    for queued in left:
        names.setdefault(_FAILED.get(queued.state, queued.state), []).append(queued.key)
    counts = {"unschedulable": summary.unschedulable, "failed": summary.failed, "gated": summary.gated}
    parts = [f"{count} {what}{_named(names.get(what, []))}" for what, count in counts.items() if count]
    return ", ".join([f"{summary.scheduled} scheduled", *parts])


def _named(keys: list[str]) -> str:
    shown = ", ".join(sorted(keys)[:NAMED])
    more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return f" ({shown}{more})" if keys else ""
