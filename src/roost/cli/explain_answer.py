"""What `roost explain` has found out, whichever way it is shown."""

from collections.abc import Sequence

from msgspec import Struct

from roost.analysis.report import Report


class Answered(Struct, frozen=True, kw_only=True):
    """A report, and what a reader should know of how it came about."""

    report: Report
    profile: str
    unreadable: Sequence[str]
    nodes: int
    pods: int
