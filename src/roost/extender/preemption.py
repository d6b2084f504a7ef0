"""The preempt verb: which of the candidate nodes a pod could really have, with the victims as they were chosen.

No victim is ever left out, and none added: a candidate stays or goes as a whole. Whether it stays is for the policies'
filters to say, on the nodes as they would be without the victims.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from roost.api.extender import (
    ExtenderPreemptionArgs,
    ExtenderPreemptionResult,
    MetaPod,
    MetaVictims,
    Victims,
)
from roost.cache.cache import Cache
from roost.extender.policies import Policies
from roost.extender.wire import Unanswerable
from roost.framework.plugin import Context

Candidates = Mapping[str, MetaVictims]


def candidates(args: ExtenderPreemptionArgs) -> Candidates:
    """Return the victims on each node by uid, however they were given; raises Unanswerable if there are none."""
    in_full, by_uid = args.node_name_to_victims, args.node_name_to_meta_victims
    if in_full is not None:
        return {name: _meta(victims) for name, victims in in_full.items()}
    if by_uid is not None:
        return {name: victims or MetaVictims(pods=[]) for name, victims in by_uid.items()}
    raise Unanswerable("NodeNameToVictims or NodeNameToMetaVictims is missing: there is nothing to choose from")


def result(kept: Candidates) -> ExtenderPreemptionResult:
    """Return the answer."""
    return ExtenderPreemptionResult(node_name_to_meta_victims=dict(kept))


def accepted(
    found: Candidates, args: ExtenderPreemptionArgs, policies: Policies, cache: Cache, ctx: Context
) -> Candidates:
    """Return the candidates that the policies' filters accept once their victims are gone; raises PluginError."""
    if not policies.filters or not found:
        return found
    if args.pod is None:
        raise Unanswerable("Pod is missing")
    slots = {name: slot for name in found if (slot := cache.view.slot(name)) is not None}
    names, rows = list(slots), np.array(list(slots.values()), dtype=np.intp)
    with _without(cache, found if policies.usage_at_filter else {}):
        rejected = policies.filter(cache.pod_info(args.pod), cache.view, ctx, rows)
    refused = {names[position] for position, _ in rejected}
    return {name: victims for name, victims in found.items() if name in slots and name not in refused}


@contextmanager
def _without(cache: Cache, found: Candidates) -> Iterator[None]:
    """Have the cache look, for a moment without an await, as if the victims were gone."""
    uids = {pod.uid for victims in found.values() for pod in victims.pods or ()}
    gone = [info for info in cache.pods if info.uid in uids] if uids else []
    placed = [(slot, info) for info in gone for slot in _slots(cache, info.key)]
    for slot, info in placed:
        cache.view.add_pod(slot, info, times=-1)
    try:
        yield
    finally:
        for slot, info in placed:
            cache.view.add_pod(slot, info)


def _slots(cache: Cache, key: str) -> Iterable[int]:
    node_name = cache.node_of(key)
    slot = None if node_name is None else cache.view.slot(node_name)
    return () if slot is None else (slot,)


def _meta(victims: Victims | None) -> MetaVictims:
    if victims is None:
        return MetaVictims(pods=[])
    uids = [MetaPod(uid=pod.metadata.uid) for pod in victims.pods or ()]
    return MetaVictims(pods=uids, num_pdb_violations=victims.num_pdb_violations)
