"""Where the claims of a pod can be met, and what is to be done about them on the node that it gets.

    bound claims    their volume must be within reach of the node
    delayed claims  a free volume within reach, or one that can be made there: these are left for the decision
    all others      must be bound before the pod can be placed at all

Used by the plugin VolumeBinding, which judges, and by the cache, which assumes what follows from a decision. Source:
kube-scheduler 1.36, VolumeBinding and its binder.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from roost.api.quantity import value
from roost.api.selectors import NodeSelector, NodeSelectorTerm, Requirement
from roost.api.storage import (
    BOUND_BY_CONTROLLER,
    NO_PROVISIONER,
    SELECTED_NODE,
    WAIT,
    ClaimReference,
    PersistentVolume,
    PersistentVolumeClaim,
    StorageClass,
    TopologyTerm,
)
from roost.framework.changes import Copies
from roost.framework.csi_migration import migrated_affinity, plugin_of
from roost.framework.pod_info import PodInfo
from roost.framework.pod_volumes import PodVolumes
from roost.framework.storage import StaticBinding, Storage, VolumePlan
from roost.framework.view import Bool, View, WhatIf
from roost.framework.volume_matching import NONE, Matching, affinity_of, by_size, is_kept_for, label_selected, reach


class PodClaims(Struct, frozen=True):
    """The claims of a pod in the order of its volumes, by what they need of a node."""

    bound: Sequence[PersistentVolumeClaim]
    delayed: Sequence[PersistentVolumeClaim]
    immediate: Sequence[PersistentVolumeClaim]


class Conflicts(Struct, frozen=True):
    """Which rows cannot meet the claims of a pod, and why not; more than one reason can hold for a row."""

    out_of_reach: Bool
    nothing_to_bind: Bool
    no_room: Bool
    is_missing: Bool


def claims_of(storage: Storage, volumes: PodVolumes) -> PodClaims:
    """Sort the claims of a pod that exist."""
    bound, delayed, immediate = [], [], []
    for use in volumes.claims:
        claim = storage.claim(use.key)
        if claim is None:
            continue
        if claim.is_bound:
            bound.append(claim)
        elif _waits(storage, claim) and not claim.spec.volume_name:
            delayed.append(claim)
        else:
            immediate.append(claim)
    return PodClaims(bound, delayed, immediate)


def find_conflicts(view: View, claims: PodClaims) -> Conflicts:
    """Judge all rows."""
    out_of_reach, missing = _bound_conflicts(view, claims.bound)
    nothing, no_room = _delayed_conflicts(view, claims.delayed)
    return Conflicts(out_of_reach, nothing, no_room, missing)


def plan_volumes(view: View, pod: PodInfo, slot: int) -> VolumePlan | None:
    """Return what is to be done about the claims of a pod on a node that it fits; None if nothing is."""
    delayed = claims_of(view.storage, pod.volumes).delayed
    if not delayed:
        return None
    node = view.node(slot)
    alone = WhatIf(view, np.array([slot]), Copies(pod, np.zeros(1, dtype=np.int64)))
    to_make, matching = _selected_and_matched(alone, delayed)
    bindings = []
    for claim, chosen in matching.chosen:
        number = int(chosen[0])
        if number == NONE:
            to_make.append(claim)
        else:
            bindings.append(StaticBinding(_kept_for(matching.volume(number), claim), claim))
    return VolumePlan(view.storage, node, bindings, [_to_be_made_on(claim, node.name) for claim in to_make])


# ---- bound claims


def _bound_conflicts(view: View, claims: Sequence[PersistentVolumeClaim]) -> tuple[Bool, Bool]:
    out_of_reach, missing = np.zeros(view.size, dtype=np.bool_), np.zeros(view.size, dtype=np.bool_)
    for claim in claims:
        volume = view.storage.volume(claim.spec.volume_name)
        if volume is None:
            missing = ~out_of_reach
            break
        out_of_reach |= ~_reach_of_bound(view, volume)
    return out_of_reach, missing


def _reach_of_bound(view: View, volume: PersistentVolume) -> Bool:
    """Return which rows can reach a volume; where a CSI driver took its plugin over, in the driver's labels."""
    rows = reach(view, affinity_of(volume))
    plugin = plugin_of(volume.spec)
    if plugin is not None:
        migrated = view.volumes.migrated(plugin)
        if migrated.any():
            rows = np.where(migrated, reach(view, migrated_affinity(volume, plugin)), rows)
    return rows


# ---- delayed claims


def _delayed_conflicts(view: View, claims: Sequence[PersistentVolumeClaim]) -> tuple[Bool, Bool]:
    nothing, no_room = np.zeros(view.size, dtype=np.bool_), np.zeros(view.size, dtype=np.bool_)
    for claim in claims:
        if SELECTED_NODE in claim.annotations:
            elsewhere = np.ones(view.size, dtype=np.bool_)
            elsewhere[list(view.rows_named(claim.annotations[SELECTED_NODE]))] = False
            nothing |= elsewhere
    left = ~nothing
    to_make, matching = _selected_and_matched(view, claims)
    for claim, needed in [(claim, left) for claim in to_make] + [(c, chosen == NONE) for c, chosen in matching.chosen]:
        asked = left & needed
        if asked.any():
            makeable, has_room = _can_be_made(view, claim)
            nothing |= asked & ~makeable
            no_room |= asked & makeable & ~has_room
            left = left & ~(nothing | no_room)
    return nothing, no_room


def _selected_and_matched(
    view: View, claims: Sequence[PersistentVolumeClaim]
) -> tuple[list[PersistentVolumeClaim], Matching]:
    """Return the claims whose node is settled, and the volumes found for all others."""
    to_make = [claim for claim in claims if SELECTED_NODE in claim.annotations]
    matching = Matching(view)
    for claim in by_size(claim for claim in claims if SELECTED_NODE not in claim.annotations):
        matching.add(claim)
    return to_make, matching


def _can_be_made(view: View, claim: PersistentVolumeClaim) -> tuple[Bool, Bool]:
    """Return on which rows a volume can be made for a claim, and on which there is room for it."""
    made_by = view.storage.storage_class(claim.class_name)
    if made_by is None or made_by.provisioner in ("", NO_PROVISIONER):
        nowhere = np.zeros(view.size, dtype=np.bool_)
        return nowhere, nowhere
    return _allowed(view, made_by.allowed_topologies or ()), _with_room(view, claim, made_by)


def _allowed(view: View, terms: Sequence[TopologyTerm]) -> Bool:
    if not terms:
        return np.ones(view.size, dtype=np.bool_)
    requirements = [
        tuple(Requirement(key=r.key, operator="In", values=r.values) for r in term.match_label_expressions or ())
        for term in terms
    ]
    return reach(
        view, NodeSelector(node_selector_terms=tuple(NodeSelectorTerm(match_expressions=r) for r in requirements))
    )


def _with_room(view: View, claim: PersistentVolumeClaim, made_by: StorageClass) -> Bool:
    driver = view.storage.csi_driver(made_by.provisioner)
    if claim.storage is None or driver is None or not driver.spec.storage_capacity:
        return np.ones(view.size, dtype=np.bool_)
    room, wanted = np.zeros(view.size, dtype=np.bool_), value(claim.storage)
    for capacity in view.storage.capacities_of_class(made_by.name):
        largest = capacity.largest_volume
        if largest is not None and value(largest) >= wanted:
            room |= label_selected(view, capacity.node_topology)
    return room


# ---- what follows from a decision


def _waits(storage: Storage, claim: PersistentVolumeClaim) -> bool:
    made_by = storage.storage_class(claim.class_name) if claim.class_name else None
    return made_by is not None and made_by.volume_binding_mode == WAIT


def _kept_for(volume: PersistentVolume, claim: PersistentVolumeClaim) -> PersistentVolume:
    """Return a volume as it will be once it is kept for a claim."""
    ref = ClaimReference(name=claim.name, namespace=claim.metadata.namespace, uid=claim.metadata.uid)
    metadata = volume.metadata
    if not is_kept_for(volume, claim):
        metadata = replace(metadata, annotations={**volume.annotations, BOUND_BY_CONTROLLER: "yes"})
    return replace(volume, metadata=metadata, spec=replace(volume.spec, claim_ref=ref))


def _to_be_made_on(claim: PersistentVolumeClaim, node_name: str) -> PersistentVolumeClaim:
    """Return a claim as it will be once a volume is to be made for it on a node."""
    annotations = {**claim.annotations, SELECTED_NODE: node_name}
    return replace(claim, metadata=replace(claim.metadata, annotations=annotations))
