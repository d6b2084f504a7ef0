"""The ways to change a part of an object: strategic merge patch here, JSON merge patch and JSON patch beside it.

A strategic merge patch merges maps field by field, and the lists named below element by element, by a key. All other
lists it replaces. None of these functions changes what it is given.
"""

from collections.abc import Iterator
from typing import Any

from roost.apiserver.json_patches import json_patch, merge_patch
from roost.apiserver.refusals import bad_request

__all__ = ["json_patch", "merge_patch", "strategic_merge"]

Json = dict[str, Any]

DIRECTIVE, RETAIN_KEYS = "$patch", "$retainKeys"
ORDER, DELETE_FROM = "$setElementOrder/", "$deleteFromPrimitiveList/"
_SPEC, _META, _STATUS = "spec", "metadata", "status"
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_CONTAINER_LISTS = {"ports": "containerPort", "env": "name", "volumeMounts": "mountPath", "volumeDevices": "devicePath"}

MERGE_KEYS: dict[tuple[str, str], str] = {
    **{(_SPEC, name): "name" for name in (*_CONTAINERS, "volumes", "imagePullSecrets", "resourceClaims")},
    **{(container, name): key for container in _CONTAINERS for name, key in _CONTAINER_LISTS.items()},
    (_SPEC, "hostAliases"): "ip",
    (_SPEC, "topologySpreadConstraints"): "topologyKey",
    (_SPEC, "schedulingGates"): "name",
    (_SPEC, "ports"): "port",
    (_SPEC, "drivers"): "name",
    (_META, "ownerReferences"): "uid",
    (_STATUS, "conditions"): "type",
    (_STATUS, "addresses"): "type",
    (_STATUS, "podIPs"): "ip",
    (_STATUS, "hostIPs"): "ip",
    (_STATUS, "resourceClaimStatuses"): "name",
    ("", "secrets"): "name",
    ("", "webhooks"): "name",
}
"""The lists that merge, by the field that holds them and their own name; a node's taints and tolerations do not."""

PRIMITIVE_LISTS = {(_META, "finalizers")}
"""The lists of plain values that merge."""


def strategic_merge(obj: Json, patch: Json, kind: str = "") -> Json:
    """Return the object as a strategic merge patch makes it; refuses (400) a patch that makes no sense.

    `kind` names the object in refusals.
    """
    try:
        return _merge_map(obj, patch, "")
    except _Nonsense as problem:
        raise bad_request(f"cannot patch this {kind or 'object'}: {problem}") from problem


class _Nonsense(Exception):
    """A patch that makes no sense."""


def _merge_map(old: Json, patch: Json, place: str) -> Json:
    if DIRECTIVE in patch:
        return _replaced(patch)
    new = _retained(old, patch)
    for name, value in patch.items():
        if name == RETAIN_KEYS or name.startswith((ORDER, DELETE_FROM)):
            continue
        if value is None:
            new.pop(name, None)
        else:
            _merge_field(new, name, value, patch, place)
    for field in _lists_only_named(patch):
        _merge_field(new, field, [], patch, place)
    return new


def _replaced(patch: Json) -> Json:
    match patch[DIRECTIVE]:
        case "replace":
            plain: Json = _plain(patch)
            return plain
        case "delete":
            return {}
        case unknown:
            raise _Nonsense(f"unknown patch type: {unknown}")


def _retained(old: Json, patch: Json) -> Json:
    """Return a copy of a map with only the keys that the patch wants kept."""
    keep = patch.get(RETAIN_KEYS)
    if keep is None:
        return dict(old)
    given = {name for name, value in patch.items() if value is not None and not name.startswith("$")}
    if not isinstance(keep, list) or not given <= set(keep):
        raise _Nonsense("invalid patch format of retainKeys")
    return {name: value for name, value in old.items() if name in keep}


def _lists_only_named(patch: Json) -> Iterator[str]:
    """Yield the lists that a patch puts in order or takes elements from without adding to them."""
    names = {name.partition("/")[2] for name in patch if name.startswith((ORDER, DELETE_FROM))}
    yield from (name for name in sorted(names) if name not in patch)


def _merge_field(new: Json, name: str, value: Any, patch: Json, place: str) -> None:
    old = new.get(name)
    if isinstance(old, dict) and isinstance(value, dict):
        new[name] = _merge_map(old, value, name)
        if value.get(DIRECTIVE) == "delete":
            del new[name]
    elif isinstance(value, list) and (isinstance(old, list) or name in patch):
        new[name] = _merge_list(old if isinstance(old, list) else [], value, name, patch, place)
    elif name in patch and not (isinstance(value, dict) and value.get(DIRECTIVE) == "delete"):
        new[name] = _plain(value)


def _merge_list(old: list[Any], value: list[Any], name: str, patch: Json, place: str) -> list[Any]:
    order, gone = patch.get(ORDER + name), patch.get(DELETE_FROM + name, [])
    for directive in (order, gone):
        if directive is not None and not isinstance(directive, list):
            raise _Nonsense(f"invalid patch format of the directives for {name}")
    key = MERGE_KEYS.get((place, name))
    if key is not None:
        return _merge_by_key(old, value, key, order, name)
    if (place, name) in PRIMITIVE_LISTS or gone or order is not None:
        if any(isinstance(one, dict | list) for one in (*old, *value, *(order or ()))):
            raise _Nonsense(f"{name} has no key to merge by")
        kept = [one for one in old if one not in gone]
        return arranged({one: one for one in (*kept, *value)}, value if order is None else order, old)
    return [_plain(one) for one in value]


def _merge_by_key(old: list[Any], value: list[Any], key: str, order: list[Any] | None, name: str) -> list[Any]:
    if any(isinstance(item, dict) and item.get(DIRECTIVE) == "replace" for item in value):
        return [_plain(item) for item in value if DIRECTIVE not in item]
    merged = {_key(item, key): item for item in old}
    wanted = []
    for item in value:
        at = _key(item, key)
        if item.get(DIRECTIVE) == "delete":
            merged.pop(at, None)
            continue
        merged[at] = _merge_map(merged.get(at, {}), item, name)
        wanted.append(at)
    ordered = wanted if order is None else [_key(item, key) for item in order]
    if not set(wanted) <= set(ordered):
        raise _Nonsense("invalid patch format of setElementOrder list")
    return arranged(merged, ordered, [_key(item, key) for item in old])


def _key(item: Any, key: str) -> Any:
    if not isinstance(item, dict) or isinstance(item.get(key), dict | list | None):
        raise _Nonsense(f"map: {item} does not contain declared merge key: {key}")
    return item[key]


def arranged(items: dict[Any, Any], order: list[Any], old: list[Any]) -> list[Any]:
    """Return items in the patch's order, and those it does not name where they stood among them."""
    named = [at for at in dict.fromkeys(order) if at in items]
    others = [at for at in items if at not in named]
    stood = {at: place for place, at in enumerate(old)}
    result = []
    for at in named:
        while others and at in stood and others[0] in stood and stood[others[0]] < stood[at]:
            result.append(items[others.pop(0)])
        result.append(items[at])
    return result + [items[at] for at in others]


def _plain(value: Any) -> Any:
    """Return a value of a patch without directives, nulls and what they delete."""
    if isinstance(value, dict):
        kept = {name: one for name, one in value.items() if one is not None and not name.startswith("$")}
        return {name: _plain(one) for name, one in kept.items() if not _is_deletion(one)}
    if isinstance(value, list):
        return [_plain(one) for one in value if not _is_deletion(one)]
    return value


def _is_deletion(value: Any) -> bool:
    return isinstance(value, dict) and value.get(DIRECTIVE) == "delete"
