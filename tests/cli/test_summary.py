"""The line that `roost run --once` ends with."""

from typing import Any, cast

import pytest

from roost.cli.summary import NAMED, summary_line
from roost.framework.pod_info import PodInfo
from roost.scheduler.loop import Summary
from roost.scheduler.queued_pod import QueuedPod
from roost.testing import pod


def left(state: str, *names: str) -> list[QueuedPod]:
    found = []
    for name in names:
        queued = QueuedPod(PodInfo(pod(name), cast(Any, None)), 0.0)
        queued.state = cast(Any, state)
        found.append(queued)
    return found


@pytest.mark.parametrize(
    ("summary", "pods", "line"),
    [
        (Summary(0, 0, 0, 0), [], "0 scheduled"),
        (Summary(3, 0, 0, 0), left("binding", "late"), "3 scheduled"),
        (Summary(3, 1, 0, 0), left("unschedulable", "big"), "3 scheduled, 1 unschedulable (default/big)"),
        (
            Summary(0, 2, 1, 1),
            [*left("unschedulable", "b", "a"), *left("backoff", "c"), *left("gated", "d")],
            "0 scheduled, 2 unschedulable (default/a, default/b), 1 failed (default/c), 1 gated (default/d)",
        ),
    ],
)
def test_what_was_not_scheduled_is_named(summary: Summary, pods: list[QueuedPod], line: str) -> None:
    assert summary_line(summary, pods) == line


def test_not_more_names_than_one_can_read() -> None:
    pods = left("unschedulable", *(f"{i:03d}" for i in range(NAMED + 5)))
    line = summary_line(Summary(0, NAMED + 5, 0, 0), pods)
    assert line.endswith(f"default/{NAMED - 1:03d} and 5 more)")
