"""Turns what filter and prioritize are asked into a pod, a view and rows, whichever way the nodes came.

NodeNames   rows of the live columns of the watch cache; names that it does not know have none
Nodes       a view of their own, of which all rows are asked about
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
from msgspec import Raw, Struct

from roost.api.pod import Pod
from roost.cache.cache import Cache
from roost.extender.body_nodes import BodyNodes
from roost.extender.body_view import BodyView
from roost.extender.live import Live
from roost.extender.policies import Policies, Positions
from roost.extender.wire import Asked, Unanswerable
from roost.framework.memory import LiveView
from roost.framework.pod_info import PodInfo

NOT_IN_SYNC = "the extender has not read all nodes and pods of the cluster yet; ask again"
_NO_CLUSTER = (
    "NodeNames without Nodes: this extender runs without a cluster and knows no nodes; give it a kubeconfig or a "
    "service account, or set nodeCacheCapable: false"
)
_NO_USAGE = (
    "{} reads which pods are on each node, which Nodes do not tell: connect the extender to the cluster, with a "
    "kubeconfig or a service account, and set nodeCacheCapable: true"
)


class Question(Struct, frozen=True):
    """What policies are asked: `rows[i]` of the view stands for the node at `positions[i]` of `names`.

    `nodes` are the nodes as they came, if they came in full. `pod` is the pod as the view's owner knows it, `live_pod`
    as the watch cache does, if it is in sync.
    """

    policies: Policies
    pod: PodInfo
    view: LiveView
    rows: Positions
    positions: Positions
    names: Sequence[str]
    nodes: Sequence[Raw] | None
    live_pod: PodInfo | None


def question(
    asked: Asked, policies: Policies, live: Live | None, *, usage: str, stale_before: float
) -> Question | None:
    """Return the question; None if it is about no node. `usage` names the policies that read which pods are on a node.

    Raises InvalidObject and Unanswerable.
    """
    if asked.nodes is None and asked.names is None:
        raise Unanswerable("Nodes and NodeNames are missing: there is nothing to choose from")
    if not asked.nodes and not asked.names:
        return None
    if asked.pod is None:
        raise Unanswerable("Pod is missing")
    if live is not None and not live.in_sync and (asked.nodes is None or usage):
        raise Unanswerable(NOT_IN_SYNC, 503)
    if asked.nodes is not None:
        if live is None and usage:
            raise Unanswerable(_NO_USAGE.format(usage))
        return _in_full(asked.pod, asked.nodes, policies, live, stale_before)
    if live is None:
        raise Unanswerable(_NO_CLUSTER)
    return _by_name(asked.pod, asked.names or (), policies, live)


def _by_name(pod: Pod, names: Sequence[str], policies: Policies, live: Live) -> Question:
    info, slot_of = live.cache.pod_info(pod), live.cache.view.slot
    slots = np.array([-1 if (slot := slot_of(name)) is None else slot for name in names], dtype=np.intp)
    known = np.flatnonzero(slots >= 0)
    return Question(policies, info, live.cache.view, slots[known], known, names, None, info)


def _in_full(pod: Pod, items: Sequence[Raw], policies: Policies, live: Live | None, stale_before: float) -> Question:
    nodes, scratch = BodyNodes(items), Cache()
    info = scratch.pod_info(pod)
    cache = live.cache if live is not None and live.in_sync else None
    view = BodyView(
        nodes, scratch.view.resources, placed=None if cache is None else cache.view, stale_before=stale_before
    )
    rows = np.arange(len(nodes))
    live_info = None if cache is None else cache.pod_info(pod)
    # mypy takes cached properties for read-only, and the columns of the protocol for variables.
    columns = cast(LiveView, view)
    return Question(policies.for_one_request(), info, columns, rows, rows, nodes.names, items, live_info)
