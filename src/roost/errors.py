"""The tree of Roost's errors. What a user did wrong is one sentence; a rejected pod is a value, never an exception.

RoostError
├── ConfigError            a configuration file, a policy or an argument is wrong (exit 2)
├── PluginError            a plugin raised an exception: its pod is not decided, the others go on
├── ExtenderError          an extender did not answer, or answered that it failed
├── SourceError            where usage or prices come from did not answer, or not with what was asked for
├── InvalidObject          a Kubernetes object cannot be read: it is reported, and the others go on
└── ApiError               the Kubernetes API said no, or could not be asked (exit 1)
    ├── Unreachable        no connection: refused, unknown host, certificate not trusted
    │   └── OutcomeUnknown the connection broke after a write was sent: it may or may not have happened
    ├── Unauthorized       401
    ├── Forbidden          403
    ├── NotFound           404
    ├── Conflict           409
    ├── Gone               410: the resourceVersion is too old, list again
    └── TooManyRequests    429: wait `retry_after` seconds
"""


class RoostError(Exception):
    """The root of every error that Roost raises on purpose."""

    exit_code = 1


class ConfigError(RoostError):
    """A configuration, policy name or argument that cannot be used; the message names the field and the fix."""

    exit_code = 2


class PluginError(RoostError):
    """An exception in a plugin; the message names the plugin, the file and the line."""


class ExtenderError(RoostError):
    """An extender that did not answer, or answered that it failed; the message names it."""


class SourceError(RoostError):
    """Where usage or prices of nodes come from cannot be asked, or says no; the message names it."""


class InvalidObject(RoostError):
    """A Kubernetes object that cannot be read, such as a quantity that is none."""


class ApiError(RoostError):
    """An answer of the Kubernetes API that is not a success."""

    def __init__(self, message: str, *, status: int = 0, reason: str = "", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class Unreachable(ApiError):
    """The API server could not be asked."""


class OutcomeUnknown(Unreachable):
    """A write was sent and no answer came: only reading the object tells what happened."""


class Unauthorized(ApiError):
    """The API server does not know who asks (401)."""


class Forbidden(ApiError):
    """The API server knows who asks and refuses (403)."""


class NotFound(ApiError):
    """The object or the resource does not exist (404)."""


class Conflict(ApiError):
    """The object has changed, exists already, or the pod is already bound (409)."""


class Gone(ApiError):
    """The resourceVersion asked for is no longer kept (410)."""


class TooManyRequests(ApiError):
    """The API server asks for patience (429)."""
