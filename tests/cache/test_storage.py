"""Objects of storage: as written, as assumed over it, and as written anew."""

import pytest

from roost.api.storage import SELECTED_NODE
from roost.cache import Cache
from roost.errors import InvalidObject
from roost.testing import node
from roost.testing.storage import claim, storage_class, using, volume

MADE = storage_class("made", provisioner="x")


def world() -> Cache:
    """One node; a claim that a volume is found for, one that a volume is made for."""
    cache = Cache()
    cache.set_node(node("n"))
    for obj in (storage_class(), MADE, claim("found"), claim("made", storage_class="made"), old_volume("1")):
        cache.set_storage(obj)
    return cache


def old_volume(version: str, **fields: str):
    return volume("v", metadata={"resourceVersion": version}, **fields)


def kept_for(cache: Cache) -> str:
    kept = cache.view.storage.volume("v")
    assert kept is not None
    return kept.spec.claim_ref.name if kept.spec.claim_ref is not None else ""


def test_what_follows_from_a_decision_is_assumed_and_forgotten() -> None:
    cache = world()
    info = cache.pod_info(using("found", "made"))
    cache.assume(info, "n")
    made = cache.view.storage.claim("default/made")
    assert kept_for(cache) == "found"
    assert made is not None
    assert made.annotations == {SELECTED_NODE: "n"}
    assert info.volume_plan is not None
    assert [binding.volume.name for binding in info.volume_plan.bindings] == ["v"]
    cache.forget(info)
    assert kept_for(cache) == ""
    assert cache.view.storage.claim("default/made") == claim("made", storage_class="made")


def test_it_is_no_more_written_for_being_assumed() -> None:
    cache = world()
    cache.assume(cache.pod_info(using("found", "made")), "n")
    assert cache.view.storage.written_volume("v") == old_volume("1")
    assert cache.view.storage.written_claim("default/made") == claim("made", storage_class="made")


@pytest.mark.parametrize(
    ("seen", "kept"),
    [
        pytest.param(old_volume("1"), "found", id="the same version, listed anew, is no news"),
        pytest.param(old_volume("2"), "", id="a newer version is the truth"),
        pytest.param(old_volume("2", claim="default/found"), "found", id="a newer version that says the same"),
    ],
)
def test_what_is_written_replaces_what_was_assumed(seen, kept: str) -> None:
    cache = world()
    cache.assume(cache.pod_info(using("found")), "n")
    cache.set_storage(seen)
    assert kept_for(cache) == kept


def test_forgetting_leaves_alone_what_was_written_meanwhile() -> None:
    cache = world()
    info = cache.pod_info(using("found"))
    cache.assume(info, "n")
    cache.set_storage(old_volume("2", claim="default/found"))
    cache.forget(info)
    assert kept_for(cache) == "found"


def test_a_pod_whose_claims_are_bound_needs_no_plan() -> None:
    cache = world()
    cache.set_storage(claim("bound", volume="v"))
    info = cache.pod_info(using("bound"))
    cache.assume(info, "n")
    assert info.volume_plan is None


def test_a_change_that_means_nothing_is_none() -> None:
    cache = world()
    assert cache.set_storage(old_volume("7")) is None
    assert cache.set_storage(old_volume("8", storage="2Gi")) is not None
    assert cache.remove_storage(old_volume("8")) is not None
    assert cache.remove_storage(old_volume("8")) is None


def test_an_amount_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(InvalidObject, match="quantity"):
        world().set_storage(volume("w", storage="much"))
    with pytest.raises(InvalidObject, match="quantity"):
        world().set_storage(claim(storage="much"))


def test_a_volume_that_is_gone_is_found_for_nobody() -> None:
    cache = world()
    cache.remove_storage(old_volume("1"))
    assert not list(cache.view.storage.shelves_of_class("waiting"))
