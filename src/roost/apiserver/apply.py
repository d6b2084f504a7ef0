"""Server-side apply: who applies an object owns the fields it names, and takes away those it no longer names.

Only what was applied has owners; other writes change fields without owning them.
"""

from typing import Any

from msgspec import Struct

from roost.apiserver.catalogue import Target
from roost.apiserver.fields import (
    MISSING,
    Path,
    Paths,
    Where,
    index_of,
    is_map,
    is_set,
    paths_of,
    read_tree,
    spelled,
    step_to,
    value_at,
    write_tree,
)
from roost.apiserver.patch import arranged
from roost.apiserver.refusals import bad_request
from roost.apiserver.requests import Request
from roost.apiserver.status import FieldConflict, invalid_options
from roost.apiserver.store import Object, Store, Stored
from roost.apiserver.timestamps import rfc3339

_NOBODYS = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp", "generation", "managedFields")
_REQUIRED = "Required value: is required for apply patch"


class _Manager(Struct, frozen=True):
    """Who applies, and what part of the object."""

    name: str
    api_version: str
    subresource: str
    now: str

    def owns(self, entry: Object) -> bool:
        """Tell whether an entry of managedFields is this manager's."""
        key = (entry.get("manager"), entry.get("operation"), entry.get("subresource") or "")
        return key == (self.name, "Apply", self.subresource)

    def entry(self, paths: Paths) -> Object:
        """Return the entry that says what this manager owns."""
        part = {"subresource": self.subresource} if self.subresource else {}
        named = {"manager": self.name, "operation": "Apply", "apiVersion": self.api_version, "time": self.now}
        return {**named, "fieldsType": "FieldsV1", "fieldsV1": write_tree(paths), **part}


def apply(store: Store, target: Target, request: Request, body: Object) -> tuple[Stored, bool]:
    """Apply an object; return it as stored, and whether it is new. Raises Conflict naming the fields of others."""
    manager = _read_manager(target, request, body, rfc3339(store.clock()))
    paths = Paths(paths_of(_owned_part(body)))
    before = store.find(target.resource, target.name, target.namespace)
    if before is None and not target.subresource:
        metadata = {"name": target.name, **(body.get("metadata") or {}), "managedFields": [manager.entry(paths)]}
        new = {**body, "metadata": metadata}
        return store.create(target.resource, new, target.namespace, dry_run=request.is_dry_run), True
    force = bool(request.flag("force"))
    item = store.modify(
        target.resource,
        target.name,
        lambda live: _applied(live, body, manager, paths, force),
        target.namespace,
        subresource=target.subresource,
        dry_run=request.is_dry_run,
    )
    return item, False


def _read_manager(target: Target, request: Request, body: Object, now: str) -> _Manager:
    name = request.query.get("fieldManager", "")
    if not name:
        raise invalid_options("PatchOptions", [("FieldValueRequired", _REQUIRED, "fieldManager")])
    if (body.get("metadata") or {}).get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    for field in ("apiVersion", "kind"):
        if not body.get(field):
            raise bad_request(f"{field} must be specified in apply patch")
    return _Manager(name, str(body["apiVersion"]), target.subresource, now)


def _owned_part(body: Object) -> Object:
    metadata = {name: value for name, value in (body.get("metadata") or {}).items() if name not in _NOBODYS}
    rest = {name: value for name, value in body.items() if name not in ("apiVersion", "kind", "metadata")}
    return {**rest, **({"metadata": metadata} if metadata else {})}


def _applied(live: Object, body: Object, manager: _Manager, paths: Paths, force: bool) -> Object:
    entries = live["metadata"].get("managedFields") or []
    entries = _without_conflicts(entries, live, body, manager, paths, force)
    before = Paths(path for one in entries if manager.owns(one) for path in read_tree(one["fieldsV1"]))
    others = {path for one in entries if not manager.owns(one) for path in read_tree(one.get("fieldsV1") or {})}
    merged: Object = _merge(live, body, ("", ""))
    for path in sorted(before - paths - others, key=len):
        _remove(merged, path)
    if before != paths:
        entries = [*(one for one in entries if not manager.owns(one)), manager.entry(paths)]
    merged["metadata"]["managedFields"] = entries
    return merged


def _without_conflicts(
    entries: list[Object], live: Object, body: Object, manager: _Manager, paths: Paths, force: bool
) -> list[Object]:
    """Return the entries without the fields that are taken over by force; refuses (409) if there is no force."""
    changed = {path for path in paths if _differs(path, value_at(live, path), value_at(body, path))}
    taken = [
        (i, path)
        for i, one in enumerate(entries)
        if one.get("operation") == "Apply" and not manager.owns(one)
        for path in sorted(changed.intersection(read_tree(one["fieldsV1"])))
    ]
    if taken and not force:
        raise _conflict([(entries[i]["manager"], path) for i, path in taken])
    lost: dict[int, set[Path]] = {}
    for i, path in taken:
        lost.setdefault(i, set()).add(path)
    return [_without(one, lost[i]) if i in lost else one for i, one in enumerate(entries)]


def _without(entry: Object, lost: set[Path]) -> Object:
    return {**entry, "fieldsV1": write_tree(Paths(read_tree(entry["fieldsV1"])) - lost)}


def _differs(path: Path, live: Any, wanted: Any) -> bool:
    """Tell whether applying a field changes it; an element of a list differs by its fields, not as a whole."""
    return not path[-1].startswith("k:") and live is not MISSING and bool(live != wanted)


def _conflict(taken: list[tuple[str, Path]]) -> FieldConflict:
    causes = [("FieldManagerConflict", f'conflict with "{name}"', spelled(path)) for name, path in taken]
    if len(taken) == 1:
        return FieldConflict(f"Apply failed with 1 conflict: {causes[0][1]}: {causes[0][2]}", causes)
    lines = [f"Apply failed with {len(taken)} conflicts: "]
    for name in sorted({name for name, _ in taken}):
        own = "\n".join(f"- {spelled(path)}" for one, path in taken if one == name)
        lines.append(f'conflicts with "{name}":\n{own}')
    return FieldConflict(lines[0] + "\n".join(lines[1:]), causes)


def _merge(live: Any, wanted: Any, where: Where) -> Any:
    if is_map(live, where) and is_map(wanted, where):
        return {**live, **{name: _merge(live.get(name), one, (where[1], name)) for name, one in wanted.items()}}
    if isinstance(live, list) and isinstance(wanted, list):
        return _merge_lists(live, wanted, where)
    return wanted


def _merge_lists(live: list[Any], wanted: list[Any], where: Where) -> list[Any]:
    if is_set(where):
        return list(dict.fromkeys([*live, *wanted]))
    steps = [step_to(item, where) for item in wanted]
    if not wanted or None in steps:
        return wanted
    merged: dict[Any, Any] = {step_to(item, where): item for item in live}
    old = list(merged)
    for step, item in zip(steps, wanted, strict=True):
        merged[step] = _merge(merged.get(step), item, ("", where[1]))
    return arranged(merged, steps, old)


def _remove(obj: Object, path: Path) -> None:
    """Take a field away, and the maps that are empty without it."""
    holder, step = value_at(obj, path[:-1]), path[-1]
    if isinstance(holder, dict):
        holder.pop(step[2:], None)
    elif isinstance(holder, list) and (i := index_of(holder, step)) >= 0:
        del holder[i]
    if holder == {} and len(path) > 2 and path[-2].startswith("f:"):
        _remove(obj, path[:-1])
