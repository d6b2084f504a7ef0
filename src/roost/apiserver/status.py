"""Status objects: how a Kubernetes API says why not, or that something is done."""

from roost.apiserver.refusals import Invalid
from roost.apiserver.stored import Object
from roost.errors import ApiError

_REASONS = {
    400: "BadRequest",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    409: "Conflict",
    410: "Expired",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    501: "NotImplemented",
}


def failure(error: ApiError) -> Object:
    """Return the Status that an error is."""
    code = error.status or 500
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": str(error),
        "reason": error.reason or _REASONS.get(code, "InternalError"),
        "details": _details(error),
        "code": code,
    }


def success(code: int, details: Object | None = None) -> Object:
    """Return the Status that says that all is well."""
    status: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": code}
    return {**status, "details": details} if details else status


def refusal(code: int, message: str) -> ApiError:
    """Return the error for a code, with the reason that Kubernetes gives it."""
    return ApiError(message, status=code, reason=_REASONS[code])


def no_such_resource() -> ApiError:
    """Say that nothing is served at a path."""
    return refusal(404, "the server could not find the requested resource")


def not_allowed() -> ApiError:
    """Say that a path does not know the method."""
    return refusal(405, "the server does not allow this method on the requested resource")


def invalid_options(kind: str, causes: list[tuple[str, str, str]]) -> "InvalidOptions":
    """Say which query parameters cannot be: reasons, messages and names."""
    return InvalidOptions(kind, causes)


class InvalidOptions(ApiError):
    """Query parameters that make no sense (422)."""

    def __init__(self, kind: str, causes: list[tuple[str, str, str]]) -> None:
        texts = [f"{field}: {message}" for _, message, field in causes]
        problem = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
        super().__init__(f'{kind}.meta.k8s.io "" is invalid: {problem}', status=422, reason="Invalid")
        self.kind = kind
        self.causes = causes


class FieldConflict(ApiError):
    """Fields that other managers have applied with other values (409)."""

    def __init__(self, message: str, causes: list[tuple[str, str, str]]) -> None:
        super().__init__(message, status=409, reason="Conflict")
        self.causes = causes


def _details(error: ApiError) -> Object:
    details: Object = {}
    if isinstance(error, Invalid):
        causes = [(cause.reason, cause.message, cause.field) for cause in error.causes]
        details = {"name": error.name, "group": error.group, "kind": error.kind, "causes": _causes(causes)}
    elif isinstance(error, InvalidOptions):
        details = {"group": "meta.k8s.io", "kind": error.kind, "causes": _causes(error.causes)}
    elif isinstance(error, FieldConflict):
        details = {"causes": _causes(error.causes)}
    if error.retry_after:
        details["retryAfterSeconds"] = max(1, int(error.retry_after))
    return {name: value for name, value in details.items() if value}


def _causes(causes: list[tuple[str, str, str]]) -> list[Object]:
    return [{"reason": reason, "message": message, "field": field} for reason, message, field in causes]
