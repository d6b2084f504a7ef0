"""JSON merge patch (RFC 7386) and JSON patch (RFC 6902). None of these functions changes what it is given."""

from typing import Any

import msgspec

from roost.apiserver.refusals import bad_request
from roost.errors import ApiError

Json = dict[str, Any]
_MOST_OPERATIONS = 10_000
_MISSING = object()


def merge_patch(obj: Any, patch: Any) -> Any:
    """Return the object as a JSON merge patch makes it: null deletes, maps merge, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    new = dict(obj) if isinstance(obj, dict) else {}
    for name, value in patch.items():
        if value is None:
            new.pop(name, None)
        else:
            new[name] = merge_patch(new.get(name), value)
    return new


def json_patch(obj: Json, operations: Any) -> Json:
    """Return the object as a JSON patch makes it; refuses (400) what is no patch, (422) what cannot be done."""
    if not isinstance(operations, list) or not all(isinstance(one, dict) for one in operations):
        raise bad_request("a JSON patch is a list of operations")
    if len(operations) > _MOST_OPERATIONS:
        raise bad_request(f"a JSON patch may have {_MOST_OPERATIONS} operations at most")
    root: Any = msgspec.json.decode(msgspec.json.encode(obj))
    for operation in operations:
        root = _apply(root, operation)
    if not isinstance(root, dict):
        raise _impossible("the patched object is no object")
    return root


def _apply(root: Any, operation: Json) -> Any:
    path = _path(operation, "path")
    match operation.get("op"):
        case "add":
            return _add(root, path, _value(operation))
        case "remove":
            return _remove(root, path)
        case "replace":
            _read(root, path)
            return _add(_remove(root, path) if path else root, path, _value(operation))
        case "test":
            return _tested(root, path, operation)
        case "copy":
            return _add(root, path, msgspec.to_builtins(_read(root, _path(operation, "from"))))
        case "move":
            source = _path(operation, "from")
            value = _read(root, source)
            return _add(_remove(root, source), path, value)
        case unknown:
            raise bad_request(f"Unexpected kind: {unknown}")


def _path(operation: Json, name: str) -> list[str]:
    text = operation.get(name)
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise bad_request(f"a JSON patch operation needs a {name} such as /metadata/labels")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _value(operation: Json) -> Any:
    if "value" not in operation:
        raise bad_request(f"the JSON patch operation {operation.get('op')} needs a value")
    return msgspec.to_builtins(operation["value"])


def _tested(root: Any, path: list[str], operation: Json) -> Any:
    found = _find(root, path)
    if (None if found is _MISSING else found) != operation.get("value"):
        raise _impossible(f"testing value {_spelled(path)} failed: test failed")
    return root


def _read(root: Any, path: list[str]) -> Any:
    found = _find(root, path)
    if found is _MISSING:
        raise _impossible(f"the path {_spelled(path)} is not there: missing value")
    return found


def _find(root: Any, path: list[str]) -> Any:
    for part in path:
        if isinstance(root, dict):
            root = root.get(part, _MISSING)
        elif isinstance(root, list) and part.isdigit() and int(part) < len(root):
            root = root[int(part)]
        else:
            return _MISSING
    return root


def _add(root: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    holder = _read(root, path[:-1])
    if isinstance(holder, dict):
        holder[path[-1]] = value
    else:
        at = _index(holder, path)
        holder.insert(at, value)
    return root


def _remove(root: Any, path: list[str]) -> Any:
    _read(root, path)
    if not path:
        return None
    holder = _read(root, path[:-1])
    if isinstance(holder, dict):
        del holder[path[-1]]
    else:
        del holder[_index(holder, path)]
    return root


def _index(holder: Any, path: list[str]) -> int:
    """Return a place in a list; the one after the last is one, too."""
    part = path[-1]
    if isinstance(holder, list) and part == "-":
        return len(holder)
    if not isinstance(holder, list) or not part.isdigit() or int(part) > len(holder):
        raise _impossible(f"the path {_spelled(path)} is not there: invalid index referenced")
    return int(part)


def _spelled(path: list[str]) -> str:
    return "/" + "/".join(path)


def _impossible(problem: str) -> ApiError:
    text = f"the server rejected our request due to an error in our request: {problem}"
    return ApiError(text, status=422, reason="Invalid")
