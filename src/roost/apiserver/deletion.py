"""Deletion: preconditions, the grace of pods that run, and finalizers that hold an object back."""

from msgspec import Struct

from roost.apiserver.refusals import conflict, forbidden
from roost.apiserver.stored import Object, Stored, fresh
from roost.apiserver.timestamps import rfc3339, seconds_of

ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
_IMMORTAL = ("default", "kube-system", "kube-public")
_ENDED = ("Succeeded", "Failed")


class DeleteOptions(Struct, frozen=True, kw_only=True):
    """How to delete, and on what condition; `propagation` is Background, Foreground, Orphan or empty."""

    uid: str = ""
    resource_version: str = ""
    grace_seconds: int | None = None
    propagation: str = ""


NOW = DeleteOptions()
"""No conditions, and the grace that the object itself asks for."""


def delete_options(body: Object) -> DeleteOptions:
    """Read meta/v1 DeleteOptions."""
    preconditions = body.get("preconditions") or {}
    return DeleteOptions(
        uid=preconditions.get("uid") or "",
        resource_version=preconditions.get("resourceVersion") or "",
        grace_seconds=body.get("gracePeriodSeconds"),
        propagation=body.get("propagationPolicy") or ("Orphan" if body.get("orphanDependents") else ""),
    )


def check_preconditions(item: Stored, options: DeleteOptions) -> None:
    """Refuse (409) to delete another object than the caller means, and (403) the namespaces that are always there."""
    if item.resource.kind == "Namespace" and item.name in _IMMORTAL:
        raise forbidden(item.resource, item.name, "this namespace may not be deleted")
    qualified = f"{item.resource.kind}.{item.resource.group}" if item.resource.group else item.resource.kind
    uid = item.metadata["uid"]
    if options.uid and options.uid != uid:
        problem = f"the UID in the precondition ({options.uid}) does not match the UID in record ({uid}). "
        raise conflict(qualified, item.name, problem + "The object might have been deleted and then recreated")
    if options.resource_version and options.resource_version != str(item.version):
        asked, found = options.resource_version, item.version
        problem = f"the ResourceVersion in the precondition ({asked}) does not match the ResourceVersion in record "
        raise conflict(qualified, item.name, f"{problem}({found}). The object might have been modified")


def begin(item: Stored, options: DeleteOptions, now: float) -> Object | None:
    """Return the object as it waits for its end, or None if nothing holds it."""
    grace = _grace(item.object, options)
    finalizers = _finalizers(item.metadata, options)
    held_by_namespace = item.resource.kind == "Namespace" and (item.object.get("spec") or {}).get("finalizers")
    if not grace and not finalizers and not held_by_namespace:
        return None
    after = fresh(item.object)
    metadata = after["metadata"]
    metadata["finalizers"] = finalizers
    _mark(metadata, grace, now)
    if held_by_namespace:
        after["status"] = {**(after.get("status") or {}), "phase": "Terminating"}
    return after


def is_complete(obj: Object) -> bool:
    """Tell whether an object that is being deleted is held by nobody any more."""
    metadata = obj["metadata"]
    if "deletionTimestamp" not in metadata or metadata.get("finalizers"):
        return False
    if obj["kind"] == "Namespace" and (obj.get("spec") or {}).get("finalizers"):
        return False
    return not metadata.get("deletionGracePeriodSeconds")


def _grace(obj: Object, options: DeleteOptions) -> int:
    if obj["kind"] != "Pod":
        return 0
    spec = obj["spec"]
    if not spec.get("nodeName") or (obj.get("status") or {}).get("phase") in _ENDED:
        return 0
    asked = options.grace_seconds
    grace = int(spec.get("terminationGracePeriodSeconds") or 0) if asked is None else int(asked)
    return max(grace, 0) if grace != -1 else 1


def _mark(metadata: Object, grace: int, now: float) -> None:
    """Set when the object ends; what is being deleted already may only end sooner."""
    left = metadata.get("deletionGracePeriodSeconds")
    if "deletionTimestamp" not in metadata:
        metadata["deletionTimestamp"] = rfc3339(now + grace)
        metadata["deletionGracePeriodSeconds"] = grace
        if "generation" in metadata:
            metadata["generation"] += 1
    elif left and grace < left:
        end = max(seconds_of(metadata["deletionTimestamp"]) - left + grace, now)
        metadata["deletionTimestamp"] = rfc3339(end)
        metadata["deletionGracePeriodSeconds"] = grace


def _finalizers(metadata: Object, options: DeleteOptions) -> list[str]:
    kept = [one for one in metadata.get("finalizers") or () if one not in (ORPHAN, FOREGROUND)]
    match options.propagation:
        case "Orphan":
            return [*kept, ORPHAN]
        case "Foreground":
            return [*kept, FOREGROUND]
        case "Background":
            return kept
        case _:
            return list(metadata.get("finalizers") or ())
