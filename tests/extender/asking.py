"""A webhook server on a socket, a client that asks it, and policies that tests can see through."""

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from tests.extender.http_wire import Answer, connected, request

from roost.api.node import Node
from roost.api.pod import Pod
from roost.config.extender_profile import extender_profile
from roost.extender.exposition import Exposition
from roost.extender.http_server import HttpServer
from roost.extender.live import Live
from roost.extender.originals import manners_of
from roost.extender.paths import lay_out, plugins_of
from roost.extender.policies import Policies
from roost.extender.webhook import Webhook
from roost.framework.cluster import Listing
from roost.framework.measure import Measure, read_number
from roost.framework.plugin import Plugin, Verdicts
from roost.framework.status import SUCCESS, unresolvable, unschedulable
from roost.testing import pod

Ask = Callable[..., Awaitable[Answer]]


class Rooms(Plugin):
    """Lets four pods on a node, and prefers nodes with few."""

    name = "Rooms"
    reads = frozenset({"usage"})
    pod_reads = ()
    scale = "extender"

    def filter(self, ctx, pod, view, rows):
        return Verdicts.rejecting(view.usage[0][rows] >= 4, unschedulable("node(s) have no room"))

    def score(self, ctx, pod, view, rows):
        return np.maximum(0, 10 - view.usage[0][rows])


class Zone(Plugin):
    """Rejects nodes outside zone a for good, and those without a zone for now."""

    name = "Zone"
    reads = frozenset({"node"})
    pod_reads = ()
    webhook = "zone"

    def filter(self, ctx, pod, view, rows):
        column = view.label("zone")
        ids = column.ids[rows]
        codes = np.where(ids == 0, 1, np.where(ids == column.index.get("a", -1), 0, 2)).astype(np.int16)
        reasons = unschedulable("node(s) have no zone"), unresolvable("node(s) are elsewhere", "and stay there")
        return Verdicts(codes, (SUCCESS, *reasons))


WARMTH = Measure("warmth", read_number, "warmth-at")


class Warm(Plugin):
    """Scores what the annotation `warmth` says, of 0 to 100."""

    name = "Warm"
    reads = frozenset({"annotations"})
    pod_reads = ()

    def score(self, ctx, pod, view, rows):
        warmth = view.measured(WARMTH)
        known = warmth.known[rows] & warmth.fresh[rows]
        return np.where(known, warmth.values[rows], 0).astype(np.int64)


class Largest(Plugin):
    """Rates the node with the most CPU 100, as one can tell only by looking at all that are asked about."""

    name = "Largest"
    reads = frozenset({"node"})
    pod_reads = ()

    def score(self, ctx, pod, view, rows):
        return view.allocatable[1][rows].copy()

    def normalize(self, ctx, pod, scores):
        return 100 * scores // max(1, scores.max())


class Broken(Plugin):
    """Fails whatever it is asked."""

    name = "Broken"
    reads = frozenset()
    pod_reads = ()

    def filter(self, ctx, pod, view, rows):
        raise RuntimeError("it broke")

    def score(self, ctx, pod, view, rows):
        raise RuntimeError("it broke")


def make_webhook(policies: Sequence[str | type], **options: Any) -> tuple[Webhook, Any]:
    """Return a webhook and the routes to it."""
    original = options.pop("compat", None)
    profile = extender_profile(policies, compat=original)
    names = [plugin.name for plugin in plugins_of(profile)]
    manners = manners_of(names, is_original=bool(original))
    reserves = Policies("", profile).reads_usage
    webhook = Webhook(is_original=bool(original), refusal=manners.refusal, reserves=reserves, **options)
    return webhook, lay_out(webhook, profile, manners, Exposition(webhook).render)


@contextlib.asynccontextmanager
async def serving(*policies: str | type, **options: Any) -> AsyncIterator[Ask]:
    """Serve policies; the client keeps one connection open."""
    _, routes = make_webhook(policies, **options)
    async with HttpServer("127.0.0.1", 0, routes) as server, connected(server) as wire:

        async def ask(method: str, path: str, body: object = b"") -> Answer:
            data = (
                body
                if isinstance(body, bytes)
                else body.encode()
                if isinstance(body, str)
                else json.dumps(body).encode()
            )
            await wire.send(request(method, path, data))
            return await wire.answer(head_only=method == "HEAD")

        yield ask


def about(
    asked: Pod | Mapping[str, Any] | None = None,
    *,
    nodes: Sequence[Node | Mapping[str, Any]] | None = None,
    names: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return arguments of filter and prioritize as kube-scheduler sends them."""
    items = None if nodes is None else {"metadata": {}, "items": [msgspec.to_builtins(one) for one in nodes]}
    return {"Pod": msgspec.to_builtins(pod() if asked is None else asked), "Nodes": items, "NodeNames": names}


def in_sync(cluster: Any = None, *, nodes: Sequence[Node] = (), pods: Sequence[Pod] = (), **options: Any) -> Live:
    """Return what a webhook knows of a cluster once it has read it."""
    live = Live(cluster, **options)
    live.follower.replace_nodes(Listing(list(nodes), "1"))
    live.follower.replace_pods(Listing(list(pods), "1"))
    return live


def said(answer: Answer) -> Any:
    """Return the JSON of an answer."""
    return json.loads(answer.body)


def scores(answer: Answer) -> dict[str, int]:
    """Return the scores of an answer to prioritize."""
    assert answer.status == 200, answer
    return {one["Host"]: one["Score"] for one in said(answer)}
