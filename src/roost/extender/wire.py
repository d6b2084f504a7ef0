"""What the verbs are asked and what they answer, as bytes: nodes that came in full go back byte for byte.

Reading 47 MB of nodes is two looks at the text: one that finds where each node begins and ends, one for the few fields
that policies read (`body_nodes`). What fits is answered as slices of the request's own body, never encoded again.
"""

from codecs import getincrementaldecoder
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np
from msgspec import UNSET, Raw, Struct

from roost.api.extender import (
    ExtenderArgs,
    ExtenderBindingResult,
    ExtenderFilterResult,
    ExtenderPreemptionResult,
    NodeList,
    read_message,
)
from roost.api.pod import Pod
from roost.errors import InvalidObject, RoostError
from roost.extender.http_messages import Bytes, Response

_JSON = (("Content-Type", "application/json"),)
_SLICE = 1 << 20
_NO_NODES = b'{"Nodes":null'
_encode = msgspec.json.encode

Reasons = Mapping[str, str]
"""Why not, by the name of the node."""


class Unanswerable(RoostError):
    """A request that gets a sentence in place of an answer, and a status where its verb has no field for errors."""

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.status = status


class _Plain(Struct, rename="pascal", forbid_unknown_fields=True, gc=False):
    """The arguments as kube-scheduler spells them; what is spelled otherwise is read with more patience."""

    pod: Raw = Raw(b"null")
    nodes: NodeList | None = None
    node_names: list[str] | None = None


_plain = msgspec.json.Decoder(_Plain)


class Asked(Struct, frozen=True):
    """What filter and prioritize are asked: a pod, and nodes in full (as the JSON they came as) or by name."""

    pod: Pod | None
    nodes: Sequence[Raw] | None
    names: Sequence[str] | None


def read_question(body: Bytes) -> Asked:
    """Return the arguments of filter or prioritize; raises InvalidObject with a sentence that names the field."""
    body = _in_utf8(body)
    try:
        plain = _plain.decode(body)
        pod = None if bytes(plain.pod) == b"null" else read_message(plain.pod, Pod)
    except (ValueError, RecursionError, InvalidObject):
        args = read_message(body, ExtenderArgs)
        return _asked(args.pod, args.nodes, args.node_names)
    return _asked(pod, plain.nodes, plain.node_names)


def _in_utf8(body: Bytes) -> Bytes:
    """Return a body that is UTF-8: as in kube-scheduler's decoder, what is not becomes U+FFFD, since nodes go back."""
    numbers = np.frombuffer(body, dtype=np.int8)
    if not len(numbers) or int(numbers.min()) >= 0:
        return body
    decoder = getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(body), _SLICE):
            decoder.decode(body[start : start + _SLICE], start + _SLICE >= len(body))
    except UnicodeDecodeError:
        return bytes(body).decode("utf-8", "replace").encode()
    return body


def _asked(pod: Pod | None, nodes: NodeList | None, names: Sequence[str] | None) -> Asked:
    return Asked(pod, None, names) if nodes is None else Asked(pod, nodes.items or [], None)


def nodes_reply(fitting: Iterable[Raw], failed: Reasons, unresolvable: Reasons) -> Response:
    """Answer filter with the nodes that fit, as they came."""
    parts: list[Bytes] = [_NO_NODES.replace(b"null", b'{"metadata":{},"items":[')]
    for node in fitting:
        parts += (memoryview(node), b",")
    if len(parts) > 1:
        parts.pop()
    parts.append(b"]}" + _encode(_result(failed, unresolvable))[len(_NO_NODES) :])
    return Response(200, _JSON, parts)


def names_reply(fitting: Sequence[str], failed: Reasons, unresolvable: Reasons) -> Response:
    """Answer filter with the names of the nodes that fit."""
    return _reply(_result(failed, unresolvable, list(fitting)))


def filter_error(sentence: str) -> Response:
    """Answer filter with an error: kube-scheduler does not schedule the pod, or does without this extender."""
    return _reply(ExtenderFilterResult(error=sentence))


def scores_reply(names: Iterable[str], scores: Iterable[int]) -> Response:
    """Answer prioritize."""
    return _reply([{"Host": name, "Score": score} for name, score in zip(names, scores, strict=True)])


def preemption_reply(result: ExtenderPreemptionResult) -> Response:
    """Answer preempt."""
    return _reply(result)


def binding_reply(error: str = "") -> Response:
    """Answer bind: with a sentence if the pod is not bound."""
    return _reply(ExtenderBindingResult(error=error))


def _result(failed: Reasons, unresolvable: Reasons, names: list[str] | None = None) -> ExtenderFilterResult:
    return ExtenderFilterResult(
        node_names=names,
        failed_nodes=dict(failed),
        failed_and_unresolvable_nodes=dict(unresolvable) or UNSET,
    )


def _reply(message: object) -> Response:
    return Response(200, _JSON, (_encode(message),))
