"""A single change of a cluster or of a pod, as a value: what `suggestions` tries and `commands` spells.

evict        pods that leave
pod_patch    JSON patch operations on the pod
node_patch   JSON patch operations on the node `node`
new_node     one more node, of the shape of `node`
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct

from roost.api.meta import Value
from roost.api.node import Node

Sort = Literal["evict", "node", "toleration", "selector", "rule", "request", "port", "newNode", "score"]
Operation = dict[str, Any]
T = TypeVar("T", bound=Value)


class Change(Struct, frozen=True, kw_only=True):
    """One change; `says` is an imperative without a full stop, `caution` what speaks against it.

    `command` makes a change of a node; `commands` has those of all others.
    """

    sort: Sort
    says: str
    evict: tuple[str, ...] = ()
    pod_patch: tuple[Operation, ...] = ()
    node: str = ""
    node_patch: tuple[Operation, ...] = ()
    new_node: Node | None = None
    caution: str = ""
    command: str = ""


def add(path: str, value: object) -> Operation:
    """Return the operation that sets a field, whether it is there or not."""
    return {"op": "add", "path": path, "value": msgspec.to_builtins(value)}


def remove(path: str) -> Operation:
    """Return the operation that removes a field that is there."""
    return {"op": "remove", "path": path}


def escaped(key: str) -> str:
    """Return a key as a part of a path."""
    return key.replace("~", "~0").replace("/", "~1")


def patched(value: T, operations: Sequence[Operation]) -> T:
    """Return an object as operations make it; those of this module only: adding and removing fields of mappings."""
    data = msgspec.json.decode(msgspec.json.encode(value))
    for operation in operations:
        _apply(data, operation)
    return msgspec.convert(data, type(value))


def _apply(data: Any, operation: Operation) -> None:
    *way, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
    holder = data
    for part in way:
        holder = holder[int(part)] if isinstance(holder, list) else holder.setdefault(part, {})
    if operation["op"] == "remove":
        del holder[last if isinstance(holder, dict) else int(last)]
    elif isinstance(holder, dict):
        holder[last] = deepcopy(operation["value"])
    else:
        holder[int(last)] = deepcopy(operation["value"])
