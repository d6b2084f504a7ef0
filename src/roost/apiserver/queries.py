"""What lists, watches and deletions say in their query, read and checked."""

from msgspec import Struct

from roost.apiserver.catalogue import Target
from roost.apiserver.deletion import DeleteOptions, delete_options
from roost.apiserver.requests import Request
from roost.apiserver.selection import Selection, select
from roost.apiserver.status import invalid_options
from roost.apiserver.stored import Object

_MATCHES = ("Exact", "NotOlderThan")
_MATCH, _INITIAL = "resourceVersionMatch", "sendInitialEvents"
_FORBIDDEN, _UNSUPPORTED = "FieldValueForbidden", "FieldValueNotSupported"


class WatchQuery(Struct, frozen=True, kw_only=True):
    """A watch, as it was asked for."""

    selection: Selection
    since: str
    initial_events: bool | None
    has_bookmarks: bool
    seconds: int


def read_selection(target: Target, request: Request) -> Selection:
    """Return what a list or a watch selects; refuses (400) selectors that make no sense."""
    labels, fields = request.query.get("labelSelector", ""), request.query.get("fieldSelector", "")
    return select(target.resource, target.namespace, labels, fields)


def read_watch(target: Target, request: Request) -> WatchQuery:
    """Return a watch as it was asked for; refuses (400, 422) what makes no sense."""
    initial = request.flag(_INITIAL)
    _check_watch(request.query.get(_MATCH, ""), initial)
    return WatchQuery(
        selection=read_selection(target, request),
        since=request.query.get("resourceVersion", ""),
        initial_events=initial,
        has_bookmarks=bool(request.flag("allowWatchBookmarks")),
        seconds=request.number("timeoutSeconds"),
    )


def check_list(request: Request) -> None:
    """Refuse (422) combinations of parameters that a list cannot have."""
    match, version = request.query.get(_MATCH, ""), request.query.get("resourceVersion", "")
    causes = []
    if request.flag(_INITIAL) is not None:
        causes.append((_FORBIDDEN, f"Forbidden: {_INITIAL} is forbidden for list", _INITIAL))
    if match and request.query.get("continue"):
        causes.append((_FORBIDDEN, f"Forbidden: {_MATCH} is forbidden when continue is provided", _MATCH))
    if match and not version:
        causes.append((_FORBIDDEN, f"Forbidden: {_MATCH} is forbidden unless resourceVersion is provided", _MATCH))
    if match == "Exact" and version == "0":
        causes.append((_FORBIDDEN, f'Forbidden: {_MATCH} "Exact" is forbidden for resourceVersion "0"', _MATCH))
    _refuse([*causes, *_unknown(match)])


def read_deletion(request: Request) -> DeleteOptions:
    """Return how to delete: the body says, or the query if there is none."""
    body: Object = request.object() if request.body else {}
    for name in ("propagationPolicy", "orphanDependents"):
        if name in request.query:
            body.setdefault(name, request.query[name] if name == "propagationPolicy" else request.flag(name))
    if "gracePeriodSeconds" in request.query:
        body.setdefault("gracePeriodSeconds", request.number("gracePeriodSeconds"))
    return delete_options(body)


def deletes_dry(request: Request) -> bool:
    """Tell whether a deletion is only to be tried, as the query or the body may say."""
    return request.is_dry_run or bool(request.body and request.object().get("dryRun"))


def _check_watch(match: str, initial: bool | None) -> None:
    causes = []
    if initial is not None and match != "NotOlderThan":
        text = f"Forbidden: {_INITIAL} requires setting {_MATCH} to NotOlderThan"
        causes.append((_FORBIDDEN, text, _MATCH))
    elif match and initial is None:
        text = f"Forbidden: {_MATCH} is forbidden for watch unless {_INITIAL} is provided"
        causes.append((_FORBIDDEN, text, _MATCH))
    _refuse([*causes, *_unknown(match)])


def _unknown(match: str) -> list[tuple[str, str, str]]:
    if not match or match in _MATCHES:
        return []
    return [(_UNSUPPORTED, f'Unsupported value: "{match}": supported values: "Exact", "NotOlderThan", ""', _MATCH)]


def _refuse(causes: list[tuple[str, str, str]]) -> None:
    if causes:
        raise invalid_options("ListOptions", causes)
