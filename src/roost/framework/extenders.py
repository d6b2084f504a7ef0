"""Third-party extenders as the cycle knows them: who they are, and what they answered, as values.

The cycle asks between filtering and scoring, by yielding a question (see `roost.framework.asking`); who drives it sends
the question through a `Webhook` and comes back with one of the answers below.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import msgspec
from msgspec import Struct

from roost.api.extender import ExtenderFilterResult, HostPriority, NodeList, read_message
from roost.api.meta import Value
from roost.api.pod import Container, Pod
from roost.errors import InvalidObject


class Extender(Struct, frozen=True, eq=False, kw_only=True):
    """A webhook that takes part in decisions, with the names of its verbs; one that has no verb is not asked.

    `node_cache_capable` says that it gets the names of nodes and not the nodes in full. With `managed_resources` it is
    asked only about pods that request or limit one of them. `ignorable` says that its failure does not matter.
    """

    url: str
    filter_verb: str = ""
    preempt_verb: str = ""
    prioritize_verb: str = ""
    bind_verb: str = ""
    weight: int = 1
    node_cache_capable: bool = False
    managed_resources: frozenset[str] = frozenset()
    ignorable: bool = False

    def name(self, verb: str) -> str:
        """Return what decisions, messages and metrics call it."""
        return f"extender {self.url}/{verb}"

    @property
    def takes_part(self) -> bool:
        """Whether it is asked while a pod is being decided, and not only to bind."""
        return bool(self.filter_verb or self.prioritize_verb or self.preempt_verb)

    @property
    def is_sent_nodes(self) -> bool:
        """Whether what it is asked names nodes."""
        return bool(self.filter_verb or self.prioritize_verb)

    def is_interested(self, pod: Pod) -> bool:
        """Tell whether a pod is its business."""
        containers = (*(pod.spec.containers or ()), *(pod.spec.init_containers or ()))
        return not self.managed_resources or any(map(self._manages, containers))

    def _manages(self, container: Container) -> bool:
        resources = container.resources
        asked = (*(resources.requests or ()), *(resources.limits or ()))
        return not self.managed_resources.isdisjoint(asked)


class Webhook(Protocol):
    """The wire to one extender."""

    @property
    def extender(self) -> Extender:
        """The extender at its other end."""
        ...

    async def post(self, verb: str, body: bytes, *, again: bool) -> bytes:
        """Return what a verb answers; raises ExtenderError. With `again`, asking twice does no harm."""
        ...


class Kept(Struct, frozen=True):
    """The nodes an extender kept, by name, and why it did not keep others; neither is gone without a reason."""

    names: frozenset[str]
    failed: Mapping[str, str] = {}
    unresolvable: Mapping[str, str] = {}


class NoAnswer(Struct, frozen=True):
    """An extender could not be asked, or answered that it failed: one sentence, which names it."""

    problem: str


HostScores = Mapping[str, int]
"""An extender's scores by node name, before they are weighted."""


def kept_nodes(extender: Extender, result: ExtenderFilterResult, asked: Collection[str]) -> Kept | NoAnswer:
    """Return what an answer to filter means.

    Nodes that come back in full count by their names: what they look like is known better here.
    """
    name = extender.name(extender.filter_verb)
    if result.error:
        return NoAnswer(f"{name}: {result.error}")
    if extender.node_cache_capable and result.node_names is not None:
        stranger = next((one for one in result.node_names if one not in asked), None)
        if stranger is not None:
            return NoAnswer(f"{name}: it kept node {stranger!r}, which it was not asked about")
        names = frozenset(result.node_names)
    else:
        try:
            names = _names(result.nodes).intersection(asked)
        except InvalidObject as error:
            return NoAnswer(f"{name}: {error}")
    return Kept(names, result.failed_nodes or {}, result.failed_and_unresolvable_nodes or {})


def host_scores(priorities: Sequence[HostPriority]) -> HostScores:
    """Return scores by host; a host that stands in the list twice gets both, as in kube-scheduler."""
    scores: dict[str, int] = {}
    for one in priorities:
        scores[one.host] = scores.get(one.host, 0) + one.score
    return scores


class _Name(Value):
    name: str = ""


class _Named(Value):
    metadata: _Name = _Name()


_read_name = msgspec.json.Decoder(_Named).decode


def _names(nodes: NodeList | None) -> frozenset[str]:
    names = []
    for item in (nodes.items or ()) if nodes is not None else ():
        try:
            name = _read_name(item).metadata.name
        except (ValueError, RecursionError):
            name = ""
        names.append(name or read_message(item, _Named).metadata.name)
    return frozenset(names)
