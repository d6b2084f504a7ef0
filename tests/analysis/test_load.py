"""A cluster from text and from objects."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
import yaml
from tests.analysis.spot_world import budget

from roost.analysis import Snapshot, load
from roost.api.meta import KubernetesObject
from roost.errors import ConfigError, InvalidObject
from roost.testing import node, pod

NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}, "status": {"allocatable": {"cpu": "4"}}}
POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"nodeName": "a"}}
BUDGET = {
    "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "b", "namespace": "default"},
    "status": {"disruptionsAllowed": 1},
}  # fmt: skip
OTHER = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
ALL: Sequence[dict[str, Any]] = (NODE, POD, BUDGET, OTHER)


def listed(*objects: dict[str, Any], kind: str = "List") -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "items": list(objects)}


def facts(cluster: Snapshot) -> tuple[list[str], list[str], list[str]]:
    return cluster.cache.node_names, sorted(cluster.pods), [one.name for one in cluster.budgets]


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(json.dumps(listed(*ALL)), id="a list as JSON"),
        pytest.param(json.dumps(listed(*ALL)).encode(), id="bytes"),
        pytest.param(json.dumps(listed(listed(NODE, POD), BUDGET)), id="a list in a list"),
        pytest.param(yaml.safe_dump(listed(*ALL)), id="a list as YAML"),
        pytest.param(yaml.safe_dump_all(ALL), id="documents"),
        pytest.param(ALL, id="objects as plain data"),
        pytest.param([listed(*ALL)], id="a list as plain data"),
        pytest.param([node("a", cpu="4"), pod("p", node_name="a"), budget("b", 1)], id="objects as values"),
    ],
)
def test_a_cluster_is_read(given: Any) -> None:
    cluster = load(given)
    assert facts(cluster) == (["a"], ["default/p"], ["b"])
    assert (cluster.budgets[0].allowed, cluster.unreadable) == (1, [])


def test_items_of_a_typed_list_need_not_name_their_kind() -> None:
    bare = {key: value for key, value in NODE.items() if key != "kind"}
    assert facts(load(json.dumps(listed(bare, kind="NodeList"))))[0] == ["a"]


def test_one_object_is_a_cluster_too() -> None:
    assert facts(load(json.dumps(NODE)))[0] == ["a"]


@pytest.mark.parametrize("as_text", [True, False])
def test_what_cannot_be_read_is_left_out_with_a_sentence(as_text: bool) -> None:
    wrong = {**POD, "spec": {"nodeName": 3}}
    cluster = load(json.dumps(listed(NODE, wrong)) if as_text else [NODE, wrong])
    (told,) = cluster.unreadable
    assert told.startswith("an object of kind Pod is left out: Expected `str`, got `int`")


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        pytest.param("{", ConfigError, "the dump is no valid JSON: ", id="half a JSON"),
        pytest.param("a: [", ConfigError, "no valid YAML", id="half a YAML"),
        pytest.param('{"kind": "List", "items": [3]}', InvalidObject, "no Kubernetes object", id="a number in JSON"),
        pytest.param([3], InvalidObject, "a Kubernetes object is expected", id="a number"),
        pytest.param([{"metadata": {}}], InvalidObject, "a Kubernetes object is expected", id="no kind"),
        pytest.param([KubernetesObject()], InvalidObject, "is no kind of object", id="a value of no kind"),
    ],
)
def test_what_is_no_cluster_is_one_sentence(given: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        load(given)
