"""What options of `roost extend` can be, without anything that takes long to import."""

from enum import StrEnum


class Compat(StrEnum):
    """Whose numbers policies give."""

    original = "original"


class ExtendLogLevel(StrEnum):
    """What is worth a line, in the words of the extenders that this replaces."""

    trace = "trace"
    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"
    alert = "alert"
