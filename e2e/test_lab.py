"""The lab of docs/labs runs as its page says, word for word, on a cluster with roles and service accounts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.classroom import Classroom, Part, missing_for_walks, open_classroom
from e2e.load import list_events


@pytest.fixture
def classroom(assets: Path, tmp_path: Path) -> Iterator[Classroom]:
    if missing := missing_for_walks(assets):
        pytest.skip(f"to walk through pages, this machine lacks {', '.join(missing)}")
    with open_classroom(assets, tmp_path) as room:
        yield room


def test_the_lab_from_the_loop_in_bash_to_the_deployed_scheduler(classroom: Classroom) -> None:
    assert classroom.walk(Part("labs/custom-scheduler.md")) > 40

    events = list_events(classroom.control_plane.api, "default")
    said = {(event["reason"], event["reportingController"]) for event in events}
    assert ("FailedCreate", "replicaset-controller") in said, "the real controller could not create the pod"
    assert {("Scheduled", name) for name in ("my-scheduler", "random-scheduler", "default-scheduler")} <= said
