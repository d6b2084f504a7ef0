"""What an API server answered, and which of our errors it is when it is not a success: plain functions on bytes."""

import msgspec
from msgspec import Struct

from roost.errors import (
    ApiError,
    Conflict,
    Forbidden,
    Gone,
    NotFound,
    OutcomeUnknown,
    TooManyRequests,
    Unauthorized,
)

ERRORS: dict[int, type[ApiError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    429: TooManyRequests,
}
_GATEWAY_GAVE_UP = (502, 504)
_UNAVAILABLE = 503


class Answer(Struct, frozen=True, gc=False):
    """The status and body of an answer; `retry_after` is the header as it came."""

    status: int
    body: bytes = b""
    retry_after: str = ""


class Details(Struct, frozen=True, rename="camel"):
    """The part of a Status that says when to come again."""

    retry_after_seconds: float = 0


class Status(Struct, frozen=True):
    """The object by which Kubernetes says why not."""

    message: str = ""
    reason: str = ""
    code: int = 0
    details: Details | None = None


def read_status(body: bytes) -> Status:
    """Read a Status; an empty one if the body is none, as from a proxy in between."""
    try:
        return msgspec.json.decode(body, type=Status)
    except (ValueError, RecursionError):
        return Status()


def error_for(answer: Answer, method: str, path: str, server: str, origin: str) -> ApiError:
    """Return the error that an answer stands for, with one sentence that says what to do."""
    status = read_status(answer.body)
    told = status.message or _first_words(answer.body) or f"{method} {server}{path} was refused"
    error = _class_for(answer, method)
    return error(
        f"{answer.status}: {told}{_advice(answer.status, server, origin)}",
        status=answer.status,
        reason=status.reason,
        retry_after=_retry_after(answer.retry_after, status),
    )


def error_of_status(status: Status) -> ApiError:
    """Return the error that an ERROR event of a watch stands for."""
    message = f"{status.code}: {status.message or 'the watch failed'}"
    return ERRORS.get(status.code, ApiError)(message, status=status.code, reason=status.reason)


def _class_for(answer: Answer, method: str) -> type[ApiError]:
    if answer.status in _GATEWAY_GAVE_UP and method != "GET":
        return OutcomeUnknown
    if answer.status == _UNAVAILABLE and answer.retry_after:
        return TooManyRequests
    return ERRORS.get(answer.status, ApiError)


def _advice(status: int, server: str, origin: str) -> str:
    match status:
        case 401:
            return f"; {server} does not accept the credentials of {origin}: log in again or correct them there"
        case 403:
            return "; grant it to the role in deploy/"
        case _ if status in _GATEWAY_GAVE_UP:
            return "; is the API server behind this gateway running?"
        case _:
            return ""


def _first_words(body: bytes) -> str:
    if body.startswith(b"{"):
        return ""
    text = " ".join(body[:400].decode("utf-8", "replace").split())
    return text if len(text) <= 200 else text[:199] + "…"


def _retry_after(header: str, status: Status) -> float | None:
    if header.isdigit():
        return float(header)
    return (status.details.retry_after_seconds or None) if status.details else None
