"""What a plugin says of a pod, a node, or a pod on a node, in kube-scheduler's words."""

from enum import IntEnum

from msgspec import Struct


class Code(IntEnum):
    """The kinds of answer; the names and their meaning are kube-scheduler's."""

    Success = 0
    Error = 1
    Unschedulable = 2
    UnschedulableAndUnresolvable = 3
    Wait = 4
    Skip = 5


class Status(Struct, frozen=True, gc=False):
    """An answer with its reasons; `plugin` says who gave it (filled by the cycle)."""

    code: Code
    reasons: tuple[str, ...] = ()
    plugin: str = ""

    @property
    def message(self) -> str:
        """The reasons as one text."""
        return ", ".join(self.reasons)


SUCCESS = Status(Code.Success)
SKIP = Status(Code.Skip)
"""Returned by `pre_filter` or `pre_score`: the plugin has nothing to say of this pod and is not asked."""


def unschedulable(*reasons: str) -> Status:
    """Return a rejection that removing pods from the node could lift."""
    return Status(Code.Unschedulable, reasons)


def unresolvable(*reasons: str) -> Status:
    """Return a rejection that removing pods from the node cannot lift."""
    return Status(Code.UnschedulableAndUnresolvable, reasons)
