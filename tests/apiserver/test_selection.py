"""Which objects a selection selects, and which selectors are refused."""

import pytest
from tests.apiserver.building import add_node, add_pod, bind_pod, new_store

from roost.apiserver.resources import EVENT, NEW_EVENT, NODE, POD, Resource, find_resource
from roost.apiserver.store import Store, select
from roost.errors import ApiError


@pytest.fixture
def store() -> Store:
    store = new_store()
    add_node(store)
    add_pod(store, "a", labels={"app": "x"}, spec={"schedulerName": "roost"})
    add_pod(store, "b", labels={"app": "y", "tier": "front"}, spec={"restartPolicy": "Never"})
    bind_pod(store, "b")
    for name, kind in (("one", "Pod"), ("two", "Node")):
        body = {
            "metadata": {"name": name},
            "involvedObject": {"kind": kind, "name": "a"},
            "reason": "Test",
            "type": "Normal",
            "source": {"component": kind},
        }
        store.create(EVENT, body, "default")
    store.modify(NODE, "node-0", lambda obj: obj["spec"].update(unschedulable=True))
    return store


FOUND: list[tuple[Resource, str, str, list[str]]] = [
    (POD, "", "", ["a", "b"]),
    (POD, "app=x", "", ["a"]),
    (POD, "app in (x, y),tier", "", ["b"]),
    (POD, "!tier", "", ["a"]),
    (POD, "", "spec.nodeName=node-0", ["b"]),
    (POD, "", "spec.nodeName=", ["a"]),
    (POD, "", "spec.schedulerName=roost", ["a"]),
    (POD, "", "spec.restartPolicy!=Always", ["b"]),
    (POD, "", "spec.hostNetwork=false,status.phase=Pending", ["a", "b"]),
    (POD, "", "metadata.name=b,metadata.namespace=default", ["b"]),
    (POD, "app=x", "metadata.name=b", []),
    (NODE, "", "spec.unschedulable=true", ["node-0"]),
    (NODE, "", "spec.unschedulable=false", []),
    (EVENT, "", "involvedObject.kind=Pod", ["one"]),
    (EVENT, "", "source=Node,reason=Test,type=Normal", ["two"]),
    (NEW_EVENT, "", "regarding.kind=Node", ["two"]),
]


@pytest.mark.parametrize(("resource", "labels", "fields", "names"), FOUND)
def test_selected(store: Store, resource: Resource, labels: str, fields: str, names: list[str]) -> None:
    selection = select(resource, "", labels, fields)
    assert [it.name for it in store.list(selection).items] == names


REFUSED = {
    "a field pods are not selected by": (POD, "", "spec.image=x", "field label not supported: spec.image"),
    "an old field of new events": (
        NEW_EVENT,
        "",
        "involvedObject.name=x",
        "field label not supported: involvedObject.name",
    ),
    "a field of a plain resource": (
        find_resource("", "configmaps"),
        "",
        "data.x=y",
        '"data.x" is not a known field selector: only "metadata.name", "metadata.namespace"',
    ),
    "labels that are no selector": (POD, "a in b", "", "label selector"),
    "fields that are no selector": (POD, "", "status.phase", "field selector"),
}


@pytest.mark.parametrize(("resource", "labels", "fields", "text"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(resource: Resource, labels: str, fields: str, text: str) -> None:
    with pytest.raises(ApiError) as caught:
        select(resource, "", labels, fields)
    assert text in str(caught.value)
    assert (caught.value.status, caught.value.reason) == (400, "BadRequest")
