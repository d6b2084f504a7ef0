"""Keeps equal parts of many objects once: pods of one owner differ in little but names, nodes hold the same images.

A part is recognised by what it encodes to. Who decodes passes each object through here before anybody else sees it, so
copies live no longer than it takes to read the next one. Of 20 KB that an object takes as JSON, 1 to 2 KB stay.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec.structs import force_setattr

from roost.api.meta import Value
from roost.api.node import ContainerImage, Node
from roost.api.pod import Pod

MOST_KEPT = 16_384
"""How many parts of one kind are known; beyond that all are forgotten. Copies cost memory and nothing else."""

MOST_TEXTS = 65_536
"""How many texts of one field are known, such as names of nodes: `sys.intern` need not ever forget them."""

Share = Callable[[Any], None]
"""Lets an object that was just decoded, and that nobody has seen yet, share its parts with those before it."""

_encode = msgspec.msgpack.Encoder().encode
_Kept = dict[bytes, Any]

_METADATA = ("labels", "annotations", "owner_references")
_METADATA_TEXTS = ("namespace", "generate_name", "creation_timestamp")
_SPEC = (
    "containers",
    "init_containers",
    "overhead",
    "resources",
    "node_selector",
    "affinity",
    "tolerations",
    "topology_spread_constraints",
    "scheduling_gates",
    "resource_claims",
)
_SPEC_TEXTS = ("node_name", "scheduler_name", "priority_class_name", "preemption_policy")
_STATUS = (
    "conditions",
    "container_statuses",
    "init_container_statuses",
    "resources",
    "allocated_resources",
)
_STATUS_TEXTS = ("phase", "nominated_node_name", "start_time")
_NODE_SPEC = ("taints",)
_NODE_STATUS = ("allocatable", "capacity", "declared_features")


class Sharing:
    """The parts that are known, by field."""

    def __init__(self, most_kept: int = MOST_KEPT) -> None:
        self._most_kept = most_kept
        self._kept: dict[str, _Kept] = {}
        self._texts: dict[str, dict[str, str]] = {}
        self._images: dict[tuple[Any, ...], ContainerImage] = {}
        self._metadata = self._fields(_METADATA)
        self._spec = self._fields(_SPEC)
        self._status = self._fields(_STATUS)
        self._node_spec = self._fields(_NODE_SPEC)
        self._node_status = self._fields(_NODE_STATUS)

    def pod(self, pod: Pod) -> None:
        """Let a pod that nobody has seen yet have its parts in common with other pods."""
        self._share(pod.metadata, self._metadata)
        self._share_texts(pod.metadata, _METADATA_TEXTS)
        self._share(pod.spec, self._spec)
        self._share_texts(pod.spec, _SPEC_TEXTS)
        self._share(pod.status, self._status)
        self._share_texts(pod.status, _STATUS_TEXTS)

    def node(self, node: Node) -> None:
        """Let a node that nobody has seen yet have its parts in common with other nodes."""
        self._share(node.spec, self._node_spec)
        self._share(node.status, self._node_status)
        if node.status.images:
            force_setattr(node.status, "images", tuple([self._image(image) for image in node.status.images]))

    def _fields(self, names: tuple[str, ...]) -> tuple[tuple[str, _Kept], ...]:
        return tuple([(name, self._kept.setdefault(name, {})) for name in names])

    def _share(self, struct: Value, fields: tuple[tuple[str, _Kept], ...]) -> None:
        for name, kept in fields:
            part = getattr(struct, name)
            if part:
                key = _encode(part)
                known = kept.get(key)
                if known is not None:
                    force_setattr(struct, name, known)
                    continue
                if len(kept) >= self._most_kept:
                    kept.clear()
                kept[key] = part

    def _share_texts(self, struct: Value, names: tuple[str, ...]) -> None:
        for name in names:
            text = getattr(struct, name)
            if text:
                kept = self._texts.setdefault(name, {})
                if len(kept) >= MOST_TEXTS:
                    kept.clear()
                force_setattr(struct, name, kept.setdefault(text, text))

    def _image(self, image: ContainerImage) -> ContainerImage:
        key = (image.names, image.size_bytes)
        known = self._images.get(key)
        if known is None:
            if len(self._images) >= self._most_kept:
                self._images.clear()
            known = self._images[key] = image
        return known


def sharer(type_: type[Value]) -> Share | None:
    """Return what lets a new object of this type share its parts; None for types whose objects are few or small."""
    return _SHARERS.get(type_)


_SHARING = Sharing()
_SHARERS: Mapping[type[Value], Share] = {Pod: _SHARING.pod, Node: _SHARING.node}
