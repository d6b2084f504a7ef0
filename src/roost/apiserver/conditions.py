"""Conditions of a status: found by type, and touched only when they change."""

from collections.abc import Sequence

from roost.apiserver.stored import Object


def find_condition(obj: Object, type_: str) -> Object | None:
    """Return an object's condition of a type."""
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return next((one for one in conditions if one.get("type") == type_), None)


def is_true(obj: Object, type_: str) -> bool:
    """Tell whether a condition holds."""
    return (find_condition(obj, type_) or {}).get("status") == "True"


def with_condition(conditions: Sequence[Object] | None, condition: Object, now: str) -> list[Object]:
    """Return conditions with one set; its transition time is now if its status is not what it was."""
    conditions = conditions or ()
    old = next((one for one in conditions if one.get("type") == condition["type"]), None)
    since = old.get("lastTransitionTime", now) if old and old.get("status") == condition["status"] else now
    new = {**condition, "lastTransitionTime": since}
    if old is None:
        return [*conditions, new]
    return [new if one is old else one for one in conditions]
