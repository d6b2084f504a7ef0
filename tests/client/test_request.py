import json

import pytest

from roost.api.kinds import EVENT, NODE, POD
from roost.client.request import (
    STRATEGIC_MERGE,
    Heads,
    binding,
    delete_options,
    eviction,
    group_path,
    list_query,
    object_path,
    watch_query,
)
from roost.client.target import parse_address
from roost.version import __version__

HEADS = Heads(parse_address("https://[::1]:6443/base/"), "Bearer abc")


def test_a_get_is_a_head():
    assert (
        HEADS.build("GET", "/api/v1/pods")
        == (
            "GET /base/api/v1/pods HTTP/1.1\r\nHost: [::1]:6443\r\nAuthorization: Bearer abc\r\n"
            f"User-Agent: roost/{__version__}\r\nAccept: application/json\r\n\r\n"
        ).encode()
    )


def test_a_write_says_what_it_carries():
    request = HEADS.build("PATCH", "/x", b'{"a":1}', STRATEGIC_MERGE)
    assert request.endswith(
        b"Content-Type: application/strategic-merge-patch+json\r\nContent-Length: 7\r\n\r\n" + b'{"a":1}'
    )


def test_a_write_without_body_says_so():
    assert HEADS.build("POST", "/x").endswith(b"Content-Length: 0\r\n\r\n")


def test_without_a_login_there_is_no_authorization():
    assert b"Authorization" not in Heads(parse_address("http://localhost:8001")).build("GET", "/")


PATHS = [
    (object_path(POD), "/api/v1/pods"),
    (object_path(POD, "default", "a", "binding"), "/api/v1/namespaces/default/pods/a/binding"),
    (object_path(NODE, "ignored", "n"), "/api/v1/nodes/n"),
    (object_path(EVENT, "ns"), "/apis/events.k8s.io/v1/namespaces/ns/events"),
    (object_path(POD, "a b", "x/y?z"), "/api/v1/namespaces/a%20b/pods/x%2Fy%3Fz"),
    (group_path("v1"), "/api/v1"),
    (group_path("apps/v1"), "/apis/apps/v1"),
]


@pytest.mark.parametrize(("path", "expected"), PATHS)
def test_paths(path, expected):
    assert path == expected


QUERIES = [
    (list_query(), "?limit=500"),
    (list_query(limit=0), ""),
    (list_query(limit=5, continue_token="a=b"), "?limit=5&continue=a%3Db"),
    (
        list_query("spec.nodeName=,status.phase!=Failed"),
        "?fieldSelector=spec.nodeName%3D%2Cstatus.phase%21%3DFailed&limit=500",
    ),
    (list_query(label_selector="a in (b,c)"), "?labelSelector=a%20in%20%28b%2Cc%29&limit=500"),
    (watch_query("7", seconds=300), "?watch=true&allowWatchBookmarks=true&resourceVersion=7&timeoutSeconds=300"),
]


@pytest.mark.parametrize(("query", "expected"), QUERIES)
def test_queries(query, expected):
    assert query == expected


def test_a_binding_names_the_pod_its_uid_and_the_node():
    assert json.loads(binding("default", 'a"b', "u1", "n\\1")) == {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": 'a"b', "namespace": "default", "uid": "u1"},
        "target": {"apiVersion": "v1", "kind": "Node", "name": "n\\1"},
    }


def test_an_eviction_may_ask_for_a_uid():
    metadata = {"name": "a", "namespace": "default"}
    bare = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
    assert json.loads(eviction("default", "a")) == bare
    assert json.loads(eviction("default", "a", "u")) == {**bare, "deleteOptions": {"preconditions": {"uid": "u"}}}
    assert json.loads(eviction("default", "a", "", 5)) == {**bare, "deleteOptions": {"gracePeriodSeconds": 5}}


def test_a_deletion_may_have_conditions():
    bare = {"apiVersion": "v1", "kind": "DeleteOptions"}
    assert json.loads(delete_options()) == bare
    assert json.loads(delete_options("u")) == {**bare, "preconditions": {"uid": "u"}}
    assert json.loads(delete_options("u", "7"))["preconditions"] == {"uid": "u", "resourceVersion": "7"}
