"""Strategic merge patches, as kubectl and kube-scheduler send them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.apiserver.patch import json_patch, merge_patch, strategic_merge
from roost.errors import ApiError

Json = dict[str, Any]


def workload(*containers: Json, **spec: Any) -> Json:
    return {"spec": {"template": {"spec": {"containers": list(containers), **spec}}}}


def containers(obj: Json) -> list[Json]:
    found: list[Json] = obj["spec"]["template"]["spec"]["containers"]
    return found


def conditions(*types: str, **more: Any) -> Json:
    return {"status": {"conditions": [{"type": type_, "status": "True", **more} for type_ in types]}}


class TestMaps:
    def test_fields_merge_and_null_deletes(self) -> None:
        old = {"metadata": {"labels": {"a": "1", "b": "2"}}, "spec": {"unschedulable": True}}
        patch = {"metadata": {"labels": {"b": None, "c": "3"}}, "spec": {"unschedulable": None}}
        assert strategic_merge(old, patch, "Node") == {"metadata": {"labels": {"a": "1", "c": "3"}}, "spec": {}}

    def test_nulls_of_what_is_new_are_dropped(self) -> None:
        assert strategic_merge({}, {"spec": {"a": None, "b": {"c": None, "d": 1}}}) == {"spec": {"b": {"d": 1}}}

    def test_replace(self) -> None:
        old = {"spec": {"strategy": {"rollingUpdate": {"maxSurge": 1}}}}
        patch = {"spec": {"strategy": {"$patch": "replace", "type": "Recreate"}}}
        assert strategic_merge(old, patch) == {"spec": {"strategy": {"type": "Recreate"}}}

    def test_delete(self) -> None:
        assert strategic_merge({"spec": {"affinity": {"a": 1}}}, {"spec": {"affinity": {"$patch": "delete"}}}) == {
            "spec": {}
        }

    def test_retain_keys(self) -> None:
        old = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
        patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
        assert strategic_merge(old, patch) == {"spec": {"strategy": {"type": "Recreate"}}}

    def test_a_map_replaces_a_scalar(self) -> None:
        assert strategic_merge({"a": 1}, {"a": {"b": 2}}) == {"a": {"b": 2}}


class TestListsWithKeys:
    def test_elements_merge_by_name(self) -> None:
        old = workload({"name": "a", "image": "1", "tty": True}, {"name": "b", "image": "1"})
        new = strategic_merge(old, workload({"name": "a", "image": "2"}))
        assert containers(new) == [{"name": "a", "image": "2", "tty": True}, {"name": "b", "image": "1"}]

    def test_new_ones_go_where_kube_puts_them(self) -> None:
        old = workload({"name": "a"}, {"name": "b"})
        assert [one["name"] for one in containers(strategic_merge(old, workload({"name": "c"})))] == ["c", "a", "b"]

    def test_delete(self) -> None:
        old = workload({"name": "a"}, {"name": "b"})
        assert containers(strategic_merge(old, workload({"name": "a", "$patch": "delete"}))) == [{"name": "b"}]

    def test_replace_the_list(self) -> None:
        old = workload({"name": "a"}, {"name": "b"})
        assert containers(strategic_merge(old, workload({"name": "c"}, {"$patch": "replace"}))) == [{"name": "c"}]

    def test_order(self) -> None:
        old = workload({"name": "a"}, {"name": "server"}, {"name": "b"})
        patch = workload({"name": "c"})
        patch["spec"]["template"]["spec"]["$setElementOrder/containers"] = [
            {"name": "b"},
            {"name": "c"},
            {"name": "a"},
        ]
        assert [one["name"] for one in containers(strategic_merge(old, patch))] == ["server", "b", "c", "a"]

    def test_order_alone(self) -> None:
        patch = {"status": {"$setElementOrder/conditions": [{"type": "B"}, {"type": "A"}]}}
        new = strategic_merge(conditions("A", "B"), patch)
        assert [one["type"] for one in new["status"]["conditions"]] == ["B", "A"]

    @pytest.mark.parametrize(
        ("where", "key"),
        [("ports", "containerPort"), ("env", "name"), ("volumeMounts", "mountPath"), ("volumeDevices", "devicePath")],
    )
    def test_in_containers(self, where: str, key: str) -> None:
        old = workload({"name": "a", where: [{key: 1, "x": 1}, {key: 2, "x": 1}]})
        new = strategic_merge(old, workload({"name": "a", where: [{key: 2, "x": 2}]}))
        assert containers(new)[0][where] == [{key: 1, "x": 1}, {key: 2, "x": 2}]

    def test_conditions(self) -> None:
        new = strategic_merge(conditions("Ready", "PodScheduled"), conditions("PodScheduled", reason="Unschedulable"))
        assert [one.get("reason") for one in new["status"]["conditions"]] == [None, "Unschedulable"]

    def test_owners_and_finalizers(self) -> None:
        old = {"metadata": {"ownerReferences": [{"uid": "1"}], "finalizers": ["a", "b"]}}
        patch = {
            "metadata": {
                "ownerReferences": [{"uid": "1", "controller": True}],
                "$deleteFromPrimitiveList/finalizers": ["a"],
                "finalizers": ["c"],
            }
        }
        new = strategic_merge(old, patch)["metadata"]
        assert new["ownerReferences"] == [{"uid": "1", "controller": True}]
        assert sorted(new["finalizers"]) == ["b", "c"]


class TestOtherLists:
    @pytest.mark.parametrize("where", ["taints", "tolerations", "args"])
    def test_are_replaced(self, where: str) -> None:
        old, patch = {"spec": {where: [{"key": "a"}, {"key": "b"}]}}, {"spec": {where: [{"key": "b"}]}}
        assert strategic_merge(old, patch) == patch


class TestNonsense:
    @pytest.mark.parametrize(
        "patch",
        [
            workload({"image": "no name"}),
            {"spec": {"$patch": "invent"}},
            {"spec": {"$retainKeys": ["a"], "b": 1}},
            {"status": {"$setElementOrder/conditions": "A", "conditions": []}},
            {"status": {"$setElementOrder/conditions": [{"type": "B"}], "conditions": [{"type": "A"}]}},
        ],
    )
    def test_is_refused(self, patch: Json) -> None:
        old = {**workload({"name": "a"}), **conditions("A")}
        with pytest.raises(ApiError) as caught:
            strategic_merge(old, patch, "Deployment")
        assert caught.value.status == 400


class TestMergePatch:
    @pytest.mark.parametrize(
        ("old", "patch", "new"),
        [
            ({"a": "b"}, {"a": "c"}, {"a": "c"}),
            ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
            ({"a": "b"}, {"a": None}, {}),
            ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
            ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
            ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
            ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
            ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ],
    )
    def test_the_examples_of_rfc_7386(self, old: Json, patch: Json, new: Json) -> None:
        assert merge_patch(old, patch) == new


class TestJsonPatch:
    @pytest.mark.parametrize(
        ("old", "operation", "new"),
        [
            ({"a": 1}, {"op": "add", "path": "/b", "value": 2}, {"a": 1, "b": 2}),
            ({"a": [1, 3]}, {"op": "add", "path": "/a/1", "value": 2}, {"a": [1, 2, 3]}),
            ({"a": [1]}, {"op": "add", "path": "/a/-", "value": 2}, {"a": [1, 2]}),
            ({"a": 1, "b": 2}, {"op": "remove", "path": "/b"}, {"a": 1}),
            ({"a": [1, 2, 3]}, {"op": "remove", "path": "/a/1"}, {"a": [1, 3]}),
            ({"a": [1, 2]}, {"op": "replace", "path": "/a/0", "value": 5}, {"a": [5, 2]}),
            ({"a": {"b": 1}}, {"op": "move", "from": "/a/b", "path": "/c"}, {"a": {}, "c": 1}),
            ({"a": {"b": 1}}, {"op": "copy", "from": "/a", "path": "/c"}, {"a": {"b": 1}, "c": {"b": 1}}),
            ({"a/b": 1, "~": 2}, {"op": "test", "path": "/a~1b", "value": 1}, {"a/b": 1, "~": 2}),
            ({"a/b": 1, "~": 2}, {"op": "remove", "path": "/~0"}, {"a/b": 1}),
        ],
    )
    def test_operations(self, old: Json, operation: Json, new: Json) -> None:
        assert json_patch(old, [operation]) == new

    @pytest.mark.parametrize(
        ("operations", "status"),
        [
            ({"op": "add"}, 400),
            ([{"op": "add", "path": "a", "value": 1}], 400),
            ([{"op": "invent", "path": "/a"}], 400),
            ([{"op": "add", "path": "/a"}], 400),
            ([{"op": "test", "path": "/a", "value": 2}], 422),
            ([{"op": "remove", "path": "/nobody"}], 422),
            ([{"op": "replace", "path": "/nobody", "value": 1}], 422),
            ([{"op": "add", "path": "/list/9", "value": 1}], 422),
            ([{"op": "add", "path": "/x/y", "value": 1}], 422),
            ([{"op": "add", "path": "/a/y", "value": 1}], 422),
            ([{"op": "add", "path": "", "value": 1}], 422),
        ],
    )
    def test_nonsense_is_refused(self, operations: Any, status: int) -> None:
        with pytest.raises(ApiError) as caught:
            json_patch({"a": 1, "list": []}, operations)
        assert caught.value.status == status


NAMES = st.sampled_from(["a", "b", "c", "d"])
ELEMENTS = st.lists(NAMES, unique=True).map(lambda names: [{"name": name, "image": name} for name in names])


class TestAlways:
    @given(ELEMENTS, ELEMENTS)
    def test_the_result_has_all_elements_once(self, old: list[Json], patch: list[Json]) -> None:
        before = workload(*old)
        names = [one["name"] for one in containers(strategic_merge(before, workload(*patch)))]
        assert sorted(names) == sorted({one["name"] for one in (*old, *patch)})
        assert before == workload(*old), "what it is given does not change"

    @given(ELEMENTS, ELEMENTS)
    def test_patching_twice_is_patching_once(self, old: list[Json], patch: list[Json]) -> None:
        once = strategic_merge(workload(*old), workload(*patch))
        twice = strategic_merge(once, workload(*patch))
        assert sorted(one["name"] for one in containers(once)) == sorted(one["name"] for one in containers(twice))
