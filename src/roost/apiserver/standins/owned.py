"""What belongs to whom."""

from collections import defaultdict
from collections.abc import Iterable

from roost.apiserver.stored import Object, Objects, Stored


def controller_uid(item: Stored) -> str:
    """Return the uid of the object that manages this one; empty if there is none."""
    for owner in item.metadata.get("ownerReferences") or ():
        if owner.get("controller"):
            return str(owner["uid"])
    return ""


def by_controller(items: Iterable[Stored]) -> dict[str, Objects]:
    """Return objects by the uid of what manages them."""
    found: dict[str, Objects] = defaultdict(list)
    for item in items:
        if uid := controller_uid(item):
            found[uid].append(item)
    return found


def owned_by(owner: Stored) -> Object:
    """Return the reference to an object's controller."""
    return {
        "apiVersion": owner.resource.api_version,
        "kind": owner.resource.kind,
        "name": owner.name,
        "uid": owner.metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def is_leaving(item: Stored) -> bool:
    """Tell whether an object is being deleted."""
    return "deletionTimestamp" in item.metadata


def has_ended(pod: Stored) -> bool:
    """Tell whether a pod's containers are done for good."""
    return pod.object["status"].get("phase") in ("Succeeded", "Failed")
