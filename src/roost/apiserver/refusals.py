"""The API server's refusals, in kube-apiserver's words."""

from msgspec import Struct

from roost.apiserver.resources import Resource
from roost.errors import ApiError, Conflict, Forbidden, Gone, NotFound, TooManyRequests

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


class Cause(Struct, frozen=True):
    """One thing that is wrong with one field."""

    reason: str
    message: str
    field: str


class Invalid(ApiError):
    """An object with wrong fields (422); names each of them."""

    def __init__(self, resource: Resource, name: str, causes: list[Cause]) -> None:
        texts = [f"{cause.field}: {cause.message}" for cause in causes]
        problem = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
        super().__init__(f'{resource.qualified_kind} "{name}" is invalid: {problem}', status=422, reason="Invalid")
        self.group = resource.group
        self.kind = resource.kind
        self.name = name
        self.causes = causes


def required(field: str, detail: str = "") -> Cause:
    """Say that a field is missing."""
    return Cause("FieldValueRequired", f"Required value: {detail}" if detail else "Required value", field)


def invalid(field: str, value: object, detail: str) -> Cause:
    """Say that a field's value cannot be."""
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    return Cause("FieldValueInvalid", f"Invalid value: {shown}: {detail}", field)


def unsupported(field: str, value: str, supported: tuple[str, ...]) -> Cause:
    """Say that a field's value is none of those there are."""
    choices = ", ".join(f'"{one}"' for one in supported)
    return Cause("FieldValueNotSupported", f'Unsupported value: "{value}": supported values: {choices}', field)


def forbidden_field(field: str, detail: str) -> Cause:
    """Say that a field may not be set or changed."""
    return Cause("FieldValueForbidden", f"Forbidden: {detail}", field)


def not_found(resource: Resource, name: str) -> NotFound:
    """Say that there is no such object."""
    return NotFound(f'{resource.qualified} "{name}" not found', status=404, reason="NotFound")


def already_exists(resource: Resource, name: str, *, is_leaving: bool = False) -> Conflict:
    """Say that the name is taken."""
    prefix = "object is being deleted: " if is_leaving else ""
    return Conflict(f'{prefix}{resource.qualified} "{name}" already exists', status=409, reason="AlreadyExists")


def conflict(qualified: str, name: str, problem: str = MODIFIED) -> Conflict:
    """Say that an object is not as the writer thinks."""
    text = f'Operation cannot be fulfilled on {qualified} "{name}": {problem}'
    return Conflict(text, status=409, reason="Conflict")


def forbidden(resource: Resource, name: str, problem: str) -> Forbidden:
    """Say that admission does not let it in."""
    return Forbidden(f'{resource.qualified} "{name}" is forbidden: {problem}', status=403, reason="Forbidden")


def bad_request(problem: str) -> ApiError:
    """Say that the request makes no sense."""
    return ApiError(problem, status=400, reason="BadRequest")


def expired(asked: int, oldest: int) -> Gone:
    """Say that the past asked for is forgotten."""
    return Gone(f"too old resource version: {asked} ({oldest})", status=410, reason="Expired")


def page_expired() -> Gone:
    """Say that a continue token is from a past that is forgotten."""
    text = (
        "The provided continue parameter is too old to display a consistent list result. "
        "You must start a new list without the continue parameter."
    )
    return Gone(text, status=410, reason="Expired")


def not_yet(asked: int, current: int) -> ApiError:
    """Say that a resourceVersion is from the future."""
    text = f"Timeout: Too large resource version: {asked}, current: {current}"
    return ApiError(text, status=504, reason="Timeout", retry_after=1.0)


def too_many_requests(problem: str, retry_after: float) -> TooManyRequests:
    """Ask for patience."""
    return TooManyRequests(problem, status=429, reason="TooManyRequests", retry_after=retry_after)
