"""Terms are found by the labels of a pod; those that cannot mean it are not looked at."""

from typing import Any

import pytest
from msgspec import convert

from roost.api.selectors import LabelSelector
from roost.cache.term_index import TermIndex
from roost.framework.pod_terms import PodTerm


def term(selector: dict[str, Any] | None, *namespaces: str, any_namespace: bool = False) -> PodTerm:
    wanted = LabelSelector() if any_namespace else None
    return PodTerm(namespaces or ["default"], convert(selector, LabelSelector | None), namespace_selector=wanted)


def among(key: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": "In", "values": list(values)}]}


INDEXED = {
    "by label": term({"matchLabels": {"app": "web"}}),
    "by values": term(among("app", "web", "db")),
    "by nothing": term({"matchExpressions": [{"key": "app", "operator": "Exists"}]}),
    "everything": term({}),
    "nothing": term(None),
    "no value": term(among("app")),
    "of the shop": term({"matchLabels": {"app": "web"}}, "shop"),
    "of any namespace": term({"matchLabels": {"app": "web"}}, any_namespace=True),
}


@pytest.fixture
def index() -> TermIndex[str]:
    index: TermIndex[str] = TermIndex()
    for name, one in INDEXED.items():
        index.add(one, name)
    return index


@pytest.mark.parametrize(
    ("namespace", "labels", "found"),
    [
        pytest.param(
            "default",
            {"app": "web", "tier": "front"},
            {"by label", "by values", "by nothing", "everything", "of any namespace"},
            id="labels of its namespace",
        ),
        pytest.param("default", {"app": "db"}, {"by values", "by nothing", "everything"}, id="one of several values"),
        pytest.param("default", {}, {"by nothing", "everything"}, id="no labels"),
        pytest.param("shop", {"app": "web"}, {"of the shop", "of any namespace"}, id="another namespace"),
    ],
)
def test_what_may_mean_a_pod(index: TermIndex[str], namespace: str, labels: dict[str, str], found: set[str]) -> None:
    candidates = list(index.candidates(namespace, labels))
    assert sorted(candidates) == sorted(found)


def test_what_is_discarded_is_found_no_more_and_leaves_nothing_behind(index: TermIndex[str]) -> None:
    for name in INDEXED:
        index.discard(name)
    assert list(index.candidates("default", {"app": "web"})) == []
    assert (index._places, index._filed) == ({}, {})


def test_what_belongs_to_a_term_in_several_places_is_found_once() -> None:
    index: TermIndex[str] = TermIndex()
    index.add(term(among("app", "web", "db"), "default", "shop"), "both")
    assert list(index.candidates("shop", {"app": "db"})) == ["both"]
