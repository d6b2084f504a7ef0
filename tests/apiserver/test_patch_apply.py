"""Server-side apply: who owns which field, and what becomes of it."""

from typing import Any

import msgspec
import pytest
from tests.apiserver.building import new_store

from roost.apiserver.apply import apply
from roost.apiserver.catalogue import Target
from roost.apiserver.fields import Paths, paths_of, read_tree, spelled, write_tree
from roost.apiserver.requests import Request
from roost.apiserver.resources import DEPLOYMENT, Resource, find_resource
from roost.apiserver.store import Object, Store, Stored
from roost.errors import ApiError, Conflict

CONFIG_MAP = find_resource("", "configmaps") or DEPLOYMENT


def config(**data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "it"}, "data": data}


def deployment(*containers: Object, **spec: Any) -> Object:
    labels = {"app": "it"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": list(containers)}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "it"},
        "spec": {"selector": {"matchLabels": labels}, "template": template, **spec},
    }


def apply_as(
    store: Store, manager: str, body: Object, resource: Resource = CONFIG_MAP, **query: str
) -> tuple[Stored, bool]:
    asked = {"fieldManager": manager, **query} if manager else query
    request = Request(method="PATCH", path="", query=asked, body=msgspec.json.encode(body))
    return apply(store, Target(resource, "default", "it"), request, body)


def data(store: Store) -> Any:
    return store.get(CONFIG_MAP, "it", "default").object.get("data")


def owners(store: Store) -> dict[str, Any]:
    entries = store.get(CONFIG_MAP, "it", "default").metadata["managedFields"]
    return {one["manager"]: one["fieldsV1"] for one in entries}


class TestOwners:
    def test_the_first_makes_it(self) -> None:
        store = new_store()
        assert apply_as(store, "a", config(x="1"))[1] is True
        assert owners(store) == {"a": {"f:data": {"f:x": {}}}}

    def test_what_is_no_longer_named_goes(self) -> None:
        store = new_store()
        apply_as(store, "a", config(x="1", y="1"))
        assert apply_as(store, "a", config(y="1"))[1] is False
        assert data(store) == {"y": "1"}

    def test_what_another_names_too_stays(self) -> None:
        store = new_store()
        apply_as(store, "a", config(x="1", y="1"))
        apply_as(store, "b", config(x="1"))
        apply_as(store, "a", config(y="1"))
        assert data(store) == {"x": "1", "y": "1"}
        assert owners(store) == {"b": {"f:data": {"f:x": {}}}, "a": {"f:data": {"f:y": {}}}}

    def test_what_nobody_applied_stays(self) -> None:
        store = new_store()
        store.create(CONFIG_MAP, config(x="1"), "default")
        apply_as(store, "a", config(y="1"))
        apply_as(store, "a", config(z="1"))
        assert data(store) == {"x": "1", "z": "1"}

    def test_nothing_new_is_no_new_version(self) -> None:
        store = new_store()
        apply_as(store, "a", config(x="1"))
        version = store.version
        apply_as(store, "a", config(x="1"))
        assert store.version == version

    def test_owning_what_is_there_already_counts(self) -> None:
        store = new_store()
        store.create(CONFIG_MAP, config(x="1"), "default")
        apply_as(store, "a", config(x="1"))
        apply_as(store, "a", config())
        assert not data(store)

    def test_writers_who_do_not_know_owners_keep_them(self) -> None:
        store = new_store()
        apply_as(store, "a", config(x="1"))
        store.update(CONFIG_MAP, config(x="2"), "it", "default")
        assert owners(store) == {"a": {"f:data": {"f:x": {}}}}


class TestConflicts:
    def test_another_value_is_refused(self) -> None:
        store = new_store()
        apply_as(store, "a", config(x="1"))
        with pytest.raises(ApiError) as caught:
            apply_as(store, "b", config(x="2"))
        assert caught.value.status == 409
        assert str(caught.value) == 'Apply failed with 1 conflict: conflict with "a": .data.x'

    def test_several(self) -> None:
        store = new_store()
        apply_as(store, "a", config(x="1", y="1"))
        with pytest.raises(ApiError) as caught:
            apply_as(store, "b", config(x="2", y="2"))
        assert str(caught.value) == 'Apply failed with 2 conflicts: conflicts with "a":\n- .data.x\n- .data.y'

    def test_force_takes_it_over(self) -> None:
        store = new_store()
        apply_as(store, "a", config(x="1", y="1"))
        apply_as(store, "b", config(x="2"), force="true")
        assert data(store) == {"x": "2", "y": "1"}
        assert owners(store) == {"a": {"f:data": {"f:y": {}}}, "b": {"f:data": {"f:x": {}}}}

    def test_a_stale_version_is_refused(self) -> None:
        store = new_store()
        apply_as(store, "a", config(x="1"))
        body = config(x="2")
        body["metadata"]["resourceVersion"] = "1"
        with pytest.raises(Conflict):
            apply_as(store, "a", body)


class TestLists:
    def test_elements_have_owners(self) -> None:
        store = new_store()
        env = [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]
        apply_as(store, "a", deployment({"name": "main", "image": "i", "env": env}), DEPLOYMENT)
        item, _ = apply_as(store, "a", deployment({"name": "main", "image": "j", "env": env[1:]}), DEPLOYMENT)
        container = item.object["spec"]["template"]["spec"]["containers"][0]
        assert container["env"] == env[1:]
        assert container["image"] == "j"
        assert container["terminationMessagePolicy"] == "File", "defaults stay"

    def test_a_container_goes(self) -> None:
        store = new_store()
        main, side = {"name": "main", "image": "i"}, {"name": "side", "image": "i"}
        apply_as(store, "a", deployment(main, side), DEPLOYMENT)
        item, _ = apply_as(store, "a", deployment(main), DEPLOYMENT)
        assert [one["name"] for one in item.object["spec"]["template"]["spec"]["containers"]] == ["main"]

    def test_an_element_of_another(self) -> None:
        store = new_store()
        apply_as(store, "a", deployment({"name": "main", "image": "i"}), DEPLOYMENT)
        other = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "it"}}
        other["spec"] = {"template": {"spec": {"containers": [{"name": "side", "image": "s"}]}}}  # type: ignore[assignment]
        item, _ = apply_as(store, "b", other, DEPLOYMENT)
        assert {one["name"] for one in item.object["spec"]["template"]["spec"]["containers"]} == {"main", "side"}


class TestRefusals:
    def test_no_manager(self) -> None:
        with pytest.raises(ApiError, match=r"fieldManager: Required value: is required for apply patch") as caught:
            apply_as(new_store(), "", config())
        assert caught.value.status == 422

    @pytest.mark.parametrize("missing", ["apiVersion", "kind"])
    def test_no_type(self, missing: str) -> None:
        body = config()
        del body[missing]
        with pytest.raises(ApiError) as caught:
            apply_as(new_store(), "a", body)
        assert caught.value.status == 400

    def test_managed_fields_in_the_body(self) -> None:
        body = config()
        body["metadata"]["managedFields"] = []
        with pytest.raises(ApiError, match="must be nil"):
            apply_as(new_store(), "a", body)


class TestPaths:
    OBJECT = deployment(
        {"name": "m", "ports": [{"containerPort": 80}], "args": ["x"], "resources": {"limits": {"cpu": 1}}},
        nodeSelector={"a": "b"},
    )

    def test_a_tree_reads_back(self) -> None:
        paths = Paths(paths_of(self.OBJECT))
        assert Paths(read_tree(write_tree(paths))) == paths

    def test_spelled(self) -> None:
        texts = {spelled(path) for path in paths_of(self.OBJECT["spec"], ("", "spec"))}
        assert texts == {
            ".selector",
            ".nodeSelector",
            ".template.metadata.labels.app",
            '.template.spec.containers[name="m"]',
            '.template.spec.containers[name="m"].name',
            '.template.spec.containers[name="m"].args',
            '.template.spec.containers[name="m"].resources.limits.cpu',
            '.template.spec.containers[name="m"].ports[containerPort=80,protocol="TCP"]',
            '.template.spec.containers[name="m"].ports[containerPort=80,protocol="TCP"].containerPort',
        }
