"""What must always hold: a column of verdicts is what judging one node after the other, claim by claim, would give."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from roost.api.labels import selects
from roost.api.node import Node
from roost.api.quantity import billionths
from roost.api.storage import NO_PROVISIONER, PersistentVolume, PersistentVolumeClaim, StorageClass
from roost.cache import Cache
from roost.framework.volume_binding import PodClaims, find_conflicts, plan_volumes
from roost.framework.volume_matching import affinity_of, by_size, is_kept_for, is_within_reach
from roost.testing import node
from roost.testing.storage import claim, storage_class, using, volume

SIZES = st.sampled_from(["1Gi", "2Gi", "3Gi"])
ZONES = st.sampled_from(["a", "b", "c"])
REACHES = st.one_of(
    st.none(),
    st.builds(lambda zones: {"zone": zones}, st.lists(ZONES, min_size=1, max_size=2, unique=True)),
    st.builds(lambda name: {"host": name}, st.sampled_from(["n0", "n1", "n2", "n3"])),
    st.builds(lambda zone, name: {"zone": zone, "host": name}, ZONES, st.sampled_from(["n0", "n1"])),
)
VOLUMES = st.builds(
    volume,
    st.sampled_from([f"v{number}" for number in range(8)]),
    storage=SIZES,
    reach=REACHES,
    claim=st.sampled_from(["", "", "", "default/c0", "default/c1"]),
    access_modes=st.sampled_from([["ReadWriteOnce"], ["ReadWriteOnce", "ReadWriteMany"]]),
    labels=st.sampled_from([None, {"kind": "gold"}]),
    phase=st.sampled_from(["Available", "Available", "Bound"]),
)
CLAIMS = st.tuples(
    SIZES,
    st.sampled_from([["ReadWriteOnce"], ["ReadWriteMany"]]),
    st.sampled_from([{}, {"matchLabels": {"kind": "gold"}}]),
)
CLASSES = st.sampled_from(
    [
        storage_class(),
        storage_class(provisioner="x"),
        storage_class(provisioner="x", topologies=[{"zone": ["a", "b"]}]),
    ]
)


def nodes() -> list[Node]:
    return [node(f"n{i}", labels={"zone": "abc"[i % 3], "host": f"n{i}"}) for i in range(4)] + [node("plain")]


def naive(
    where: Node, claims: Sequence[PersistentVolumeClaim], volumes: Sequence[PersistentVolume], made_by: StorageClass
) -> dict[int, str] | None:
    """Return the volume of each claim on a node ("" for one that is to be made), None if they cannot all be met."""
    found: dict[int, str] = {}
    order = sorted(volumes, key=lambda volume: (billionths(volume.storage), volume.name))
    for wanted in by_size(claims):
        found[id(wanted)] = _choice(where, wanted, [v for v in order if v.name not in found.values()])
    terms = made_by.allowed_topologies or ()
    allowed = not terms or any(
        all(where.labels.get(r.key) in (r.values or ()) for r in term.match_label_expressions or ()) for term in terms
    )
    to_make = "" in found.values()
    return None if to_make and (made_by.provisioner == NO_PROVISIONER or not allowed) else found


def _choice(where: Node, wanted: PersistentVolumeClaim, volumes: Sequence[PersistentVolume]) -> str:
    large = [v for v in volumes if billionths(v.storage) >= billionths(wanted.storage or 0)]
    for kept in sorted(large, key=lambda volume: volume.name):
        if is_kept_for(kept, wanted):
            return kept.name if is_within_reach(affinity_of(kept), where.labels) else ""
    for free in large:
        if (
            free.spec.claim_ref is None
            and free.status.phase == "Available"
            and is_within_reach(affinity_of(free), where.labels)
            and (wanted.spec.selector is None or selects(wanted.spec.selector, free.labels))
            and set(wanted.spec.access_modes or ()) <= set(free.spec.access_modes or ())
        ):
            return free.name
    return ""


@settings(deadline=None)
@given(st.lists(VOLUMES, max_size=8, unique_by=lambda v: v.name), st.lists(CLAIMS, min_size=1, max_size=3), CLASSES)
def test_claims_are_met_where_and_as_one_by_one(
    volumes: list[PersistentVolume], wanted: list[tuple[str, list[str], dict[str, object]]], made_by: StorageClass
) -> None:
    cache = Cache()
    for one in nodes():
        cache.set_node(one)
    claims = [
        claim(f"c{i}", storage=size, access_modes=modes, spec={"selector": selector} if selector else None)
        for i, (size, modes, selector) in enumerate(wanted)
    ]
    for obj in (made_by, *volumes, *claims):
        cache.set_storage(obj)
    found = find_conflicts(cache.view, PodClaims((), claims, ()))
    assert not (found.out_of_reach | found.is_missing | found.no_room).any()
    expected = {one.name: naive(one, claims, volumes, made_by) for one in nodes()}
    fits = {cache.view.name(int(row)) for row in np.flatnonzero(~found.nothing_to_bind & cache.view.alive)}
    assert fits == {name for name, chosen in expected.items() if chosen is not None}
    for name in fits:
        plan = plan_volumes(cache.view, cache.pod_info(using(*(c.name for c in claims))), cache.view.slot(name) or 0)
        assert plan is not None
        bound = {binding.claim.name: binding.volume.name for binding in plan.bindings}
        bound |= {one.name: "" for one in plan.provisions}
        assert bound == {one.name: (expected[name] or {})[id(one)] for one in claims}
