"""The store: names, versions, conflicts, status apart, deletion, lists and watches."""

import json

import pytest
from tests.apiserver.building import Time, Watcher, add_node, add_pod, bind_pod, label, new_store, node, pod, watch

from roost.apiserver.identity import Identity
from roost.apiserver.refusals import Invalid
from roost.apiserver.resources import DEPLOYMENT, EVENT, LEASE, NAMESPACE, NEW_EVENT, NODE, POD
from roost.apiserver.store import DeleteOptions, Object, Store, select
from roost.errors import ApiError, Conflict, Forbidden, Gone, NotFound

# ---- creating


def test_a_new_object_has_uid_time_version_and_generation() -> None:
    store = new_store()
    item = add_pod(store)
    assert item.metadata["creationTimestamp"] == "2026-01-01T00:00:00Z"
    assert item.metadata["resourceVersion"] == str(item.version) == str(store.version)
    assert item.metadata["generation"] == 1
    assert len(item.metadata["uid"]) == 36
    assert json.loads(item.bytes) == item.object == store.get(POD, "web", "default").object


def test_the_same_seed_gives_the_same_cluster() -> None:
    def names(seed: str) -> list[str]:
        store = Store(Time(), Identity(seed))
        return [store.create(POD, pod("", generateName="web-"), "default").name for _ in range(3)]

    assert names("a") == names("a") != names("b")
    assert len(set(names("a"))) == 3


def test_what_is_given_is_copied_and_what_is_returned_stays_as_it_is() -> None:
    store = new_store()
    body = pod()
    item = store.create(POD, body, "default")
    body["spec"]["containers"][0]["image"] = "changed"
    before = item.bytes
    label(store, "web", a="b")
    assert item.copy()["spec"]["containers"][0]["image"] == "nginx:1"
    assert item.bytes == before
    assert "labels" not in item.metadata


REFUSED = {
    "a name that is taken": (pod(), Conflict, 'pods "web" already exists'),
    "a namespace that is missing": (pod(namespace="nowhere"), NotFound, 'namespaces "nowhere" not found'),
    "no name at all": (
        pod(""),
        Invalid,
        'Pod "" is invalid: metadata.name: Required value: name or generateName is required',
    ),
    "another kind": (
        {"kind": "Node", **pod("x")},
        ApiError,
        "the object provided is a Node, and this is where pods are",
    ),
}


@pytest.mark.parametrize(("body", "error", "text"), REFUSED.values(), ids=REFUSED.keys())
def test_creating_refuses(body: Object, error: type[Exception], text: str) -> None:
    store = new_store()
    add_pod(store)
    with pytest.raises(error) as caught:
        store.create(POD, body, "")
    assert text in str(caught.value)


def test_a_namespace_in_body_and_path_must_agree() -> None:
    with pytest.raises(ApiError, match="does not match the namespace sent on the request"):
        new_store().create(POD, pod(namespace="default"), "kube-system")


def test_a_dry_run_stores_nothing() -> None:
    store = new_store()
    version = store.version
    assert store.create(POD, pod(), "default", dry_run=True).metadata["uid"]
    assert store.find(POD, "web", "default") is None
    add_pod(store)
    store.modify(POD, "web", lambda obj: obj["metadata"].update(labels={"a": "b"}), "default", dry_run=True)
    store.delete(POD, "web", "default", dry_run=True)
    assert "labels" not in store.get(POD, "web", "default").metadata
    assert store.version == version + 1


# ---- updating


def test_of_two_writers_the_second_is_told_that_the_object_has_changed() -> None:
    store = new_store()
    first, second = add_pod(store).copy(), store.get(POD, "web", "default").copy()
    first["metadata"]["labels"] = {"by": "first"}
    second["metadata"]["labels"] = {"by": "second"}
    store.update(POD, first, "web", "default")
    with pytest.raises(Conflict) as caught:
        store.update(POD, second, "web", "default")
    assert str(caught.value) == (
        'Operation cannot be fulfilled on pods "web": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    assert caught.value.status == 409
    assert caught.value.reason == "Conflict"


def test_another_uid_is_another_object() -> None:
    store = new_store()
    body = add_pod(store).copy()
    body["metadata"] |= {"uid": "other", "resourceVersion": ""}
    with pytest.raises(Conflict, match="UID in precondition: other"):
        store.update(POD, body, "web", "default")


def test_an_update_keeps_what_is_the_servers() -> None:
    store = new_store()
    old = add_pod(store)
    body = pod(labels={"a": "b"}, creationTimestamp="1999-01-01T00:00:00Z")
    new = store.update(POD, body, "web", "default")
    for name in ("uid", "creationTimestamp", "generation"):
        assert new.metadata[name] == old.metadata[name]
    assert new.metadata["labels"] == {"a": "b"}


def test_an_update_that_changes_nothing_is_no_write() -> None:
    store = new_store()
    item = add_pod(store)
    watcher = watch(store)
    assert store.update(POD, item.copy(), "web", "default") is item
    assert watcher.events == []


def test_the_generation_counts_changes_of_the_spec_only() -> None:
    store = new_store()
    add_pod(store)

    def change_image(obj: Object) -> None:
        obj["spec"]["containers"][0]["image"] = "nginx:2"

    assert label(store, "web", a="b").metadata["generation"] == 1
    assert store.modify(POD, "web", change_image, "default").metadata["generation"] == 2
    assert "generation" not in add_node(store).metadata


def test_status_and_spec_are_written_apart() -> None:
    store = new_store()
    add_node(store)

    def change(obj: Object) -> None:
        obj["spec"]["unschedulable"] = True
        obj["status"]["phase"] = "changed"

    spec = store.modify(NODE, "node-0", change)
    assert spec.object["spec"] == {"unschedulable": True}
    assert "phase" not in spec.object["status"]
    store.modify(NODE, "node-0", lambda obj: obj["spec"].clear())
    status = store.modify(NODE, "node-0", change, subresource="status")
    assert status.object["status"]["phase"] == "changed"
    assert status.object["spec"] == {}


def test_a_lease_is_created_by_its_first_update_and_needs_its_version_from_then_on() -> None:
    store = new_store()
    body = {"metadata": {"name": "lock"}, "spec": {"holderIdentity": "a"}}
    item = store.update(LEASE, body, "lock", "default")
    with pytest.raises(Invalid, match="must be specified for an update"):
        store.update(LEASE, body, "lock", "default")
    changed = {**item.copy(), "spec": {"holderIdentity": "b"}}
    assert store.update(LEASE, changed, "lock", "default").object["spec"] == {"holderIdentity": "b"}


def test_updating_what_is_not_there_is_refused() -> None:
    with pytest.raises(NotFound, match='pods "web" not found'):
        new_store().update(POD, pod(), "web", "default")


# ---- deleting


def test_a_pod_without_a_node_goes_at_once_and_a_bound_one_when_its_kubelet_says_so() -> None:
    store = new_store()
    add_node(store)
    add_pod(store, "pending")
    add_pod(store, "bound")
    bind_pod(store, "bound")
    assert "deletionTimestamp" not in store.delete(POD, "pending", "default").metadata
    leaving = store.delete(POD, "bound", "default")
    assert leaving.metadata["deletionTimestamp"] == "2026-01-01T00:00:30Z"
    assert leaving.metadata["deletionGracePeriodSeconds"] == 30
    assert [it.name for it in store.all(POD)] == ["bound"]
    store.delete(POD, "bound", "default", DeleteOptions(grace_seconds=0))
    assert store.all(POD) == []


def test_grace_can_only_be_shortened() -> None:
    store = new_store()
    add_node(store)
    add_pod(store)
    bind_pod(store)
    first = store.delete(POD, "web", "default", DeleteOptions(grace_seconds=20))
    assert store.delete(POD, "web", "default", DeleteOptions(grace_seconds=25)) is first
    shorter = store.delete(POD, "web", "default", DeleteOptions(grace_seconds=5))
    assert shorter.metadata["deletionTimestamp"] == "2026-01-01T00:00:05Z"


def test_a_finalizer_holds_an_object_until_it_is_removed() -> None:
    store = new_store()
    add_pod(store, finalizers=["example.com/hold"])
    watcher = watch(store, since="0")
    store.delete(POD, "web", "default")
    held = store.get(POD, "web", "default")
    assert held.metadata["deletionTimestamp"]
    store.modify(POD, "web", lambda obj: obj["metadata"].update(finalizers=[]), "default")
    assert store.find(POD, "web", "default") is None
    assert [type_ for type_, _ in watcher.seen] == ["ADDED", "MODIFIED", "DELETED"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (DeleteOptions(uid="other"), "the UID in the precondition (other) does not match the UID in record"),
        (DeleteOptions(resource_version="1"), "the ResourceVersion in the precondition (1) does not match"),
    ],
)
def test_deleting_on_a_condition_that_does_not_hold_is_a_conflict(options: DeleteOptions, text: str) -> None:
    store = new_store()
    add_pod(store)
    with pytest.raises(Conflict) as caught:
        store.delete(POD, "web", "default", options)
    assert text in str(caught.value)


def test_namespaces_that_are_always_there_cannot_be_deleted() -> None:
    store = new_store()
    assert [it.name for it in store.all(NAMESPACE)] == ["default", "kube-node-lease", "kube-public", "kube-system"]
    with pytest.raises(Forbidden, match="this namespace may not be deleted"):
        store.delete(NAMESPACE, "default")


def test_a_namespace_on_its_way_out_takes_nothing_new() -> None:
    store = new_store()
    store.create(NAMESPACE, {"metadata": {"name": "team"}})
    store.delete(NAMESPACE, "team")
    with pytest.raises(Forbidden, match="unable to create new content in namespace team because it is being termin"):
        store.create(POD, pod(), "team")


def test_a_collection_is_deleted_by_selection() -> None:
    store = new_store()
    for name, app in (("a", "x"), ("b", "y"), ("c", "x")):
        add_pod(store, name, labels={"app": app})
    store.delete_collection(select(POD, "default", "app=x"))
    assert [it.name for it in store.all(POD)] == ["b"]


# ---- lists


def test_a_list_goes_by_namespace_and_name() -> None:
    store = new_store()
    for name, namespace in (("b", "kube-system"), ("c", "default"), ("a", "kube-system"), ("d", "default")):
        store.create(POD, pod(name), namespace)
    assert [it.name for it in store.all(POD)] == ["c", "d", "a", "b"]
    assert [it.name for it in store.all(POD, "kube-system")] == ["a", "b"]


def test_pages_show_one_moment_whatever_is_written_between_them() -> None:
    store = new_store()
    for i in range(7):
        add_pod(store, f"pod-{i}")
    page = store.list(select(POD), limit=3)
    assert page.remaining == 4
    add_pod(store, "pod-3a")
    store.delete(POD, "pod-5", "default")
    label(store, "pod-6", new="label")
    names, last = [it.name for it in page.items], page
    while last.continue_token:
        last = store.list(select(POD), limit=3, continue_token=last.continue_token)
        names += [it.name for it in last.items]
        assert last.resource_version == page.resource_version
    assert names == [f"pod-{i}" for i in range(7)]
    assert "labels" not in last.items[-1].metadata


def test_a_page_from_a_forgotten_past_is_gone() -> None:
    store = new_store(log_size=3)
    for i in range(4):
        add_pod(store, f"pod-{i}")
    page = store.list(select(POD), limit=2)
    for i in range(4):
        label(store, f"pod-{i}", a="b")
    with pytest.raises(Gone, match="The provided continue parameter is too old") as caught:
        store.list(select(POD), limit=2, continue_token=page.continue_token)
    assert (caught.value.status, caught.value.reason) == (410, "Expired")


def test_the_exact_past_can_be_listed_and_the_future_cannot() -> None:
    store = new_store()
    version = add_pod(store).version
    store.delete(POD, "web", "default")
    assert [it.name for it in store.list(select(POD), resource_version=str(version), match="Exact").items] == ["web"]
    assert store.list(select(POD), resource_version=str(version)).items == []
    with pytest.raises(ApiError, match="Too large resource version") as caught:
        store.list(select(POD), resource_version=str(store.version + 1))
    assert caught.value.status == 504


def test_nonsense_instead_of_versions_and_tokens_is_a_bad_request() -> None:
    store = new_store()
    for how in ({"resource_version": "x"}, {"continue_token": "x"}, {"continue_token": "e30"}):
        with pytest.raises(ApiError) as caught:
            store.list(select(POD), **how)
        assert caught.value.status == 400


# ---- watches


def test_a_watch_with_a_selector_hears_of_objects_that_enter_and_leave_it() -> None:
    store = new_store()
    add_pod(store)
    watcher = watch(store, label_selector="app=web")
    label(store, "web", app="web")
    label(store, "web", app="web", more="labels")
    left = label(store, "web", app="other")
    label(store, "web", app="other", more="labels")
    store.delete(POD, "web", "default")
    assert [type_ for type_, _ in watcher.seen] == ["ADDED", "MODIFIED", "DELETED"]
    last = watcher.events[-1].item
    assert last.metadata["labels"] == {"app": "web", "more": "labels"}, "as it was while it matched"
    assert last.version == left.version, "with the version of the change"
    assert last.metadata["resourceVersion"] == str(left.version)


def test_a_watch_by_field_hears_of_pods_that_end() -> None:
    store = new_store()
    add_pod(store)
    watcher = watch(store, since="0", field_selector="status.phase!=Succeeded,status.phase!=Failed")
    store.modify(POD, "web", lambda obj: obj["status"].update(phase="Succeeded"), "default", subresource="status")
    assert watcher.seen == [("ADDED", "web"), ("DELETED", "web")]


def test_a_deletion_carries_the_last_state_with_a_version_of_its_own() -> None:
    store = new_store()
    item = add_pod(store)
    watcher = watch(store)
    store.delete(POD, "web", "default")
    (event,) = watcher.events
    assert event.item.version == item.version + 1 == store.version
    assert json.loads(event.line) == {"type": "DELETED", "object": event.item.object}


def test_a_watch_goes_on_from_any_version_that_is_kept() -> None:
    store = new_store()
    versions = [str(add_pod(store, f"pod-{i}").version) for i in range(4)]
    assert watch(store, since=versions[1]).seen == [("ADDED", "pod-2"), ("ADDED", "pod-3")]
    assert watch(store, since=versions[3]).seen == []


def test_a_watch_from_a_forgotten_version_is_gone() -> None:
    store = new_store(log_size=3)
    first = add_pod(store, "pod-0").version
    for i in range(1, 5):
        add_pod(store, f"pod-{i}")
    with pytest.raises(Gone) as caught:
        watch(store, since=str(first))
    assert str(caught.value) == f"too old resource version: {first} ({first + 1})"
    assert watch(store, since=str(first + 1)).seen == [("ADDED", f"pod-{i}") for i in (2, 3, 4)]


def test_a_quiet_resource_is_not_forgotten_because_another_is_busy() -> None:
    store = new_store(log_size=3)
    version = add_node(store).version
    for i in range(9):
        add_pod(store, f"pod-{i}")
    assert watch(store, NODE, since=str(version)).seen == []


def test_forgetting_the_log_makes_every_older_version_gone() -> None:
    store = new_store()
    version = add_pod(store).version
    label(store, "web", a="b")
    store.forget_log()
    with pytest.raises(Gone):
        watch(store, since=str(version))
    assert watch(store).seen == []


def test_initial_events_end_with_a_marked_bookmark() -> None:
    store = new_store()
    add_pod(store)
    watcher = Watcher()
    store.subscribe(select(POD), watcher, initial_events=True)
    assert [type_ for type_, _ in watcher.seen] == ["ADDED", "BOOKMARK"]
    bookmark = json.loads(watcher.events[-1].line)["object"]
    assert bookmark["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert bookmark["metadata"]["resourceVersion"] == str(store.version)
    silent = Watcher()
    store.subscribe(select(POD), silent, initial_events=False)
    assert silent.events == []


def test_a_bookmark_tells_the_latest_version() -> None:
    store = new_store()
    add_pod(store)
    line = json.loads(store.bookmark(NODE).line)
    assert line["type"] == "BOOKMARK"
    assert line["object"]["kind"] == "Node"
    assert line["object"]["metadata"]["resourceVersion"] == str(store.version)


def test_watchers_of_the_same_share_one_line() -> None:
    store = new_store()
    one, two = watch(store), watch(store, label_selector="app=web")
    add_pod(store, labels={"app": "web"})
    assert one.events[0] is two.events[0]
    assert one.events[0].line is two.events[0].line


def test_a_closed_watch_hears_nothing_more_and_an_ended_one_is_told() -> None:
    store = new_store()
    heard, ended = Watcher(), []
    closed = store.subscribe(select(POD), heard, since=str(store.version), ended=lambda: ended.append("closed"))
    store.subscribe(select(POD), heard, since=str(store.version), ended=lambda: ended.append("ended"))
    closed.close()
    store.end_watches()
    add_pod(store)
    assert heard.events == []
    assert ended == ["ended"]


# ---- events with two faces


def test_an_event_is_read_under_both_its_names() -> None:
    store = new_store()
    watcher = watch(store, EVENT)
    regarding = {"kind": "Pod", "name": "web", "namespace": "default", "uid": "u"}
    body = {
        "metadata": {"name": "web.1"},
        "regarding": regarding,
        "note": "all is well",
        "reason": "Scheduled",
        "type": "Normal",
        "reportingController": "roost",
        "reportingInstance": "host",
        "action": "Binding",
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "series": {"count": 2, "lastObservedTime": "2026-01-01T00:00:00.000000Z"},
    }
    new = store.create(NEW_EVENT, body, "default")
    core = store.get(EVENT, "web.1", "default").object
    assert new.object["note"] == core["message"] == "all is well"
    assert new.object["regarding"] == core["involvedObject"] == regarding
    assert (new.object["reportingController"], core["reportingComponent"]) == ("roost", "roost")
    assert (new.object["apiVersion"], core["apiVersion"]) == ("events.k8s.io/v1", "v1")
    assert new.object["series"] == core["series"]
    assert watcher.events[0].item.object == core
    assert json.loads(store.get(NEW_EVENT, "web.1", "default").bytes) == new.object


def test_an_old_event_has_its_old_fields_under_new_names() -> None:
    store = new_store()
    body = {
        "metadata": {"name": "x"},
        "involvedObject": {"name": "web"},
        "message": "hello",
        "source": {"component": "kubelet"},
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:00:00Z",
        "count": 3,
    }
    store.create(EVENT, body, "default")
    new = store.get(NEW_EVENT, "x", "default").object
    assert new["deprecatedCount"] == 3
    assert new["deprecatedSource"] == {"component": "kubelet"}
    assert new["deprecatedFirstTimestamp"] == new["deprecatedLastTimestamp"] == "2026-01-01T00:00:00Z"
    updated = store.modify(NEW_EVENT, "x", lambda obj: obj.update(note="bye"), "default")
    assert updated.object["note"] == "bye"
    assert store.get(EVENT, "x", "default").object["message"] == "bye"


def test_what_no_table_knows_is_stored_as_it_comes() -> None:
    store = new_store()
    body = {"metadata": {"name": "x"}, "data": {"any": ["thing"]}}
    assert store.create(DEPLOYMENT, deployment(), "default").object["spec"]["replicas"] == 1
    assert store.create(NODE, node()).object["spec"] == {}
    config = select(LEASE).resource
    assert store.create(config, body, "default").object["data"] == {"any": ["thing"]}


def deployment() -> Object:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod()["spec"]}
    return {"metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template}}
