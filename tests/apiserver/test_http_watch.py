"""Watches over HTTP: selectors, bookmarks, the past, slow readers and ends."""

from collections.abc import Iterator

import pytest
from tests.apiserver.building import add_pod, label, pod
from tests.apiserver.serving import Served, served

from roost.apiserver import watching

PODS = "/api/v1/namespaces/default/pods"
WATCH = f"{PODS}?watch=true"
INITIAL = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


@pytest.fixture
def cluster() -> Iterator[Served]:
    with served(nodes=1, log_size=20) as server:
        yield server


def version(cluster: Served) -> str:
    return str(cluster.ask("GET", PODS).json["metadata"]["resourceVersion"])


def test_changes_come_in_order(cluster: Served) -> None:
    with cluster.watching(f"{WATCH}&resourceVersion={version(cluster)}") as lines:
        cluster.ask("POST", PODS, pod("a"))
        cluster.call(lambda: label(cluster.store, "a", x="1"))
        cluster.ask("DELETE", f"{PODS}/a")
        assert lines.types(3) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


def test_pods_enter_and_leave_a_selection(cluster: Served) -> None:
    with cluster.watching(f"{WATCH}&labelSelector=x%3D1&resourceVersion={version(cluster)}") as lines:
        cluster.ask("POST", PODS, pod("a"))
        for value in ("1", "2", "1"):
            cluster.call(lambda value=value: label(cluster.store, "a", x=value))
        assert lines.types(3) == [("ADDED", "a"), ("DELETED", "a"), ("ADDED", "a")]


def test_pods_leave_a_selection_by_field(cluster: Served) -> None:
    cluster.call(lambda: add_pod(cluster.store, "a"))
    path = f"{WATCH}&fieldSelector=spec.nodeName%3D&resourceVersion=0"
    with cluster.watching(path) as lines:
        body = {"metadata": {"name": "a"}, "target": {"kind": "Node", "name": "node-0"}}
        cluster.ask("POST", f"{PODS}/a/binding", body)
        assert lines.types(2) == [("ADDED", "a"), ("DELETED", "a")]


def test_the_list_in_a_watch_ends_with_a_bookmark(cluster: Served) -> None:
    cluster.call(lambda: add_pod(cluster.store, "a"))
    with cluster.watching(f"{WATCH}&{INITIAL}") as lines:
        assert lines.types(1) == [("ADDED", "a")]
        bookmark = lines.next()
        assert bookmark["type"] == "BOOKMARK"
        assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert bookmark["object"]["metadata"]["resourceVersion"] == version(cluster)


def test_the_past_is_told(cluster: Served) -> None:
    since = version(cluster)
    cluster.call(lambda: add_pod(cluster.store, "a"))
    with cluster.watching(f"{WATCH}&resourceVersion={since}") as lines:
        assert lines.types(1) == [("ADDED", "a")]


def test_what_is_forgotten_is_gone(cluster: Served) -> None:
    since = version(cluster)
    cluster.call(lambda: [add_pod(cluster.store, f"p{i}") for i in range(30)])
    with cluster.watching(f"{WATCH}&resourceVersion={since}") as lines:
        error = lines.next()
        assert (error["type"], error["object"]["code"], error["object"]["reason"]) == ("ERROR", 410, "Expired")
        assert "too old resource version" in error["object"]["message"]
        assert lines.next() is None


def test_another_life_of_the_server_is_gone_too(cluster: Served) -> None:
    with cluster.watching(f"{WATCH}&resourceVersion=999999") as lines:
        assert lines.next()["object"]["code"] == 410


def test_old_pages_are_gone(cluster: Served) -> None:
    cluster.call(lambda: [add_pod(cluster.store, f"p{i}") for i in range(3)])
    token = cluster.ask("GET", f"{PODS}?limit=1").json["metadata"]["continue"]
    cluster.call(lambda: [add_pod(cluster.store, f"q{i}") for i in range(30)])
    answer = cluster.ask("GET", f"{PODS}?limit=1&continue={token}")
    assert (answer.status, answer.json["reason"]) == (410, "Expired")


def test_a_watch_ends_in_time_with_a_bookmark(cluster: Served) -> None:
    path = f"{WATCH}&resourceVersion={version(cluster)}&timeoutSeconds=1&allowWatchBookmarks=true"
    with cluster.watching(path) as lines:
        assert lines.next()["type"] == "BOOKMARK"
        assert lines.next() is None


def test_the_store_ends_watches(cluster: Served) -> None:
    with cluster.watching(f"{WATCH}&resourceVersion={version(cluster)}") as lines:
        cluster.call(cluster.store.end_watches)
        assert lines.next() is None


def test_tables(cluster: Served) -> None:
    cluster.call(lambda: add_pod(cluster.store, "a"))
    with cluster.watching(f"{WATCH}&resourceVersion=0", accept=TABLE) as lines:
        first = lines.next()["object"]
        assert [one["name"] for one in first["columnDefinitions"]][:3] == ["Name", "Ready", "Status"]
        assert first["rows"][0]["cells"][:3] == ["a", "0/1", "Pending"]
        cluster.call(lambda: label(cluster.store, "a", x="1"))
        assert lines.next()["object"]["columnDefinitions"] is None


def test_a_reader_who_leaves_is_forgotten(cluster: Served) -> None:
    with cluster.watching(f"{WATCH}&resourceVersion={version(cluster)}"):
        pass
    cluster.ask("POST", PODS, pod("a"))
    cluster.ask("POST", PODS, pod("b"))
    assert cluster.call(lambda: open_watches(cluster)) == 0


def open_watches(cluster: Served) -> int:
    return sum(len(collection.watches) for collection in cluster.store._collections.values())


def test_a_reader_far_behind_is_let_go(cluster: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "MOST_WAITING", 20)
    with cluster.watching(f"{WATCH}&resourceVersion={version(cluster)}") as lines:
        text = {"data": "x" * 200_000}
        for i in range(150):
            cluster.ask("POST", PODS, pod(f"p{i}", annotations=text))
        seen = list(iter(lines.next, None))
        assert 20 < len(seen) < 150


def test_a_reader_who_does_not_read_does_not_hold_up_others(cluster: Served) -> None:
    with cluster.watching(f"{WATCH}&resourceVersion={version(cluster)}") as lines:
        text = {"data": "x" * 20_000}
        for i in range(300):
            cluster.ask("POST", PODS, pod(f"p{i}", annotations=text))
        assert lines.types(300) == [("ADDED", f"p{i}") for i in range(300)]
