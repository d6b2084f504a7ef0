import msgspec
import pytest

from roost.api.kinds import LEASE, POD
from roost.client.listing import open_page, read_items, read_object, read_page
from roost.errors import ApiError, InvalidObject


def pod(name, **spec):
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}


def page(*items, **metadata):
    return msgspec.json.encode({"kind": "PodList", "metadata": metadata, "items": items})


def test_a_page_has_its_objects_its_version_and_how_to_go_on():
    read = read_page(page(pod("a"), pod("b"), **{"resourceVersion": "5", "continue": "more"}), POD)
    assert [item.name for item in read.items] == ["a", "b"]
    assert (read.metadata.resource_version, read.metadata.continue_token) == ("5", "more")
    assert read.malformed == []


@pytest.mark.parametrize("body", [b'{"metadata":{},"items":null}', b'{"metadata":{},"items":[]}', b'{"metadata":{}}'])
def test_a_page_may_be_empty(body):
    assert read_page(body, POD).items == []


def test_an_object_that_cannot_be_read_does_not_hide_the_others():
    read = read_page(page(pod("a"), pod("bad", priority="high"), pod("c"), resourceVersion="5"), POD)
    assert [item.name for item in read.items] == ["a", "c"]
    assert [problem.key for problem in read.malformed] == ["default/bad"]
    assert read.malformed[0].problem == (
        "Pod default/bad cannot be read: Expected `int | null`, got `str` - at `$.spec.priority`"
    )
    assert read.metadata.resource_version == "5"


@pytest.mark.parametrize("body", [b"<html>", b"", b'{"items":5}'])
def test_what_is_not_a_list_is_an_error_of_ours(body):
    with pytest.raises(ApiError, match="the list of pods is not a list as Kubernetes writes it"):
        read_page(body, POD)


def test_one_object_is_typed():
    lease = read_object(b'{"metadata":{"name":"roost"},"spec":{"holderIdentity":"a"}}', LEASE)
    assert (lease.metadata.name, lease.spec) == ("roost", {"holderIdentity": "a"})


def test_one_object_that_cannot_be_read_says_which_field():
    with pytest.raises(InvalidObject, match=r"Pod default/bad cannot be read: .* at `\$\.spec\.priority`"):
        read_object(msgspec.json.encode(pod("bad", priority="high")), POD)


def test_pods_of_pages_that_came_one_after_the_other_have_their_equal_parts_in_common():
    containers = [{"name": "web", "image": "web:1"}]
    (a,), (b,) = (read_page(page(pod(name, containers=containers)), POD).items for name in "ab")
    assert a.spec.containers is b.spec.containers
    assert (a.name, b.name) == ("a", "b")


def test_where_a_page_goes_on_is_known_before_its_objects_are_read():
    opened = open_page(page(pod("a"), pod("bad", priority="high"), **{"continue": "more"}), POD)
    assert opened.metadata.continue_token == "more"
    assert [item.name for item in read_items(opened, POD).items] == ["a"]
