"""Fields as server-side apply owns them: sets of paths through an object, and the tree that spells them (FieldsV1).

A step of a path is `f:NAME` into a map, `k:{"KEY":VALUE}` to an element of a list with keys, `v:VALUE` to an element of
a list that is a set. Lists and maps that are replaced as a whole are one field.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from roost.apiserver.patch import MERGE_KEYS, PRIMITIVE_LISTS
from roost.apiserver.stored import Object

Path = tuple[str, ...]
Paths = frozenset[Path]
Where = tuple[str, str]
"""A field's own name, and that of the field that holds it."""

MISSING = object()
SELF = "."
_DEFAULTS = {"protocol": "TCP"}
_WHOLE_MAPS = (
    *("selector", "labelSelector", "namespaceSelector", "nodeSelector"),
    *("configMapKeyRef", "secretKeyRef", "fieldRef", "resourceFieldRef"),
)
_KEYS: dict[Where, tuple[str, ...]] = {where: (key,) for where, key in MERGE_KEYS.items()} | {
    **{(one, "ports"): ("containerPort", "protocol") for one in ("containers", "initContainers")},
    ("spec", "ports"): ("port", "protocol"),
    ("spec", "topologySpreadConstraints"): ("topologyKey", "whenUnsatisfiable"),
}
_ENCODER = msgspec.json.Encoder(order="sorted")


def is_map(value: Any, where: Where) -> bool:
    """Tell whether a value is a map of fields of their own."""
    return isinstance(value, dict) and where[1] not in _WHOLE_MAPS


def is_set(where: Where) -> bool:
    """Tell whether a list is a set of plain values."""
    return where in PRIMITIVE_LISTS


def step_to(item: Any, where: Where) -> str | None:
    """Return the step to an element of a list; None if the list has no keys, or the element lacks them."""
    keys = _KEYS.get(where)
    if keys is None or not isinstance(item, dict) or keys[0] not in item:
        return None
    found = {key: item.get(key, _DEFAULTS.get(key)) for key in keys}
    return f"k:{_ENCODER.encode(found).decode()}"


def paths_of(value: Any, where: Where = ("", ""), prefix: Path = ()) -> Iterator[Path]:
    """Yield the fields of an object, as whoever applies it owns them."""
    if value and is_map(value, where):
        for name, one in value.items():
            yield from paths_of(one, (where[1], name), (*prefix, f"f:{name}"))
    elif value and isinstance(value, list) and is_set(where):
        yield from ((*prefix, f"v:{_ENCODER.encode(one).decode()}") for one in value)
    elif value and isinstance(value, list) and all(step_to(item, where) for item in value):
        for item in value:
            path = (*prefix, step_to(item, where) or "")
            yield path
            yield from paths_of(item, ("", where[1]), path)
    else:
        yield prefix


def read_tree(tree: Object, prefix: Path = ()) -> Iterator[Path]:
    """Yield the paths that a FieldsV1 spells."""
    for step, below in tree.items():
        if step == SELF:
            yield prefix
        elif below:
            yield from read_tree(below, (*prefix, step))
        else:
            yield (*prefix, step)


def write_tree(paths: Paths) -> Object:
    """Return the FieldsV1 that spells paths."""
    tree: Object = {}
    for path in sorted(paths):
        node = tree
        for step in path:
            node = node.setdefault(step, {})
    for path in paths:
        if node := value_of_steps(tree, path):
            node[SELF] = {}
    return tree


def value_of_steps(tree: Object, path: Path) -> Object:
    """Return the part of a tree below a path."""
    for step in path:
        tree = tree[step]
    return tree


def value_at(value: Any, path: Path) -> Any:
    """Return what an object has at a path, or MISSING."""
    for step in path:
        value = _step(value, step)
    return value


def index_of(items: list[Any], step: str) -> int:
    """Return where in a list the element is that a step leads to; -1 if it is not there."""
    wanted = msgspec.json.decode(step[2:])
    if step.startswith("v:"):
        return items.index(wanted) if wanted in items else -1
    return next((i for i, item in enumerate(items) if _has(item, wanted)), -1)


def spelled(path: Path) -> str:
    """Return a path as refusals show it, such as .spec.containers[name="a"].image."""
    return "".join(_spelled_step(step) for step in path)


def _step(value: Any, step: str) -> Any:
    if isinstance(value, dict) and step.startswith("f:"):
        return value.get(step[2:], MISSING)
    if isinstance(value, list) and not step.startswith("f:"):
        i = index_of(value, step)
        return value[i] if i >= 0 else MISSING
    return MISSING


def _has(item: Any, wanted: Object) -> bool:
    return isinstance(item, dict) and all(item.get(key, _DEFAULTS.get(key)) == one for key, one in wanted.items())


def _spelled_step(step: str) -> str:
    if step.startswith("f:"):
        return f".{step[2:]}"
    if step.startswith("v:"):
        return f"[={step[2:]}]"
    keys = msgspec.json.decode(step[2:])
    return f"[{','.join(f'{key}={_ENCODER.encode(one).decode()}' for key, one in keys.items())}]"
