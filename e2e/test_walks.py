"""Pages of the documentation run as they are written: each command of each page, and what it shows below it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.classroom import DOCS, Classroom, Part, missing_for_walks, open_classroom
from e2e.walk import Command, read_steps

FOLDERS = ("explanation", "labs", "walks")
"""Every page here that shows commands is walked through."""

ALONE = (
    "explanation/extending-the-scheduler.md",
    "explanation/one-node-left.md",
    "explanation/two-schedulers.md",
    "how-to/extender-behind-kube-scheduler.md",
    "walks/extender-template.md",
    "walks/node-index.md",
    "walks/sample-extender.md",
)
AGENTS, LOGS = "walks/agents.md", "how-to/read-logs-and-events.md"
ELSEWHERE = ("labs/custom-scheduler.md",)


@pytest.fixture
def classroom(assets: Path, tmp_path: Path) -> Iterator[Classroom]:
    if missing := missing_for_walks(assets):
        pytest.skip(f"to walk through pages, this machine lacks {', '.join(missing)}")
    with open_classroom(assets, tmp_path) as room:
        yield room


@pytest.mark.parametrize("page", ALONE)
def test_a_page_says_what_happens(classroom: Classroom, page: str) -> None:
    assert classroom.walk(Part(page)) > 0


def test_the_agents_and_before_they_go_their_logs_and_events(classroom: Classroom) -> None:
    cleanup = "## 4. Cleanup"
    assert classroom.walk(Part(AGENTS, until=cleanup), Part(LOGS), Part(AGENTS, after=cleanup)) > 0


def test_no_page_shows_commands_that_nothing_runs() -> None:
    pages = [path for folder in FOLDERS for path in (DOCS / folder).glob("*.md")]
    showing = {
        str(page.relative_to(DOCS))
        for page in pages
        if any(isinstance(step, Command) for step in read_steps(page.read_text()))
    }
    assert showing <= {*ALONE, AGENTS, LOGS, *ELSEWHERE}
