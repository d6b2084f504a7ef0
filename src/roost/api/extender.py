"""The messages between a scheduler and its extenders (k8s.io/kube-scheduler/extender/v1).

kube-scheduler writes every key as its Go field is named, nil as null, and reads keys in any case. So does this module:
messages are written with all their keys, capitalised, and `read_message` takes keys in any case, ignores unknown ones
and whatever follows the first JSON value.

Messages forbid unknown fields: that is how the fast way of reading notices a key in another case.
"""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, TypeVar, dataclass_transform

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from roost.api.any_case import Json, read
from roost.api.full import FullObject
from roost.api.pod import Pod

MAX_EXTENDER_SCORE = 10
"""Scores go from 0 to this; kube-scheduler multiplies them by 10 and by the extender's weight."""

Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""A whole number as Go holds it."""


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
class Message(Struct, frozen=True, kw_only=True, rename="pascal", forbid_unknown_fields=True, gc=False):
    """A message of the protocol."""


class NodeList(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """Nodes in full, each as the JSON it came as."""

    metadata: dict[str, Any] | None = {}
    items: list[Raw] | None = None


class ExtenderArgs(Message, frozen=True):
    """What filter and prioritize are asked: a pod, and nodes in full or by name."""

    pod: Pod | None = None
    nodes: NodeList | None = None
    node_names: list[str] | None = None


class ExtenderRequest(Message, frozen=True):
    """ExtenderArgs as a scheduler sends them: the pod with all that it has."""

    pod: FullObject
    nodes: NodeList | None = None
    node_names: Sequence[str] | None = None


class ExtenderFilterResult(Message, frozen=True):
    """What filter answers: the nodes that fit, as they were given, and why the others do not.

    While `failed_and_unresolvable_nodes` is unset the JSON does without it: older schedulers do not know that key.
    """

    nodes: NodeList | None = None
    node_names: list[str] | None = None
    failed_nodes: dict[str, str] | None = None
    failed_and_unresolvable_nodes: dict[str, str] | UnsetType | None = UNSET
    error: str = ""


class HostPriority(Message, frozen=True):
    """One node's score; prioritize answers a list of these."""

    host: str = ""
    score: Int64 = 0


class MetaPod(Message, frozen=True):
    """A victim by its uid."""

    uid: str = field(default="", name="UID")


class Victims(Message, frozen=True):
    """The pods to evict from a node, in full, and how many disruption budgets that violates."""

    pods: list[Pod] | None = None
    num_pdb_violations: Int64 = field(default=0, name="NumPDBViolations")


class MetaVictims(Message, frozen=True):
    """The pods to evict from a node, by uid, and how many disruption budgets that violates."""

    pods: list[MetaPod] | None = None
    num_pdb_violations: Int64 = field(default=0, name="NumPDBViolations")


class ExtenderPreemptionArgs(Message, frozen=True):
    """What preempt is asked: a pod, and the victims on each candidate node, in full or by uid."""

    aliases: ClassVar[dict[str, str]] = {"nodetovictims": "node_name_to_victims"}  # as schedulers up to 1.16 say

    pod: Pod | None = None
    node_name_to_victims: dict[str, Victims | None] | None = None
    node_name_to_meta_victims: dict[str, MetaVictims | None] | None = None


class VictimsInFull(Message, frozen=True):
    """Victims as a scheduler sends them, with all that the pods have."""

    pods: list[FullObject]
    num_pdb_violations: Int64 = field(default=0, name="NumPDBViolations")


class PreemptionRequest(Message, frozen=True):
    """ExtenderPreemptionArgs as a scheduler sends them: victims in full, or by uid to an extender that knows pods."""

    pod: FullObject
    node_name_to_victims: dict[str, VictimsInFull] | None = None
    node_name_to_meta_victims: dict[str, MetaVictims] | None = None


class ExtenderPreemptionResult(Message, frozen=True):
    """What preempt answers: the victims on each node that is still a candidate."""

    node_name_to_meta_victims: dict[str, MetaVictims | None] | None = None


class ExtenderBindingArgs(Message, frozen=True):
    """What bind is asked."""

    pod_name: str = ""
    pod_namespace: str = ""
    pod_uid: str = field(default="", name="PodUID")
    node: str = ""


class ExtenderBindingResult(Message, frozen=True):
    """What bind answers."""

    error: str = ""


M = TypeVar("M")


def read_message(data: Json, kind: type[M]) -> M:
    """Return the first JSON value of `data` as a message, or as another struct such as Pod or Node.

    Keys may be in any case, at any depth; null is as good as absent, and for a list as good as empty. Raises
    InvalidObject with one sentence that names the field.
    """
    return read(data, kind)
